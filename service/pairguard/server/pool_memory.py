"""What is remembered of those who are proposed again: how their message was read and is recorded.

Owns the memory, its bound, and for how long a reading holds. It must not know what is read or
written. Whoever waits for a partner is proposed again and again with the same message; to read it
and to make it fit to be kept costs more than all that is judged.

Nothing here tells who somebody is: a message is found by 16 bytes that a key of this process makes
of it, a reading is kept without ids, and a record holds the hashes that the journal holds.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from pairguard.age.recent import Recent
from pairguard.risk.participant import Participant
from pairguard.server.record_hashing import RecordHashing
from pairguard.v1 import participant_pb2

_KEPT_BYTES: Final = 6_000_000
_KEPT_SECONDS: Final = 600.0
_SIZE_BYTES: Final = 2_000
"""Of an entry, beside ten times the length of its message: half as much again as was measured."""
_TIMES_LONGER: Final = 10
_DAY_SECONDS: Final = 86_400


@dataclass(slots=True)
class Remembered:
    """What came of one message.

    Attributes:
        reading: The participant, without ids.
        read_time: When it was read, seconds since 1970.
        year: The calendar year then, which birth years are checked against.
        record: How it is recorded and by what that was made; None: it has not been yet.
    """

    reading: Participant
    read_time: float
    year: int
    record: tuple[RecordHashing, participant_pb2.Participant] | None = None

    def named(self, message: participant_pb2.Participant) -> Participant:
        """Return the participant that a message is of."""
        reading = self.reading
        return Participant(
            participant_id=message.participant_id,
            linked_ids=tuple(message.linked_ids),
            age_evidence=reading.age_evidence,
            signals=reading.signals,
            attributes=reading.attributes,
            interests=reading.interests,
            region=reading.region,
            language=reading.language,
            entry_path=reading.entry_path,
        )

    def recorded(
        self, message: participant_pb2.Participant, hashing: RecordHashing
    ) -> participant_pb2.Participant:
        """Return what may be kept of the message alone, to be copied and not to be changed.

        Args:
            message: What was sent.
            hashing: What makes it fit to be kept.
        """
        record = self.record  # read once: another thread may write it
        if record is None or record[0] is not hashing:
            self.record = record = hashing, hashing.participant(message)
        return record[1]


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


@lru_cache(maxsize=8)
def _year_of_day(day: int) -> int:
    return datetime.fromtimestamp(day * _DAY_SECONDS, UTC).year


def _year(now: float) -> int:
    return _year_of_day(int(now // _DAY_SECONDS))
