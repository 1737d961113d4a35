"""Which version serves: a root of versions and the link that names the current one.

Owns the layout ``ROOT/<version>/``, ``ROOT/current`` and that one publisher at a time turns the
link. It must not know whether a bundle is good enough to be published (training decides), only that
it can be loaded.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pairguard.bundle.directory import CURRENT, BundleFiles, locate_bundle, read_bundle_files
from pairguard.bundle.loading import compose_model
from pairguard.bundle.publication_history import (
    FOUND,
    PUBLISHED,
    ROLLED_BACK,
    Publication,
    append_history,
    read_history,
    version_before,
)
from pairguard.bundle.signature import PublicKeys, put_signature
from pairguard.bundle.writing import synchronise_directory, write_directory
from pairguard.errors import BundleRefused

_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class Expected:
    """What must still be so when the link is turned.

    Attributes:
        current: The version that is current; None: nothing may have been published yet.
        judged: The version that is published; None: whichever it is.
    """

    current: str | None
    judged: str | None = None


def publish(
    root: Path,
    bundle_directory: Path,
    *,
    expected: Expected | None = None,
    public_keys: PublicKeys | None = None,
    grounds: Mapping[str, Any] | None = None,
) -> str:
    """Copy a bundle to a root and make it the current one; earlier versions stay.

    Publishing a version that is in the root already, from anywhere, makes it current again.
    Readers see the earlier version or this one, never a mixture. Publishers take turns. What is
    current already stays so, and the history gets no line.

    Args:
        root: Where versions are kept; made when it is not there.
        bundle_directory: The bundle, or a root whose current version is meant.
        expected: What it was judged as, and beside what; None: whatever there is.
        public_keys: Whose signature it must have; None: none is wanted.
        grounds: What the history is to say of it, JSON values.

    Returns:
        The version that is now current.

    Raises:
        BundleRefused: The bundle cannot be loaded or lacks the signature, or something else than
            was expected is there (``PUBLICATION_OVERTAKEN``); the earlier version stays.
        OSError: The root cannot be written; the earlier version stays current.
    """
    files = read_bundle_files(locate_bundle(bundle_directory))
    if public_keys is not None:
        public_keys.verify(files)
    compose_model(files)
    if expected is not None and expected.judged not in {None, files.version}:
        raise BundleRefused(
            f"{bundle_directory} is {files.version}, and not {expected.judged} as when it was "
            "judged: judge it again",
            reason="PUBLICATION_OVERTAKEN",
        )
    with _locked(root):
        before = current_version(root)
        if expected is not None and before != expected.current:
            raise BundleRefused(
                f"{before or 'nothing'} is current, and not {expected.current or 'nothing'} as "
                "when this was judged: somebody else published meanwhile; judge it again",
                reason="PUBLICATION_OVERTAKEN",
            )
        _store(root, files)
        _make_current(root, files.version, before, PUBLISHED, grounds)
    return files.version


def roll_back(
    root: Path,
    *,
    to: str | None = None,
    public_keys: PublicKeys | None = None,
    grounds: Mapping[str, Any] | None = None,
) -> tuple[str, str | None]:
    """Make an earlier version current again.

    Args:
        root: Where versions are kept.
        to: Its name; None: what was current before the current one was published.
        public_keys: Whose signature it must have; None: none is wanted.
        grounds: What the history is to say of it, JSON values.

    Returns:
        The version that is now current, and what was before.

    Raises:
        BundleRefused: There is no such version (``BUNDLE_MISSING``), or it cannot be loaded; what
            was current stays.
        OSError: The root cannot be read or written; what was current stays.
    """
    versions = published_versions(root)
    if not versions:
        raise BundleRefused(f"{root} holds no version", reason="BUNDLE_MISSING")
    there = f"{root} holds {', '.join(versions)}"
    with _locked(root):
        before = current_version(root)
        version = to
        if version is None:
            known = None if before is None else version_before(read_history(root), before)
            if known is None:
                raise BundleRefused(
                    f"the history tells of nothing before {before or 'nothing'}; name a version: "
                    f"{there}",
                    reason="BUNDLE_MISSING",
                )
            version = known
        if version not in versions:
            raise BundleRefused(f"{version} is not there: {there}", reason="BUNDLE_MISSING")
        files = _read_version(root, version)
        if public_keys is not None:
            public_keys.verify(files)
        compose_model(files)
        _make_current(root, version, before, ROLLED_BACK, grounds)
    return version, before


def published_versions(root: Path) -> tuple[str, ...]:
    """Return the versions in a root by name, which begins with the date of creation."""
    if not root.is_dir():
        return ()
    return tuple(
        sorted(
            entry.name
            for entry in root.iterdir()
            if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
        )
    )


def current_version(root: Path) -> str | None:
    """Return the name of the current version's directory; None: nothing was published."""
    link = root / CURRENT
    return link.readlink().name if link.is_symlink() else None


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Wait until no other publisher is at work, on this machine."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # The kernel lets go of it with the process, however that ends.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _store(root: Path, files: BundleFiles) -> None:
    """Put a version into the root, unless it is there already."""
    target = root / files.version
    if not target.is_dir():
        write_directory(target, files.stored)
    # What is there is what will be served, whoever put it there.
    there = _read_version(root, files.version)
    if files.signature is not None and there.signature != files.signature:
        put_signature(target, files.signature)


def _read_version(root: Path, version: str) -> BundleFiles:
    files = read_bundle_files(root / version)
    if files.version != version:
        raise BundleRefused(
            f"{root / version} holds another version than its name says", reason="BUNDLE_INVALID"
        )
    return files


def _make_current(
    root: Path, version: str, before: str | None, kind: str, grounds: Mapping[str, Any] | None
) -> None:
    link = root / CURRENT
    if link.exists() and not link.is_symlink():
        raise BundleRefused(f"{link} must be a link", reason="BUNDLE_INVALID")
    if version == before:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    history = read_history(root)
    last = history[-1].version if history else None
    if last != before:
        append_history(root, Publication(now, FOUND, before, last))
    append_history(root, Publication(now, kind, version, before, dict(grounds or {})))
    temporary = root / f".{CURRENT}-{secrets.token_hex(8)}"
    temporary.symlink_to(version)
    try:
        temporary.replace(link)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    synchronise_directory(root)
