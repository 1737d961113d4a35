"""What a session shows of danger never opens a pool, and takes adulthood from what it touches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
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
    VerificationMethod,
    VerifiedAge,
)
from pairguard.bundle.defaults import default_catalogue
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.policy.state import StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from tests.domain import (
    DAY,
    NOW,
    TABLES,
    default_policy_document,
    document_check,
    evidence_items,
    live,
    merged,
    verified,
)

MODEL = RiskModel(TABLES, default_catalogue(), None, None)
POLICY = Policy.from_mapping(
    merged(
        default_policy_document(),
        {"default": {"minors_may_meet": True, "allow_without_harm_model": True}},
    )
)
JUDGE = Judge(MODEL, POLICY)
ADULT = (document_check(CheckResult.OVER), live(FacialAgeEstimate(34, Liveness.PASSED)))

SIGNS: tuple[dict[str, float], ...] = (
    {"virtual_camera": 1.0},
    {"injected_media": 1.0},
    {"replayed_capture": 1.0},
    {"vpn": 1.0},
    {"time_zone_mismatch": 1.0},
    {"device_known_days": 0.0},
    {"device_known_days": 40.0},
)


def participant(*evidence: AgeEvidence, **signals: float) -> Participant:
    return Participant("p", age_evidence=evidence, signals=signals, region="US")


def pool(*evidence: AgeEvidence, **signals: float) -> Admission:
    who = participant(*evidence, **signals)
    return admission(
        MODEL.assess_participant(who, NOW).age, POLICY.for_participant(who.located_region)
    )


def in_session(item: AgeEvidence, session: str) -> AgeEvidence:
    observation = item.observation
    if isinstance(observation, (FacialAgeEstimate, AgeCheck, VerifiedAge)):
        return replace(item, observation=replace(observation, capture_session=session))
    return item


def probability_minor(*evidence: AgeEvidence, **signals: float) -> float:
    return MODEL.assess_participant(participant(*evidence, **signals), NOW).age.probability_below(
        18
    )


captured = st.builds(in_session, evidence_items, st.sampled_from(["", "s1", "s2"]))


@given(st.lists(captured, max_size=5), st.sampled_from(SIGNS))
def test_a_sign_of_danger_opens_no_pool(
    evidence: list[AgeEvidence], signs: dict[str, float]
) -> None:
    before, after = pool(*evidence), pool(*evidence, **signs)
    if after is not before:
        assert after in (Admission.UNKNOWN, Admission.BARRED), (before, after)


@given(st.lists(captured, max_size=4), captured, st.sampled_from(SIGNS))
def test_a_sign_of_danger_never_makes_a_pair_of_adults(
    evidence: list[AgeEvidence], other: AgeEvidence, signs: dict[str, float]
) -> None:
    adult = Participant("q", age_evidence=ADULT, region="US")
    without, with_signs = (
        JUDGE.judge_pair(
            participant(*evidence, other, **told), adult, now=NOW, state=StoredState()
        ).decision.kind
        for told in ({}, signs)
    )
    assert with_signs >= without


def test_a_capture_that_is_shown_again_speaks_no_more_for_adulthood() -> None:
    shown = in_session(live(FacialAgeEstimate(34, Liveness.PASSED)), "capture-1")
    again = replace(shown, observed_time=NOW - 3 * DAY)
    assert pool(shown) is Admission.ADULTS
    assert probability_minor(shown, again) >= probability_minor()
    assert pool(shown, again) is not Admission.ADULTS


def test_several_results_of_one_sitting_are_no_replay() -> None:
    shown = in_session(live(FacialAgeEstimate(34, Liveness.PASSED)), "capture-1")
    document = in_session(
        live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER, Liveness.PASSED)), "capture-1"
    )
    later = replace(document, observed_time=NOW - 600.0)
    assert pool(shown, later) is Admission.ADULTS


def test_a_replayed_child_is_still_evidence_of_minority() -> None:
    shown = in_session(live(FacialAgeEstimate(12, Liveness.PASSED)), "capture-1")
    again = replace(shown, observed_time=NOW - 3 * DAY)
    assert probability_minor(shown, again) > 0.8


@pytest.mark.parametrize("known_days", [0.0, 5.0])
def test_a_new_device_after_the_check_takes_adulthood_from_it(known_days: float) -> None:
    checked = tuple(replace(item, observed_time=NOW - 30 * DAY) for item in ADULT)
    assert pool(*checked) is Admission.ADULTS
    assert pool(*checked, device_known_days=31.0) is Admission.ADULTS
    assert pool(*checked, device_known_days=known_days) is not Admission.ADULTS
    # A check on the new device starts anew.
    assert pool(*checked, *ADULT, device_known_days=known_days) is Admission.ADULTS


def test_a_check_without_a_time_is_taken_to_be_older_than_the_device() -> None:
    undated = tuple(replace(item, observed_time=None) for item in ADULT)
    assert probability_minor(*undated, device_known_days=1.0) >= probability_minor()


def test_a_new_device_takes_nothing_from_evidence_of_minority() -> None:
    checked = replace(verified(15), observed_time=NOW - 30 * DAY)
    assert probability_minor(checked, device_known_days=1.0) > 0.95


@pytest.mark.parametrize("sign", ["vpn", "time_zone_mismatch"])
def test_a_hidden_location_counts_as_every_region(sign: str) -> None:
    strict: dict[str, Any] = {"regions": {"KR": {"adult_age": 21}}}
    policy = Policy.from_mapping(merged(default_policy_document(), strict))
    who = Participant("p", signals={sign: 1.0}, region="US")
    assert who.located_region == ""
    assert policy.for_participant(who.located_region).adult_ages == {18, 21}
    assert policy.for_participant("US").adult_ages == {18}


@pytest.mark.parametrize("liveness", [Liveness.FAILED, Liveness.UNDETERMINED])
@pytest.mark.parametrize(
    "observation",
    [
        AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER),
        AgeCheck(CheckMethod.FACIAL_THRESHOLD, 25, CheckResult.OVER),
        VerifiedAge(VerificationMethod.ID_DOCUMENT, 34),
        FacialAgeEstimate(34),
    ],
)
def test_who_was_not_found_alive_is_not_admitted_by_what_was_shown(
    observation: AgeCheck | VerifiedAge | FacialAgeEstimate, liveness: Liveness
) -> None:
    shown = live(replace(observation, liveness=liveness))
    assert pool(shown) is not Admission.ADULTS
    assert probability_minor(shown) > probability_minor(
        live(replace(observation, liveness=Liveness.PASSED))
    )


@pytest.mark.parametrize(
    "observation",
    [
        AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.UNDER),
        AgeCheck(CheckMethod.FACIAL_THRESHOLD, 13, CheckResult.UNDER),
        FacialAgeEstimate(11),
    ],
)
def test_a_failed_liveness_test_establishes_no_minor(
    observation: AgeCheck | FacialAgeEstimate,
) -> None:
    failed = live(replace(observation, liveness=Liveness.FAILED))
    assert pool(failed) is not Admission.MINORS
    assert probability_minor(failed) >= probability_minor()


def test_a_facial_threshold_without_a_liveness_test_establishes_no_minor() -> None:
    shown = live(AgeCheck(CheckMethod.FACIAL_THRESHOLD, 13, CheckResult.UNDER))
    assert not MODEL.assess_participant(participant(shown), NOW).age.established_minor


@pytest.mark.parametrize("binding", list(Binding))
@pytest.mark.parametrize("years", [8, 13, 15, 17])
def test_a_declared_age_never_admits_to_the_minors_pool(years: int, binding: Binding) -> None:
    item = AgeEvidence(SelfDeclared(years), observed_time=NOW, binding=binding)
    assert pool(*[item] * 5) is not Admission.MINORS


def test_two_names_of_one_sitting_gain_nothing() -> None:
    face = live(FacialAgeEstimate(30, Liveness.PASSED))
    document = live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER, Liveness.PASSED))
    unnamed = probability_minor(face, document)
    named = in_session(face, "face vendor 1"), in_session(document, "document vendor 7")
    assert probability_minor(*named) == unnamed
    days_before = replace(named[1], observed_time=NOW - 3 * DAY)
    assert probability_minor(named[0], days_before) < unnamed
    undated = replace(named[1], observed_time=None)
    assert probability_minor(named[0], undated) >= unnamed
