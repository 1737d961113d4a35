"""What is remembered of those who are proposed again: how their message was read, and their seat.

Owns the memory, its bound, and for how long a reading holds. It must not know what is read or
judged. Whoever waits for a partner is proposed again and again with the same message; to read it,
to put it together with what is kept and to make it fit to be recorded costs more than all that is
judged.

Nothing here tells who somebody is: a message is found by 16 bytes that a key of this process makes
of it, a reading is kept without ids, and a seat holds the hashes that the store holds.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from pairguard.age.recent import Recent
from pairguard.risk.participant import Participant
from pairguard.server.pool_seat import Seat
from pairguard.store.identity import IdentityKeys
from pairguard.v1 import participant_pb2

_KEPT_BYTES: Final = 16_000_000
_KEPT_SECONDS: Final = 600.0
_SIZE_BYTES: Final = 25_000
"""Of an entry with its seat, beside ten times the length of its message: more than was measured of
any, though most of it is what the model and the summaries keep, too."""
_MOST_ROW_BYTES: Final = 4_096
"""Whoever has longer rows is seated anew each time: they would take the place of several others."""
_TIMES_LONGER: Final = 10
_DAY_SECONDS: Final = 86_400


@dataclass(slots=True, eq=False)
class Remembered:
    """What came of one message.

    Attributes:
        reading: The participant, without ids.
        read_time: When it was read, seconds since 1970.
        year: The calendar year then, which birth years are checked against.
        seat: The last seat that was made of it; None: none that could be taken again.
    """

    reading: Participant
    read_time: float
    year: int
    seat: Seat | None = None
    _hashes: tuple[IdentityKeys, tuple[bytes, ...]] | None = None

    def keep_seat(self, seat: Seat) -> None:
        """Keep a seat that was made of the message, if it may be taken again and is not large."""
        is_large = sum(map(len, seat.known.rows)) > _MOST_ROW_BYTES
        self.seat = None if seat.basis is None or is_large else seat

    def hashes(self, ids: Sequence[str], keys: IdentityKeys) -> tuple[bytes, ...]:
        """Return the hashes of the ids in the message, under all keys."""
        hashes = self._hashes  # read once: another thread may write it
        if hashes is None or hashes[0] is not keys:
            self._hashes = hashes = keys, keys.hashes(ids)
        return hashes[1]


@dataclass(frozen=True, slots=True)
class PoolPerson:
    """One of a pool as it was sent.

    Attributes:
        ids: Its own id and the linked ones, in the order of the message.
        remembered: What is remembered of the message, the ids in it among all else.
    """

    ids: tuple[str, ...]
    remembered: Remembered

    @property
    def named(self) -> Participant:
        """The participant with its ids."""
        own, *linked = self.ids
        return replace(self.remembered.reading, participant_id=own, linked_ids=tuple(linked))


class PoolMemory:
    """Remembers messages of participants; any thread may ask."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._recent: Recent[Remembered] = Recent(
            most_bytes=_KEPT_BYTES, unused_seconds=_KEPT_SECONDS
        )

    def find(
        self, message: participant_pb2.Participant, now: float
    ) -> tuple[bytes, Remembered | None]:
        """Return what stands for a message, and what is remembered of it; None: nothing that holds.

        A message that was right stays right as time goes on within a year: nothing of it comes to
        lie in the future. Where the clock has gone back it has to be read again.

        Args:
            message: What was sent.
            now: When, seconds since 1970.
        """
        data = message.SerializeToString(deterministic=True)
        content = hashlib.blake2b(data, key=self._key, digest_size=16).digest()
        kept = self._recent.get(content, now=now)
        if kept is not None and kept.read_time <= now and kept.year == _year(now):
            return content, kept
        return content, None

    def keep(
        self, content: bytes, message: participant_pb2.Participant, read: Participant, now: float
    ) -> Remembered:
        """Remember how a message was read, in which nothing was wrong.

        Args:
            content: What stands for the message.
            message: What was sent.
            read: The participant.
            now: When it was read, seconds since 1970.
        """
        nobody = replace(read, participant_id="", linked_ids=())
        remembered = Remembered(nobody, now, _year(now))
        size = _SIZE_BYTES + _TIMES_LONGER * message.ByteSize()
        self._recent.keep(content, remembered, size_bytes=size, now=now)
        return remembered


def not_remembered(read: Participant, now: float) -> Remembered:
    """Return what is made of a message that is read once; its participant may have ids."""
    return Remembered(read, now, _year(now))


@lru_cache(maxsize=8)
def _year_of_day(day: int) -> int:
    return datetime.fromtimestamp(day * _DAY_SECONDS, UTC).year


def _year(now: float) -> int:
    return _year_of_day(int(now // _DAY_SECONDS))
