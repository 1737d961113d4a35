"""Who may meet whom by their pools: the admission rules over two participants.

Owns the hard rules about pools, which no document can loosen:

- two participants about whom nothing is known are never allowed, and neither is one without age
  evidence with somebody more likely a minor than not;
- somebody more likely a minor than not meets only established minors (but for the close-in-age
  allowance), and a declared age never establishes one.

A reason for one participant comes from that participant's own state and region; whatever comes from
the partner is POOLS_DIFFER, which reads the same for everybody. It must not know scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard.age.admission import Admission, admission
from pairguard.age.parameters import AGE_COUNT
from pairguard.age.posterior import AgeAssessment
from pairguard.policy.document import RegionPolicy, UnknownMayMeet
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.policy.state import NOTHING_KEPT, KeptState

Pools = tuple[Admission, Admission]

_LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Side:
    """One participant as the rules see it.

    Attributes:
        age: The age assessment.
        lines: The policy lines of the participant's own region. What one participant is held for,
            or told about itself, follows from these and never from the partner's.
        behaviour_known: Whether behaviour or interests said anything about the age.
        history_known: Whether the service's own counts could be read.
        kept: What the store keeps of the participant.
    """

    age: AgeAssessment
    lines: RegionPolicy
    behaviour_known: bool = False
    history_known: bool = False
    kept: KeptState = NOTHING_KEPT


def own_admission(side: Side) -> Admission:
    """Return the pool of a participant under the lines of its own region."""
    return admission(side.age, side.lines)


def own_pools(policy: RegionPolicy, a: Side, b: Side, pools: Pools) -> Pools:
    """Return the pools of both at home; under the same lines they are the pair's."""
    return (
        pools[0] if a.lines is policy else own_admission(a),
        pools[1] if b.lines is policy else own_admission(b),
    )


def pool_rules(
    policy: RegionPolicy, a: Side, b: Side, pools: Pools, own_pools: Pools
) -> tuple[list[Reason], ReasonCode]:
    """Return why the pools forbid the pair (empty: they do not) and the reason to allow it.

    A reason for one participant comes from that participant's own state and region; whatever comes
    from the partner is POOLS_DIFFER, which reads the same for everybody.
    """
    if pools == (Admission.ADULTS, Admission.ADULTS):
        return [], ReasonCode.ADULTS_MEET
    if pools == (Admission.MINORS, Admission.MINORS):
        return _minors_rules(policy, a, b), ReasonCode.MINORS_MEET
    if _close_in_age(policy, a, b, pools):
        return [], ReasonCode.CLOSE_IN_AGE
    refusals = []
    for party, side, pool, own_pool, other, other_pool in (
        (Party.A, a, pools[0], own_pools[0], b, pools[1]),
        (Party.B, b, pools[1], own_pools[1], a, pools[0]),
    ):
        if pool is Admission.UNKNOWN:
            if own_pool is Admission.UNKNOWN:
                refused = _unknown_refusal(policy, side, other, other_pool)
            else:
                refused = ReasonCode.POOLS_DIFFER  # only the partner's region makes it unknown
            refusals += [Reason(refused, party)] if refused is not None else []
        elif pool is Admission.MINORS and not side.lines.minors_may_meet:
            refusals.append(Reason(ReasonCode.MINORS_NOT_PAIRED, party))
    if Admission.MINORS in pools or Admission.BARRED in pools:
        refusals.append(Reason(ReasonCode.POOLS_DIFFER, Party.BOTH))
    return refusals, ReasonCode.UNKNOWN_WITHIN_THRESHOLD


def _minors_rules(policy: RegionPolicy, a: Side, b: Side) -> list[Reason]:
    if not policy.minors_may_meet:
        return [
            Reason(
                ReasonCode.POOLS_DIFFER  # it is the other's region that pairs no minors
                if side.lines.minors_may_meet
                else ReasonCode.MINORS_NOT_PAIRED,
                party,
            )
            for party, side in ((Party.A, a), (Party.B, b))
        ]
    too_wide = probability_gap_above(a.age, b.age, policy.minors_max_age_gap_years)
    if not too_wide <= policy.minors_max_probability_gap:
        return [Reason(ReasonCode.AGE_GAP_TOO_WIDE, Party.BOTH)]
    return []


def _unknown_refusal(
    policy: RegionPolicy, side: Side, other: Side, other_pool: Admission
) -> ReasonCode | None:
    """Return why somebody of unknown age may not meet this other; None: the policy lets them."""
    adult_age = max(policy.adult_ages)
    if side.age.conflict:
        return ReasonCode.AGE_EVIDENCE_CONFLICT
    if not side.age.probability_below(adult_age) < _LIKELY:
        return ReasonCode.LIKELY_MINOR
    nothing_known = side.age.informative_count == 0
    if nothing_known and not side.behaviour_known and other.age.informative_count == 0:
        return ReasonCode.AGE_UNKNOWN
    if nothing_known and not other.age.probability_below(adult_age) < _LIKELY:
        return ReasonCode.AGE_UNKNOWN
    needed = {
        Admission.ADULTS: UnknownMayMeet.ADULTS,
        Admission.UNKNOWN: UnknownMayMeet.ADULTS_AND_UNKNOWN,
    }.get(other_pool)
    if needed is None or policy.unknown_may_meet < needed:
        return ReasonCode.AGE_UNKNOWN
    return None


def _close_in_age(policy: RegionPolicy, a: Side, b: Side, pools: Pools) -> bool:
    """Return whether the narrow allowance across the adult age holds for this pair."""
    if policy.close_in_age_max_gap_years == 0 or set(pools) != {Admission.ADULTS, Admission.MINORS}:
        return False
    years_a, years_b = a.age.verified_live_years, b.age.verified_live_years
    if years_a is None or years_b is None:
        return False
    return abs(years_a - years_b) <= policy.close_in_age_max_gap_years


def probability_gap_above(a: AgeAssessment, b: AgeAssessment, gap_years: int) -> float:
    """Return P(the whole years of two ages differ by more than ``gap_years``)."""
    first, second = sorted((a.probabilities, b.probabilities), key=lambda p: p.tobytes())
    differences = np.convolve(first, second[::-1])
    centre = AGE_COUNT - 1
    within = differences[centre - gap_years : centre + gap_years + 1].sum()
    return float(min(max(1.0 - within, 0.0), 1.0))
