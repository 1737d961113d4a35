"""One of a pool, put together and assessed, and for how long all that holds.

Owns what a seat rests on: it is taken again only where nothing of that has changed, so that it is
what would be made anew, to the bit. It must not know where seats are kept.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from pairguard.policy.judgement import Judge
from pairguard.policy.pool_lines import AssessedMember
from pairguard.risk.model import assessed_alike_during
from pairguard.server.kept_participants import Fetched, KnownParticipant, ReadParticipant
from pairguard.store.identity import IdentityKeys

_MOST_RECORDS: Final = 4
"""Seekers differ in their adult ages, and so in how somebody is recorded again and again."""


@dataclass(frozen=True, slots=True)
class SeatBasis:
    """What all seats rest on that are made at one time.

    Attributes:
        judge: What judges, held weakly: a seat is not to keep what serves no more in memory.
        keys: What ids are hashed with.
        minute: As of when rows are summed; see ``summary_of``.
        chats_counted: Whether anybody's chats were reported lately.
    """

    judge: weakref.ref[Judge]
    keys: IdentityKeys
    minute: int
    chats_counted: bool


@dataclass(slots=True, eq=False)
class Seat:
    """A participant of a pool as it is judged.

    Attributes:
        read: It with what is kept, or as sent where that cannot be read.
        member: It as it is judged.
        basis: What that rests on; None: it cannot be taken again.
        fetched: What was kept of it.
        made_time: When it was made, seconds since 1970.
    """

    read: ReadParticipant
    member: AssessedMember
    basis: SeatBasis | None
    fetched: Fetched
    made_time: float
    _during: tuple[float, float] | None = None
    _records: dict[Hashable, bytes] = field(default_factory=dict)

    @property
    def known(self) -> KnownParticipant:
        """The participant with all that is known."""
        return self.read.known

    def holds(self, basis: SeatBasis, fetched: Fetched, now: float) -> bool:
        """Return whether it is what would be made now.

        Args:
            basis: What a new seat would rest on.
            fetched: What is kept now.
            now: Seconds since 1970.
        """
        if self.fetched != fetched or self.basis != basis:
            return False
        if self._during is None:
            self._during = assessed_alike_during(self.known.participant, self.made_time)
        first, last = self._during
        return first <= now <= last

    def recorded(self, asked: Hashable) -> bytes | None:
        """Return how it was recorded before, if the same was asked for; else None."""
        return self._records.get(asked)

    def keep_record(self, asked: Hashable, record: bytes) -> None:
        """Keep how it was recorded, as fields of a ``ParticipantRecord``."""
        if len(self._records) >= _MOST_RECORDS:
            self._records.clear()
        self._records[asked] = record
