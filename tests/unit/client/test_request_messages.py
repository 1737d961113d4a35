"""Values on their way to the wire: nothing is lost, nothing is made up."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from pairguard.client import (
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
    Modality,
    ParticipantInput,
    Platform,
    PlatformAssurance,
    VerificationMethod,
    View,
    age_check,
    facial_age_estimate,
    platform_age_range,
    self_declared,
    verified_age,
)
from pairguard.client.evidence import (
    AgeCheck,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.client.request_messages import assess_age_request, score_pair_request
from pairguard.v1 import assessment_pb2, participant_pb2
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest

MOMENT = datetime(2024, 3, 1, 8, 30, tzinfo=timezone(timedelta(hours=2)))


def request(a: ParticipantInput, b: ParticipantInput, **changes: Any) -> ScorePairRequest:
    """Return the request for a pair."""
    arguments: dict[str, Any] = {
        "request_id": "",
        "modality": None,
        "wait_seconds": None,
        "proposed_time": None,
        "view": View.BASIC,
    }
    return score_pair_request(a, b, **(arguments | changes))


def sent(*evidence: AgeEvidence) -> participant_pb2.Participant:
    """Return what is sent of a participant with this evidence."""
    return request(ParticipantInput("a", evidence), ParticipantInput("b")).participant_a


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (ParticipantInput, participant_pb2.Participant),
        (SelfDeclared, participant_pb2.SelfDeclared),
        (PlatformAgeRange, participant_pb2.PlatformAgeRange),
        (FacialAgeEstimate, participant_pb2.FacialAgeEstimate),
        (AgeCheck, participant_pb2.AgeCheck),
        (VerifiedAge, participant_pb2.VerifiedAge),
    ],
)
def test_a_value_has_the_fields_of_its_message(value: Any, message: Any) -> None:
    descriptor: Descriptor = message.DESCRIPTOR

    assert {field.name for field in fields(value)} == set(descriptor.fields_by_name)


def test_all_of_a_participant_is_sent() -> None:
    participant = ParticipantInput(
        "a",
        [self_declared(age_years=17)],
        linked_ids=["device-1", "device-2"],
        signals={"session.vpn": True, "account.age_days": 12},
        attributes={"client.os": "ios"},
        interests=["music"],
        region="GB",
        language="pt-BR",
        entry_path="invite",
    )

    message = request(participant, ParticipantInput("b")).participant_a

    assert message.participant_id == "a"
    assert list(message.linked_ids) == ["device-1", "device-2"]
    assert dict(message.signals) == {"session.vpn": 1.0, "account.age_days": 12.0}
    assert dict(message.attributes) == {"client.os": "ios"}
    assert list(message.interests) == ["music"]
    assert (message.region, message.language, message.entry_path) == ("GB", "pt-BR", "invite")
    assert len(message.age_evidence) == 1
    assert {field.name for field, _ in message.ListFields()} == set(
        participant_pb2.Participant.DESCRIPTOR.fields_by_name
    )


def test_all_details_of_evidence_are_sent() -> None:
    details: Mapping[str, Any] = {
        "evidence_id": "e-1",
        "observed_time": MOMENT,
        "expire_time": MOMENT + timedelta(days=1),
        "provider": "yoti",
        "binding": Binding.LIVE_PERSON,
    }
    for item in (
        self_declared(age_years=17, **details),
        platform_age_range(lower_years=13, **details),
        facial_age_estimate(mean_years=17, **details),
        age_check(method=CheckMethod.EMAIL, threshold_years=18, result=CheckResult.OVER, **details),
        verified_age(method=VerificationMethod.MODERATOR, age_years=20, **details),
    ):
        (message,) = sent(item).age_evidence

        assert message.evidence_id == "e-1"
        assert message.observed_time.ToDatetime(tzinfo=UTC) == MOMENT
        assert message.expire_time.ToDatetime(tzinfo=UTC) == MOMENT + timedelta(days=1)
        assert message.provider == "yoti"
        assert message.binding == participant_pb2.BINDING_LIVE_PERSON


def test_each_kind_of_evidence_is_sent_whole() -> None:
    declared, platform, face, check, verified = sent(
        self_declared(age_years=0, declared_time=MOMENT, gate_years=13),
        platform_age_range(
            platform=Platform.GOOGLE,
            assurance=PlatformAssurance.TIER_D,
            lower_years=0,
            upper_years=12,
        ),
        facial_age_estimate(
            mean_years=17.5, liveness=Liveness.FAILED, quality=0.0, capture_session="c"
        ),
        age_check(
            method=CheckMethod.DIGITAL_WALLET,
            threshold_years=0,
            result=CheckResult.UNDER,
            liveness=Liveness.UNDETERMINED,
            capture_session="c",
        ),
        verified_age(
            method=VerificationMethod.DIGITAL_WALLET,
            birth_year=2001,
            liveness=Liveness.PASSED,
            capture_session="c",
        ),
    ).age_evidence

    # An age of 0 is an age, not a gap.
    assert declared.self_declared.HasField("age_years")
    assert declared.self_declared.age_years == 0
    assert not declared.self_declared.HasField("birth_year")
    assert declared.self_declared.declared_time.ToDatetime(tzinfo=UTC) == MOMENT
    assert declared.self_declared.gate_years == 13
    assert platform.platform_age_range == participant_pb2.PlatformAgeRange(
        platform=participant_pb2.PLATFORM_GOOGLE,
        assurance=participant_pb2.PLATFORM_ASSURANCE_TIER_D,
        lower_years=0,
        upper_years=12,
    )
    assert face.facial_age_estimate == participant_pb2.FacialAgeEstimate(
        mean_years=17.5,
        liveness=participant_pb2.LIVENESS_FAILED,
        quality=0.0,
        capture_session="c",
    )
    assert check.age_check == participant_pb2.AgeCheck(
        method=participant_pb2.CHECK_METHOD_DIGITAL_WALLET,
        threshold_years=0,
        result=participant_pb2.CHECK_RESULT_UNDER,
        liveness=participant_pb2.LIVENESS_UNDETERMINED,
        capture_session="c",
    )
    assert verified.verified_age == participant_pb2.VerifiedAge(
        method=participant_pb2.VERIFICATION_METHOD_DIGITAL_WALLET,
        birth_year=2001,
        liveness=participant_pb2.LIVENESS_PASSED,
        capture_session="c",
    )


def test_what_is_unknown_is_not_sent() -> None:
    message = request(ParticipantInput("a"), ParticipantInput("b"))

    assert message == ScorePairRequest(
        participant_a=participant_pb2.Participant(participant_id="a"),
        participant_b=participant_pb2.Participant(participant_id="b"),
        view=assessment_pb2.VIEW_BASIC,
    )
    assert not message.HasField("context")


def test_the_circumstances_are_sent() -> None:
    message = request(
        ParticipantInput("a"),
        ParticipantInput("b"),
        request_id="r-1",
        modality=Modality.VIDEO,
        wait_seconds=0.0,
        proposed_time=MOMENT,
        view=View.FULL,
    )

    assert message.request_id == "r-1"
    assert message.view == assessment_pb2.VIEW_FULL
    assert message.context.modality == assessment_pb2.MODALITY_VIDEO
    assert message.context.HasField("wait_seconds")
    assert message.context.proposed_time.ToDatetime(tzinfo=UTC) == MOMENT


def test_an_age_is_asked_for_with_all_that_is_known() -> None:
    message = assess_age_request(
        ParticipantInput("a", [self_declared(age_years=17)]), view=View.FULL
    )

    assert message.participant.participant_id == "a"
    assert message.participant.age_evidence[0].self_declared.age_years == 17
    assert message.view == assessment_pb2.VIEW_FULL


@pytest.mark.parametrize(
    "participant",
    [
        ParticipantInput("\ud800"),
        ParticipantInput("a", [platform_age_range(lower_years=2**31)]),
        ParticipantInput("a", [self_declared(birth_year=-(2**40))]),
    ],
)
def test_what_no_message_can_hold_is_refused_at_once(participant: ParticipantInput) -> None:
    with pytest.raises(ValueError, match=r"."):
        request(participant, ParticipantInput("b"))


@pytest.mark.parametrize(
    "changes",
    [
        {"request_id": 7},
        {"modality": "VIDEO"},
        {"wait_seconds": "7"},
        {"proposed_time": 7},
        {"view": 2},
        {"view": None},
    ],
)
def test_arguments_of_another_type_are_refused_at_once(changes: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        request(ParticipantInput("a"), ParticipantInput("b"), **changes)


def test_a_participant_is_no_bare_id() -> None:
    wrong: Any = "a"
    with pytest.raises(TypeError, match="participant_b must be a ParticipantInput"):
        request(ParticipantInput("a"), wrong)
