"""Which version serves: a root of versions and the link that names the current one.

Owns the layout ``ROOT/<version>/`` and ``ROOT/current``. It must not know whether a bundle is good
enough to be published (training decides), only that it can be loaded.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from pairguard.bundle.directory import CURRENT, locate_bundle, read_bundle_files
from pairguard.bundle.loading import compose_model
from pairguard.bundle.writing import synchronise_directory, write_directory
from pairguard.errors import BundleRefused


def publish(root: Path, bundle_directory: Path) -> str:
    """Copy a bundle to a root and make it the current one; earlier versions stay.

    Publishing a version that is in the root already, from anywhere, makes it current again: that
    is how one goes back. Readers see the earlier version or this one, never a mixture.

    Args:
        root: Where versions are kept; made when it is not there.
        bundle_directory: The bundle, or a root whose current version is meant.

    Returns:
        The version that is now current.

    Raises:
        BundleRefused: The bundle cannot be loaded; the earlier version stays current.
        OSError: The root cannot be written; the earlier version stays current.
    """
    files = read_bundle_files(locate_bundle(bundle_directory))
    compose_model(files)
    target = root / files.version
    if not target.is_dir():
        try:
            write_directory(target, files.contents)
        except BundleRefused as error:
            # Somebody else may have published the same version meanwhile: then it is there.
            if error.reason != "BUNDLE_EXISTS":
                raise
    # What is there is what will be served, whoever put it there.
    if read_bundle_files(target).version != files.version:
        raise BundleRefused(
            f"{target} holds another version than its name says", reason="BUNDLE_INVALID"
        )
    _switch(root, files.version)
    return files.version


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


def _switch(root: Path, version: str) -> None:
    link = root / CURRENT
    if link.exists() and not link.is_symlink():
        raise BundleRefused(f"{link} must be a link", reason="BUNDLE_INVALID")
    temporary = root / f".{CURRENT}-{secrets.token_hex(8)}"
    temporary.symlink_to(version)
    try:
        temporary.replace(link)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    synchronise_directory(root)
