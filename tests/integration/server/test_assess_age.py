"""Ages over the wire."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from pairguard.v1.age_assurance_service_pb2 import AssessAgeRequest, AssessAgeResponse
from pairguard.v1.assessment_pb2 import (
    ADMISSION_ADULTS,
    ADMISSION_BARRED,
    ADMISSION_UNKNOWN,
    PARTICIPANT_ROLE_UNSPECIFIED,
)
from tests.integration.server.running_server import TIMEOUT_SECONDS, Running, refusal, serving
from tests.unit.server.requests import (
    ADULT,
    CHILD,
    FACE,
    LIVE,
    age_request,
    evidence,
    pair_request,
)


def assess(server: Running, request: AssessAgeRequest) -> AssessAgeResponse:
    return server.age_assurance.AssessAge(request, timeout=TIMEOUT_SECONDS)


def test_a_bare_id_is_unknown_and_would_be_helped_by_a_check(server: Running) -> None:
    answer = assess(server, age_request())

    age = answer.assessment
    assert age.admission == ADMISSION_UNKNOWN
    assert 0 < age.probability_minor < 1
    assert age.adult_age_years == 19  # the highest configured one: the region is unknown
    assert [reason.code for reason in age.reasons] == ["AGE_UNKNOWN"]
    assert age.next_best_check.participant == PARTICIPANT_ROLE_UNSPECIFIED
    assert len(age.next_best_check.options) >= 2
    assert not age.contributions
    assert answer.bundle_version
    assert answer.policy_version == "default-2026-11"


def test_a_verified_adult_needs_no_check(server: Running) -> None:
    basic = assess(server, age_request("region: 'GB'" + ADULT)).assessment
    full = assess(server, age_request("region: 'GB'" + ADULT, "view: VIEW_FULL")).assessment

    assert basic.admission == ADMISSION_ADULTS
    assert basic.adult_age_years == 18
    assert basic.probability_minor < 0.02
    assert basic.no_next_check.code == "AGE_CERTAIN_ENOUGH"
    assert not basic.reasons
    assert not basic.contributions
    assert [c.evidence_index for c in full.contributions] == [0]
    assert full.contributions[0].contribution_nats < 0


def test_a_verified_child_is_barred(server: Running) -> None:
    age = assess(server, age_request(CHILD)).assessment

    assert age.admission == ADMISSION_BARRED
    assert [reason.code for reason in age.reasons] == ["BELOW_MINIMUM_AGE"]
    assert age.contributions[0].contribution_nats > 0


def test_evidence_that_contradicts_itself_is_said_and_asked_about(server: Running) -> None:
    face = FACE.replace("30", "60")
    age = assess(server, age_request(CHILD + evidence(face, "binding: BINDING_LIVE_PERSON")))

    assert age.assessment.conflict
    assert age.assessment.admission in (ADMISSION_UNKNOWN, ADMISSION_BARRED)


@pytest.mark.parametrize(
    ("signs", "code"),
    [
        ("signals { key: 'virtual_camera' value: 1 }", "EVIDENCE_UNUSABLE"),
        ("signals { key: 'device_known_days' value: 0 }", "EVIDENCE_UNUSABLE"),
        ("signals { key: 'vpn' value: 1 }", "LOCATION_HIDDEN"),
    ],
)
def test_what_made_the_answer_more_cautious_is_said(server: Running, signs: str, code: str) -> None:
    told = "region: 'GB'" + evidence(FACE, "binding: BINDING_LIVE_PERSON")
    before = assess(server, age_request(told)).assessment
    after = assess(server, age_request(told + signs)).assessment

    reasons = {reason.code: reason for reason in after.reasons}
    assert code in reasons
    assert reasons[code].analyst_text
    assert reasons[code].participant_text
    assert code not in {reason.code for reason in before.reasons}
    assert after.probability_minor >= before.probability_minor


@pytest.mark.parametrize("field", ["age_check", "verified_age"])
def test_a_failed_liveness_test_of_a_document_admits_nobody(server: Running, field: str) -> None:
    shown = {
        "age_check": "method: CHECK_METHOD_ID_DOCUMENT threshold_years: 18 "
        "result: CHECK_RESULT_OVER",
        "verified_age": "method: VERIFICATION_METHOD_ID_DOCUMENT age_years: 40",
    }[field]

    def admission(liveness: str) -> int:
        item = evidence(f"{field} {{ {shown} liveness: LIVENESS_{liveness} }}", LIVE)
        return assess(server, age_request("region: 'GB'" + item)).assessment.admission

    assert admission("PASSED") == ADMISSION_ADULTS
    assert admission("FAILED") == ADMISSION_UNKNOWN


def test_copies_of_an_item_count_once_and_stand_at_the_first(server: Running) -> None:
    item = evidence(FACE, "evidence_id: 'e1'")
    request = age_request(evidence("self_declared { age_years: 30 }") + item + item)
    once = age_request(evidence("self_declared { age_years: 30 }") + item)

    twice = assess(server, request).assessment

    assert [c.evidence_index for c in twice.contributions] == [0, 1]
    assert twice.probability_minor == assess(server, once).assessment.probability_minor


def test_unknown_names_are_echoed(server: Running) -> None:
    answer = assess(server, age_request("signals { key: 'zzz' value: 1 }"))

    assert list(answer.unknown_signals) == ["zzz"]


@pytest.mark.parametrize("allow_full_view", [True, False])
def test_beliefs_about_an_age_are_told_only_where_that_is_allowed(
    bundle: Path, tmp_path: Path, allow_full_view: bool
) -> None:
    with serving(bundle, tmp_path, allow_full_view=allow_full_view) as server:
        if allow_full_view:
            assert assess(server, age_request()).assessment.bands
            return
        for call, request in (
            (server.age_assurance.AssessAge, age_request()),
            (server.pair_risk.ScorePair, pair_request(rest="view: VIEW_FULL")),
        ):
            code, info, _ = refusal(call, request)
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert info.reason == "FULL_VIEW_NOT_ALLOWED"
        assert server.pair_risk.ScorePair(pair_request()).assessment.decision_id
