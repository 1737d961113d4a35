"""A bundle as files on a disk: which directory it is, and its verified bytes.

Owns everything between a path and bytes that are what the manifest says. It must not know what the
bytes mean. Each file is read once; what was verified is what is used, whatever happens to the
directory afterwards.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pairguard.bundle.manifest import (
    DIRECTORY_LIMITS,
    MANIFEST,
    SIGNATURE,
    Manifest,
    read_manifest,
)
from pairguard.errors import BundleRefused

CURRENT: Final = "current"

_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class BundleFiles:
    """The verified content of a bundle.

    Attributes:
        version: The bundle's version, made from the manifest's bytes.
        manifest: The manifest.
        contents: Bytes of every file by name, the manifest's included.
        signature: The signature beside the manifest, not looked at yet; None: there is none.
    """

    version: str
    manifest: Manifest
    contents: Mapping[str, bytes]
    signature: bytes | None = None

    @property
    def stored(self) -> Mapping[str, bytes]:
        """All that lies in the directory: the contents and, where there is one, the signature."""
        if self.signature is None:
            return self.contents
        return {**self.contents, SIGNATURE: self.signature}


def locate_bundle(path: Path) -> Path:
    """Return the directory of one version: the path itself, or the one its ``current`` names.

    Raises:
        BundleRefused: ``BUNDLE_MISSING`` where there is neither, ``BUNDLE_INVALID`` where
            ``current`` is not a link to a directory beside it.
    """
    link = path / CURRENT
    try:
        if (path / MANIFEST).is_symlink() or (path / MANIFEST).exists():
            return path
        if not link.is_symlink():
            if path.is_dir():
                problem = f"{path} holds neither {MANIFEST} nor a link named {CURRENT}"
            else:
                problem = f"{path} is not a directory"
            raise BundleRefused(problem, reason="BUNDLE_MISSING")
        name = link.readlink()
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(name.parts) != 1 or name.name in {"", ".."} or (path / name).is_symlink():
        raise BundleRefused(
            f"{link} must be a link to a directory beside it", reason="BUNDLE_INVALID"
        )
    return path / name


def read_bundle_files(path: Path) -> BundleFiles:
    """Read and verify the files of a bundle: the manifest, then the set of files, then each hash.

    Args:
        path: The directory of one version.

    Raises:
        BundleRefused: With the reason that fits.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleRefused(f"{path} is not a directory", reason="BUNDLE_MISSING") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        names = set(os.listdir(descriptor))  # noqa: PTH208 - of the directory that is open
        if MANIFEST not in names:
            raise BundleRefused(f"{path} holds no {MANIFEST}", reason="BUNDLE_MISSING")
        content = _read_file(descriptor, MANIFEST)
        manifest = read_manifest(content)
        _check_names(names - {MANIFEST, SIGNATURE}, set(manifest.files))
        signature = _read_file(descriptor, SIGNATURE) if SIGNATURE in names else None
        contents = {MANIFEST: content}
        for name, expected in sorted(manifest.files.items()):
            contents[name] = _read_file(descriptor, name)
            if hashlib.sha256(contents[name]).hexdigest() != expected:
                raise BundleRefused(
                    f"{name} is not the file that {MANIFEST} names: its sha256 differs",
                    reason="BUNDLE_HASH_MISMATCH",
                    metadata={"file": name},
                )
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)
    return BundleFiles(manifest.version(content), manifest, contents, signature)


def _check_names(found: set[str], named: set[str]) -> None:
    for names, reason, text in (
        (named - found, "BUNDLE_FILE_MISSING", "missing"),
        (found - named, "BUNDLE_FILE_UNEXPECTED", f"not named in {MANIFEST}"),
    ):
        if names:
            shown = ", ".join(repr(name) for name in sorted(names)[:_NAMES_SHOWN])
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            raise BundleRefused(f"{text}: {shown}{more}", reason=reason)


def _read_file(directory: int, name: str) -> bytes:
    # Not following links, so that nothing outside is read; not blocking, so that a pipe in the
    # place of a file cannot stop a server.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    limit = DIRECTORY_LIMITS[name]
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_file(name) from error
        raise
    # A directory cannot be opened as a file object, so the descriptor is looked at first.
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _no_file(name)
    with os.fdopen(descriptor, "rb") as file:
        # Read with the limit as well: the file may have grown since.
        content = file.read(limit + 1) if status.st_size <= limit else None
    if content is None or len(content) > limit:
        raise BundleRefused(f"{name} is larger than {limit} bytes", reason="BUNDLE_INVALID")
    return content


def _no_file(name: str) -> BundleRefused:
    return BundleRefused(
        f"{name} must be a regular file, not a link or a device", reason="BUNDLE_INVALID"
    )


def _unreadable(path: Path, error: OSError) -> BundleRefused:
    return BundleRefused(f"{path} cannot be read: {error}", reason="BUNDLE_UNREADABLE")
