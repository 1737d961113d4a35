"""A chat platform that calls a server: what it sends, in few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf import text_format

from pairguard.v1.age_assurance_service_pb2 import (
    RecordAgeEvidenceRequest,
    RecordAgeEvidenceResponse,
)
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, PairAssessment
from pairguard.v1.feedback_service_pb2 import (
    EraseParticipantRequest,
    EraseParticipantResponse,
    Event,
    RecordEventsRequest,
)
from pairguard.v1.journal_pb2 import DecisionRecord
from pairguard.v1.pair_risk_service_pb2 import (
    GetDecisionRequest,
    GetDecisionResponse,
    ScorePairRequest,
)
from pairguard.v1.participant_pb2 import AgeEvidence, Participant, ParticipantReference
from pairguard.v1.record_result_pb2 import RecordResult, RecordStatus
from tests.domain import NOW
from tests.integration.server.running_server import TIMEOUT_SECONDS, Running, failed_call
from tests.unit.server.requests import ADULT, evidence

LIVE = "binding: BINDING_LIVE_PERSON"
CHILD_AGE, MINOR_AGE, ADULT_AGE = 8, 15, 40


@dataclass
class Clock:
    """Seconds since 1970, as a test sets them."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def participant(text_id: str, *linked: str, more: str = ADULT) -> Participant:
    """Return a participant of Britain, a verified adult unless told otherwise."""
    message = Participant(participant_id=text_id, linked_ids=linked, region="GB")
    text_format.Merge(more, message)
    return message


def reference(text_id: str, *linked: str) -> ParticipantReference:
    return ParticipantReference(participant_id=text_id, linked_ids=linked)


def pair(a: Participant | str, b: Participant | str, *, request_id: str = "") -> ScorePairRequest:
    """Return a proposed pair; a text stands for a verified adult with that id."""
    return ScorePairRequest(
        participant_a=participant(a) if isinstance(a, str) else a,
        participant_b=participant(b) if isinstance(b, str) else b,
        request_id=request_id,
    )


def bare(text_id: str, *linked: str) -> Participant:
    return participant(text_id, *linked, more="")


def decide(server: Running, request: ScorePairRequest) -> PairAssessment:
    return server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS).assessment


def allowed(server: Running, a: Participant | str, b: Participant | str) -> str:
    """Have a pair allowed and return the decision's id."""
    answer = decide(server, pair(a, b))
    assert answer.decision == DECISION_ALLOW, answer
    return answer.decision_id


def codes(answer: PairAssessment) -> list[str]:
    return [reason.code for reason in answer.reasons]


def verified(evidence_id: str, age_years: float, rest: str = LIVE) -> AgeEvidence:
    """Return an item that a document check yesterday told, under an id."""
    return item(
        evidence_id,
        f"verified_age {{ age_years: {age_years} method: VERIFICATION_METHOD_ID_DOCUMENT }}",
        rest,
    )


def item(evidence_id: str, observation: str, rest: str = "") -> AgeEvidence:
    message = Participant()
    text_format.Merge(evidence(observation, f"evidence_id: '{evidence_id}' {rest}"), message)
    return message.age_evidence[0]


def keep_evidence(
    server: Running, who: ParticipantReference | str, *items: AgeEvidence
) -> RecordAgeEvidenceResponse:
    return server.age_assurance.RecordAgeEvidence(
        RecordAgeEvidenceRequest(
            participant=reference(who) if isinstance(who, str) else who, age_evidence=items
        ),
        timeout=TIMEOUT_SECONDS,
    )


def record(server: Running, *events: Event) -> list[RecordResult]:
    response = server.feedback.RecordEvents(
        RecordEventsRequest(events=events), timeout=TIMEOUT_SECONDS
    )
    return list(response.results)


def statuses(results: Sequence[RecordResult]) -> list[str]:
    return [RecordStatus.Name(each.status).removeprefix("RECORD_STATUS_") for each in results]


def happened(server: Running, *events: Event) -> None:
    """Record events, all of which are new."""
    results = record(server, *events)
    assert statuses(results) == ["RECORDED"] * len(events), results


def find_decision(server: Running, decision_id: str) -> GetDecisionResponse:
    return server.pair_risk.GetDecision(
        GetDecisionRequest(decision_id=decision_id), timeout=TIMEOUT_SECONDS
    )


def erase(server: Running, text_id: str, *linked: str) -> EraseParticipantResponse:
    return server.feedback.EraseParticipant(
        EraseParticipantRequest(participant=reference(text_id, *linked)), timeout=TIMEOUT_SECONDS
    )


def import_decisions(server: Running) -> None:
    """Have everything taken over into the store that was decided: to find one takes all over."""
    with pytest.raises(grpc.RpcError) as caught:
        find_decision(server, "f" * 32)
    assert failed_call(caught.value).code() is grpc.StatusCode.NOT_FOUND


def history_of(server: Running, who: Participant | str) -> dict[str, float]:
    """Return the history of one participant as a decision used it."""
    answer = decide(server, pair(who, "nobody-in-particular"))
    return recorded_history(find_decision(server, answer.decision_id).decision)


def recorded_history(decision: DecisionRecord) -> dict[str, float]:
    signals = decision.pair.participant_a.participant.signals
    return {name: value for name, value in signals.items() if name.startswith("history.")}


# ---- events --------------------------------------------------------------------------------------


def started(
    chat: str, a: str, b: str, *, event: str = "", decision: str = "", time: float | None = None
) -> Event:
    message = Event(event_id=event or f"start-{chat}", chat_id=chat, decision_id=decision)
    message.chat_started.participant_a.participant_id = a
    message.chat_started.participant_b.participant_id = b
    return at(message, time)


def ended(
    chat: str,
    a: str,
    b: str,
    *,
    seconds: float | None = None,
    by: str = "",
    manner: str = "CHAT_END_MANNER_SKIPPED",
    event: str = "",
    time: float | None = None,
) -> Event:
    message = Event(event_id=event or f"end-{chat}", chat_id=chat)
    content = message.chat_ended
    content.participant_a.participant_id = a
    content.participant_b.participant_id = b
    text = f"manner: {manner}"
    if by:
        text += f" ender: CHAT_ENDER_PARTICIPANT_{'A' if by == a else 'B'}"
    text_format.Merge(text, content)
    if seconds is not None:
        content.duration.FromNanoseconds(int(seconds * 1e9))
    return at(message, time)


def report(
    event: str,
    reporter: str,
    reported: str,
    *,
    chat: str = "",
    category: str = "REPORT_CATEGORY_SEXUAL_CONDUCT",
) -> Event:
    message = Event(event_id=event, chat_id=chat)
    message.report.reporter.participant_id = reporter
    message.report.reported.participant_id = reported
    text_format.Merge(f"category: {category}", message.report)
    return message


def about(kind: str, event: str, who: str, text: str = "", *, decision: str = "") -> Event:
    """Return a verdict, a hold, a release or an appeal."""
    message = Event(event_id=event, decision_id=decision)
    text_format.Merge(f"{kind} {{ participant {{ participant_id: '{who}' }} {text} }}", message)
    return message


def between(kind: str, event: str, blocker: str, blocked: str) -> Event:
    """Return a personal block, or that one was lifted."""
    message = Event(event_id=event)
    text_format.Merge(
        f"{kind} {{ blocker {{ participant_id: '{blocker}' }}"
        f" blocked {{ participant_id: '{blocked}' }} }}",
        message,
    )
    return message


def at(message: Event, time: float | None) -> Event:
    if time is not None:
        message.event_time.FromNanoseconds(int(time * 1e9))
    return message
