"""What is to be kept, erased or looked up, through both clients."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from pairguard.client import (
    Client,
    ClientError,
    ClientOptions,
    ErasureStatus,
    Event,
    FailureKind,
    NotRecorded,
    ParticipantReference,
    RecordStatus,
    UnsafeChat,
    self_declared,
)
from pairguard.v1 import age_assurance_service_pb2 as age_assurance
from pairguard.v1.feedback_service_pb2 import (
    EraseParticipantResponse,
    RecordEventsRequest,
    RecordEventsResponse,
)
from pairguard.v1.pair_risk_service_pb2 import GetDecisionResponse
from pairguard.v1.record_result_pb2 import RecordResult as ResultMessage
from tests.integration.client.either_client import ClientMaker, EitherClient
from tests.integration.client.scripted_service import (
    Hanging,
    ScriptedService,
    aborting,
    answering,
    serving,
)
from tests.unit.client.answers import allow
from tests.unit.client.happenings import WHOLE, A, report

UNAVAILABLE = aborting(grpc.StatusCode.UNAVAILABLE)
ORDINARY = answering(allow())
EVIDENCE = [self_declared(age_years=age, evidence_id=f"e-{age}") for age in (17, 18)]


def event_requests(service: ScriptedService) -> list[RecordEventsRequest]:
    """Return the requests to record events that a service saw."""
    found = [arrival.request for arrival in service.arrivals]
    assert all(isinstance(request, RecordEventsRequest) for request in found)
    return [request for request in found if isinstance(request, RecordEventsRequest)]


def ids(events: object) -> list[str]:
    return [event.event_id for event in events]  # type: ignore[attr-defined]


def numbered(count: int) -> list[Event]:
    return [report(f"e-{index}") for index in range(count)]


def test_events_of_each_kind_are_recorded(make_client: ClientMaker) -> None:
    service = ScriptedService()
    events = [Event(body, chat_id="c-1") for body in WHOLE.values()]
    with serving(service) as address:
        results = make_client(address).record_events(events)

    assert [result.item_id for result in results] == ids(events)
    assert all(result.status is RecordStatus.RECORDED for result in results)
    (request,) = event_requests(service)
    assert [event.WhichOneof("event") for event in request.events] == list(WHOLE)


def test_no_events_are_no_call(make_client: ClientMaker) -> None:
    service = ScriptedService()
    with serving(service) as address:
        assert make_client(address).record_events([]) == ()

    assert service.arrivals == []


def test_the_same_ids_are_sent_again_until_they_are_answered(make_client: ClientMaker) -> None:
    service = ScriptedService(UNAVAILABLE, UNAVAILABLE, ORDINARY)
    events = [Event(WHOLE["report"]), Event(WHOLE["personal_block"])]
    with serving(service) as address:
        results = make_client(address).record_events(events)

    assert [ids(request.events) for request in event_requests(service)] == [ids(events)] * 3
    assert all(result.recorded for result in results)


def test_an_answer_that_was_lost_is_a_duplicate_and_as_good(make_client: ClientMaker) -> None:
    service = ScriptedService()

    def record_and_fail(context: grpc.ServicerContext) -> None:
        service.recorded.add("e-0")
        context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")

    service.script = [record_and_fail, ORDINARY]
    with serving(service) as address:
        results = make_client(address).record_events(numbered(2))

    assert [result.status for result in results] == [RecordStatus.DUPLICATE, RecordStatus.RECORDED]
    assert all(result.recorded for result in results)


def test_more_than_a_thousand_events_go_in_several_requests(make_client: ClientMaker) -> None:
    service = ScriptedService()
    events = numbered(2_500)
    with serving(service) as address:
        results = make_client(address).record_events(events)

    assert [len(request.events) for request in event_requests(service)] == [1_000, 1_000, 500]
    assert [result.item_id for result in results] == ids(events)


def test_what_was_not_recorded_is_given_back(make_client: ClientMaker) -> None:
    service = ScriptedService(ORDINARY, UNAVAILABLE)
    events = numbered(2_500)
    with serving(service) as address:
        client = make_client(address)
        with pytest.raises(NotRecorded) as caught:
            client.record_events(events)
        service.script = [ORDINARY]
        rest = client.record_events(caught.value.unrecorded_events)

    assert caught.value.unrecorded_events == tuple(events[1_000:])
    assert [result.item_id for result in caught.value.results] == ids(events[:1_000])
    assert caught.value.failure.kind is FailureKind.SERVICE_UNAVAILABLE
    assert caught.value.failure.attempts == 3
    assert len(rest) == 1_500
    assert service.recorded == set(ids(events))


def test_a_refused_event_is_said_and_logged_without_ids(
    make_client: ClientMaker, caplog: pytest.LogCaptureFixture
) -> None:
    answer = RecordEventsResponse(
        results=[
            ResultMessage(index=0, item_id="e-0", status=1),  # type: ignore[arg-type]
            ResultMessage(
                index=1,
                item_id="e-1",
                status=3,  # type: ignore[arg-type]
                reason_code="EVENT_TOO_OLD",
            ),
        ]
    )
    with serving(ScriptedService(answering(answer))) as address:
        kept, refused = make_client(address).record_events(numbered(2))

    assert kept.recorded
    assert not refused.recorded
    assert refused.reason_code == "EVENT_TOO_OLD"
    (record,) = [one for one in caplog.records if one.name == "pairguard.client"]
    assert record.getMessage() == "items refused by the service and not recorded"
    assert vars(record)["refusal_reasons"] == ("EVENT_TOO_OLD",)
    assert "e-1" not in str(vars(record))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        RecordEventsResponse(results=[ResultMessage(index=0, item_id="e-0", status=1)]),  # type: ignore[arg-type]
        RecordEventsResponse(
            results=[
                ResultMessage(index=0, item_id="e-0"),
                ResultMessage(index=1, item_id="e-1"),
            ]
        ),
    ],
    ids=["nothing", "too few", "unspecified"],
)
def test_an_answer_that_does_not_say_recorded_is_no_success(
    make_client: ClientMaker, answer: RecordEventsResponse | None
) -> None:
    events = numbered(2)
    with serving(ScriptedService(answering(answer))) as address:
        client = make_client(address)
        with pytest.raises(NotRecorded) as caught:
            client.record_events(events)

    assert caught.value.unrecorded_events == tuple(events)
    assert caught.value.results == ()
    assert caught.value.failure.kind is FailureKind.RESPONSE_INVALID


def test_evidence_is_kept_and_unsafe_chats_are_said(make_client: ClientMaker) -> None:
    answer = age_assurance.RecordAgeEvidenceResponse(
        results=[
            ResultMessage(index=index, item_id=item.evidence_id, status=1)  # type: ignore[arg-type]
            for index, item in enumerate(EVIDENCE)
        ],
        unsafe_chats=[age_assurance.UnsafeChat(chat_id="c-1", decision_id="d-1")],
    )
    service = ScriptedService(UNAVAILABLE, answering(answer))
    with serving(service) as address:
        kept = make_client(address).record_age_evidence(A, EVIDENCE)

    assert [result.item_id for result in kept.results] == ["e-17", "e-18"]
    assert all(result.recorded for result in kept.results)
    assert kept.unsafe_chats == (UnsafeChat("c-1", "d-1"),)
    assert len(service.arrivals) == 2


def test_an_unsafe_chat_is_said_even_if_the_results_cannot_be_read(
    make_client: ClientMaker,
) -> None:
    answer = age_assurance.RecordAgeEvidenceResponse(
        unsafe_chats=[age_assurance.UnsafeChat(chat_id="c-1")]
    )
    with serving(ScriptedService(answering(answer))) as address:
        client = make_client(address)
        with pytest.raises(NotRecorded) as caught:
            client.record_age_evidence(A, EVIDENCE)

    assert caught.value.unsafe_chats == (UnsafeChat("c-1"),)
    assert caught.value.unrecorded_evidence == tuple(EVIDENCE)


def test_somebody_is_erased(make_client: ClientMaker) -> None:
    service = ScriptedService(UNAVAILABLE, ORDINARY)
    with serving(service) as address:
        done = make_client(address).erase_participant(ParticipantReference("a", ["d-1"]))

    assert done.status is ErasureStatus.ERASED
    assert len(service.arrivals) == 2


def test_an_erasure_without_a_status_is_none(make_client: ClientMaker) -> None:
    with serving(ScriptedService(answering(EraseParticipantResponse()))) as address:
        client = make_client(address)
        with pytest.raises(ClientError) as caught:
            client.erase_participant(A)

    assert caught.value.failure.kind is FailureKind.RESPONSE_INVALID


def test_a_decision_is_looked_up(make_client: ClientMaker) -> None:
    with serving(ScriptedService(UNAVAILABLE, ORDINARY)) as address:
        found = make_client(address).get_decision("d-1")

    assert found.decision_id == "d-1"
    assert found.record.decision_id == "d-1"


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (aborting(grpc.StatusCode.NOT_FOUND), FailureKind.NOT_FOUND),
        (aborting(grpc.StatusCode.PERMISSION_DENIED), FailureKind.ACCESS_REFUSED),
        (answering(GetDecisionResponse()), FailureKind.RESPONSE_INVALID),
    ],
)
def test_a_decision_that_is_not_there_raises(
    make_client: ClientMaker, step: Callable[[grpc.ServicerContext], None], kind: FailureKind
) -> None:
    with serving(ScriptedService(step)) as address:
        client = make_client(address)
        with pytest.raises(ClientError) as caught:
            client.get_decision("d-1")

    assert caught.value.failure.kind is kind


CALLS: dict[str, Callable[..., object]] = {
    "record_events": lambda client, **rest: client.record_events(numbered(2), **rest),
    "record_age_evidence": lambda client, **rest: client.record_age_evidence(A, EVIDENCE, **rest),
    "erase_participant": lambda client, **rest: client.erase_participant(A, **rest),
    "get_decision": lambda client, **rest: client.get_decision("d-1", **rest),
}


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Callable[..., object]:
    found: Callable[..., object] = CALLS[request.param]
    return found


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ],
    ids=lambda code: code.name,
)
def test_without_an_answer_there_is_no_success(
    make_client: ClientMaker, call: Callable[..., object], code: grpc.StatusCode
) -> None:
    service = ScriptedService(aborting(code))
    with serving(service) as address:
        client = make_client(address, on_failure="reroute")
        with pytest.raises(ClientError) as caught:
            call(client)

    assert caught.value.code is code
    assert len(service.arrivals) == (3 if code is grpc.StatusCode.UNAVAILABLE else 1)


def test_each_call_has_the_time_of_calls_that_record(
    make_client: ClientMaker, call: Callable[..., object]
) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address, timeout_seconds=1.0, record_timeout_seconds=5.0)
        call(client)
        call(client, timeout_seconds=20.0)

    own, longer = (arrival.remaining_seconds for arrival in service.arrivals)
    assert 1 < own <= 5
    assert 5 < longer <= 20


def test_each_call_stays_within_its_time(
    make_client: ClientMaker, call: Callable[..., object]
) -> None:
    with serving(ScriptedService(Hanging())) as address:
        client = make_client(address, record_timeout_seconds=0.2)
        with pytest.raises(ClientError) as caught:
            call(client)

    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_wrong_arguments_raise_before_any_call(
    make_client: ClientMaker, call: Callable[..., object]
) -> None:
    service = ScriptedService()
    wrong: Any = ["a"]
    with serving(service) as address:
        client = make_client(address)
        with pytest.raises(ValueError, match="must be"):
            call(client, timeout_seconds=float("inf"))
        for method in (client.record_events, client.erase_participant, client.get_decision):
            with pytest.raises(TypeError):
                method(wrong)

    assert service.arrivals == []


def test_a_closed_client_records_nothing(
    make_client: ClientMaker, call: Callable[..., object]
) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client: EitherClient = make_client(address)
        client.close()
        with pytest.raises(ClientError) as caught:
            call(client)

    assert caught.value.failure.kind is FailureKind.CLIENT_CLOSED
    assert service.arrivals == []


def test_threads_record_through_one_client() -> None:
    service = ScriptedService()
    start = threading.Barrier(4)

    def record(client: Client, thread: int) -> int:
        start.wait(10)
        events = [report(f"e-{thread}-{index}") for index in range(50)]
        return sum(result.recorded for result in client.record_events(events))

    with (
        serving(service) as address,
        Client(ClientOptions(address, record_timeout_seconds=10)) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        counts = [threads.submit(record, client, thread) for thread in range(4)]
        assert [count.result(30) for count in counts] == [50] * 4

    assert len(service.recorded) == 200
