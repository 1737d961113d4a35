"""The decision: rules in their order, over an assessed pair.

Owns the order of the rules and the hard ones among them, which no document can loosen:

- a held or barred participant meets nobody;
- two of whom one asked never to meet the other do not meet;
- the rules about pools (``pairguard.policy.pools``);
- reports and scores alone never hold anybody: a BLOCK names a participant that is held already, is
  barred by age, or has a harm upheld by a review.

All rules are looked at. The most severe decision wins, and among rules of the same severity the
first in the order leads: so that adding evidence of danger never turns a BLOCK into a REROUTE.
Neither waiting nor anything else in the request's context is an input.

What nothing forbids may be turned away by chance, where the policy explores; what something forbids
is never let through by it. The chance is a number that comes in, so that it can be drawn again.

A reason for one participant comes from that participant's own state and region. Where only the
partner's stricter region forbids what is kept of one, the reason is POOLS_DIFFER, as it is where
that region changes the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from pairguard.age.admission import Admission, admission
from pairguard.policy.conduct import conduct_refusals, met_recently
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pools import Pools, Side, own_pools, pool_rules
from pairguard.policy.reasons import HOLD_REASONS, Party, Reason, ReasonCode
from pairguard.policy.state import KeptState
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
        allow_probability: With what probability the same rules would ALLOW the pair, in [0, 1];
            1 or 0 where nothing was drawn at random.
    """

    kind: DecisionKind
    reasons: tuple[Reason, ...]
    risk: PairRisk
    admission_a: Admission
    admission_b: Admission
    holds: tuple[Hold, ...] = ()
    allow_probability: float = 0.0

    @property
    def exposure(self) -> float:
        """What the decision adds to the exposure of both, in [0, 1]; 0 unless it is an ALLOW.

        The close-in-age allowance adds nothing: both ages are verified, nothing is left to chance.
        """
        close_in_age = self.reasons[0].code is ReasonCode.CLOSE_IN_AGE
        if self.kind is not DecisionKind.ALLOW or close_in_age:
            return 0.0
        return self.risk.minor_adult_probability


_RULE_ORDER = {code: rank for rank, code in enumerate(ReasonCode)}

# The most severe first, then the first of the rules: as findings are sorted.
_Finding = tuple[int, int, Party, Reason]


def _findings_of(kind: DecisionKind) -> dict[tuple[ReasonCode, Party], _Finding]:
    return {
        (code, party): (-kind, rank, party, Reason(code, party))
        for code, rank in _RULE_ORDER.items()
        for party in Party
    }


# There are few, and making one costs more than looking it up.
_BLOCKS = _findings_of(DecisionKind.BLOCK)
_REROUTES = _findings_of(DecisionKind.REROUTE)


def decide(
    policy: RegionPolicy,
    a: Side,
    b: Side,
    *,
    risk: PairRisk,
    state_readable: bool = True,
    personal_block: bool = False,
    seconds_since_last_met: float | None = None,
    draw: float | None = None,
) -> Decision:
    """Decide on one proposed pair.

    Args:
        policy: The stricter of the two participants' lines (``Policy.for_pair``).
        a: The first participant.
        b: The second.
        risk: The pair's risk under the same adult ages.
        state_readable: Whether holds, blocks and stored evidence of both could be read.
        personal_block: Whether one of the two asked never to meet the other.
        seconds_since_last_met: Since the two last met; None: never, within what is kept.
        draw: A number drawn from [0, 1), all alike; an ALLOW is turned into a REROUTE where it lies
            below ``reroute_share``. None: nothing is turned away by chance.
    """
    pools = admission(a.age, policy), admission(b.age, policy)
    at_home = own_pools(policy, a, b, pools)
    if not (a.history_known and b.history_known):
        risk = risk.with_harm_floor(policy.unknown_history_harm_floor)
    findings: list[_Finding] = []
    holds: list[Hold] = []
    for party, side, own_pool in ((Party.A, a, at_home[0]), (Party.B, b, at_home[1])):
        findings += [_BLOCKS[code, party] for code in held_reasons(side.kept.held_for)]
        if own_pool is Admission.BARRED:
            findings.append(_BLOCKS[ReasonCode.BELOW_MINIMUM_AGE, party])
            holds.append(Hold(party, ReasonCode.BELOW_MINIMUM_AGE, side.lines.barred_hours))
    if personal_block:
        findings.append(_REROUTES[ReasonCode.PERSONAL_BLOCK, Party.BOTH])
    if met_recently(policy, seconds_since_last_met):
        findings.append(_REROUTES[ReasonCode.RECENT_PARTNER, Party.BOTH])
    if not state_readable and not policy.allow_on_unread_state:
        findings.append(_REROUTES[ReasonCode.STORE_UNAVAILABLE, Party.BOTH])
    refusals, allowed_as = pool_rules(policy, a, b, pools, at_home)
    findings += [_REROUTES[reason.code, reason.party] for reason in refusals]
    close_in_age = allowed_as is ReasonCode.CLOSE_IN_AGE
    exposure = _exposure_if_allowed(policy, risk)
    for party, side, own_pool in ((Party.A, a, at_home[0]), (Party.B, b, at_home[1])):
        findings += [
            _REROUTES[code, party]
            for code in _conduct_reasons(policy, side, own_pool=own_pool, exposure=exposure)
        ]
    for code, blocks in _threshold_rules(policy, risk, close_in_age=close_in_age):
        offenders = [
            p for p, side in ((Party.A, a), (Party.B, b)) if blocks and side.kept.upheld_harm
        ]
        for party in offenders:
            findings.append(_BLOCKS[code, party])
            holds.append(Hold(party, code, policy.harm_hours))
        if not offenders:
            findings.append(_REROUTES[code, Party.BOTH])
    if not findings:
        return _allowed(policy, Reason(allowed_as, Party.BOTH), risk, pools, draw)
    # The codes stand in the order of the rules, so that swapping the two swaps only labels.
    findings.sort()
    reasons = tuple(dict.fromkeys([found[3] for found in findings]))
    return Decision(DecisionKind(-findings[0][0]), reasons, risk, *pools, holds=_distinct(holds))


def _allowed(
    policy: RegionPolicy, reason: Reason, risk: PairRisk, pools: Pools, draw: float | None
) -> Decision:
    """Return what is decided on a pair that nothing forbids."""
    # Written so that a number that is none turns the pair away.
    share = 0.0 if draw is None else policy.reroute_share
    if draw is not None and share > 0.0 and not draw >= share:
        kind, reason = DecisionKind.REROUTE, Reason(ReasonCode.EXPLORATION, Party.BOTH)
    else:
        kind = DecisionKind.ALLOW
    return Decision(kind, (reason,), risk, *pools, allow_probability=1.0 - share)


def is_no_reason(
    policy: RegionPolicy, kept: KeptState, *, own_pool: Admission, risk: PairRisk
) -> bool:
    """Return whether nothing that is kept of one participant is a reason against a pair.

    Then the pair is decided on as if nothing were kept, provided that both could be read and that
    there is nothing between the two.

    Args:
        policy: The lines of the pair.
        kept: What is kept of the participant.
        own_pool: The participant's pool under the lines of its own region.
        risk: The pair's risk under the lines of the pair.
    """
    # A harm that was upheld is no reason by itself: it makes a BLOCK of what is one.
    if kept.held_for or kept.upheld_harm:
        return False
    exposure = _exposure_if_allowed(policy, risk)
    return not conduct_refusals(policy, kept, own_pool=own_pool, exposure=exposure)


def held_reasons(held_for: tuple[str, ...]) -> list[ReasonCode]:
    """Return that somebody is held, and for what, as far as the reasons are the service's own."""
    if not held_for:
        return []
    return [ReasonCode.HELD, *(code for code in HOLD_REASONS if code.value in held_for)]


def _conduct_reasons(
    policy: RegionPolicy, side: Side, *, own_pool: Admission, exposure: float
) -> list[ReasonCode]:
    """Return why what is kept of one participant forbids the pair under the stricter lines."""
    refusals = conduct_refusals(policy, side.kept, own_pool=own_pool, exposure=exposure)
    if not refusals or side.lines is policy:
        return list(refusals)
    own = conduct_refusals(side.lines, side.kept, own_pool=own_pool, exposure=exposure)
    return [code if code in own else ReasonCode.POOLS_DIFFER for code in refusals]


def _exposure_if_allowed(policy: RegionPolicy, risk: PairRisk) -> float:
    """Return what a pair would add to an exposure; one above its threshold is not allowed anyway.

    So that what is spent is a reason only where it makes the difference.
    """
    mixed = risk.minor_adult_probability
    return mixed if mixed <= min(policy.reroute_minor_adult, policy.block_minor_adult) else 0.0


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
    if not holds:
        return ()
    longest: dict[Party, Hold] = {}
    for hold in holds:
        kept = longest.get(hold.party)
        if kept is None or hold.hours > kept.hours:
            longest[hold.party] = hold
    return tuple(longest.values())
