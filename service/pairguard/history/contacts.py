"""Dated lists of ids: whom a participant met, on which devices it was seen.

Owns their form: records of sixteen bytes (minute since 1970, flags, the first eight bytes of the
keyed hash), oldest first, each id once, capped by number and age. Eight bytes of a hash are enough
to tell a few thousand ids apart (the chance that any two of 1,024 are alike is 3e-14) and halve the
list.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

PREFIX_BYTES: Final = 8
MAX_CONTACTS: Final = 1_024
"""Ids in one list; beyond it the oldest are forgotten."""
KEEP_SECONDS: Final = 30 * 86_400.0

_RECORD = struct.Struct("<II8s")
_MINUTE = struct.Struct("<I")
_FIELDS = np.dtype([("minute", "<u4"), ("flags", "<u4"), ("id", "<u8")])
_PRIMARY: Final = 1
_ID_OFFSET: Final = _RECORD.size - PREFIX_BYTES


def open_contacts(contacts: bytes) -> bytearray:
    """Return a list that can be changed; b"": an empty one.

    Raises:
        ValueError: The list is damaged.
    """
    _check(contacts)
    return bytearray(contacts)


def note_contact(
    contacts: bytearray, time: float, ids: Sequence[bytes], *, limit: int = MAX_CONTACTS
) -> None:
    """Take note in a list, in place, that a participant was met at a time.

    Args:
        contacts: As ``open_contacts`` returns it.
        time: Seconds since 1970.
        ids: Hashes of the participant; the first is its own, the others are linked to it.
        limit: How many ids there may be.
    """
    size = _RECORD.size
    minute = max(int(time // 60.0), 0)
    records, prefixes = _records_of(minute, tuple(ids))
    if contacts.endswith(records):
        return  # as at the end of a short chat
    if not contacts or _MINUTE.unpack_from(contacts, len(contacts) - size)[0] <= minute:
        for each in prefixes:
            if each in contacts:
                _move(contacts, minute, prefixes)
                break
        else:
            # As at nearly every start of a chat: somebody new, and now.
            contacts += records
    else:
        _move(contacts, minute, prefixes)
    oldest = int((time - KEEP_SECONDS) // 60.0)
    start = max(len(contacts) - limit * size, 0)
    while start < len(contacts) and _MINUTE.unpack_from(contacts, start)[0] < oldest:
        start += size
    if start:
        del contacts[:start]


# One meeting is noted in the rows of all ids, and at its end again.
@lru_cache(maxsize=4_096)
def _records_of(minute: int, ids: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the records of ids that nobody has met before, and how the ids begin."""
    prefixes = tuple([each[:PREFIX_BYTES] for each in ids])
    flags = [_PRIMARY] + [0] * (len(ids) - 1)
    records = [
        _RECORD.pack(minute, flag, each) for flag, each in zip(flags, prefixes, strict=False)
    ]
    return b"".join(records), prefixes


def _move(contacts: bytearray, minute: int, prefixes: Sequence[bytes]) -> None:
    """Put ids where they belong by the time of a meeting, or of a later one that is known."""
    size = _RECORD.size
    flags = _PRIMARY
    for prefix in prefixes:
        place = _find(contacts, prefix)
        latest = minute
        if place >= 0:
            # The flag that an id had as a participant's own stays: participants are counted by it.
            before, old_flags, _ = _RECORD.unpack_from(contacts, place)
            latest, flags = max(minute, before), flags | old_flags
            del contacts[place : place + size]
        place = len(contacts)
        while place and _MINUTE.unpack_from(contacts, place - size)[0] > latest:
            place -= size
        contacts[place:place] = _RECORD.pack(latest, flags, prefix)
        flags = 0


def last_contact(contacts: bytes | bytearray, ids: Iterable[bytes]) -> float | None:
    """Return when any of these ids was met last, in seconds since 1970; or None.

    That is the end of the minute in which they met, which alone is kept: never longer ago than it
    was.

    Raises:
        ValueError: The list is damaged.
    """
    _check(contacts)
    places = [_find(contacts, each[:PREFIX_BYTES]) for each in ids]
    minutes = [_MINUTE.unpack_from(contacts, place)[0] for place in places if place >= 0]
    return (max(minutes) + 1) * 60.0 if minutes else None


def contact_count(lists: Sequence[bytes], now: float) -> int:
    """Return how many different participants stand in lists within thirty days before ``now``.

    Ids that were only ever told as linked to a participant are none themselves.

    Args:
        lists: Lists of one participant's ids; the same one in two of them counts once.
        now: Seconds since 1970.

    Raises:
        ValueError: A list is damaged.
    """
    # Ids that were always told together have the same list.
    given = [each for place, each in enumerate(lists) if each and each not in lists[:place]]
    if not given:
        return 0
    for each in given:
        _check(each)
    records = np.frombuffer(given[0] if len(given) == 1 else b"".join(given), _FIELDS)
    oldest = max(int((now - KEEP_SECONDS) // 60.0), 0)
    counted = (records["minute"] >= oldest) & (records["flags"] != 0)
    if len(given) == 1:
        return int(np.count_nonzero(counted))
    return len(np.unique(records["id"][counted]))


def with_names(contacts: bytes | bytearray, names: Mapping[bytes, bytes]) -> bytes:
    """Return a list in which other hashes stand for some, so that counts stay."""
    _check(contacts)
    renamed = bytearray(contacts)
    for old, new in names.items():
        place = _find(renamed, old[:PREFIX_BYTES])
        if place >= 0:
            start = place + _ID_OFFSET
            renamed[start : start + PREFIX_BYTES] = new[:PREFIX_BYTES]
    return bytes(renamed)


def prefixes_of(contacts: bytes) -> list[bytes]:
    """Return the first bytes of every hash in a list.

    Raises:
        ValueError: The list is damaged.
    """
    _check(contacts)
    return [id_prefix for _, _, id_prefix in _RECORD.iter_unpack(contacts)]


def id_prefixes(contacts: bytes) -> NDArray[np.uint64]:
    """Return the same as numbers, the first byte the lowest.

    Raises:
        ValueError: The list is damaged.
    """
    _check(contacts)
    return np.frombuffer(contacts, _FIELDS)["id"]


def _check(contacts: bytes | bytearray) -> None:
    if len(contacts) % _RECORD.size:
        raise ValueError("a list of contacts ends within a record")


def _find(contacts: bytes | bytearray, id_prefix: bytes) -> int:
    """Return where the record of an id begins; -1: it has none."""
    # A search through bytes is a hundred times cheaper than an array, and nearly always in vain.
    place = contacts.find(id_prefix)
    while place >= 0 and place % _RECORD.size != _ID_OFFSET:
        place = contacts.find(id_prefix, place + 1)
    return place - _ID_OFFSET if place >= 0 else -1
