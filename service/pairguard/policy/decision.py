"""The decision: rules in their order, over an assessed pair.

Owns the order of the rules and the hard ones among them, which no document can loosen:

- a held or barred participant meets nobody;
- two participants about whom nothing is known are never allowed, and neither is one without age
  evidence with somebody more likely a minor than not;
- somebody more likely a minor than not meets only established minors (but for the close-in-age
  allowance), and a declared age never establishes one;
- reports and scores alone never hold anybody: a BLOCK names a participant that is held already, is
  barred by age, or has a harm upheld by a review.

All rules are looked at. The most severe decision wins, and among rules of the same severity the
first in the order leads: so that adding evidence of danger never turns a BLOCK into a REROUTE.
Neither waiting nor anything else in the request's context is an input.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pairguard.age.admission import Admission, AdmissionGates, admission
from pairguard.age.parameters import AGE_COUNT
from pairguard.age.posterior import AgeAssessment
from pairguard.policy.document import RegionPolicy, UnknownMayMeet
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.risk.pair import PairRisk


class DecisionKind(IntEnum):
    """What to do with the pair; the larger the more severe."""

    ALLOW = 1
    REROUTE = 2
    BLOCK = 3


@dataclass(frozen=True, slots=True)
class Side:
    """One participant as the rules see it.

    Attributes:
        age: The age assessment.
        lines: The policy lines of the participant's own region. What one participant is held for,
            or told about itself, follows from these and never from the partner's.
        behaviour_known: Whether behaviour or interests said anything about the age.
        history_known: Whether the service's own counts could be read.
        held: Whether a hold on any of the participant's ids has not ended.
        upheld_harm: Whether a review upheld a harm by this participant within the window.
    """

    age: AgeAssessment
    lines: RegionPolicy
    behaviour_known: bool = False
    history_known: bool = False
    held: bool = False
    upheld_harm: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that the decision puts on a participant, to be stored before it is answered."""

    party: Party
    reason: ReasonCode
    hours: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one proposed pair.

    Attributes:
        kind: What to do.
        reasons: All that apply; the leading one first.
        risk: The risk that was compared with the thresholds.
        admission_a: Pool of the first participant under the pair's rules.
        admission_b: Pool of the second.
        holds: Holds to store; only with BLOCK.
    """

    kind: DecisionKind
    reasons: tuple[Reason, ...]
    risk: PairRisk
    admission_a: Admission
    admission_b: Admission
    holds: tuple[Hold, ...] = ()


_LIKELY = 0.5
_RULE_ORDER = {code: rank for rank, code in enumerate(ReasonCode)}
_Finding = tuple[DecisionKind, Reason]
_Pools = tuple[Admission, Admission]


def gates_of(policy: RegionPolicy) -> AdmissionGates:
    """Return the admission gates of a region's, or a pair's, policy: lines that it has itself."""
    return policy


def decide(
    policy: RegionPolicy,
    a: Side,
    b: Side,
    *,
    risk: PairRisk,
    state_readable: bool = True,
    personal_block: bool = False,
    recent_partner: bool = False,
) -> Decision:
    """Decide on one proposed pair.

    Args:
        policy: The stricter of the two participants' lines (``Policy.for_pair``).
        a: The first participant.
        b: The second.
        risk: The pair's risk under the same adult ages.
        state_readable: Whether holds, blocks and stored evidence of both could be read.
        personal_block: Whether one of the two asked never to meet the other.
        recent_partner: Whether the two met within the policy's window.
    """
    gates = gates_of(policy)
    pools = admission(a.age, gates), admission(b.age, gates)
    own_pools = _own_pools(policy, a, b, pools)
    if not (a.history_known and b.history_known):
        risk = risk.with_harm_floor(policy.unknown_history_harm_floor)
    findings: list[_Finding] = []
    holds: list[Hold] = []
    for party, side, own_pool in ((Party.A, a, own_pools[0]), (Party.B, b, own_pools[1])):
        if side.held:
            findings.append((DecisionKind.BLOCK, Reason(ReasonCode.HELD, party)))
        if own_pool is Admission.BARRED:
            findings.append((DecisionKind.BLOCK, Reason(ReasonCode.BELOW_MINIMUM_AGE, party)))
            holds.append(Hold(party, ReasonCode.BELOW_MINIMUM_AGE, side.lines.barred_hours))
    if personal_block:
        findings.append(_reroute(ReasonCode.PERSONAL_BLOCK, Party.BOTH))
    if recent_partner:
        findings.append(_reroute(ReasonCode.RECENT_PARTNER, Party.BOTH))
    if not state_readable and not policy.allow_on_unread_state:
        findings.append(_reroute(ReasonCode.STORE_UNAVAILABLE, Party.BOTH))
    refusals, allowed_as = _admission_rules(policy, a, b, pools, own_pools)
    findings += [_reroute(reason.code, reason.party) for reason in refusals]
    close_in_age = allowed_as is ReasonCode.CLOSE_IN_AGE
    for code, blocks in _threshold_rules(policy, risk, close_in_age=close_in_age):
        offenders = [p for p, side in ((Party.A, a), (Party.B, b)) if blocks and side.upheld_harm]
        for party in offenders:
            findings.append((DecisionKind.BLOCK, Reason(code, party)))
            holds.append(Hold(party, code, policy.harm_hours))
        if not offenders:
            findings.append(_reroute(code, Party.BOTH))
    if not findings:
        return Decision(DecisionKind.ALLOW, (Reason(allowed_as, Party.BOTH),), risk, *pools)
    # The codes stand in the order of the rules, so that swapping the two swaps only labels.
    findings.sort(key=lambda found: (-found[0], _RULE_ORDER[found[1].code], found[1].party))
    reasons = tuple(dict.fromkeys(reason for _, reason in findings))
    return Decision(findings[0][0], reasons, risk, *pools, holds=_distinct(holds))


def own_admission(side: Side) -> Admission:
    """Return the pool of a participant under the lines of its own region."""
    return admission(side.age, gates_of(side.lines))


def _own_pools(policy: RegionPolicy, a: Side, b: Side, pools: _Pools) -> _Pools:
    """Return the pools of both at home; under the same lines they are the pair's."""
    return (
        pools[0] if a.lines is policy else own_admission(a),
        pools[1] if b.lines is policy else own_admission(b),
    )


def _reroute(code: ReasonCode, party: Party) -> _Finding:
    return DecisionKind.REROUTE, Reason(code, party)


def _admission_rules(
    policy: RegionPolicy, a: Side, b: Side, pools: _Pools, own_pools: _Pools
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


def _close_in_age(policy: RegionPolicy, a: Side, b: Side, pools: _Pools) -> bool:
    """Return whether the narrow allowance across the adult age holds for this pair."""
    if policy.close_in_age_max_gap_years == 0 or set(pools) != {Admission.ADULTS, Admission.MINORS}:
        return False
    years_a, years_b = a.age.verified_live_years, b.age.verified_live_years
    if years_a is None or years_b is None:
        return False
    return abs(years_a - years_b) <= policy.close_in_age_max_gap_years


def _threshold_rules(
    policy: RegionPolicy, risk: PairRisk, *, close_in_age: bool
) -> list[tuple[ReasonCode, bool]]:
    """Return each part that is too high and whether it is above its block threshold too."""
    found: list[tuple[ReasonCode, bool]] = []
    # Written so that a value that is no number counts as above.
    mixed, harm, score = risk.minor_adult_probability, risk.harm_probability, risk.risk_score
    reroute, block = policy.reroute_minor_adult, policy.block_minor_adult
    if not close_in_age and not mixed <= min(reroute, block):
        found.append((ReasonCode.MINOR_ADULT_RISK, not mixed <= block))
    reroute, block = policy.reroute_harm, policy.block_harm
    if harm is not None and not harm <= min(reroute, block):
        found.append((ReasonCode.HARM_RISK, not harm <= block))
    reroute, block = policy.reroute_risk, policy.block_risk
    if not close_in_age and not score <= min(reroute, block):
        found.append((ReasonCode.COMBINED_RISK, not score <= block))
    if risk.harm_probability is None and not policy.allow_without_harm_model:
        found.append((ReasonCode.HARM_MODEL_UNAVAILABLE, False))
    return found


def probability_gap_above(a: AgeAssessment, b: AgeAssessment, gap_years: int) -> float:
    """Return P(the whole years of two ages differ by more than ``gap_years``)."""
    first, second = sorted((a.probabilities, b.probabilities), key=lambda p: p.tobytes())
    differences = np.convolve(first, second[::-1])
    centre = AGE_COUNT - 1
    within = differences[centre - gap_years : centre + gap_years + 1].sum()
    return float(min(max(1.0 - within, 0.0), 1.0))


def _distinct(holds: list[Hold]) -> tuple[Hold, ...]:
    """Return one hold a participant, the longest."""
    longest: dict[Party, Hold] = {}
    for hold in holds:
        kept = longest.get(hold.party)
        if kept is None or hold.hours > kept.hours:
            longest[hold.party] = hold
    return tuple(longest.values())
