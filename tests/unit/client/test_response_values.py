"""Answers on their way to the caller: what cannot be relied on never allows a pair."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from pairguard.client import (
    Admission,
    AgeBand,
    CheckMethod,
    DecidedBy,
    Decision,
    EvidenceContribution,
    EvidenceKind,
    FailureKind,
    HeldParticipant,
    ParticipantRole,
    Reason,
    UnknownSignals,
)
from pairguard.client.failure import LocalFailure
from pairguard.client.response_values import assessed_age, pair_decision
from pairguard.v1 import assessment_pb2
from pairguard.v1.age_assurance_service_pb2 import AssessAgeResponse
from tests.unit.client.answers import (
    ALLOWED_UNTIL,
    DECIDED,
    Change,
    age,
    allow,
    assessed,
    block,
    clearing,
    ending,
    setting,
)

NOW = DECIDED + timedelta(seconds=1)


def test_an_allow_says_all_that_came() -> None:
    message = allow()

    decision = pair_decision(message, received_time=NOW)

    assert decision.decision is Decision.ALLOW
    assert decision.decided_by is DecidedBy.SERVICE
    assert decision.allowed
    assert decision.decision_id == "d-1"
    assert decision.decision_time == DECIDED
    assert decision.expire_time == ALLOWED_UNTIL
    assert decision.minor_adult_probability == 0.0
    assert decision.harm_probability == 0.01
    assert decision.risk_score == 0.01
    assert (decision.bundle_version, decision.policy_version) == ("b-1", "p-1")
    assert decision.degradations == ()
    assert decision.error is None
    assert decision.message is message


def test_a_block_says_all_that_came() -> None:
    decision = pair_decision(block(), received_time=NOW)

    why = Reason(
        "AGE_BARRED", ParticipantRole.B, "b is likely too young.", "Please confirm your age."
    )
    assert decision.decision is Decision.BLOCK
    assert not decision.allowed
    assert decision.reasons == (why,)
    assert decision.held_participants == (
        HeldParticipant(ParticipantRole.B, why, datetime(2024, 5, 2, tzinfo=UTC)),
    )
    (check,) = decision.age_checks
    assert (check.participant, check.reason) == (ParticipantRole.B, why)
    (option,) = check.options
    assert option.method is CheckMethod.GUARDIAN
    assert (option.threshold_years, option.cost, option.settle_probability) == (13, 0, 0.5)
    assert option.document_free
    assert decision.minor_adult_probability == 0.75
    assert decision.harm_probability is None
    assert decision.risk_score is None
    assert decision.degradations == ("STORE_UNAVAILABLE",)
    assert decision.unknown_signals == (UnknownSignals(ParticipantRole.A, ("x", "y")),)


FAULTS: dict[str, Change] = {
    "no id": clearing("decision_id"),
    "no bundle": clearing("bundle_version"),
    "no policy": clearing("policy_version"),
    "nan": setting("minor_adult_probability", nan),
    "infinite": setting("harm_probability", inf),
    "above one": setting("risk_score", 1.5),
    "below zero": setting("risk_score", -0.5),
    "absurd time": lambda m: setattr(m.expire_time, "seconds", 2**61),
    "nan age": lambda m: m.participant_a_assessment.CopyFrom(
        age(setting("probability_minor", nan))
    ),
    "no age": lambda m: m.participant_b_assessment.CopyFrom(age(clearing("probability_minor"))),  # type: ignore[arg-type]
}

ALLOW_FAULTS: dict[str, Change] = {
    "no time": clearing("decision_time"),
    "no end": clearing("expire_time"),
    "ends as decided": ending(DECIDED),
    "ends before decided": ending(DECIDED - timedelta(seconds=1)),
    "no mixed probability": clearing("minor_adult_probability"),
    "no harm probability": clearing("harm_probability"),
    "no score": clearing("risk_score"),
    "score below the mixed probability": setting("minor_adult_probability", 0.99),
    "score below the harm probability": setting("harm_probability", 0.99),
    "holds somebody": lambda m: m.held_participants.add(
        participant=assessment_pb2.PARTICIPANT_ROLE_A
    ),
}


@pytest.mark.parametrize(
    "fault",
    [
        *FAULTS.values(),
        *ALLOW_FAULTS.values(),
    ],
    ids=[*FAULTS, *ALLOW_FAULTS],
)
def test_an_allow_with_a_fault_is_refused_as_a_whole(fault: Change) -> None:
    with pytest.raises(LocalFailure) as caught:
        pair_decision(allow(fault), received_time=NOW)

    assert caught.value.kind is FailureKind.RESPONSE_INVALID


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_block_with_a_fault_stands_and_says_so(fault: Change) -> None:
    decision = pair_decision(block(fault), received_time=NOW)

    assert decision.decision is Decision.BLOCK
    assert decision.decided_by is DecidedBy.SERVICE
    assert decision.degradations == ("CLIENT_RESPONSE_INCOMPLETE", "STORE_UNAVAILABLE")
    assert [held.participant for held in decision.held_participants] == [ParticipantRole.B]


def test_an_allow_without_any_figure_or_end_is_refused() -> None:
    hollow = allow(
        clearing("expire_time"),
        clearing("minor_adult_probability"),
        clearing("harm_probability"),
        clearing("risk_score"),
    )

    with pytest.raises(LocalFailure) as caught:
        pair_decision(hollow, received_time=NOW)

    assert caught.value.kind is FailureKind.RESPONSE_INVALID
    for part in ("expire_time", "minor_adult_probability", "harm_probability", "risk_score"):
        assert part in str(caught.value)


def test_an_allow_without_a_harm_model_says_so_and_stands() -> None:
    message = allow(
        clearing("harm_probability"), lambda m: m.degradations.append("HARM_MODEL_UNAVAILABLE")
    )

    decision = pair_decision(message, received_time=NOW)

    assert decision.allowed
    assert decision.harm_probability is None


def test_another_degradation_excuses_no_missing_harm() -> None:
    message = allow(
        clearing("harm_probability"), lambda m: m.degradations.append("STORE_UNAVAILABLE")
    )

    with pytest.raises(LocalFailure):
        pair_decision(message, received_time=NOW)


@pytest.mark.parametrize("name", ["minor_adult_probability", "harm_probability"])
def test_a_score_may_be_below_a_part_by_rounding_only(name: str) -> None:
    rounded = allow(setting(name, 0.01 + 5e-10))

    assert pair_decision(rounded, received_time=NOW).allowed
    with pytest.raises(LocalFailure):
        pair_decision(allow(setting(name, 0.01 + 2e-9)), received_time=NOW)


def test_an_unreadable_number_is_unknown_and_not_zero() -> None:
    decision = pair_decision(block(setting("minor_adult_probability", nan)), received_time=NOW)

    assert decision.minor_adult_probability is None


def test_a_hold_whose_end_cannot_be_read_has_none() -> None:
    decision = pair_decision(
        block(lambda m: setattr(m.held_participants[0].expire_time, "seconds", 2**61)),
        received_time=NOW,
    )

    assert decision.held_participants[0].expire_time is None
    assert "CLIENT_RESPONSE_INCOMPLETE" in decision.degradations


@pytest.mark.parametrize("number", [0, 4, 99, -1])
def test_an_answer_without_a_known_decision_is_refused(number: int) -> None:
    with pytest.raises(LocalFailure) as caught:
        pair_decision(allow(setting("decision", number)), received_time=NOW)

    assert caught.value.kind is FailureKind.RESPONSE_INVALID


def test_an_allow_ends() -> None:
    end = DECIDED + timedelta(minutes=5)
    message = allow(ending(end))

    in_time = pair_decision(message, received_time=end - timedelta(microseconds=1))
    late = pair_decision(message, received_time=end)

    assert in_time.allowed
    assert not in_time.allowed_at(end)
    assert late.decision is Decision.ALLOW
    assert not late.allowed
    assert late.expire_time == end
    assert late.received_time == end


def test_an_allow_without_an_end_allows_at_no_time() -> None:
    endless = replace(pair_decision(allow(), received_time=NOW), expire_time=None)

    assert not endless.allowed
    assert not endless.allowed_at(DECIDED)


def test_names_that_are_new_to_the_client_are_kept_as_unknown() -> None:
    message = block(
        lambda m: setattr(m.reasons[0], "participant", 77),
        lambda m: setattr(m.reasons[0], "code", "NEW_REASON"),
        lambda m: setattr(m.age_checks[0].options[0], "method", 77),
        lambda m: setattr(m.held_participants[0], "participant", 77),
    )

    decision = pair_decision(message, received_time=NOW)

    assert decision.reasons[0].participant is None
    assert decision.reasons[0].code == "NEW_REASON"
    assert decision.age_checks[0].options[0].method is None
    assert decision.held_participants[0].participant is None


def test_an_age_says_all_that_came() -> None:
    message = assessed()

    answer = assessed_age(message)

    assert answer.bundle_version == "b-1"
    assert answer.policy_version == "p-1"
    assert answer.degradations == ("HARM_MODEL_MISSING",)
    assert answer.unknown_signals == ("x",)
    assert answer.message is message
    belief = answer.assessment
    assert belief.bands == (AgeBand(0, 17, 0.25), AgeBand(18, None, 0.75))
    assert belief.probability_minor == 0.25
    assert belief.adult_age_years == 18
    assert belief.admission is Admission.UNKNOWN
    assert belief.entropy_nats == 2.5
    assert belief.conflict
    assert belief.contributions == (
        EvidenceContribution("e-1", 0, EvidenceKind.SELF_DECLARED, "form", -0.5),
    )
    assert belief.next_best_check is None
    assert belief.no_next_check == Reason("NO_CHECK_WOULD_SETTLE")
    assert belief.reasons == (Reason("AGE_UNKNOWN"),)


def test_a_proposed_check_is_read() -> None:
    check = assessment_pb2.RequestedAgeCheck(reason=assessment_pb2.Reason(code="AGE_UNKNOWN"))
    answer = assessed_age(assessed(lambda m: m.assessment.next_best_check.CopyFrom(check)))

    assert answer.assessment.next_best_check is not None
    assert answer.assessment.next_best_check.participant is None
    assert answer.assessment.next_best_check.reason == Reason("AGE_UNKNOWN")
    assert answer.assessment.no_next_check is None


@pytest.mark.parametrize("number", [0, 77])
def test_an_admission_that_is_not_known_is_unknown(number: int) -> None:
    answer = assessed_age(assessed(lambda m: setattr(m.assessment, "admission", number)))

    assert answer.assessment.admission is Admission.UNKNOWN


@pytest.mark.parametrize(
    "fault",
    [
        lambda m: m.ClearField("assessment"),
        lambda m: m.ClearField("bundle_version"),
        lambda m: m.ClearField("policy_version"),
        lambda m: m.assessment.ClearField("probability_minor"),
        lambda m: m.assessment.ClearField("adult_age_years"),
        lambda m: setattr(m.assessment, "probability_minor", nan),
        lambda m: setattr(m.assessment, "probability_minor", 1.5),
        lambda m: setattr(m.assessment, "entropy_nats", inf),
        lambda m: setattr(m.assessment.bands[0], "probability", nan),
        lambda m: setattr(m.assessment.contributions[0], "contribution_nats", nan),
    ],
)
def test_an_age_with_a_fault_is_refused(fault: Callable[[AssessAgeResponse], object]) -> None:
    with pytest.raises(LocalFailure) as caught:
        assessed_age(assessed(fault))

    assert caught.value.kind is FailureKind.RESPONSE_INVALID


def test_the_ages_of_a_full_view_are_read() -> None:
    decision = pair_decision(
        allow(lambda m: m.participant_a_assessment.CopyFrom(age())), received_time=NOW
    )

    assert decision.participant_a_assessment is not None
    assert decision.participant_a_assessment.probability_minor == 0.25
    assert decision.participant_b_assessment is None
