"""The directory of the segments: what is in it, its lock, its sync.

Owns what is done to the directory rather than to a file in it. It must not know what is in files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from pairguard.store.segments.framing import parse_name

_LOCK_POLL_SECONDS = 0.005


def list_segments(directory: Path) -> list[str]:
    """Return the names of the segments in a directory, oldest first; none if it is missing.

    Raises:
        OSError: The directory is there and cannot be read.
    """
    try:
        return sorted(each.name for each in directory.iterdir() if parse_name(each.name))
    except FileNotFoundError:
        return []


def sync_directory(directory: Path) -> None:
    """Put the names in a directory on disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def directory_lock(directory: Path, *, timeout_seconds: float) -> Iterator[bool]:
    """Hold the lock of a directory, which ends with its process; False: another holds it."""
    deadline = time.monotonic() + timeout_seconds
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not (is_held := _try_lock(descriptor)) and time.monotonic() < deadline:
            time.sleep(_LOCK_POLL_SECONDS)
        yield is_held
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True
