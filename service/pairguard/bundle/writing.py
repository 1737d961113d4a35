"""Writing a bundle: all of it or nothing.

Owns how a bundle reaches the disk. It must not know how its files were made.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pairguard.bundle.manifest import DIRECTORY_LIMITS, MANIFEST, Manifest
from pairguard.errors import BundleRefused


def write_bundle(
    directory: Path,
    files: Mapping[str, bytes],
    *,
    created: str,
    schema_hash: str,
    data_hash: str,
    seeds: Mapping[str, int] | None = None,
    metrics: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Manifest:
    """Write a bundle to a new directory; the same arguments give the same bytes.

    Args:
        directory: Where it is to be; nothing may be there yet.
        files: Content of every file but the manifest, by the names of the format.
        created: When it was made, ``2026-01-31T12:00:00Z``.
        schema_hash: ``SignalCatalogue.schema_hash`` of the catalogue.
        data_hash: sha256 in hexadecimal of the training data.
        seeds: Seeds of everything random.
        metrics: Results of the evaluation, JSON values; null: could not be computed.
        notes: Sentences for people.

    Returns:
        The manifest as written.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS`` where something is there already, ``BUNDLE_INVALID``
            where the format does not allow these files or values.
        OSError: It could not be written; nothing was left behind.
    """
    manifest = Manifest(
        created=created,
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        schema_hash=schema_hash,
        data_hash=data_hash,
        seeds=dict(seeds or {}),
        metrics=dict(metrics or {}),
        notes=tuple(notes),
    )
    try:
        content = manifest.to_bytes()
    except (TypeError, ValueError) as error:
        raise BundleRefused(f"{MANIFEST}: {error}", reason="BUNDLE_INVALID") from error
    write_directory(directory, {**files, MANIFEST: content})
    return manifest


def write_directory(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write files to a new directory that appears complete and durable, or not at all.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS`` where something is there already, ``BUNDLE_INVALID``
            where a file is too large.
        OSError: It could not be written; nothing was left behind.
    """
    for name, content in contents.items():
        if len(content) > DIRECTORY_LIMITS[name]:
            raise BundleRefused(
                f"{name} is larger than {DIRECTORY_LIMITS[name]} bytes", reason="BUNDLE_INVALID"
            )
    if os.path.lexists(directory):
        raise _exists(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        for name, content in contents.items():
            with (building / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        building.chmod(0o755)
        synchronise_directory(building)
        building.rename(directory)
    except BaseException as error:
        shutil.rmtree(building, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise _exists(directory) from error
        raise
    synchronise_directory(directory.parent)


def synchronise_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(directory: Path) -> BundleRefused:
    return BundleRefused(
        f"{directory} is there already; a bundle is never overwritten", reason="BUNDLE_EXISTS"
    )
