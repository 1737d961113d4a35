"""The forecast of a check keeps to what the check would do beside everything known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.next_check import CheckForecaster, CheckOption, UncertainZone
from pairguard.age.posterior import AgeAssessment
from tests.domain import DAY, NOW, TABLES, assessed, document_check, evidence_items, live

ZONE = UncertainZone(adult_age=18, max_probability_minor=0.02, max_probability_adult=0.05)
METHODS = tuple(CheckMethod)


def option(method: CheckMethod, threshold_years: float = 18, cost: float = 1.0) -> CheckOption:
    return CheckOption(method, threshold_years, cost, method is not CheckMethod.ID_DOCUMENT)


def settles(
    method: CheckMethod,
    assessment: AgeAssessment,
    threshold_years: float = 18,
    *,
    zone: UncertainZone = ZONE,
) -> float:
    """Return the forecast for one check; 0.0: it would not do."""
    forecaster = CheckForecaster(TABLES, [option(method, threshold_years)])
    found = forecaster.sufficient(assessment, zone=zone, min_probability_settled=1e-9)
    return found[0].probability_settled if found else 0.0


def account(observation: SelfDeclared | AgeCheck) -> AgeEvidence:
    return AgeEvidence(observation, observed_time=NOW, binding=Binding.ACCOUNT)


def made(method: CheckMethod, result: CheckResult, threshold_years: float = 18) -> AgeEvidence:
    """Return the check as it would come back."""
    return AgeEvidence(
        AgeCheck(method, threshold_years, result, Liveness.PASSED, "another sitting"),
        observed_time=NOW,
        binding=Binding.LIVE_PERSON,
    )


def is_settled(after: AgeAssessment) -> bool:
    minor = after.probability_below(18)
    adult = minor <= ZONE.max_probability_minor
    return not after.conflict and (
        adult or (1.0 - minor <= ZONE.max_probability_adult and after.established_minor)
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(evidence_items, max_size=4), st.sampled_from(METHODS))
def test_a_check_that_is_promised_to_settle_does_for_one_of_its_results(
    evidence: list[AgeEvidence], method: CheckMethod
) -> None:
    before = assessed(*evidence)
    after = [assessed(*evidence, made(method, result)) for result in CheckResult]
    if settles(method, before) > 0.0 and not any(said.conflict for said in after):
        assert any(is_settled(said) for said in after)


def test_what_hangs_on_an_account_is_not_promised_to_make_an_adult() -> None:
    for method in (CheckMethod.EMAIL, CheckMethod.CREDIT_CARD, CheckMethod.MOBILE_OPERATOR):
        assert settles(method, assessed()) == 0.0


def test_a_second_proof_of_one_identity_is_forecast_as_one_attack() -> None:
    strict = replace(ZONE, max_probability_minor=0.003)
    wallet = live(AgeCheck(CheckMethod.DIGITAL_WALLET, 18, CheckResult.OVER))
    before = assessed(wallet)
    assert before.probability_below(18) > strict.max_probability_minor
    assert settles(CheckMethod.OPEN_BANKING, before, zone=strict) == 0.0
    assert settles(CheckMethod.FACIAL_THRESHOLD, before, 26, zone=strict) > 0.3


def test_a_face_that_would_share_the_attack_of_a_face_settles_less() -> None:
    doubtful = live(FacialAgeEstimate(24, Liveness.PASSED))
    after_face = settles(CheckMethod.FACIAL_THRESHOLD, assessed(doubtful), 26)
    after_nothing = settles(CheckMethod.FACIAL_THRESHOLD, assessed(), 26)
    assert after_face < after_nothing


def test_nothing_is_promised_to_end_a_conflict_of_checked_evidence() -> None:
    torn = assessed(document_check(CheckResult.OVER), live(FacialAgeEstimate(13, Liveness.PASSED)))
    assert torn.conflict
    for method in METHODS:
        assert settles(method, torn) == 0.0


def test_a_live_check_is_promised_to_settle_what_was_once_declared() -> None:
    once = AgeEvidence(SelfDeclared(16), observed_time=NOW - 3 * 365 * DAY, binding=Binding.ACCOUNT)
    before = assessed(once)
    assert settles(CheckMethod.ID_DOCUMENT, before) > 0.3
    after = assessed(once, document_check(CheckResult.OVER))
    assert not after.conflict


def test_nobody_is_asked_to_prove_a_minority_that_would_not_be_established() -> None:
    likely = assessed(account(SelfDeclared(14)))
    assert settles(CheckMethod.EMAIL, likely) == 0.0
    assert settles(CheckMethod.ID_DOCUMENT, likely) > 0.5


def test_a_review_settles_faces_and_statements_and_a_later_face_is_a_conflict_again() -> None:
    child = replace(live(FacialAgeEstimate(13, Liveness.PASSED)), observed_time=NOW - 9 * DAY)
    document = replace(document_check(CheckResult.OVER), observed_time=NOW - 8 * DAY)
    review = AgeEvidence(
        VerifiedAge(VerificationMethod.MODERATOR, 25),
        observed_time=NOW - 7 * DAY,
        binding=Binding.LIVE_PERSON,
    )
    assert assessed(child, document).conflict
    assert not assessed(child, document, review).conflict
    again = replace(child, observed_time=NOW - DAY)
    assert assessed(child, document, review, again).conflict


@pytest.mark.parametrize("years", [13, 16])
def test_what_was_settled_weighs_as_before(years: int) -> None:
    declared = AgeEvidence(
        SelfDeclared(years), observed_time=NOW - 30 * DAY, binding=Binding.ACCOUNT
    )
    with_it = assessed(declared, document_check(CheckResult.OVER))
    without = assessed(document_check(CheckResult.OVER))
    assert not with_it.conflict
    assert with_it.probability_below(18) > 5 * without.probability_below(18)


def test_checks_come_cheapest_first() -> None:
    options = [
        option(CheckMethod.ID_DOCUMENT, cost=5.0),
        option(CheckMethod.OPEN_BANKING, cost=2.0),
        option(CheckMethod.DIGITAL_WALLET, cost=3.0),
    ]
    found = CheckForecaster(TABLES, options).sufficient(
        assessed(), zone=ZONE, min_probability_settled=0.5
    )
    assert [forecast.option.cost for forecast in found] == [2.0, 3.0, 5.0]
    assert all(0.5 <= forecast.probability_settled <= 1.0 for forecast in found)


def test_no_check_is_promised_that_ends_no_conflict() -> None:
    ages = [live(VerifiedAge(VerificationMethod.ID_DOCUMENT, years)) for years in (30, 40)]
    before = assessed(*ages)
    assert before.conflict  # no age explains both, and none will
    for method in METHODS:
        assert settles(method, before) == 0.0


def test_nobody_below_the_minimum_age_is_asked_to_prove_a_minority() -> None:
    before = assessed(live(FacialAgeEstimate(9, Liveness.PASSED)))
    zone = replace(ZONE, minimum_age=13)
    assert settles(CheckMethod.ID_DOCUMENT, before) > 0.5
    assert settles(CheckMethod.ID_DOCUMENT, before, zone=zone) < 0.5
