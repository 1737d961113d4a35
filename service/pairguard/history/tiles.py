"""Counters as tiles of time, summed when they are read.

Owns the counters, the three sizes of tiles, and the windows. A window is summed from whole tiles
and so covers at least its length: up to five minutes more for an hour, an hour more for a day, a
day more for a week or a month. Tiles of the future (a clock went backwards) count in every window.
Both ways more is counted, never less.

A block of tiles is one byte that tells how many counters it has, then records of a key and so many
floats, little-endian, by rising key. Counters and levels that are not known here are kept.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]


class Counter(IntEnum):
    """What is counted; the value is the column and never changes its meaning."""

    DECISIONS = 0
    """Decisions asked for."""
    ALLOWED = 1
    """Of them ALLOW."""
    EXPOSURE = 2
    """Sum of ``minor_adult_probability`` over the allowed."""
    PARTNER_MINOR = 3
    """Sum of the proposed partners' P(minor)."""
    CHATS = 4
    """Chats that started."""
    SKIPS_MADE = 5
    """Chats that this one ended within ten seconds."""
    SKIPS_SUFFERED = 6
    """Chats that the other ended within ten seconds."""
    SECONDS_WITH_MINORS = 7
    """Duration of chats times the partner's P(minor)."""
    SECONDS_WITH_ADULTS = 8
    """Duration of chats times the partner's P(adult)."""
    CHATS_WITH_MINORS = 9
    """Sum of the partners' P(minor) over ended chats."""
    CHATS_WITH_ADULTS = 10
    """Sum of the partners' P(adult) over ended chats."""
    SKIPS_OF_MINORS = 11
    """Sum of the partners' P(minor) over the chats of SKIPS_MADE."""
    SKIPS_OF_ADULTS = 12
    """Sum of the partners' P(adult) over the chats of SKIPS_MADE."""
    REPORTS_MADE = 13
    """Reports that this one made."""
    PARTNERS = 14
    """Of the decisions, those in which the partner's P(minor) was known."""


COUNTERS: Final = len(Counter)

# (seconds of a tile, tiles that are kept): an hour and the tile begun, a day, a month.
_LEVELS: Final = ((300, 13), (3_600, 25), (86_400, 31))
_LEVEL_BITS: Final = 28
_INDEX_MASK: Final = (1 << _LEVEL_BITS) - 1

WINDOWS: Final = ("1h", "24h", "7d", "30d")
"""Names of the windows, in the order of ``window_sums``."""
_WINDOWS: Final = ((0, 3_600), (1, 86_400), (2, 7 * 86_400), (2, 30 * 86_400))
_ENDS: Final = np.array([level + 1 << _LEVEL_BITS for level, _ in _WINDOWS], np.uint32)[:, None]

_KEY = struct.Struct("<I")
_SWAPS: Final = struct.pack("=I", 1) != _KEY.pack(1)  # on a big-endian machine
_MAX_VALUE: Final = 1e30
"""More than anything that is counted, and less than a float of four bytes can hold."""


class Tiles:
    """The tiles of one row while it is changed.

    What is added at one time goes into three tiles, which stay open until another time comes: a
    call of many events has one.

    Raises:
        ValueError: The block is damaged.
    """

    __slots__ = ("_keys", "_open", "_open_time", "_record", "_records", "_width")

    def __init__(self, block: bytes = b"") -> None:
        self._width = width = block[0] if block else COUNTERS
        if width >= COUNTERS:
            self._record = _record_of(width)
            self._records = bytearray(block[1:])
        else:
            keys, values = _read(block)
            self._width = COUNTERS
            self._record = record = _record_of(COUNTERS)
            rows = zip(keys.tolist(), values.tolist(), strict=True)
            self._records = bytearray().join(record.pack(key, *each) for key, each in rows)
        count, rest = divmod(len(self._records), self._record.size)
        if rest:
            raise ValueError("a block of tiles ends within one")
        self._keys = [*_keys_of(self._width, count).unpack(self._records)]
        self._open_time: float | None = None
        self._open: list[tuple[int, array[float]]] = []

    def add(self, time: float, amounts: Mapping[Counter, float]) -> None:
        """Add amounts to the tiles of a time.

        Args:
            time: Seconds since 1970.
            amounts: What is added, each 0 or more.

        Raises:
            ValueError: The time or an amount is no number, or an amount is below 0.
        """
        for amount in amounts.values():
            if not 0.0 <= amount < _MAX_VALUE:
                raise ValueError("what is counted must be a number of 0 or more")
        if time != self._open_time:
            self._open_at(time)
        for counter, amount in amounts.items():
            for _, tile in self._open:
                # An array of floats of four bytes rounds as writing them does.
                value = tile[counter] + amount
                tile[counter] = value if value < _MAX_VALUE else _MAX_VALUE  # noqa: FURB136 - slower

    def block(self, now: float) -> bytes:
        """Return the block without the tiles that no window reaches any more at ``now``."""
        self._close()
        records, keys, size = self._records, self._keys, self._record.size
        for level, oldest in enumerate(_oldest_keys(now)):
            start = bisect_left(keys, level << _LEVEL_BITS)
            end = bisect_left(keys, oldest)
            if start < end:
                del keys[start:end]
                del records[start * size : end * size]
        return bytes((self._width,)) + records if records else b""

    def _open_at(self, time: float) -> None:
        """Open the tiles of a time, which are made where there are none yet.

        Raises:
            ValueError: The time is no number.
        """
        self._close()
        records, keys, record = self._records, self._keys, self._record
        # By rising keys: what is made later stands behind what was made before.
        for key in _keys(time):
            index = bisect_left(keys, key)
            start = index * record.size + _KEY.size
            end = start + record.size - _KEY.size
            if index == len(keys) or keys[index] != key:
                keys.insert(index, key)
                tile = array("f", bytes(end - start))
                records[start - _KEY.size : start - _KEY.size] = _KEY.pack(key) + tile.tobytes()
            else:
                tile = array("f", bytes(records[start:end]))
                if _SWAPS:
                    tile.byteswap()
            self._open.append((start, tile))
        self._open_time = time

    def _close(self) -> None:
        for start, tile in self._open:
            if _SWAPS:
                tile.byteswap()
            content = tile.tobytes()
            self._records[start : start + len(content)] = content
        self._open = []
        self._open_time = None


@lru_cache(maxsize=16)
def _record_of(width: int) -> struct.Struct:
    return struct.Struct(f"<I{width}f")


@lru_cache(maxsize=128)
def _keys_of(width: int, count: int) -> struct.Struct:
    """Return what reads the keys of so many records."""
    return struct.Struct("<" + f"I{4 * width}x" * count)


def window_sums(blocks: Sequence[bytes], now: float) -> Sums:
    """Sum the windows over the blocks of one participant's ids.

    The same meeting stands in the block of each id, so tiles of one time are not added but the
    greatest counts, counter by counter. Where ids were not always told together that is less than
    all together, and never less than what stands under the id with the most.

    Args:
        blocks: One for each id that has a row; any may be empty.
        now: Seconds since 1970.

    Returns:
        Shape ``(4, COUNTERS)``: a row for each of ``WINDOWS``.

    Raises:
        ValueError: A block is damaged.
    """
    # Ids that were always told together have the same block.
    read = [_read(each) for place, each in enumerate(blocks) if each and each not in blocks[:place]]
    if not read:
        return np.zeros((len(_WINDOWS), COUNTERS))
    keys, values = read[0] if len(read) == 1 else _merged(read)
    reached = (keys >= _starts(now)) & (keys < _ENDS)
    return reached.astype(np.float64) @ values[:, :COUNTERS]


# Whoever is asked of within one minute is asked of at one time.
@lru_cache(maxsize=16)
def _starts(now: float) -> NDArray[np.uint32]:
    """Return the first key that each window reaches, shape ``(4, 1)``."""
    starts = [_key(level, (now - span) // _LEVELS[level][0]) for level, span in _WINDOWS]
    return np.array(starts, np.uint32)[:, None]


def _keys(time: float) -> tuple[int, ...]:
    """Return the keys of the tiles of a time, by level."""
    return _keys_of_index(time // _LEVELS[0][0])[0]


def _oldest_keys(now: float) -> tuple[int, ...]:
    """Return the keys of the first tiles that a window reaches, by level."""
    return _keys_of_index(now // _LEVELS[0][0])[1]


# Larger tiles are made of whole smaller ones, so that all that happens in one has the same keys.
@lru_cache(maxsize=256)
def _keys_of_index(index: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the keys of the tiles that are or hold a smallest one, and the oldest ones then."""
    smallest = _LEVELS[0][0]
    indices = [index // (seconds // smallest) for seconds, _ in _LEVELS]
    return (
        tuple([_key(level, each) for level, each in enumerate(indices)]),
        tuple(
            [
                _key(level, each - kept)
                for (level, each), (_, kept) in zip(enumerate(indices), _LEVELS, strict=True)
            ]
        ),
    )


def _key(level: int, index: float) -> int:
    # A time before 1970 or beyond the year 2500 counts in the first or the last tile.
    return level << _LEVEL_BITS | min(max(int(index), 0), _INDEX_MASK)


def _read(block: bytes) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Return keys and values of a block, at least as wide as the counters known here."""
    if not block:
        return np.zeros(0, np.uint32), np.zeros((0, COUNTERS), np.float32)
    width = block[0]
    if not width:
        raise ValueError("tiles must have counters")
    words = np.frombuffer(block, "<u4", offset=1).reshape(-1, 1 + width)
    keys, values = words[:, 0], words[:, 1:].view("<f4")
    if width < COUNTERS:
        values = np.pad(values, ((0, 0), (0, COUNTERS - width)))
    return keys, values


def _merged(
    read: list[tuple[NDArray[np.uint32], NDArray[np.float32]]],
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    keys = np.concatenate([keys for keys, _ in read])
    values = np.concatenate([each[:, :COUNTERS] for _, each in read])
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    first = np.concatenate(([True], keys[1:] != keys[:-1]))
    return keys[first], np.maximum.reduceat(values, np.flatnonzero(first), axis=0)
