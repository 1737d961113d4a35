"""A hold for an age ends by an age, and whoever is barred is asked for what would end it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pairguard.age.admission import Admission, admission
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
)
from pairguard.bundle.defaults import default_catalogue
from pairguard.policy.checks import CheckPlanner
from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.reasons import Party, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from tests.domain import (
    DAY,
    NOW,
    TABLES,
    assessed,
    default_policy_document,
    document_check,
    evidence_items,
    live,
    merged,
    verified,
)

POLICY = Policy.from_mapping(
    merged(
        default_policy_document(),
        {
            "default": {"allow_without_harm_model": True},
            "regions": {
                # Bars early and admits early, so that one check can end a bar.
                "FR": {
                    "minimum_age": 18,
                    "gates": {
                        "barred_min_probability": 0.5,
                        "adults_max_probability_minor": 0.2,
                        "adults_max_probability_minor_by_evidence": 0.2,
                    },
                }
            },
        },
    )
)
JUDGE = Judge(RiskModel(TABLES, default_catalogue(), None, None), POLICY)
AGE_HELD = KeptState(held_for=(ReasonCode.BELOW_MINIMUM_AGE.value,))
CHILDS_WORD = AgeEvidence(SelfDeclared(8), observed_time=NOW - DAY, binding=Binding.ACCOUNT)
DOUBTED_WORD = replace(CHILDS_WORD, observation=SelfDeclared(11))
OVER = document_check(CheckResult.OVER)
ADULT = Participant("q", age_evidence=(OVER, live(FacialAgeEstimate(34))), region="US")


def person(*evidence: AgeEvidence, region: str = "US") -> Participant:
    return Participant("p", age_evidence=evidence, region=region)


def asked(who: Participant, kept: KeptState) -> dict[Party, ReasonCode]:
    judged = JUDGE.judge_pair(who, ADULT, now=NOW, state=StoredState(a=kept))
    assert judged.decision.kind is DecisionKind.BLOCK
    return {party: plan.reason for party, plan in judged.checks if plan.forecasts}


def test_whoever_is_barred_by_a_word_is_asked_for_the_check_that_would_end_it() -> None:
    barred = person(DOUBTED_WORD, region="FR")
    for kept in (KeptState(), AGE_HELD):
        assert asked(barred, kept) == {Party.A: ReasonCode.BELOW_MINIMUM_AGE}
    assert not JUDGE.ends_age_hold(barred, NOW)
    assert JUDGE.ends_age_hold(person(DOUBTED_WORD, OVER, region="FR"), NOW)


def test_whoever_is_held_for_an_age_that_became_unknown_is_asked_for_a_check() -> None:
    assert asked(person(), AGE_HELD) == {Party.A: ReasonCode.AGE_UNKNOWN}


@pytest.mark.parametrize(
    "reasons",
    [("HELD",), ("moderation:17",), ("UPHELD_HARM",), ("BELOW_MINIMUM_AGE", "HARM_RISK")],
)
def test_whoever_is_held_for_anything_else_is_not_asked(reasons: tuple[str, ...]) -> None:
    for who in (person(), person(DOUBTED_WORD, region="FR")):
        assert asked(who, KeptState(held_for=reasons)) == {}


@pytest.mark.parametrize("child", [verified(9), CHILDS_WORD])
def test_nobody_is_asked_for_a_check_that_would_not_end_the_bar(child: AgeEvidence) -> None:
    plan = CheckPlanner(TABLES, POLICY).plan("US", assessed(child))
    assert plan.admission is Admission.BARRED
    assert (plan.forecasts, plan.reason) == ((), ReasonCode.NO_CHECK_WOULD_SETTLE)


childish = st.one_of(
    st.builds(
        lambda years, binding: replace(
            CHILDS_WORD, observation=SelfDeclared(years), binding=binding
        ),
        st.integers(4, 17),
        st.sampled_from(Binding),
    ),
    st.builds(
        lambda years: live(FacialAgeEstimate(years, Liveness.PASSED), observed_time=NOW - DAY),
        st.integers(3, 14),
    ),
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])
@example(DOUBTED_WORD, [])
@given(childish, st.lists(evidence_items, max_size=2))
def test_each_check_that_the_barred_are_asked_for_can_end_the_bar(
    first: AgeEvidence, others: list[AgeEvidence]
) -> None:
    evidence = (first, *others)
    plan = CheckPlanner(TABLES, POLICY).plan("FR", assessed(*evidence))
    assume(plan.admission is Admission.BARRED)
    for forecast in plan.forecasts:
        option = forecast.option
        passed = [
            JUDGE.ends_age_hold(
                person(
                    *evidence,
                    checked(option.method, option.threshold_years, result),
                    region="FR",
                ),
                NOW,
            )
            for result in (CheckResult.OVER, CheckResult.UNDER)
        ]
        assert any(passed)


def checked(method: CheckMethod, threshold_years: float, result: CheckResult) -> AgeEvidence:
    return AgeEvidence(
        AgeCheck(method, threshold_years, result, Liveness.PASSED, "the sitting"),
        observed_time=NOW,
        binding=TABLES.strongest_binding.get(method, Binding.LIVE_PERSON),
    )


def test_an_age_hold_ends_with_an_admission_and_with_nothing_less() -> None:
    assert JUDGE.ends_age_hold(ADULT, NOW)
    assert JUDGE.ends_age_hold(person(verified(15)), NOW)
    # Nothing known, unknown, in conflict or barred.
    assert not JUDGE.ends_age_hold(person(), NOW)
    assert not JUDGE.ends_age_hold(person(live(FacialAgeEstimate(19, Liveness.PASSED))), NOW)
    assert not JUDGE.ends_age_hold(person(verified(9), OVER), NOW)
    assert not JUDGE.ends_age_hold(person(CHILDS_WORD), NOW)


def test_an_age_hold_ends_by_the_participants_own_region() -> None:
    assert not JUDGE.ends_age_hold(person(verified(15), region="FR"), NOW)
    assert not JUDGE.ends_age_hold(person(verified(15), region=""), NOW)
    hidden = replace(person(verified(15)), signals={"vpn": 1.0})
    assert not JUDGE.ends_age_hold(hidden, NOW)


@given(st.lists(evidence_items, max_size=4), st.sampled_from(["US", "FR", "KR", ""]))
def test_an_age_hold_ends_only_for_whom_the_age_admits(
    evidence: list[AgeEvidence], region: str
) -> None:
    who = person(*evidence, region=region)
    judged = JUDGE.judge_pair(who, ADULT, now=NOW, state=StoredState())
    age, lines = judged.a.age, POLICY.for_participant(region)
    admitted = admission(age, lines) in (Admission.ADULTS, Admission.MINORS)
    assert JUDGE.ends_age_hold(who, NOW) is admitted
    if admitted:
        assert not judged.decision.holds
