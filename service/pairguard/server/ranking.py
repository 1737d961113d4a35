"""How candidates are ranked for a seeker.

Owns the order: only who is allowed, the lower risk band first, within a band the higher affinity.
Nobody is held by a ranking. It must not know messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from pairguard.age.admission import Admission
from pairguard.policy.checks import CheckPlan
from pairguard.policy.decision import DecisionKind
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pair_columns import CODES, PairColumns
from pairguard.policy.pools import Side
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import joined_edges
from pairguard.policy.standing import own_refusals
from pairguard.server.decision_ids import new_ranking_id
from pairguard.server.model_certificate import CERTIFICATE_NOT_USABLE
from pairguard.server.pool_conversion import CandidateCall
from pairguard.server.pool_memory import PoolPerson
from pairguard.server.pool_scoring import PoolScoring, ReadPool
from pairguard.server.scoring import HARM_MODEL_UNAVAILABLE, STORE_UNAVAILABLE

_AGE_HOLD: Final = frozenset({ReasonCode.BELOW_MINIMUM_AGE.value})
_SEEKER: Final = 0


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Everything that is answered about a seeker and its candidates.

    Attributes:
        decision_id: 32 random hexadecimal digits.
        expire_time: Until when a chat may start from it, seconds since 1970; None: nobody is
            offered.
        pool: The seeker, then the candidates who could be judged.
        candidates: Those candidates as they were sent.
        columns: What was decided on the seeker with each of them.
        bands: Risk band of each, 1 or more.
        offered: Places in ``candidates`` of those in the answer, the best first.
        seeker_reasons: Why the seeker meets nobody, whoever it is.
        seeker_plan: The age check that the seeker is asked for; None: none.
        degradations: What had to be done without, sorted.
    """

    decision_id: str
    expire_time: float | None
    pool: ReadPool
    candidates: tuple[CandidateCall, ...]
    columns: PairColumns
    bands: Sequence[int]
    offered: tuple[int, ...]
    seeker_reasons: tuple[ReasonCode, ...]
    seeker_plan: CheckPlan | None
    degradations: tuple[str, ...]

    @property
    def sides_of_each(self) -> list[Side]:
        """Each candidate as the rules see it."""
        return self.pool.judgement.sides[1 : len(self.candidates) + 1]

    def lines_with_each(self) -> list[RegionPolicy]:
        """Return the lines that held for the seeker with each candidate."""
        seeker, stricter = self.pool.judgement.sides[_SEEKER], self.pool.judgement.policy.stricter
        return [stricter(seeker.lines, side.lines) for side in self.sides_of_each]

    @property
    def leading_counts(self) -> list[tuple[ReasonCode, int]]:
        """How many candidates are not allowed, by leading reason, the most first."""
        refused = self.columns.leading[self.columns.kinds != DecisionKind.ALLOW].tolist()
        return [(CODES[place], count) for place, count in _most_first(Counter(refused))]


class CandidateRanking:
    """Ranks candidates.

    Args:
        scoring: What judges them.
        allow_expire_seconds: How long a ranking may be acted on.
    """

    def __init__(self, scoring: PoolScoring, *, allow_expire_seconds: float) -> None:
        self._scoring = scoring
        self._allow_expire_seconds = allow_expire_seconds

    def rank(
        self,
        seeker: PoolPerson,
        candidates: tuple[CandidateCall, ...],
        *,
        max_results: int | None = None,
    ) -> Ranking:
        """Rank candidates for a seeker; nobody is held.

        Args:
            seeker: Who looks for a partner.
            candidates: Who it could be; none shares an id with another or with the seeker.
            max_results: Most to offer; None: all that are allowed.

        Raises:
            BundleRefused: No bundle is loaded yet.
        """
        pool = self._scoring.read([seeker, *[each.person for each in candidates]], around=_SEEKER)
        others = np.arange(1, len(candidates) + 1)
        columns = pool.pairs(np.zeros_like(others), others)
        bands = self._bands(pool, columns)
        offered = _offered(candidates, columns, bands, max_results)
        degradations = []
        if not all(pool.readable):
            degradations.append(STORE_UNAVAILABLE)
        if pool.generation.judge.model.harm is None:
            degradations.append(HARM_MODEL_UNAVAILABLE)
        if any(lines.unkept for lines in pool.judgement.line_sets):
            degradations.append(CERTIFICATE_NOT_USABLE)
        return Ranking(
            decision_id=new_ranking_id(),
            expire_time=pool.now + self._allow_expire_seconds if offered else None,
            pool=pool,
            candidates=candidates,
            columns=columns,
            bands=bands,
            offered=offered,
            seeker_reasons=_seeker_reasons(pool),
            seeker_plan=_seeker_plan(pool),
            degradations=tuple(sorted(degradations)),
        )

    @staticmethod
    def _bands(pool: ReadPool, columns: PairColumns) -> list[int]:
        edges = joined_edges(pool.judgement.line_sets)
        bands: list[int] = (np.searchsorted(edges, columns.risk.scores, side="left") + 1).tolist()
        return bands


def _offered(
    candidates: Sequence[CandidateCall],
    columns: PairColumns,
    bands: Sequence[int],
    max_results: int | None,
) -> tuple[int, ...]:
    scores = columns.risk.scores.tolist()

    def rank(place: int) -> tuple[int, float, float, int]:
        affinity = candidates[place].affinity
        return bands[place], inf if affinity is None else -affinity, scores[place], place

    allowed = np.flatnonzero(columns.kinds == DecisionKind.ALLOW).tolist()
    return tuple(sorted(allowed, key=rank)[:max_results])


def _seeker_reasons(pool: ReadPool) -> tuple[ReasonCode, ...]:
    side = pool.judgement.sides[_SEEKER]
    reasons = own_refusals(side)
    if not pool.readable[_SEEKER] and not side.lines.allow_on_unread_state:
        order = {code: place for place, code in enumerate(CODES)}
        both = {*reasons, ReasonCode.STORE_UNAVAILABLE}
        return tuple(sorted(both, key=order.__getitem__))
    return reasons


def _seeker_plan(pool: ReadPool) -> CheckPlan | None:
    """Return what the seeker is asked for, which no candidate has any part in."""
    side, seeker = pool.judgement.sides[_SEEKER], pool.seats[_SEEKER].known.participant
    plan = pool.generation.judge.planner.plan(seeker.located_region, side.age)
    # Whoever is held for more than an age is not asked: no check would end that hold.
    if plan.admission not in (Admission.UNKNOWN, Admission.BARRED):
        return None
    if not plan.forecasts or not _AGE_HOLD.issuperset(side.kept.held_for):
        return None
    return plan


def _most_first(counts: Counter[int]) -> list[tuple[int, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
