"""Requests to record, to erase and to look up, as messages of the contract.

Owns that direction of the conversion, and how many events go into one request. It must not know
calls or answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pairguard.client.arguments import require_text
from pairguard.client.events import (
    AppealOutcome,
    ChatEnded,
    ChatStarted,
    Event,
    EventBody,
    HoldPlaced,
    HoldReleased,
    PersonalBlock,
    PersonalBlockLifted,
    Report,
    ReviewVerdict,
)
from pairguard.client.evidence import AgeEvidence
from pairguard.client.participant import ParticipantReference, require_reference
from pairguard.client.request_messages import (
    evidence_message,
    field_values,
    reference_message,
    wire_values,
)
from pairguard.v1 import age_assurance_service_pb2, feedback_service_pb2, pair_risk_service_pb2

MAX_EVENTS = 1_000

# Half of what a server takes unless it is told otherwise.
_MAX_REQUEST_BYTES = 512 * 1024

# The field of the oneof, and the message, that each kind of event goes into. The values have the
# names of the message's fields.
_BODIES: dict[type[EventBody], tuple[str, Any]] = {
    ChatStarted: ("chat_started", feedback_service_pb2.ChatStarted),
    ChatEnded: ("chat_ended", feedback_service_pb2.ChatEnded),
    Report: ("report", feedback_service_pb2.Report),
    ReviewVerdict: ("review_verdict", feedback_service_pb2.ReviewVerdict),
    HoldPlaced: ("hold_placed", feedback_service_pb2.HoldPlaced),
    HoldReleased: ("hold_released", feedback_service_pb2.HoldReleased),
    PersonalBlock: ("personal_block", feedback_service_pb2.PersonalBlock),
    PersonalBlockLifted: ("personal_block_lifted", feedback_service_pb2.PersonalBlockLifted),
    AppealOutcome: ("appeal_outcome", feedback_service_pb2.AppealOutcome),
}


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events that go into one request.

    Attributes:
        start: Position of the first one among all events of the call, from 0.
        request: The request.
    """

    start: int
    request: feedback_service_pb2.RecordEventsRequest


def event_batches(events: Sequence[Event], *, max_message_bytes: int) -> tuple[EventBatch, ...]:
    """Return the requests to record events, in their order.

    Args:
        events: What happened.
        max_message_bytes: Largest message that can be sent.

    Raises:
        TypeError: An item is no event.
        ValueError: Two different events have the same id, of which only one would be recorded; or
            an event cannot be sent.
    """
    _require_events(events)
    messages = [event_message(event) for event in events]
    limit = min(_MAX_REQUEST_BYTES, max_message_bytes // 2)
    return tuple(
        EventBatch(start, feedback_service_pb2.RecordEventsRequest(events=messages[start:end]))
        for start, end in _spans([message.ByteSize() for message in messages], limit)
    )


def _require_events(events: Sequence[Event]) -> None:
    if not isinstance(events, (tuple, list)):
        raise TypeError("events must be a tuple or list of Event")
    by_id: dict[str, Event] = {}
    for event in events:
        if not isinstance(event, Event):
            raise TypeError(f"events holds Event, not {type(event).__name__}")
        if by_id.setdefault(event.event_id, event) != event:
            raise ValueError("two different events have the same event_id")


def _spans(sizes: Sequence[int], limit: int) -> Iterator[tuple[int, int]]:
    """Yield spans of positions that are small enough for a request, or have one position."""
    start = size = 0
    for end, more in enumerate(sizes):
        if end > start and (end - start == MAX_EVENTS or size + more > limit):
            yield start, end
            start, size = end, 0
        size += more
    if start < len(sizes):
        yield start, len(sizes)


def event_message(event: Event) -> feedback_service_pb2.Event:
    """Return an event as a message; raises ``ValueError`` for what no message can hold."""
    field_name, message_class = _BODIES[type(event.body)]
    values = wire_values(field_values(event, leave_out="body"))
    values[field_name] = message_class(**wire_values(field_values(event.body)))
    return feedback_service_pb2.Event(**values)


def record_age_evidence_request(
    participant: ParticipantReference, evidence: Sequence[AgeEvidence]
) -> age_assurance_service_pb2.RecordAgeEvidenceRequest:
    """Return the request to keep evidence; raises ``TypeError`` and ``ValueError``."""
    require_reference("participant", participant)
    if not isinstance(evidence, (tuple, list)):
        raise TypeError("evidence must be a tuple or list of AgeEvidence")
    if not evidence:
        raise ValueError("evidence must have at least one item")
    for item in evidence:
        if not isinstance(item, AgeEvidence):
            raise TypeError(f"evidence holds AgeEvidence, not {type(item).__name__}")
        if not item.evidence_id:
            raise ValueError("evidence to keep needs an evidence_id, so that it counts once")
    return age_assurance_service_pb2.RecordAgeEvidenceRequest(
        participant=reference_message(participant),
        age_evidence=[evidence_message(item) for item in evidence],
    )


def erase_participant_request(
    participant: ParticipantReference,
) -> feedback_service_pb2.EraseParticipantRequest:
    """Return the request to erase somebody; raises ``TypeError`` and ``ValueError``."""
    require_reference("participant", participant)
    return feedback_service_pb2.EraseParticipantRequest(participant=reference_message(participant))


def get_decision_request(decision_id: str) -> pair_risk_service_pb2.GetDecisionRequest:
    """Return the request for a decision; raises ``TypeError`` and ``ValueError``."""
    require_text("decision_id", decision_id)
    if not decision_id:
        raise ValueError("decision_id must not be empty; a decision of the client has none")
    return pair_risk_service_pb2.GetDecisionRequest(decision_id=decision_id)
