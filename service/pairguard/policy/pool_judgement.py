"""Many pairs among one pool of participants, decided by columns: the same as one by one, for less.

Owns how the rules of ``pairguard.policy.decision`` are looked at for many pairs at once. Each
participant is assessed once. What depends on the kinds of two participants alone is found by the
rules themselves, once for each two kinds; only what compares numbers is compared in columns. It
must not know requests or stores: what is kept comes in with each member.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pairguard.age.admission import Admission, admission
from pairguard.age.parameters import Array
from pairguard.policy.conduct import conduct_refusals, met_recently
from pairguard.policy.decision import held_reasons
from pairguard.policy.document import RegionPolicy
from pairguard.policy.judgement import Judge, side_of
from pairguard.policy.pair_columns import (
    PLACES,
    Bits,
    Mask,
    PairColumns,
    add,
    block,
    columns_of,
    joined,
    reroute,
)
from pairguard.policy.pools import Side, own_admission, pool_rules, probability_gap_above
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.state import KeptState
from pairguard.risk.participant import Participant
from pairguard.risk.pool import PoolRisk, RiskColumns, chosen_by
from pairguard.risk.pool_harm import Places

_LIKELY: Final = 0.5


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


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What is between two members."""

    personal_block: bool = False
    seconds_since_last_met: float | None = None


class PoolJudgement:
    """Judges pairs of one pool, each at one time.

    Args:
        judge: What judges.
        members: The pool.
        now: Seconds since 1970; or the time of each member, as where records are judged: then only
            members of the same time should be paired.
        acquaintances: What is between two members, by their places, the lower one first; those of
            whom nothing is known are left out.
    """

    def __init__(
        self,
        judge: Judge,
        members: Sequence[PoolMember],
        *,
        now: float | Sequence[float],
        acquaintances: Mapping[tuple[int, int], Acquaintance],
    ) -> None:
        model, policy = judge.model, judge.policy
        self.policy = policy
        self.sides: list[Side] = []
        own_lines: dict[int, tuple[int, RegionPolicy]] = {}
        line_places = []
        self.assessed = model.assess_participants([each.participant for each in members], now)
        for member, assessed in zip(members, self.assessed, strict=True):
            lines = policy.for_participant(member.participant.located_region)
            self.sides.append(side_of(member.participant, assessed, lines, member.kept))
            line_places.append(own_lines.setdefault(id(lines), (len(own_lines), lines))[0])
        self._own_lines = [lines for _, lines in own_lines.values()]
        self._lines = [*self._own_lines]
        self._line_places = np.array(line_places, dtype=np.intp)
        self._merged: Places = np.full(len(self._own_lines) ** 2, -1, dtype=np.intp)
        self.risk = PoolRisk(model, self.assessed)
        self.readable = np.array([member.readable for member in members])
        self.history_known = np.array([each.history_known for each in self.assessed])
        self.upheld = np.array([side.kept.upheld_harm for side in self.sides])
        self.spent = np.array([side.kept.exposure_24h for side in self.sides], dtype=np.float64)
        self._under: dict[int, _UnderLines] = {}
        self._acquainted = np.array(
            sorted(a * len(members) + b for a, b in acquaintances), dtype=np.int64
        )
        self._acquaintances = acquaintances

    @property
    def line_sets(self) -> Sequence[RegionPolicy]:
        """The lines of all regions in the pool."""
        return self._own_lines

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

    def _under_lines(self, place: int) -> _UnderLines:
        found = self._under.get(place)
        if found is None:
            found = self._under[place] = _UnderLines(self, self._lines[place])
        return found

    def between(self, first: Places, second: Places) -> Iterator[tuple[int, Acquaintance]]:
        """Return what is between those of the pairs who know each other, by place."""
        if not self._acquainted.size:
            return
        size = self.readable.size
        keys = np.minimum(first, second) * size + np.maximum(first, second)
        places = np.searchsorted(self._acquainted, keys)
        places[places == self._acquainted.size] = 0
        for place in np.flatnonzero(self._acquainted[places] == keys).tolist():
            pair = sorted((int(first[place]), int(second[place])))
            yield place, self._acquaintances[pair[0], pair[1]]


class _UnderLines:
    """The rules under the lines of two regions, and what is found of members by them alone."""

    def __init__(self, pool: PoolJudgement, lines: RegionPolicy) -> None:
        self._pool = pool
        self._lines = lines
        size = len(pool.sides)
        self._looked_at = np.zeros(size, dtype=np.bool_)
        self._own_bits: Bits = np.zeros(size, dtype=np.int64)
        self._kinds: Places = np.zeros(size, dtype=np.intp)
        self._own_most_exposure = np.zeros(size)
        self._examples: list[tuple[Side, Admission, Admission]] = []
        self._known_kinds: dict[object, int] = {}
        self._forget_looked_up()

    def _forget_looked_up(self) -> None:
        count = len(self._examples)
        self._looked_up = np.zeros(count * count, dtype=np.bool_)
        self._pool_bits: Bits = np.zeros(count * count, dtype=np.int64)
        self._allowed_as: Places = np.zeros(count * count, dtype=np.intp)

    def _look_at(self, first: Places, second: Places) -> None:
        """Find what rests on one participant alone, for those who have not been looked at yet."""
        unseen = np.zeros_like(self._looked_at)
        unseen[first] = True
        unseen[second] = True
        unseen &= ~self._looked_at
        before = len(self._examples)
        for place in np.flatnonzero(unseen).tolist():
            self._look_at_one(place)
        self._looked_at |= unseen
        if len(self._examples) > before:
            self._forget_looked_up()  # they stand by the number of kinds

    def _look_at_one(self, place: int) -> None:
        lines, side = self._lines, self._pool.sides[place]
        pool_here = admission(side.age, lines)
        at_home = pool_here if side.lines is lines else own_admission(side)
        self._own_bits[place] = self._own(side, at_home)
        self._own_most_exposure[place] = side.lines.max_exposure_per_day
        kind = (
            id(side.lines),
            pool_here,
            at_home,
            side.age.conflict,
            side.age.probability_below(max(lines.adult_ages)) < _LIKELY,
            side.age.informative_count == 0,
            side.behaviour_known,
            side.age.verified_live_years if lines.close_in_age_max_gap_years else None,
        )
        number = self._known_kinds.setdefault(kind, len(self._examples))
        if number == len(self._examples):
            self._examples.append((side, pool_here, at_home))
        self._kinds[place] = number

    def pairs(self, first: Places, second: Places, risk: RiskColumns) -> PairColumns:
        """Judge pairs of these risks, of members whose lines these are."""
        lines, pool = self._lines, self._pool
        self._look_at(first, second)
        unknown = ~(pool.history_known[first] & pool.history_known[second])
        risk = risk.with_harm_floor(lines.unknown_history_harm_floor, unknown)
        found, allowed_as = self._by_kinds(first, second)
        found |= self._own_bits[first] | self._own_bits[second]
        for place, known in pool.between(first, second):
            if known.personal_block:
                found[place] |= reroute(ReasonCode.PERSONAL_BLOCK)
            if met_recently(lines, known.seconds_since_last_met):
                found[place] |= reroute(ReasonCode.RECENT_PARTNER)
        if not lines.allow_on_unread_state:
            readable = pool.readable
            add(found, ReasonCode.STORE_UNAVAILABLE, ~(readable[first] & readable[second]))
        self._add_gaps(found, allowed_as, first, second)
        close_in_age = allowed_as == PLACES[ReasonCode.CLOSE_IN_AGE]
        self._add_exposures(found, risk, first, second)
        self._add_thresholds(found, risk, close_in_age, first, second)
        return columns_of(found, allowed_as, risk, close_in_age)

    def _own(self, side: Side, at_home: Admission) -> int:
        """Return what forbids any pair of a participant, but for what it adds to its exposure."""
        bits = 0
        for code in held_reasons(side.kept.held_for):
            bits |= block(code)
        if at_home is Admission.BARRED:
            bits |= block(ReasonCode.BELOW_MINIMUM_AGE)
        refusals = conduct_refusals(self._lines, side.kept, own_pool=at_home, exposure=0.0)
        if refusals:
            own = conduct_refusals(side.lines, side.kept, own_pool=at_home, exposure=0.0)
            for code in refusals:
                if code is not ReasonCode.EXPOSURE_SPENT:
                    bits |= reroute(code if code in own else ReasonCode.POOLS_DIFFER)
        return bits

    def _by_kinds(self, first: Places, second: Places) -> tuple[Bits, Places]:
        """Return what the rules about pools find, and the reason to allow."""
        count = len(self._examples)
        both = self._kinds[first] * count + self._kinds[second]
        if not self._looked_up[both].all():
            for key in np.unique(both[~self._looked_up[both]]).tolist():
                self._look_up(key, *divmod(key, count))
        return self._pool_bits[both], self._allowed_as[both]

    def _look_up(self, key: int, one: int, other: int) -> None:
        (a, pool_a, home_a), (b, pool_b, home_b) = self._examples[one], self._examples[other]
        self._looked_up[key] = True
        if self._compares_ages(pool_a, pool_b):
            allowed_as = ReasonCode.MINORS_MEET  # of each two the ages are compared
        else:
            refusals, allowed_as = pool_rules(self._lines, a, b, (pool_a, pool_b), (home_a, home_b))
            for reason in refusals:
                self._pool_bits[key] |= reroute(reason.code)
        self._allowed_as[key] = PLACES[allowed_as]

    def _compares_ages(self, a: Admission, b: Admission) -> bool:
        return a is Admission.MINORS and b is Admission.MINORS and self._lines.minors_may_meet

    def _add_gaps(self, found: Bits, allowed_as: Places, first: Places, second: Places) -> None:
        """Add the pairs of minors whose ages may lie too far apart."""
        lines, sides = self._lines, self._pool.sides
        if not lines.minors_may_meet:
            return
        for pair in np.flatnonzero(allowed_as == PLACES[ReasonCode.MINORS_MEET]).tolist():
            ages = sides[first[pair]].age, sides[second[pair]].age
            too_wide = probability_gap_above(*ages, lines.minors_max_age_gap_years)
            if not too_wide <= lines.minors_max_probability_gap:
                found[pair] |= reroute(ReasonCode.AGE_GAP_TOO_WIDE)

    def _add_exposures(self, found: Bits, risk: RiskColumns, first: Places, second: Places) -> None:
        """Add who has spent its exposure, or would with this pair; see ``conduct_refusals``."""
        lines, spent = self._lines, self._pool.spent
        mixed = risk.minor_adult
        added = np.where(
            mixed <= min(lines.reroute_minor_adult, lines.block_minor_adult), mixed, 0.0
        )
        for places in (first, second):
            before = spent[places]
            is_number = before >= 0.0
            after = before + added
            refused = ~(is_number & (after <= lines.max_exposure_per_day))
            if refused.any():
                at_home = ~(is_number & (after <= self._own_most_exposure[places]))
                add(found, ReasonCode.EXPOSURE_SPENT, refused & at_home)
                add(found, ReasonCode.POOLS_DIFFER, refused & ~at_home)

    def _add_thresholds(
        self,
        found: Bits,
        risk: RiskColumns,
        close_in_age: Mask,
        first: Places,
        second: Places,
    ) -> None:
        """Add each part that is too high; see ``pairguard.policy.decision``."""
        lines, upheld = self._lines, self._pool.upheld
        offender = upheld[first] | upheld[second]
        far = ~close_in_age
        parts: list[tuple[ReasonCode, Array, float, float, Mask | None]] = [
            (
                ReasonCode.MINOR_ADULT_RISK,
                risk.minor_adult,
                lines.reroute_minor_adult,
                lines.block_minor_adult,
                far,
            ),
            (ReasonCode.COMBINED_RISK, risk.scores, lines.reroute_risk, lines.block_risk, far),
        ]
        if risk.harm is not None:
            parts.append(
                (ReasonCode.HARM_RISK, risk.harm, lines.reroute_harm, lines.block_harm, None)
            )
        elif not lines.allow_without_harm_model:
            found |= reroute(ReasonCode.HARM_MODEL_UNAVAILABLE)
        for code, values, reroute_above, block_above, counts in parts:
            above = ~(values <= min(reroute_above, block_above))
            if counts is not None:
                above &= counts
            if above.any():
                blocked = above & ~(values <= block_above) & offender
                found[blocked] |= block(code)
                add(found, code, above & ~blocked)
