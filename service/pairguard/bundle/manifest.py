"""``bundle.json``: what a bundle consists of and where it comes from.

Owns the format of version 1, which files it has, and a bundle's version. It must not know what is
inside the files it names.

The manifest names the sha256 of every other file but cannot name its own. Instead the bundle's
version is made from the bytes of the manifest itself, whenever it is read: whoever changes any
byte of any file either breaks a hash or makes a bundle of another version.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pairguard.bundle.documents import canonical_json, read_json
from pairguard.errors import BundleRefused

FORMAT_VERSION: Final = 1
MANIFEST: Final = "bundle.json"
SIGNALS: Final = "signals.toml"
AGE_TABLES: Final = "age_tables.json"
AGE_MODEL: Final = "age_model.txt"
HARM_MODEL: Final = "harm_model.txt"
DANGERS: Final = "dangers.json"
PARITY: Final = "parity.npz"
CALIBRATION: Final = "calibration.json"
CERTIFICATE: Final = "certificate.json"
REFERENCE: Final = "reference.json"
REPORT: Final = "report.html"
SIGNATURE: Final = "bundle.sig"
"""Lies beside the manifest and is named by none: who signs a bundle does not change its version."""

OPTIONAL_FILES: Final = frozenset({AGE_MODEL, HARM_MODEL, DANGERS, REPORT})

_MEBIBYTE = 1 << 20

SIZE_LIMITS: Final[Mapping[str, int]] = {
    MANIFEST: _MEBIBYTE,
    SIGNALS: _MEBIBYTE,
    AGE_TABLES: 4 * _MEBIBYTE,
    AGE_MODEL: 64 * _MEBIBYTE,
    HARM_MODEL: 64 * _MEBIBYTE,
    DANGERS: _MEBIBYTE,
    PARITY: 32 * _MEBIBYTE,
    CALIBRATION: _MEBIBYTE,
    CERTIFICATE: 4 * _MEBIBYTE,
    REFERENCE: 16 * _MEBIBYTE,
    REPORT: 64 * _MEBIBYTE,
}
"""Every file that format 1 knows, with the bytes it may have at most."""

SIGNATURE_BYTES: Final = 64
"""Length of an ed25519 signature, RFC 8032."""

DIRECTORY_LIMITS: Final[Mapping[str, int]] = {**SIZE_LIMITS, SIGNATURE: SIGNATURE_BYTES}
"""The same with the signature: everything that may lie in the directory."""

REQUIRED_FILES: Final = frozenset(SIZE_LIMITS) - OPTIONAL_FILES - {MANIFEST}

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``bundle.json`` says.

    Attributes:
        created: When the bundle was made, ``2026-01-31T12:00:00Z``.
        files: sha256 in hexadecimal by name, of every file but the manifest.
        schema_hash: ``SignalCatalogue.schema_hash`` of the catalogue.
        data_hash: sha256 in hexadecimal of the training data.
        seeds: Seeds of everything random, by what they seed.
        metrics: Results of the evaluation; null: could not be computed.
        notes: Sentences for people, such as why there is no harm model.
        format_version: Version of the format.
    """

    created: str
    files: Mapping[str, str]
    schema_hash: str
    data_hash: str
    seeds: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        """Refuse a manifest that could not be read back.

        Raises:
            BundleRefused: With reason ``BUNDLE_INVALID`` and every problem.
        """
        problems = [f"{MANIFEST}: {key} {text}" for key, right, text in _RULES if not right(self)]
        if problems:
            raise BundleRefused("; ".join(problems), reason="BUNDLE_INVALID")

    def to_bytes(self) -> bytes:
        """Return the content of ``bundle.json``."""
        return canonical_json({key: getattr(self, key) for key in _KEYS})

    def version(self, content: bytes) -> str:
        """Return the bundle's version: the date of creation and 12 digits of the content's hash.

        Args:
            content: The bytes that this manifest was read from or written as.
        """
        return f"{self.created[:10]}-{hashlib.sha256(content).hexdigest()[:12]}"

    @property
    def model_hash(self) -> str:
        """The sha256, hexadecimal, of all that makes a score: what a certificate speaks of.

        Of every file but the certificate, the report and this manifest, by name and content.
        """
        named = sorted(set(self.files) - {CERTIFICATE, REPORT})
        lines = "".join(f"{name} {self.files[name]}\n" for name in named)
        return hashlib.sha256(lines.encode("ascii")).hexdigest()


_KEYS = tuple(Manifest.__slots__)


def read_manifest(content: bytes) -> Manifest:
    """Read ``bundle.json``, its format version before anything else.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE`` where it is not JSON or tells no version,
            ``BUNDLE_FORMAT_UNSUPPORTED`` where this program does not know the version,
            ``BUNDLE_INVALID`` where it does not keep to it.
    """
    document = read_json(content, MANIFEST, reason="BUNDLE_UNREADABLE")
    version = document.get("format_version")
    if not _is_whole(version):
        raise BundleRefused(f"{MANIFEST} tells no format_version", reason="BUNDLE_UNREADABLE")
    if version != FORMAT_VERSION:
        raise BundleRefused(
            f"{MANIFEST} has format_version {version}; this program reads {FORMAT_VERSION}: "
            "update it, or make the bundle with the trainer of this version",
            reason="BUNDLE_FORMAT_UNSUPPORTED",
            metadata={"format_version": str(version), "supported": str(FORMAT_VERSION)},
        )
    wrong = sorted(set(document).symmetric_difference(_KEYS))
    if wrong:
        raise BundleRefused(
            f"{MANIFEST}: missing or unknown: {', '.join(map(repr, wrong))}",
            reason="BUNDLE_INVALID",
        )
    notes = document.pop("notes")
    if not isinstance(notes, list):
        raise BundleRefused(f"{MANIFEST}: notes must be a list", reason="BUNDLE_INVALID")
    return Manifest(**document, notes=tuple(notes))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or _CREATED.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_mapping(value: object, right: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(
        isinstance(k, str) and right(v) for k, v in value.items()
    )


def _names_known_files(files: Mapping[str, str]) -> bool:
    # Names are compared with those of the format and never joined to a path as they come, so
    # that none can lead out of the directory.
    return set(files) >= REQUIRED_FILES and set(files) <= set(SIZE_LIMITS) - {MANIFEST}


_REQUIRED_NAMES = ", ".join(sorted(REQUIRED_FILES))
_OPTIONAL_NAMES = ", ".join(sorted(OPTIONAL_FILES))

_RULES: tuple[tuple[str, Callable[[Manifest], bool], str], ...] = (
    ("created", lambda m: _is_date(m.created), "must be a time such as 2026-01-31T12:00:00Z"),
    ("files", lambda m: _is_mapping(m.files, _is_sha256), "must map names to sha256"),
    (
        "files",
        lambda m: not isinstance(m.files, dict) or _names_known_files(m.files),
        f"must name {_REQUIRED_NAMES}, may name {_OPTIONAL_NAMES}, and nothing else",
    ),
    ("schema_hash", lambda m: _is_sha256(m.schema_hash), "must be a sha256"),
    ("data_hash", lambda m: _is_sha256(m.data_hash), "must be a sha256"),
    ("seeds", lambda m: _is_mapping(m.seeds, _is_whole), "must map names to whole numbers"),
    ("metrics", lambda m: _is_mapping(m.metrics, lambda _: True), "must be an object"),
    ("notes", lambda m: all(isinstance(note, str) for note in m.notes), "must be sentences"),
    ("format_version", lambda m: m.format_version == FORMAT_VERSION, f"must be {FORMAT_VERSION}"),
)
