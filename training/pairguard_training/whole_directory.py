"""A directory that appears complete or not at all.

Owns the swap. It must not know what is in the directory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairguard.errors import ConfigurationRefused


@contextmanager
def whole_directory(target: Path, *, replace: bool, mark: str) -> Iterator[Path]:
    """Give a path to build a directory at, and put it at the target when all went well.

    Args:
        target: Where it is to be.
        replace: Whether an earlier one may be replaced.
        mark: A file that an earlier one must hold to be replaced, so that nothing else ever is.

    Yields:
        A path beside the target at which nothing is yet.

    Raises:
        ConfigurationRefused: Something is there that may not be replaced.
    """
    _check(target, replace=replace, mark=mark)
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield room / "new"
        (room / "new").chmod(0o755)
        # What is there may have changed while this was being built.
        _check(target, replace=replace, mark=mark)
        if target.exists():
            target.rename(room / "old")
        (room / "new").rename(target)
    finally:
        if (room / "old").exists() and not target.exists():
            (room / "old").rename(target)
        shutil.rmtree(room, ignore_errors=True)


def _check(target: Path, *, replace: bool, mark: str) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        return
    if not replace:
        raise ConfigurationRefused([f"{target} is there already; add --replace to replace it"])
    if not (target / mark).is_file() or target.is_symlink():
        raise ConfigurationRefused(
            [f"{target} holds no {mark}: it is not replaced, whatever it is; choose another --out"]
        )
