"""The order of the rules and the hard ones among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairguard.age.admission import Admission, admission
from pairguard.age.evidence import (
    AgeEvidence,
    Binding,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
)
from pairguard.age.posterior import AgeAssessment
from pairguard.policy.decision import Decision, DecisionKind, decide
from pairguard.policy.document import RegionPolicy
from pairguard.policy.pools import Side
from pairguard.policy.reasons import Party, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import KeptState
from pairguard.risk.pair import minor_adult_probability, pair_risk
from tests.domain import (
    NOW,
    assessed,
    default_policy_document,
    document_check,
    evidence_lists,
    live,
    merged,
    verified,
)

DEFAULT = Policy.from_mapping(default_policy_document())
ADULT = assessed(document_check(CheckResult.OVER), live(FacialAgeEstimate(33, Liveness.PASSED)))
MINOR = assessed(verified(15))
BARE = assessed()
HELD = KeptState(held_for=("moderation:17",))

valid_policies = st.fixed_dictionaries(
    {
        "adult_age": st.integers(18, 21),
        "minimum_age": st.integers(13, 18),
        "minors_may_meet": st.booleans(),
        "minors_max_age_gap_years": st.integers(0, 4),
        "unknown_may_meet": st.sampled_from(["NOBODY", "ADULTS", "ADULTS_AND_UNKNOWN"]),
        "allow_on_unread_state": st.booleans(),
        "allow_without_harm_model": st.booleans(),
        "unknown_history_harm_floor": st.floats(0, 1),
        "gates": st.fixed_dictionaries(
            {
                "adults_max_probability_minor": st.floats(0, 0.2),
                "minors_max_probability_adult": st.floats(0, 0.2),
                "barred_min_probability": st.floats(0.5, 0.99),
            }
        ),
        "thresholds": st.fixed_dictionaries(
            {
                "reroute_minor_adult": st.floats(0, 0.3),
                "block_minor_adult": st.floats(0, 1),
                "reroute_harm": st.floats(0, 0.5),
                "block_harm": st.floats(0, 1),
                "reroute_risk": st.floats(0, 0.5),
                "block_risk": st.floats(0, 1),
            }
        ),
    }
).map(lambda lines: Policy.from_mapping(merged(default_policy_document(), {"default": lines})))

loosest = Policy.from_mapping(
    merged(
        default_policy_document(),
        {
            "default": {
                "unknown_may_meet": "ADULTS_AND_UNKNOWN",
                "minors_may_meet": True,
                "allow_on_unread_state": True,
                "allow_without_harm_model": True,
                "gates": {
                    "adults_max_probability_minor": 0.2,
                    "minors_max_probability_adult": 0.2,
                    "barred_min_probability": 0.99,
                },
                "thresholds": {
                    "reroute_minor_adult": 0.3,
                    "reroute_harm": 0.5,
                    "block_harm": 1.0,
                    "reroute_risk": 0.5,
                },
            }
        },
    )
)


Seen = Callable[[RegionPolicy], Side]


def seen(age: AgeAssessment, **facts: Any) -> Seen:
    """Return a participant to be, once the lines of its region are known."""
    return lambda lines: Side(age, lines, **facts)


def decided(
    a: AgeAssessment | Seen,
    b: AgeAssessment | Seen,
    *,
    policy: Policy = DEFAULT,
    harm: float | None = 0.0005,
    **state: Any,
) -> Decision:
    lines = policy.for_pair("US", "US")
    side_a, side_b = (
        (seen(x, history_known=True) if isinstance(x, AgeAssessment) else x)(lines) for x in (a, b)
    )
    mixed = minor_adult_probability(side_a.age, side_b.age, lines.adult_ages)
    return decide(lines, side_a, side_b, risk=pair_risk(mixed, harm), **state)


def leading(decision: Decision) -> ReasonCode:
    return decision.reasons[0].code


def test_two_known_adults_are_allowed() -> None:
    decision = decided(ADULT, ADULT)
    assert decision.kind is DecisionKind.ALLOW
    assert leading(decision) is ReasonCode.ADULTS_MEET


def test_two_bare_ids_are_rerouted_for_an_unknown_age() -> None:
    decision = decided(BARE, BARE)
    assert decision.kind is DecisionKind.REROUTE
    assert {(r.code, r.party) for r in decision.reasons} >= {
        (ReasonCode.AGE_UNKNOWN, Party.A),
        (ReasonCode.AGE_UNKNOWN, Party.B),
    }


def test_a_verified_minor_and_a_verified_adult_are_rerouted_and_nobody_is_held() -> None:
    decision = decided(MINOR, ADULT)
    assert decision.kind is DecisionKind.REROUTE
    assert leading(decision) is ReasonCode.POOLS_DIFFER
    assert decision.holds == ()


@given(valid_policies, st.integers(1, 8), st.integers(0, 40), st.booleans())
def test_no_valid_policy_allows_a_verified_minor_with_a_verified_adult(
    policy: Policy, years_below: int, years_above: int, history_known: bool
) -> None:
    (adult_age,) = policy.for_pair("US", "US").adult_ages
    minor = seen(assessed(verified(adult_age - years_below)), history_known=history_known)
    adult = seen(assessed(verified(adult_age + years_above)), history_known=history_known)
    for a, b in ((minor, adult), (adult, minor)):
        assert decided(a, b, policy=policy, harm=0.0).kind is not DecisionKind.ALLOW


@given(valid_policies, evidence_lists, st.integers(13, 17))
def test_no_valid_policy_allows_a_verified_minor_with_somebody_who_shows_adult_evidence(
    policy: Policy, evidence: list[AgeEvidence], minor_years: int
) -> None:
    other = assessed(*evidence)
    lines = policy.for_pair("US", "US")
    assume(admission(other, lines) is not Admission.MINORS)
    decision = decided(assessed(verified(minor_years)), other, policy=policy, harm=0.0)
    assert decision.kind is not DecisionKind.ALLOW


@given(valid_policies)
def test_no_valid_policy_allows_two_bare_ids(policy: Policy) -> None:
    assert decided(BARE, BARE, policy=policy, harm=0.0).kind is not DecisionKind.ALLOW


@given(valid_policies, evidence_lists, st.booleans())
def test_no_valid_policy_allows_somebody_without_age_evidence_with_a_likely_minor(
    policy: Policy, evidence: list[AgeEvidence], behaviour_known: bool
) -> None:
    likely_minor = assessed(*evidence)
    assume(likely_minor.probability_below(max(policy.for_pair("US", "US").adult_ages)) >= 0.5)
    nobody_knows = seen(BARE, behaviour_known=behaviour_known, history_known=True)
    decision = decided(likely_minor, nobody_knows, policy=policy, harm=0.0)
    assert decision.kind is not DecisionKind.ALLOW


@given(valid_policies, st.booleans())
def test_no_valid_policy_allows_anybody_held(policy: Policy, readable: bool) -> None:
    held = seen(ADULT, history_known=True, kept=HELD)
    decision = decided(held, ADULT, policy=policy, harm=0.0, state_readable=readable)
    assert decision.kind is DecisionKind.BLOCK
    assert leading(decision) is ReasonCode.HELD


@given(valid_policies, st.integers(0, 11))
def test_no_valid_policy_allows_anybody_barred(policy: Policy, years: int) -> None:
    child = assessed(verified(years))
    assume(admission(child, policy.for_pair("US", "US")) is Admission.BARRED)
    decision = decided(child, ADULT, policy=policy, harm=0.0)
    assert decision.kind is DecisionKind.BLOCK
    assert [(h.party, h.reason) for h in decision.holds] == [
        (Party.A, ReasonCode.BELOW_MINIMUM_AGE)
    ]


def test_a_child_below_the_minimum_age_is_barred_by_the_default_policy() -> None:
    decision = decided(assessed(verified(9)), ADULT)
    assert decision.kind is DecisionKind.BLOCK
    assert decision.admission_a is Admission.BARRED
    assert decision.holds[0].hours == DEFAULT.default.barred_hours


@given(evidence_lists, evidence_lists, valid_policies)
def test_swapping_the_two_swaps_only_labels(
    first: list[AgeEvidence], second: list[AgeEvidence], policy: Policy
) -> None:
    a, b = seen(assessed(*first)), seen(assessed(*second))
    one, other = decided(a, b, policy=policy), decided(b, a, policy=policy)
    assert one.kind is other.kind
    assert one.risk == other.risk
    assert leading(one) is leading(other)
    swapped = {Party.A: Party.B, Party.B: Party.A, Party.BOTH: Party.BOTH}
    assert {(r.code, r.party) for r in one.reasons} == {
        (r.code, swapped[r.party]) for r in other.reasons
    }


@given(evidence_lists, evidence_lists, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_harm_probability_never_makes_the_decision_milder(
    first: list[AgeEvidence], second: list[AgeEvidence], harm: float, higher: float
) -> None:
    harm, higher = sorted((harm, higher))
    a, b = assessed(*first), assessed(*second)
    assert decided(a, b, harm=higher).kind >= decided(a, b, harm=harm).kind


def test_unread_state_reroutes_unless_the_policy_says_otherwise_in_one_line() -> None:
    decision = decided(ADULT, ADULT, state_readable=False)
    assert decision.kind is DecisionKind.REROUTE
    assert leading(decision) is ReasonCode.STORE_UNAVAILABLE
    assert decided(ADULT, ADULT, policy=loosest, state_readable=False).kind is DecisionKind.ALLOW


def test_without_a_harm_model_nothing_is_allowed_unless_the_policy_says_so() -> None:
    decision = decided(ADULT, ADULT, harm=None)
    assert decision.kind is DecisionKind.REROUTE
    assert leading(decision) is ReasonCode.HARM_MODEL_UNAVAILABLE
    assert decision.risk.harm_probability is None
    assert decided(ADULT, ADULT, policy=loosest, harm=None).kind is DecisionKind.ALLOW


def test_unknown_history_scores_at_least_the_floor() -> None:
    floor = DEFAULT.default.unknown_history_harm_floor
    unknown = decided(seen(ADULT), seen(ADULT), harm=floor / 10)
    assert unknown.risk.harm_probability == floor
    known = decided(ADULT, ADULT, harm=floor / 10)
    assert known.risk.harm_probability == floor / 10


def test_a_high_harm_score_alone_reroutes_and_holds_nobody() -> None:
    decision = decided(ADULT, ADULT, harm=0.99)
    assert decision.kind is DecisionKind.REROUTE
    assert leading(decision) is ReasonCode.HARM_RISK
    assert decision.holds == ()


def test_a_high_harm_score_blocks_only_whom_a_review_found_at_fault() -> None:
    offender = seen(ADULT, history_known=True, kept=KeptState(upheld_harm=True))
    decision = decided(offender, ADULT, harm=0.99)
    assert decision.kind is DecisionKind.BLOCK
    assert [(h.party, h.reason) for h in decision.holds] == [(Party.A, ReasonCode.HARM_RISK)]


def test_a_personal_block_and_a_recent_partner_reroute() -> None:
    assert leading(decided(ADULT, ADULT, personal_block=True)) is ReasonCode.PERSONAL_BLOCK
    assert leading(decided(ADULT, ADULT, seconds_since_last_met=60.0)) is ReasonCode.RECENT_PARTNER


def test_conflicting_evidence_reroutes_under_every_line_about_unknown_ages() -> None:
    conflicting = assessed(verified(16), live(FacialAgeEstimate(45, Liveness.PASSED)))
    for policy in (DEFAULT, loosest):
        decision = decided(conflicting, ADULT, policy=policy, harm=0.0)
        assert decision.kind is DecisionKind.REROUTE
        assert leading(decision) is ReasonCode.AGE_EVIDENCE_CONFLICT


def test_a_policy_may_let_an_unknown_age_meet_adults_under_the_pair_threshold() -> None:
    middling = assessed(live(FacialAgeEstimate(26, Liveness.PASSED)))
    policy = Policy.from_mapping(
        merged(
            default_policy_document(),
            {
                "default": {
                    "unknown_may_meet": "ADULTS",
                    "thresholds": {"reroute_minor_adult": 0.1, "reroute_risk": 0.11},
                }
            },
        )
    )
    assert decided(middling, ADULT).kind is DecisionKind.REROUTE
    decision = decided(middling, ADULT, policy=policy)
    assert decision.kind is DecisionKind.ALLOW
    assert leading(decision) is ReasonCode.UNKNOWN_WITHIN_THRESHOLD
    assert decided(middling, middling, policy=policy).kind is DecisionKind.REROUTE


def test_established_minors_meet_only_where_the_policy_says_so_and_within_the_gap() -> None:
    assert leading(decided(MINOR, MINOR)) is ReasonCode.MINORS_NOT_PAIRED
    policy = Policy.from_mapping(
        merged(default_policy_document(), {"default": {"minors_may_meet": True}})
    )
    assert decided(MINOR, assessed(verified(16)), policy=policy).kind is DecisionKind.ALLOW
    far = decided(assessed(verified(13)), assessed(verified(17)), policy=policy)
    assert far.kind is DecisionKind.REROUTE
    assert leading(far) is ReasonCode.AGE_GAP_TOO_WIDE


def test_a_declared_age_never_opens_the_minors_pool() -> None:
    policy = Policy.from_mapping(
        merged(
            default_policy_document(),
            {
                "default": {
                    "minors_may_meet": True,
                    "gates": {"minors_max_probability_adult": 0.2},
                }
            },
        )
    )
    declared = assessed(
        AgeEvidence(SelfDeclared(age_years=14), observed_time=NOW, binding=Binding.ACCOUNT)
    )
    assert decided(declared, MINOR, policy=policy).kind is DecisionKind.REROUTE


def test_the_close_in_age_allowance_counts_only_verified_live_ages_and_its_gap() -> None:
    policy = Policy.from_mapping(
        merged(default_policy_document(), {"default": {"close_in_age_max_gap_years": 1}})
    )
    seventeen, eighteen, nineteen = (assessed(verified(years)) for years in (17, 18, 19))
    allowed = decided(seventeen, eighteen, policy=policy)
    assert (allowed.kind, leading(allowed)) == (DecisionKind.ALLOW, ReasonCode.CLOSE_IN_AGE)
    assert decided(seventeen, nineteen, policy=policy).kind is DecisionKind.REROUTE
    assert decided(seventeen, eighteen).kind is DecisionKind.REROUTE
    unverified = assessed(document_check(CheckResult.OVER))
    assert decided(seventeen, unverified, policy=policy).kind is DecisionKind.REROUTE
    held = seen(eighteen, history_known=True, kept=HELD)
    assert decided(seventeen, held, policy=policy).kind is DecisionKind.BLOCK


def test_the_most_severe_finding_decides() -> None:
    barred = assessed(verified(9))
    decision = decided(barred, BARE, state_readable=False, personal_block=True)
    assert decision.kind is DecisionKind.BLOCK
    assert {r.code for r in decision.reasons} >= {
        ReasonCode.BELOW_MINIMUM_AGE,
        ReasonCode.PERSONAL_BLOCK,
        ReasonCode.STORE_UNAVAILABLE,
    }


@given(evidence_lists, evidence_lists)
def test_one_adult_age_composes_as_two_independent_persons(
    first: list[AgeEvidence], second: list[AgeEvidence]
) -> None:
    a, b = assessed(*first), assessed(*second)
    p, q = a.probability_below(18), b.probability_below(18)
    assert minor_adult_probability(a, b, {18}) == pytest.approx(p * (1 - q) + q * (1 - p))
    # Two adult ages: mixed under either, so never below each alone.
    both = minor_adult_probability(a, b, {18, 21})
    assert both >= minor_adult_probability(a, b, {18}) - 1e-12
    assert both >= minor_adult_probability(a, b, {21}) - 1e-12


@given(st.floats(1e-9, 1 - 1e-9), st.floats(1e-9, 1 - 1e-9), st.floats(1e-9, 0.499))
def test_a_more_likely_minor_is_never_a_safer_partner_for_a_likely_adult(
    p: float, higher: float, q: float
) -> None:
    p, higher = sorted((p, higher))

    def with_probability(probability: float) -> AgeAssessment:
        probabilities = np.zeros(101)
        probabilities[10], probabilities[30] = probability, 1.0 - probability
        return replace(BARE, probabilities=probabilities, cumulative=np.cumsum(probabilities))

    other = with_probability(q)
    low = minor_adult_probability(with_probability(p), other, {18})
    high = minor_adult_probability(with_probability(higher), other, {18})
    assert high >= low - 1e-15


def test_participants_are_told_nothing_of_the_partner() -> None:
    telling = ("minor", "adult", "partner", "review found", "report", "risk", "child")
    for code in ReasonCode:
        text = next(
            r for r in [replace(decided(BARE, BARE).reasons[0], code=code)]
        ).participant_text.lower()
        assert not [word for word in telling if word in text]


def test_one_who_is_refused_for_the_partner_reads_the_same_as_any_other_refusal() -> None:
    texts = {
        replace(decided(BARE, BARE).reasons[0], code=code).participant_text
        for code in (
            ReasonCode.PERSONAL_BLOCK,
            ReasonCode.RECENT_PARTNER,
            ReasonCode.POOLS_DIFFER,
            ReasonCode.AGE_GAP_TOO_WIDE,
            ReasonCode.MINOR_ADULT_RISK,
            ReasonCode.HARM_RISK,
            ReasonCode.COMBINED_RISK,
            ReasonCode.REPORTED,
            ReasonCode.EXPOSURE_SPENT,
            ReasonCode.REROUTES_SPENT,
            ReasonCode.PROBING,
        )
    }
    assert len(texts) == 1
