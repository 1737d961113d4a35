"""How the pairs of a pool are scored: read what is kept of all in one trip, judge by columns.

Owns that order, who is seated anew, and that what cannot be read makes the answer more cautious.
Nothing is written and nobody is held here. A pair is judged as ``ScorePair`` judges it at the same
time: where what is kept of one of the two cannot be read, that of the other is not looked at
either.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pairguard.errors import StoreUnavailable
from pairguard.history.acquaintance import possibly_acquainted, possibly_acquainted_with
from pairguard.policy.judgement import Judge
from pairguard.policy.pair_columns import PairColumns
from pairguard.policy.pool_judgement import PoolJudgement, PoolMember, assess_members
from pairguard.policy.pool_lines import Acquaintance
from pairguard.policy.state import StoredState
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.pool_harm import Places
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.kept_participants import (
    Fetched,
    KeptParticipants,
    KnownPair,
    KnownParticipant,
    ReadParticipant,
    between,
    minute_of,
)
from pairguard.server.metrics import Metrics
from pairguard.server.pool_memory import PoolPerson
from pairguard.server.pool_seat import Seat, SeatBasis
from pairguard.store.identity import IdentityKeys

_Acquaintances = dict[tuple[int, int], Acquaintance]


class _Moment(NamedTuple):
    """What is read once for a whole pool, since it may change meanwhile."""

    judge: Judge
    now: float
    chats_counted: bool


class _Found(NamedTuple):
    """One of a pool, the hashes of its ids, and what is kept under them."""

    person: PoolPerson
    hashed: tuple[bytes, ...]
    fetched: Fetched


@dataclass(frozen=True, slots=True, eq=False)
class ReadPool:
    """A pool with all that is known, ready to be judged.

    Attributes:
        generation: What judges.
        now: The time of all judgements, seconds since 1970.
        people: The participants, as they were sent.
        seats: Each of them with what is kept, or as sent where that cannot be read.
        judgement: What judges its pairs.
    """

    generation: Generation
    now: float
    people: Sequence[PoolPerson]
    seats: Sequence[Seat]
    judgement: PoolJudgement
    _as_sent: Places

    @property
    def readable(self) -> list[bool]:
        """Of each participant whether what is kept of it could be read."""
        return [seat.member.readable for seat in self.seats]

    def pairs(self, first: Places, second: Places) -> PairColumns:
        """Judge pairs of places in the pool."""
        readable = np.array(self.readable)
        if not readable.all():
            both = readable[first] & readable[second]
            first = np.where(both, first, self._as_sent[first])
            second = np.where(both, second, self._as_sent[second])
        return self.judgement.pairs(first, second)

    def known_pair(self, first: int, second: int) -> KnownPair | None:
        """Return two of the pool as one pair; None: what is kept of one could not be read."""
        if not (self.seats[first].member.readable and self.seats[second].member.readable):
            return None
        sides = self.judgement.sides
        acquaintance = self.judgement.acquaintance(first, second)
        state = StoredState(
            a=sides[first].kept,
            b=sides[second].kept,
            personal_block=acquaintance.personal_block,
            seconds_since_last_met=acquaintance.seconds_since_last_met,
        )
        return KnownPair(self._named(first), self._named(second), state)

    def _named(self, place: int) -> KnownParticipant:
        """Return what is known of a participant with its ids, which are not remembered."""
        known, (own, *linked) = self.seats[place].known, self.people[place].ids
        named = replace(known.participant, participant_id=own, linked_ids=tuple(linked))
        return replace(known, participant=named)

    @property
    def assessed(self) -> list[ParticipantAssessment]:
        """What is believed of each participant."""
        return self.judgement.assessed[: len(self.seats)]

    @property
    def unknown_names(self) -> list[str]:
        """Names that were sent with anybody and ignored, sorted."""
        return sorted({name for each in self.assessed for name in each.unknown_names})


class PoolScoring:
    """Scores the pairs of pools.

    Args:
        generations: Where what judges is found.
        kept: What is kept of participants.
        metrics: Where errors are counted.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        generations: GenerationSlot,
        kept: KeptParticipants,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._generations = generations
        self._kept = kept
        self._metrics = metrics
        self._clock = clock
        self._basis: SeatBasis | None = None

    def read(self, people: Sequence[PoolPerson], *, around: int | None = None) -> ReadPool:
        """Read and assess a pool.

        Args:
            people: The pool, no id twice.
            around: The place of the only participant whose pairs with the others will be asked
                for; None: any may be.

        Raises:
            BundleRefused: No bundle is loaded yet.
        """
        generation = self._generations.current
        moment = _Moment(generation.judge, self._clock(), self._kept.chats_are_reported)
        judge, now, _ = moment
        seats = self._seats(people, moment)
        unreadable = [not seat.member.readable for seat in seats]
        members = [seat.member for seat in seats]
        as_sent = np.arange(len(members))
        if any(unreadable):
            self._metrics.count_store_error("read")
            readable = [place for place, is_not in enumerate(unreadable) if not is_not]
            as_sent[readable] = np.arange(len(members), len(members) + len(readable))
            further = [self._unread(people[place], moment) for place in readable]
            members += assess_members(judge, [member for _, member in further], now=now)
        judgement = PoolJudgement(judge, members, acquaintances=_acquaintances(seats, around, now))
        return ReadPool(generation, now, people, seats, judgement, as_sent)

    def _seats(self, people: Sequence[PoolPerson], moment: _Moment) -> list[Seat]:
        """Return the seat of each, the last one where it still holds."""
        try:
            keys = self._kept.keys
        except StoreUnavailable:
            found = [_Found(each, (), Fetched(None, None)) for each in people]
            return self._new_seats(found, moment, None)
        basis, now = self._current_basis(moment, keys), moment.now
        hashed = [each.remembered.hashes(each.ids, keys) for each in people]
        fetched = self._kept.fetch_each(hashed, now)
        seats: list[Seat | None] = []
        for person, each in zip(people, fetched, strict=True):
            seat = person.remembered.seat
            seats.append(seat if seat is not None and seat.holds(basis, each, now) else None)
        missing = [place for place, seat in enumerate(seats) if seat is None]
        found = [_Found(people[place], hashed[place], fetched[place]) for place in missing]
        for place, seat in zip(missing, self._new_seats(found, moment, basis), strict=True):
            seats[place] = seat
            people[place].remembered.keep_seat(seat)
        return [seat for seat in seats if seat is not None]

    def _current_basis(self, moment: _Moment, keys: IdentityKeys) -> SeatBasis:
        judge, now, chats_counted = moment
        current = SeatBasis(weakref.ref(judge), keys, minute_of(now), chats_counted)
        last = self._basis
        if last == current:  # that one is what most seats rest on
            return last
        self._basis = current
        return current

    def _new_seats(
        self, found: Sequence[_Found], moment: _Moment, basis: SeatBasis | None
    ) -> list[Seat]:
        """Put people together with what is kept, and assess them."""
        judge, now, _ = moment
        read = [self._put_together(each, moment) for each in found]
        members = assess_members(judge, [member for _, member in read], now=now)
        return [
            Seat(known, member, basis if member.readable else None, each.fetched, now)
            for (known, _), member, each in zip(read, members, found, strict=True)
        ]

    def _put_together(self, found: _Found, moment: _Moment) -> tuple[ReadParticipant, PoolMember]:
        person, hashed, fetched = found
        reading = person.remembered.reading
        read = self._kept.put_together(reading, person.ids, hashed, fetched, moment.now)
        if read is None:
            return self._unread(person, moment)
        state = self._kept.state(read, chats_counted=moment.chats_counted)
        return read, PoolMember(read.known.participant, state)

    def _unread(self, person: PoolPerson, moment: _Moment) -> tuple[ReadParticipant, PoolMember]:
        read = self._kept.unread(person.named)
        state = self._kept.state(read, chats_counted=moment.chats_counted)
        return read, PoolMember(read.known.participant, state, readable=False)


def _acquaintances(seats: Sequence[Seat], around: int | None, now: float) -> _Acquaintances:
    """Return what is between each two who may know each other."""
    rows = [seat.known.rows if seat.member.readable else () for seat in seats]
    ids = [seat.read.all_ids if seat.member.readable else () for seat in seats]
    if around is None:
        possible = sorted(possibly_acquainted(rows, ids))
    else:
        possible = [
            (min(around, place), max(around, place))
            for place in possibly_acquainted_with(around, rows, ids)
        ]
    found: _Acquaintances = {}
    for place, other in possible:
        one, two = seats[place], seats[other]
        if not (one.member.readable and two.member.readable):
            continue
        blocked, since = between(one.read, two.read, now)
        if blocked or since is not None:
            found[place, other] = Acquaintance(blocked, since)
    return found
