"""Answers as typed values, from messages of the contract.

Owns that direction of the conversion, and when an answer cannot be relied on. It must not know
calls, nor what is done without an answer.

A part that cannot be read is never taken as 0 or as nothing to worry about: an ALLOW with such a
part is refused as a whole, a REROUTE or BLOCK stands without the part and says so. An ALLOW without
its figures or its end is hollow, and is refused likewise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite

from google.protobuf.message import Message

from pairguard.client.assessment import (
    AgeAssessment,
    AgeBand,
    AgeCheckOption,
    AssessedAge,
    EvidenceContribution,
    Reason,
    RequestedAgeCheck,
)
from pairguard.client.decision import HeldParticipant, PairDecision, UnknownSignals
from pairguard.client.failure import FailureKind, LocalFailure
from pairguard.client.vocabulary import (
    Admission,
    CheckMethod,
    DecidedBy,
    Decision,
    EvidenceKind,
    ParticipantRole,
)
from pairguard.client.wire_enums import word_of
from pairguard.v1 import age_assurance_service_pb2, assessment_pb2

INCOMPLETE_DEGRADATION = "CLIENT_RESPONSE_INCOMPLETE"

_HARM_MODEL_UNAVAILABLE = "HARM_MODEL_UNAVAILABLE"
_SCORE_TOLERANCE = 1e-9  # what rounding may take from a score that is never below its parts


def pair_decision(
    message: assessment_pb2.PairAssessment, *, received_time: datetime
) -> PairDecision:
    """Return an answer to a proposed pair as a value.

    Raises:
        LocalFailure: It has no decision that this client knows, or is an ALLOW with a part that
            is missing, unreadable or contradicts it.
    """
    decision = word_of(Decision, message.decision)
    if decision is None:
        raise invalid_response(["decision"])
    unread: list[str] = []
    if not message.decision_id:
        unread.append("decision_id")
    if not message.bundle_version or not message.policy_version:
        unread.append("bundle_version or policy_version")
    value = PairDecision(
        decision=decision,
        decided_by=DecidedBy.SERVICE,
        received_time=received_time,
        decision_id=message.decision_id,
        decision_time=moment_value(message, "decision_time", unread),
        expire_time=moment_value(message, "expire_time", unread),
        minor_adult_probability=probability_value(message, "minor_adult_probability", unread),
        harm_probability=probability_value(message, "harm_probability", unread),
        risk_score=probability_value(message, "risk_score", unread),
        reasons=reason_values(message.reasons),
        age_checks=tuple(age_check_value(check, unread) for check in message.age_checks),
        held_participants=tuple(
            HeldParticipant(
                word_of(ParticipantRole, held.participant),
                reason_value(held.reason) if held.HasField("reason") else None,
                moment_value(held, "expire_time", unread),
            )
            for held in message.held_participants
        ),
        bundle_version=message.bundle_version,
        policy_version=message.policy_version,
        degradations=tuple(message.degradations),
        unknown_signals=tuple(
            UnknownSignals(word_of(ParticipantRole, item.participant), tuple(item.names))
            for item in message.unknown_signals
        ),
        participant_a_assessment=_optional_assessment(message, "participant_a_assessment", unread),
        participant_b_assessment=_optional_assessment(message, "participant_b_assessment", unread),
        message=message,
    )
    if decision is Decision.ALLOW:
        unread.extend(part for part in _allow_faults(value) if part not in unread)
    if not unread:
        return value
    if decision is Decision.ALLOW:
        raise invalid_response(unread)
    return replace(value, degradations=tuple(sorted({*value.degradations, INCOMPLETE_DEGRADATION})))


def _allow_faults(value: PairDecision) -> list[str]:
    """Return what an ALLOW lacks, or has that contradicts it."""
    faults = [
        name
        for name in ("decision_time", "expire_time", "minor_adult_probability", "risk_score")
        if getattr(value, name) is None
    ]
    decided, end = value.decision_time, value.expire_time
    if decided is not None and end is not None and end <= decided:
        faults.append("expire_time not after decision_time")
    if value.harm_probability is None and _HARM_MODEL_UNAVAILABLE not in value.degradations:
        faults.append("harm_probability")
    if value.risk_score is not None:
        faults.extend(
            f"risk_score below {name}"
            for name in ("minor_adult_probability", "harm_probability")
            if (part := getattr(value, name)) is not None
            and value.risk_score < part - _SCORE_TOLERANCE
        )
    if value.held_participants:
        faults.append("held_participants beside an ALLOW")
    return faults


def assessed_age(message: age_assurance_service_pb2.AssessAgeResponse) -> AssessedAge:
    """Return an answer about an age as a value.

    Raises:
        LocalFailure: A part is missing or cannot be read.
    """
    unread: list[str] = []
    assessment = _optional_assessment(message, "assessment", unread)
    if not message.bundle_version or not message.policy_version:
        unread.append("bundle_version or policy_version")
    if assessment is None or unread:
        raise invalid_response(unread or ["assessment"])
    return AssessedAge(
        assessment=assessment,
        bundle_version=message.bundle_version,
        policy_version=message.policy_version,
        degradations=tuple(message.degradations),
        unknown_signals=tuple(message.unknown_signals),
        message=message,
    )


def _optional_assessment(message: Message, name: str, unread: list[str]) -> AgeAssessment | None:
    if not message.HasField(name):
        return None
    own: list[str] = []
    value = _age_assessment(getattr(message, name), own)
    if own:
        unread.extend(f"{name}.{part}" for part in own)
        return None
    return value


def _age_assessment(
    message: assessment_pb2.AgeAssessment, unread: list[str]
) -> AgeAssessment | None:
    probability_minor = probability_value(message, "probability_minor", unread)
    if probability_minor is None:
        unread.append("probability_minor")
        return None
    if message.adult_age_years <= 0:
        unread.append("adult_age_years")
    next_check = message.WhichOneof("next_check")
    return AgeAssessment(
        bands=tuple(_age_band(band, unread) for band in message.bands),
        probability_minor=probability_minor,
        adult_age_years=message.adult_age_years,
        admission=word_of(Admission, message.admission) or Admission.UNKNOWN,
        entropy_nats=_number(message, "entropy_nats", unread),
        conflict=message.conflict,
        contributions=tuple(_contribution(item, unread) for item in message.contributions),
        next_best_check=(
            age_check_value(message.next_best_check, unread)
            if next_check == "next_best_check"
            else None
        ),
        no_next_check=reason_value(message.no_next_check)
        if next_check == "no_next_check"
        else None,
        reasons=reason_values(message.reasons),
    )


def _age_band(message: assessment_pb2.AgeBand, unread: list[str]) -> AgeBand:
    if not 0 <= message.probability <= 1:
        unread.append("bands.probability")
    upper_years = message.upper_years if message.HasField("upper_years") else None
    return AgeBand(message.lower_years, upper_years, message.probability)


def _contribution(
    message: assessment_pb2.EvidenceContribution, unread: list[str]
) -> EvidenceContribution:
    if not isfinite(message.contribution_nats):
        unread.append("contributions.contribution_nats")
    return EvidenceContribution(
        evidence_id=message.evidence_id,
        evidence_index=message.evidence_index if message.HasField("evidence_index") else None,
        kind=word_of(EvidenceKind, message.kind),
        provider=message.provider,
        contribution_nats=message.contribution_nats,
    )


def age_check_value(
    message: assessment_pb2.RequestedAgeCheck, unread: list[str]
) -> RequestedAgeCheck:
    """Return a requested age check as a value; ``unread`` names what cannot be read of it."""
    return RequestedAgeCheck(
        participant=word_of(ParticipantRole, message.participant),
        options=tuple(
            AgeCheckOption(
                method=word_of(CheckMethod, option.method),
                threshold_years=_number(option, "threshold_years", unread),
                cost=_number(option, "cost", unread),
                document_free=option.document_free,
                settle_probability=probability_value(option, "settle_probability", unread),
            )
            for option in message.options
        ),
        reason=reason_value(message.reason) if message.HasField("reason") else None,
    )


def reason_values(messages: Iterable[assessment_pb2.Reason]) -> tuple[Reason, ...]:
    """Return reasons as values."""
    return tuple(reason_value(message) for message in messages)


def reason_value(message: assessment_pb2.Reason) -> Reason:
    """Return a reason as a value."""
    return Reason(
        code=message.code,
        participant=word_of(ParticipantRole, message.participant),
        analyst_text=message.analyst_text,
        participant_text=message.participant_text,
    )


def _number(message: Message, name: str, unread: list[str]) -> float | None:
    if not message.HasField(name):
        return None
    value: float = getattr(message, name)
    if isfinite(value):
        return value
    unread.append(name)
    return None


def probability_value(message: Message, name: str, unread: list[str]) -> float | None:
    """Return a probability; None if it is absent or, which ``unread`` then names, is none."""
    value = _number(message, name, unread)
    if value is None or 0 <= value <= 1:
        return value
    unread.append(name)
    return None


def moment_value(message: Message, name: str, unread: list[str]) -> datetime | None:
    """Return a moment; None if it is absent or, which ``unread`` then names, cannot be read."""
    if not message.HasField(name):
        return None
    try:
        moment: datetime = getattr(message, name).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        unread.append(name)
        return None
    return moment


def invalid_response(unread: Iterable[str]) -> LocalFailure:
    """Return the failure of an answer with parts that are missing or unusable."""
    parts = ", ".join(unread)
    return LocalFailure(FailureKind.RESPONSE_INVALID, f"missing or unusable in the answer: {parts}")
