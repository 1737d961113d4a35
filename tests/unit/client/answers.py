"""Answers of the service as messages, for tests of the client."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.v1 import assessment_pb2 as assessment
from pairguard.v1.age_assurance_service_pb2 import AssessAgeResponse
from pairguard.v1.participant_pb2 import CHECK_METHOD_GUARDIAN

DECIDED = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
ALLOWED_UNTIL = datetime(2999, 1, 1, tzinfo=UTC)  # after the clock of any machine that reads it

Change: TypeAlias = Callable[[assessment.PairAssessment], object]


def timestamp(moment: datetime) -> Timestamp:
    """Return a moment as a message."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def allow(*changes: Change) -> assessment.PairAssessment:
    """Return an ALLOW without fault, then changed."""
    message = assessment.PairAssessment(
        decision_id="d-1",
        decision=assessment.DECISION_ALLOW,
        decision_time=timestamp(DECIDED),
        expire_time=timestamp(ALLOWED_UNTIL),
        minor_adult_probability=0.0,
        harm_probability=0.01,
        risk_score=0.01,
        bundle_version="b-1",
        policy_version="p-1",
    )
    for change in changes:
        change(message)
    return message


def block(*changes: Change) -> assessment.PairAssessment:
    """Return a BLOCK without fault that holds participant b, then changed."""
    why = assessment.Reason(
        code="AGE_BARRED",
        participant=assessment.PARTICIPANT_ROLE_B,
        analyst_text="b is likely too young.",
        participant_text="Please confirm your age.",
    )
    message = assessment.PairAssessment(
        decision_id="d-2",
        decision=assessment.DECISION_BLOCK,
        decision_time=timestamp(DECIDED),
        minor_adult_probability=0.75,
        reasons=[why],
        age_checks=[
            assessment.RequestedAgeCheck(
                participant=assessment.PARTICIPANT_ROLE_B,
                options=[
                    assessment.AgeCheckOption(
                        method=CHECK_METHOD_GUARDIAN,
                        threshold_years=13,
                        cost=0,
                        document_free=True,
                        settle_probability=0.5,
                    )
                ],
                reason=why,
            )
        ],
        held_participants=[
            assessment.HeldParticipant(
                participant=assessment.PARTICIPANT_ROLE_B,
                reason=why,
                expire_time=timestamp(datetime(2024, 5, 2, tzinfo=UTC)),
            )
        ],
        bundle_version="b-1",
        policy_version="p-1",
        degradations=["STORE_UNAVAILABLE"],
        unknown_signals=[
            assessment.UnknownSignals(participant=assessment.PARTICIPANT_ROLE_A, names=["x", "y"])
        ],
    )
    for change in changes:
        change(message)
    return message


def age(*changes: Callable[[assessment.AgeAssessment], object]) -> assessment.AgeAssessment:
    """Return a belief about an age without fault, then changed."""
    message = assessment.AgeAssessment(
        bands=[
            assessment.AgeBand(lower_years=0, upper_years=17, probability=0.25),
            assessment.AgeBand(lower_years=18, probability=0.75),
        ],
        probability_minor=0.25,
        adult_age_years=18,
        admission=assessment.ADMISSION_UNKNOWN,
        entropy_nats=2.5,
        conflict=True,
        contributions=[
            assessment.EvidenceContribution(
                evidence_id="e-1",
                evidence_index=0,
                kind=assessment.EVIDENCE_KIND_SELF_DECLARED,
                provider="form",
                contribution_nats=-0.5,
            )
        ],
        no_next_check=assessment.Reason(code="NO_CHECK_WOULD_SETTLE"),
        reasons=[assessment.Reason(code="AGE_UNKNOWN")],
    )
    for change in changes:
        change(message)
    return message


def assessed(*changes: Callable[[AssessAgeResponse], object]) -> AssessAgeResponse:
    """Return an answer about an age without fault, then changed."""
    message = AssessAgeResponse(
        assessment=age(),
        bundle_version="b-1",
        policy_version="p-1",
        degradations=["HARM_MODEL_MISSING"],
        unknown_signals=["x"],
    )
    for change in changes:
        change(message)
    return message


def ending(moment: datetime) -> Change:
    """Return a change that sets when an ALLOW ends."""
    return lambda message: message.expire_time.FromDatetime(moment)


def setting(name: str, value: object) -> Callable[[object], None]:
    """Return a change that sets a field to a value."""
    return lambda message: setattr(message, name, value)


def clearing(name: str) -> Change:
    """Return a change that clears a field."""
    return lambda message: message.ClearField(name)  # type: ignore[arg-type]
