"""What was computed lately, kept for a while by what it was computed from.

Owns how much is kept and for how long. It must not know what is kept: a key must hold all that its
value depends on, or the value say for which times it holds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

_Value = TypeVar("_Value")
_STEP = 64


def oldest(kept: Mapping[Hashable, object]) -> list[Hashable]:
    """Return the keys of a full dict's oldest entries: what to forget next.

    A few at a time, since freeing thousands at once holds up one call for milliseconds; and by one
    call of a built-in, so that no other thread changes the dict meanwhile.
    """
    return list(islice(kept, _STEP))


@dataclass(slots=True)
class _Entry(Generic[_Value]):
    key: Hashable
    value: _Value
    size_bytes: int
    used_time: float


class Recent(Generic[_Value]):
    """A bounded store for any threads, which forgets first what was not asked for the longest.

    Entries are found by the hash of their key, which is made once a call, and by the key itself: of
    two keys with one hash the later one is kept.
    """

    def __init__(self, *, most_bytes: int, unused_seconds: float) -> None:
        """Begin with nothing.

        Args:
            most_bytes: Bound on the sum of what entries are said to take.
            unused_seconds: After so long nobody is remembered who was not asked for, as soon as
                somebody else is kept.
        """
        self._most_bytes = most_bytes
        self._unused_seconds = unused_seconds
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, _Entry[_Value]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, *, now: float) -> _Value | None:
        """Return what is kept under a key; None: nothing. ``now`` in seconds since 1970."""
        place = hash(key)
        entry = self._entries.get(place)
        if entry is None or entry.key != key:
            return None
        with self._lock:
            if place in self._entries:  # else another thread has made room meanwhile
                self._entries.move_to_end(place)
        entry.used_time = now
        return entry.value

    def keep(self, key: Hashable, value: _Value, *, size_bytes: int, now: float) -> None:
        """Keep a value, in place of what was kept under its key.

        Args:
            key: The key.
            value: Never None.
            size_bytes: What key and value take at most; what takes more than an eighth of all is
                not kept.
            now: Seconds since 1970.
        """
        if size_bytes > self._most_bytes // 8:
            return
        place = hash(key)
        with self._lock:
            self._forget(place)
            self._entries[place] = _Entry(key, value, size_bytes, now)
            self._bytes += size_bytes
            while True:
                oldest, entry = next(iter(self._entries.items()))
                # A clock that was set back counts like one that went on.
                unused = abs(now - entry.used_time) > self._unused_seconds
                if self._bytes <= self._most_bytes and not unused:
                    return
                self._forget(oldest)

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """What the entries are said to take now."""
        return self._bytes

    def _forget(self, place: int) -> None:
        entry = self._entries.pop(place, None)
        if entry is not None:
            self._bytes -= entry.size_bytes
