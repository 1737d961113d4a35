"""Many pairs among one pool of participants, decided by columns: the same as one by one, for less.

Owns who is judged under whose lines: each participant is assessed once, and pairs under the same
lines are judged together (``pairguard.policy.pool_lines``). It must not know requests or stores:
what is kept comes in with each member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.policy.document import RegionPolicy
from pairguard.policy.judgement import Judge, side_of
from pairguard.policy.pair_columns import PairColumns, joined
from pairguard.policy.pool_lines import (
    STRANGERS,
    Acquaintance,
    AssessedMember,
    PoolFacts,
    PoolLines,
)
from pairguard.policy.state import KeptState
from pairguard.risk.participant import Participant
from pairguard.risk.pool import PoolRisk, chosen_by
from pairguard.risk.pool_harm import Places


@dataclass(frozen=True, slots=True)
class PoolMember:
    """One participant of a pool.

    Attributes:
        participant: With the evidence and the history that are kept.
        kept: What else is kept.
        readable: Whether what is kept could be read.
    """

    participant: Participant
    kept: KeptState
    readable: bool = True


def assess_members(
    judge: Judge, members: Sequence[PoolMember], *, now: float | Sequence[float]
) -> list[AssessedMember]:
    """Assess each participant of a pool once.

    Args:
        judge: What judges.
        members: The pool.
        now: Seconds since 1970; or the time of each member, as where records are judged.
    """
    found = []
    assessments = judge.model.assess_participants([each.participant for each in members], now)
    for member, assessed in zip(members, assessments, strict=True):
        lines = judge.policy.for_participant(member.participant.located_region)
        side = side_of(member.participant, assessed, lines, member.kept)
        found.append(AssessedMember(assessed, side, member.readable))
    return found


class PoolJudgement:
    """Judges pairs of one pool.

    Args:
        judge: What judges, and what assessed the members.
        members: The pool. Only members who were assessed at the same time should be paired.
        acquaintances: What is between two members, by their places, the lower one first; those of
            whom nothing is known are left out.
    """

    def __init__(
        self,
        judge: Judge,
        members: Sequence[AssessedMember],
        *,
        acquaintances: Mapping[tuple[int, int], Acquaintance],
    ) -> None:
        model, policy = judge.model, judge.policy
        self.policy = policy
        self.sides = [member.side for member in members]
        self.assessed = [member.assessed for member in members]
        own_lines: dict[int, tuple[int, RegionPolicy]] = {}
        line_places = [
            own_lines.setdefault(id(side.lines), (len(own_lines), side.lines))[0]
            for side in self.sides
        ]
        self._own_lines = [lines for _, lines in own_lines.values()]
        self._lines = [*self._own_lines]
        self._line_places = np.array(line_places, dtype=np.intp)
        self._merged: Places = np.full(len(self._own_lines) ** 2, -1, dtype=np.intp)
        self.risk = PoolRisk(model, self.assessed)
        self._facts = PoolFacts(
            members=members,
            risk=self.risk,
            readable=np.array([member.readable for member in members]),
            history_known=np.array([each.history_known for each in self.assessed]),
            upheld=np.array([side.kept.upheld_harm for side in self.sides]),
            spent=np.array([side.kept.exposure_24h for side in self.sides], dtype=np.float64),
            acquaintances=acquaintances,
        )
        self._under: dict[int, PoolLines] = {}

    @classmethod
    def of(
        cls,
        judge: Judge,
        members: Sequence[PoolMember],
        *,
        now: float | Sequence[float],
        acquaintances: Mapping[tuple[int, int], Acquaintance],
    ) -> PoolJudgement:
        """Assess a pool and judge it; see ``assess_members``."""
        return cls(judge, assess_members(judge, members, now=now), acquaintances=acquaintances)

    @property
    def line_sets(self) -> Sequence[RegionPolicy]:
        """The lines of all regions in the pool."""
        return self._own_lines

    def acquaintance(self, one: int, other: int) -> Acquaintance:
        """Return what is between two members."""
        return self._facts.acquaintances.get((min(one, other), max(one, other)), STRANGERS)

    def pairs(self, first: Places, second: Places) -> PairColumns:
        """Judge pairs, each two different places in the pool."""
        which = self._which_lines(first, second)
        risk = self.risk.pairs(first, second, [each.adult_ages for each in self._lines], which)
        parts = [
            (
                chosen,
                self._under_lines(place).pairs(first[chosen], second[chosen], risk.of(chosen)),
            )
            for chosen, place in chosen_by(which)
        ]
        if len(parts) > 1:
            return joined(parts, first.size)
        return parts[0][1] if parts else self._under_lines(0).pairs(first, second, risk)

    def _which_lines(self, first: Places, second: Places) -> Places:
        """Return the place in ``self._lines`` of what holds for each pair."""
        if len(self._own_lines) == 1:
            return np.zeros(first.size, dtype=np.intp)
        combinations = self._line_places[first] * len(self._own_lines) + self._line_places[second]
        which = self._merged.take(combinations)
        if which.size and which.min() < 0:
            for combination in np.unique(combinations[which < 0]).tolist():
                self._merged[combination] = self._place_of_merged(combination)
            which = self._merged.take(combinations)
        return which

    def _place_of_merged(self, combination: int) -> int:
        """Return the place of the lines of two regions; many merge to what others are already."""
        one, other = divmod(combination, len(self._own_lines))
        lines = self.policy.stricter(self._own_lines[one], self._own_lines[other])
        if lines not in self._lines:
            self._lines.append(lines)
        return self._lines.index(lines)

    def _under_lines(self, place: int) -> PoolLines:
        found = self._under.get(place)
        if found is None:
            found = self._under[place] = PoolLines(self._facts, self._lines[place])
        return found
