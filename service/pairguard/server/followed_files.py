"""Files that may be replaced while the server serves: certificates, keys, who may call.

Owns when they are read again, and that what cannot be used changes nothing. It must not know what
is in them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from pairguard.errors import ConfigurationRefused

T = TypeVar("T")

_Signature = tuple[tuple[int, ...] | None, ...]


class FollowedFiles(Generic[T]):
    """What some files say, as they stood when they could last be used.

    Args:
        paths: The files; all of them are looked at, whichever changes.
        load: Reads and validates them.
        on_reload: Called after each time that changed files were read, with whether they are used.
        check_seconds: They are looked at once in so many seconds, when somebody asks. 0: each time.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        load: Callable[[], T],
        *,
        on_reload: Callable[[bool], None],
        check_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = tuple(paths)
        self._load = load
        self._on_reload = on_reload
        self._check_seconds = check_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._value: T | None = None
        self._seen: _Signature = ()
        self._next_check = 0.0

    def start(self) -> T:
        """Read them for the first time.

        Raises:
            ConfigurationRefused: They cannot be used.
        """
        with self._lock:
            self._next_check = self._clock() + self._check_seconds
            self._seen = self._signature()
            value = self._value = self._load()
            return value

    def current(self) -> T:
        """Return what they say; costs next to nothing between two looks at them."""
        if self._clock() >= self._next_check and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        if self._value is None:
            raise RuntimeError("the files were never read")
        return self._value

    def _look(self) -> None:
        signature = self._signature()
        if signature != self._seen:
            try:
                self._value = self._load()
            except ConfigurationRefused:
                self._on_reload(False)  # noqa: FBT003 - whether they are used
            else:
                self._on_reload(True)  # noqa: FBT003
            # What was written meanwhile is read at the next look.
            self._seen = signature
        self._next_check = self._clock() + self._check_seconds

    def _signature(self) -> _Signature:
        return tuple(file_signature(path) for path in self._paths)


def file_signature(path: Path) -> tuple[int, ...] | None:
    """Return what changes whenever a file is replaced or written; None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
