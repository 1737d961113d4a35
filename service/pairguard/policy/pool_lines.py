"""The rules over pairs of one pool under the same lines, by columns.

Owns how the rules of ``pairguard.policy.decision`` are looked at for many pairs at once. What
depends on the kinds of two participants alone is found by the rules themselves, once for each two
kinds; only what compares numbers is compared in columns. It must not know whose lines these are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from pairguard.age.admission import Admission, admission
from pairguard.age.parameters import Array
from pairguard.policy.conduct import conduct_refusals, met_recently
from pairguard.policy.decision import held_reasons
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pair_columns import (
    PLACES,
    Bits,
    Mask,
    PairColumns,
    add,
    block,
    columns_of,
    reroute,
)
from pairguard.policy.pools import Side, own_admission, pool_rules, probability_gap_above
from pairguard.policy.reasons import ReasonCode
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.pool import PoolRisk, RiskColumns
from pairguard.risk.pool_harm import Places

_LIKELY: Final = 0.5
_MOST_STANDINGS: Final = 8
"""Lines that one member is judged under again: of its own region, and as merged with others."""


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What is between two members."""

    personal_block: bool = False
    seconds_since_last_met: float | None = None


STRANGERS: Final = Acquaintance()
"""Two between whom there is nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What rests on one member alone, under the lines of a pair.

    Attributes:
        lines: The lines.
        own_bits: What forbids any pair of the member, but for what it adds to its exposure.
        admission: Its pool under these lines.
        own_admission: Its pool under the lines of its own region.
        kind: What the rules about pools see of it; of two members alike they see the same.
    """

    lines: RegionPolicy
    own_bits: int
    admission: Admission
    own_admission: Admission
    kind: Hashable


@dataclass(frozen=True, slots=True, eq=False)
class AssessedMember:
    """One participant of a pool, assessed; it may be judged again as long as nothing has changed.

    Attributes:
        assessed: What is believed of it.
        side: It as the rules see it.
        readable: Whether what is kept of it could be read.
    """

    assessed: ParticipantAssessment
    side: Side
    readable: bool
    _standings: dict[int, Standing] = field(default_factory=dict, init=False, repr=False)

    def standing(self, lines: RegionPolicy) -> Standing:
        """Return how it stands under some lines, which must not change; found once."""
        found = self._standings.get(id(lines))
        if found is None:
            if len(self._standings) >= _MOST_STANDINGS:
                self._standings.clear()
            # Beside the lines that it names, so that no others can have their place.
            found = self._standings[id(lines)] = _standing(self.side, lines)
        return found


def _standing(side: Side, lines: RegionPolicy) -> Standing:
    pool = admission(side.age, lines)
    at_home = pool if side.lines is lines else own_admission(side)
    kind = (
        id(side.lines),
        pool,
        at_home,
        side.age.conflict,
        side.age.probability_below(max(lines.adult_ages)) < _LIKELY,
        side.age.informative_count == 0,
        side.behaviour_known,
        side.age.verified_live_years if lines.close_in_age_max_gap_years else None,
    )
    return Standing(lines, _own_bits(side, lines, at_home), pool, at_home, kind)


def _own_bits(side: Side, lines: RegionPolicy, at_home: Admission) -> int:
    """Return what forbids any pair of a participant, but for what it adds to its exposure."""
    bits = 0
    for code in held_reasons(side.kept.held_for):
        bits |= block(code)
    if at_home is Admission.BARRED:
        bits |= block(ReasonCode.BELOW_MINIMUM_AGE)
    refusals = conduct_refusals(lines, side.kept, own_pool=at_home, exposure=0.0)
    if refusals:
        own = conduct_refusals(side.lines, side.kept, own_pool=at_home, exposure=0.0)
        for code in refusals:
            if code is not ReasonCode.EXPOSURE_SPENT:
                bits |= reroute(code if code in own else ReasonCode.POOLS_DIFFER)
    return bits


@dataclass(frozen=True, eq=False)
class PoolFacts:
    """What is known of a pool, whatever the lines are.

    Attributes:
        members: Its members.
        risk: The risks of pairs.
        readable: Of each whether what is kept could be read, shape ``(n,)``.
        history_known: Of each whether the service's own counts are known.
        upheld: Of each whether a review upheld a harm.
        spent: Exposure of each within 24 h.
        acquaintances: What is between two members, by their places, the lower one first.
    """

    members: Sequence[AssessedMember]
    risk: PoolRisk
    readable: Mask
    history_known: Mask
    upheld: Mask
    spent: Array
    acquaintances: Mapping[tuple[int, int], Acquaintance]

    @cached_property
    def _acquainted(self) -> Bits:
        size = len(self.members)
        return np.array(sorted(a * size + b for a, b in self.acquaintances), dtype=np.int64)

    def between(self, first: Places, second: Places) -> Iterator[tuple[int, Acquaintance]]:
        """Return what is between those of the pairs who know each other, by place."""
        if not self.acquaintances:
            return
        size = len(self.members)
        keys = np.minimum(first, second) * size + np.maximum(first, second)
        places = np.searchsorted(self._acquainted, keys)
        places[places == self._acquainted.size] = 0
        for place in np.flatnonzero(self._acquainted[places] == keys).tolist():
            pair = sorted((int(first[place]), int(second[place])))
            yield place, self.acquaintances[pair[0], pair[1]]


class PoolLines:
    """The rules under the lines of two regions, and what is found of members by them alone."""

    def __init__(self, pool: PoolFacts, lines: RegionPolicy) -> None:
        self._pool = pool
        self._lines = lines
        size = len(pool.members)
        self._looked_at = np.zeros(size, dtype=np.bool_)
        self._own_bits: Bits = np.zeros(size, dtype=np.int64)
        self._kinds: Places = np.zeros(size, dtype=np.intp)
        self._own_most_exposure = np.zeros(size)
        self._examples: list[tuple[Side, Admission, Admission]] = []
        self._known_kinds: dict[Hashable, int] = {}
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
        places = np.flatnonzero(unseen)
        found = [self._pool.members[place] for place in places.tolist()]
        standings = [member.standing(self._lines) for member in found]
        before = len(self._examples)
        self._kinds[places] = [
            self._kind(member, standing) for member, standing in zip(found, standings, strict=True)
        ]
        self._own_bits[places] = [each.own_bits for each in standings]
        self._own_most_exposure[places] = [each.side.lines.max_exposure_per_day for each in found]
        self._looked_at |= unseen
        if len(self._examples) > before:
            self._forget_looked_up()  # they stand by the number of kinds

    def _kind(self, member: AssessedMember, standing: Standing) -> int:
        """Return the number of a member's kind, and keep the first of each as an example."""
        number = self._known_kinds.setdefault(standing.kind, len(self._examples))
        if number == len(self._examples):
            self._examples.append((member.side, standing.admission, standing.own_admission))
        return number

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
        lines, members = self._lines, self._pool.members
        if not lines.minors_may_meet:
            return
        for pair in np.flatnonzero(allowed_as == PLACES[ReasonCode.MINORS_MEET]).tolist():
            ages = members[first[pair]].side.age, members[second[pair]].side.age
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
