"""How the pairs of a pool are scored: read what is kept of all in one trip, judge by columns.

Owns that order, and that what cannot be read makes the answer more cautious. Nothing is written
and nobody is held here. A pair is judged as ``ScorePair`` judges it at the same time: where what is
kept of one of the two cannot be read, that of the other is not looked at either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.history.acquaintance import may_name, possibly_acquainted
from pairguard.history.contacts import PREFIX_BYTES
from pairguard.policy.pair_columns import PairColumns
from pairguard.policy.pool_judgement import PoolJudgement, PoolMember
from pairguard.policy.pool_lines import Acquaintance
from pairguard.policy.state import StoredState
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.participant import Participant
from pairguard.risk.pool_harm import Places
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.kept_participants import (
    KeptParticipants,
    KnownPair,
    KnownParticipant,
    ReadParticipant,
    between,
)
from pairguard.server.metrics import Metrics

_Acquaintances = dict[tuple[int, int], Acquaintance]


@dataclass(frozen=True, slots=True, eq=False)
class ReadPool:
    """A pool with all that is known, ready to be judged.

    Attributes:
        generation: What judges.
        now: The time of all judgements, seconds since 1970.
        known: Each participant with what is kept, or as sent where that cannot be read.
        readable: Of each whether it could be read.
        judgement: What judges its pairs.
    """

    generation: Generation
    now: float
    known: tuple[KnownParticipant, ...]
    readable: tuple[bool, ...]
    judgement: PoolJudgement
    _as_sent: Places

    def pairs(self, first: Places, second: Places) -> PairColumns:
        """Judge pairs of places in the pool."""
        if not all(self.readable):
            readable = np.array(self.readable)
            both = readable[first] & readable[second]
            first = np.where(both, first, self._as_sent[first])
            second = np.where(both, second, self._as_sent[second])
        return self.judgement.pairs(first, second)

    def known_pair(self, first: int, second: int) -> KnownPair | None:
        """Return two of the pool as one pair; None: what is kept of one could not be read."""
        if not (self.readable[first] and self.readable[second]):
            return None
        sides = self.judgement.sides
        acquaintance = self.judgement.acquaintance(first, second)
        state = StoredState(
            a=sides[first].kept,
            b=sides[second].kept,
            personal_block=acquaintance.personal_block,
            seconds_since_last_met=acquaintance.seconds_since_last_met,
        )
        return KnownPair(self.known[first], self.known[second], state)

    @property
    def assessed(self) -> list[ParticipantAssessment]:
        """What is believed of each participant."""
        return self.judgement.assessed[: len(self.known)]

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

    def read(self, participants: Sequence[Participant], *, around: int | None = None) -> ReadPool:
        """Read and assess a pool.

        Args:
            participants: The pool, no id twice.
            around: The place of the only participant whose pairs with the others will be asked
                for; None: any may be.

        Raises:
            BundleRefused: No bundle is loaded yet.
        """
        generation = self._generations.current
        now = self._clock()
        reads = self._kept.read_each(participants, now)
        acquaintances = self._acquaintances(reads, around, now)
        readable = tuple([read is not None for read in reads])
        if not all(readable):
            self._metrics.count_store_error("read")
        members, known = [], []
        for read, participant in zip(reads, participants, strict=True):
            used = self._kept.unread(participant) if read is None else read
            known.append(used.known)
            members.append(self._member(used, readable=read is not None))
        as_sent = np.arange(len(members))
        if any(readable) and not all(readable):
            for place, participant in enumerate(participants):
                if readable[place]:
                    as_sent[place] = len(members)
                    members.append(self._member(self._kept.unread(participant), readable=False))
        judgement = PoolJudgement(generation.judge, members, now=now, acquaintances=acquaintances)
        return ReadPool(generation, now, tuple(known), readable, judgement, as_sent)

    def _member(self, read: ReadParticipant, *, readable: bool) -> PoolMember:
        return PoolMember(read.known.participant, self._kept.state(read), readable)

    def _acquaintances(
        self, reads: list[ReadParticipant | None], around: int | None, now: float
    ) -> _Acquaintances:
        """Return what is between each two who may know each other."""
        found: _Acquaintances = {}
        for place, other in sorted(_possible(reads, around)):
            one, two = reads[place], reads[other]
            if one is None or two is None:
                continue
            blocked, since = between(one, two, now)
            if blocked or since is not None:
                found[place, other] = Acquaintance(blocked, since)
        return found


def _possible(reads: list[ReadParticipant | None], around: int | None) -> set[tuple[int, int]]:
    if around is None:
        rows = [() if read is None else read.known.rows for read in reads]
        ids = [() if read is None else read.all_ids for read in reads]
        return possibly_acquainted(rows, ids)
    centre = reads[around]
    if centre is None:
        return set()
    here = [each[:PREFIX_BYTES] for each in centre.all_ids]
    return {
        (min(around, place), max(around, place))
        for place, read in enumerate(reads)
        if place != around
        and read is not None
        and (
            may_name(read.known.rows, here)
            or may_name(centre.known.rows, [each[:PREFIX_BYTES] for each in read.all_ids])
        )
    }
