"""People of whom a service keeps evidence and history, and requests that name them by ids alone.

Owns what is recorded before anything is measured, over the contract as a platform would.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import grpc

from pairguard.v1 import feedback_service_pb2 as feedback
from pairguard.v1 import participant_pb2 as participants
from pairguard.v1.age_assurance_service_pb2 import RecordAgeEvidenceRequest
from pairguard.v1.age_assurance_service_pb2_grpc import AgeAssuranceServiceStub
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest

_Answer = TypeVar("_Answer")

_ATTEMPTS = 20
_PEOPLE = 1_000
_CHATS = 6_000
_EVENTS_A_CALL = 1_000
_VERIFIED_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody by ids."""

    participant_id: str
    device: str


def record_people(address: str, *, seed: int) -> list[Known]:
    """Record evidence and a history of chats for a thousand people; return them."""
    draw = random.Random(seed)
    people = [
        Known(f"k{draw.getrandbits(64):x}", f"d{draw.getrandbits(64):x}") for _ in range(_PEOPLE)
    ]
    now = int(time.time())
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        ages, feedbacks = AgeAssuranceServiceStub(channel), FeedbackServiceStub(channel)
        for person in people:
            request = RecordAgeEvidenceRequest(participant=_reference(person))
            declared = request.age_evidence.add(evidence_id=f"{draw.getrandbits(64):x}")
            declared.observed_time.FromSeconds(now - draw.randrange(90) * 86_400)
            declared.self_declared.age_years = draw.randint(18, 60)
            if draw.random() < _VERIFIED_SHARE:
                item = request.age_evidence.add(evidence_id=f"{draw.getrandbits(64):x}")
                item.observed_time.FromSeconds(now - draw.randrange(90) * 86_400)
                item.binding = participants.BINDING_LIVE_PERSON
                item.verified_age.method = participants.VERIFICATION_METHOD_ID_DOCUMENT
                item.verified_age.liveness = participants.LIVENESS_PASSED
                item.verified_age.age_years = draw.randint(19, 60)
            sent(ages.RecordAgeEvidence, request)
        events = [event for _ in range(_CHATS) for event in _chat(draw, people)]
        for start in range(0, len(events), _EVENTS_A_CALL):
            batch = feedback.RecordEventsRequest(events=events[start : start + _EVENTS_A_CALL])
            sent(feedbacks.RecordEvents, batch)
    return people


def sent(method: Callable[..., _Answer], request: object) -> _Answer:
    """Send a request as a client does: again, under the same ids, while the store is busy."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return method(request, timeout=30)
        except grpc.RpcError as error:
            if cast("grpc.Call", error).code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(0.05)
    return method(request, timeout=30)


def known_requests(people: list[Known], count: int, *, seed: int) -> tuple[bytes, ...]:
    """Return requests with ids of known people and nothing else; no pair comes twice in a row."""
    draw = random.Random(seed)
    requests = []
    for _ in range(count):
        a, b = draw.sample(people, 2)
        requests.append(
            ScorePairRequest(
                participant_a=participants.Participant(
                    participant_id=a.participant_id, linked_ids=[a.device], region="GB"
                ),
                participant_b=participants.Participant(
                    participant_id=b.participant_id, linked_ids=[b.device], region="GB"
                ),
            ).SerializeToString()
        )
    return tuple(requests)


def chat_events(people: list[Known], count: int, *, seed: int) -> list[feedback.Event]:
    """Return starts and ends of chats in turns, each chat its own."""
    draw = random.Random(seed)
    return [event for _ in range(count // 2) for event in _chat(draw, people)]


def _chat(draw: random.Random, people: list[Known]) -> tuple[feedback.Event, feedback.Event]:
    a, b = draw.sample(people, 2)
    chat_id = f"c{draw.getrandbits(96):x}"
    start = feedback.Event(event_id=f"e{draw.getrandbits(96):x}", chat_id=chat_id)
    start.chat_started.participant_a.CopyFrom(_reference(a))
    start.chat_started.participant_b.CopyFrom(_reference(b))
    end = feedback.Event(event_id=f"e{draw.getrandbits(96):x}", chat_id=chat_id)
    end.chat_ended.participant_a.CopyFrom(_reference(a))
    end.chat_ended.participant_b.CopyFrom(_reference(b))
    end.chat_ended.duration.seconds = int(draw.expovariate(1 / 90))
    end.chat_ended.ender = feedback.CHAT_ENDER_PARTICIPANT_A
    return start, end


def _reference(person: Known) -> participants.ParticipantReference:
    return participants.ParticipantReference(
        participant_id=person.participant_id, linked_ids=[person.device]
    )
