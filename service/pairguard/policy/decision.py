"""The decision: rules in their order, over an assessed pair.

Owns the order of the rules and the hard ones among them, which no document can loosen:

- a held or barred participant meets nobody;
- the rules about pools (``pairguard.policy.pools``);
- reports and scores alone never hold anybody: a BLOCK names a participant that is held already, is
  barred by age, or has a harm upheld by a review.

All rules are looked at. The most severe decision wins, and among rules of the same severity the
first in the order leads: so that adding evidence of danger never turns a BLOCK into a REROUTE.
Neither waiting nor anything else in the request's context is an input.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from pairguard.age.admission import Admission, admission
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pools import Side, own_pools, pool_rules
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.risk.pair import PairRisk


class DecisionKind(IntEnum):
    """What to do with the pair; the larger the more severe."""

    ALLOW = 1
    REROUTE = 2
    BLOCK = 3


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


_RULE_ORDER = {code: rank for rank, code in enumerate(ReasonCode)}
_Finding = tuple[DecisionKind, Reason]


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
    pools = admission(a.age, policy), admission(b.age, policy)
    at_home = own_pools(policy, a, b, pools)
    if not (a.history_known and b.history_known):
        risk = risk.with_harm_floor(policy.unknown_history_harm_floor)
    findings: list[_Finding] = []
    holds: list[Hold] = []
    for party, side, own_pool in ((Party.A, a, at_home[0]), (Party.B, b, at_home[1])):
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
    refusals, allowed_as = pool_rules(policy, a, b, pools, at_home)
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


def _reroute(code: ReasonCode, party: Party) -> _Finding:
    return DecisionKind.REROUTE, Reason(code, party)


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


def _distinct(holds: list[Hold]) -> tuple[Hold, ...]:
    """Return one hold a participant, the longest."""
    longest: dict[Party, Hold] = {}
    for hold in holds:
        kept = longest.get(hold.party)
        if kept is None or hold.hours > kept.hours:
            longest[hold.party] = hold
    return tuple(longest.values())
