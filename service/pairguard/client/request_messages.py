"""Requests as messages of the contract, from the values a caller fills in.

Owns that direction of the conversion. It must not know calls or answers.

Everything here runs before a call: what cannot be sent (a whole number beyond 32 bits, text that is
no UTF-8) raises ``ValueError`` at once.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.client.arguments import (
    require_member,
    require_moment,
    require_number,
    require_text,
)
from pairguard.client.evidence import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    Observation,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.client.participant import ParticipantInput, ParticipantReference
from pairguard.client.vocabulary import Modality, View
from pairguard.client.wire_enums import number_of
from pairguard.v1 import (
    age_assurance_service_pb2,
    assessment_pb2,
    pair_risk_service_pb2,
    participant_pb2,
)

# The field of the oneof, and the message, that each kind of evidence goes into. The values have the
# names of the message's fields.
_OBSERVATIONS: dict[type[Observation], tuple[str, Any]] = {
    SelfDeclared: ("self_declared", participant_pb2.SelfDeclared),
    PlatformAgeRange: ("platform_age_range", participant_pb2.PlatformAgeRange),
    FacialAgeEstimate: ("facial_age_estimate", participant_pb2.FacialAgeEstimate),
    AgeCheck: ("age_check", participant_pb2.AgeCheck),
    VerifiedAge: ("verified_age", participant_pb2.VerifiedAge),
}


def score_pair_request(
    participant_a: ParticipantInput,
    participant_b: ParticipantInput,
    *,
    request_id: str,
    modality: Modality | None,
    wait_seconds: float | None,
    proposed_time: datetime | None,
    view: View,
) -> pair_risk_service_pb2.ScorePairRequest:
    """Return the request to judge a proposed pair; raises ``TypeError`` and ``ValueError``."""
    require_text("request_id", request_id)
    require_member("view", view, View)
    values: dict[str, Any] = {"request_id": request_id, "view": number_of(view)}
    context = pair_context(modality, wait_seconds, proposed_time)
    if context is not None:
        values["context"] = context
    return pair_risk_service_pb2.ScorePairRequest(
        participant_a=participant_message("participant_a", participant_a),
        participant_b=participant_message("participant_b", participant_b),
        **values,
    )


def pair_context(
    modality: Modality | None, wait_seconds: float | None, proposed_time: datetime | None
) -> assessment_pb2.PairContext | None:
    """Return the circumstances as a message; None: nothing is known of them."""
    context: dict[str, Any] = {}
    if modality is not None:
        require_member("modality", modality, Modality)
        context["modality"] = modality
    if wait_seconds is not None:
        require_number("wait_seconds", wait_seconds)
        context["wait_seconds"] = wait_seconds
    if proposed_time is not None:
        require_moment("proposed_time", proposed_time)
        context["proposed_time"] = proposed_time
    return assessment_pb2.PairContext(**wire_values(context)) if context else None


def assess_age_request(
    participant: ParticipantInput, *, view: View
) -> age_assurance_service_pb2.AssessAgeRequest:
    """Return the request to judge an age; raises ``TypeError`` and ``ValueError``."""
    require_member("view", view, View)
    values: dict[str, Any] = {"view": number_of(view)}
    return age_assurance_service_pb2.AssessAgeRequest(
        participant=participant_message("participant", participant), **values
    )


def participant_message(name: str, value: ParticipantInput) -> participant_pb2.Participant:
    """Return a participant as a message; raises ``TypeError`` for what is none."""
    if not isinstance(value, ParticipantInput):
        raise TypeError(f"{name} must be a ParticipantInput, not {type(value).__name__}")
    return participant_pb2.Participant(
        participant_id=value.participant_id,
        linked_ids=value.linked_ids,
        age_evidence=[evidence_message(item) for item in value.age_evidence],
        signals={name: float(number) for name, number in value.signals.items()},
        attributes=value.attributes,
        interests=value.interests,
        region=value.region,
        language=value.language,
        entry_path=value.entry_path,
    )


def evidence_message(item: AgeEvidence) -> participant_pb2.AgeEvidence:
    """Return an item of evidence as a message."""
    field_name, message_class = _OBSERVATIONS[type(item.observation)]
    values = wire_values(field_values(item, leave_out="observation"))
    values[field_name] = message_class(**wire_values(field_values(item.observation)))
    return participant_pb2.AgeEvidence(**values)


def reference_message(value: ParticipantReference) -> participant_pb2.ParticipantReference:
    """Return a participant by ids alone as a message."""
    return participant_pb2.ParticipantReference(
        participant_id=value.participant_id, linked_ids=value.linked_ids
    )


def field_values(value: Any, *, leave_out: str = "") -> dict[str, Any]:
    """Return the fields of a dataclass by name."""
    names = (field.name for field in fields(value))
    return {name: getattr(value, name) for name in names if name != leave_out}


def wire_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return what to set in a message.

    Words become numbers, moments timestamps, spans durations and values messages; None is left out.
    """
    return {name: _wire_value(value) for name, value in values.items() if value is not None}


def _wire_value(value: Any) -> Any:
    match value:
        case StrEnum():
            return number_of(value)
        case datetime():
            timestamp = Timestamp()
            timestamp.FromDatetime(value)
            return timestamp
        case timedelta():
            duration = Duration()
            duration.FromTimedelta(value)
            return duration
        case ParticipantReference():
            return reference_message(value)
        case VerifiedAge():
            return participant_pb2.VerifiedAge(**wire_values(field_values(value)))
    return value
