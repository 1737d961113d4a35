"""What is to be recorded on its way to the wire: nothing is lost, nothing is made up."""

from dataclasses import fields
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.client import Event, ParticipantReference, Report, VerifiedAge, self_declared
from pairguard.client.record_messages import (
    erase_participant_request,
    event_batches,
    event_message,
    get_decision_request,
    record_age_evidence_request,
)
from pairguard.v1 import feedback_service_pb2, participant_pb2
from tests.unit.client.happenings import MOMENT, WHOLE, A, B, report

MIB = 1024 * 1024


@pytest.mark.parametrize("kind", WHOLE)
def test_a_value_has_the_fields_of_its_message(kind: str) -> None:
    descriptor = feedback_service_pb2.Event.DESCRIPTOR.fields_by_name[kind].message_type
    assert descriptor is not None

    assert {field.name for field in fields(WHOLE[kind])} == set(descriptor.fields_by_name)


def test_each_kind_of_the_contract_has_its_value() -> None:
    oneof = feedback_service_pb2.Event.DESCRIPTOR.oneofs_by_name["event"]

    assert set(WHOLE) == {field.name for field in oneof.fields}
    assert {field.name for field in fields(Event)} - {"body"} == set(
        feedback_service_pb2.Event.DESCRIPTOR.fields_by_name
    ) - set(WHOLE)


@pytest.mark.parametrize("kind", WHOLE)
def test_all_of_an_event_is_sent(kind: str) -> None:
    message = event_message(
        Event(WHOLE[kind], event_id="e", chat_id="c", decision_id="d", event_time=MOMENT)
    )

    assert (message.event_id, message.chat_id, message.decision_id) == ("e", "c", "d")
    assert message.event_time.ToDatetime(tzinfo=UTC) == MOMENT
    assert message.WhichOneof("event") == kind
    body = getattr(message, kind)
    assert {field.name for field, _ in body.ListFields()} == set(body.DESCRIPTOR.fields_by_name)


def test_details_arrive_as_they_are() -> None:
    ended = event_message(Event(WHOLE["chat_ended"], chat_id="c")).chat_ended
    assert ended.participant_a == participant_pb2.ParticipantReference(
        participant_id="a", linked_ids=["device-1"]
    )
    assert (ended.duration.seconds, ended.duration.nanos) == (9, 500_000_000)
    assert ended.ender == feedback_service_pb2.CHAT_ENDER_PARTICIPANT_B
    assert ended.manner == feedback_service_pb2.CHAT_END_MANNER_SKIPPED
    verdict = event_message(Event(WHOLE["review_verdict"])).review_verdict
    assert list(verdict.report_event_ids) == ["r-1", "r-2"]
    assert verdict.confirmed_age == participant_pb2.VerifiedAge(
        age_years=16, method=participant_pb2.VERIFICATION_METHOD_MODERATOR
    )
    assert isinstance(WHOLE["review_verdict"].confirmed_age, VerifiedAge)  # type: ignore[union-attr]
    hold = event_message(Event(WHOLE["hold_placed"])).hold_placed
    assert hold.kind == feedback_service_pb2.HOLD_KIND_LEGAL
    assert hold.expire_time.ToDatetime(tzinfo=UTC) == MOMENT


def test_what_is_not_told_is_not_sent() -> None:
    message = event_message(Event(Report(reporter=A, reported=B), event_id="e"))

    assert message == feedback_service_pb2.Event(
        event_id="e",
        report=feedback_service_pb2.Report(
            reporter={"participant_id": "a", "linked_ids": ["device-1"]},  # type: ignore[arg-type]
            reported={"participant_id": "b"},  # type: ignore[arg-type]
        ),
    )


@given(
    sizes=st.lists(st.integers(1, 4_000), max_size=60), limit=st.sampled_from([1024, 8_192, MIB])
)
def test_batches_hold_each_event_once_in_order_within_the_limit(
    sizes: list[int], limit: int
) -> None:
    events = [report("x" * size + f"-{index}") for index, size in enumerate(sizes)]

    batches = event_batches(events, max_message_bytes=limit)

    sent = [event.event_id for batch in batches for event in batch.request.events]
    assert sent == [event.event_id for event in events]
    for batch in batches:
        assert events[batch.start].event_id == batch.request.events[0].event_id
        assert batch.request.ByteSize() < limit or len(batch.request.events) == 1


@pytest.mark.parametrize(
    ("count", "counts"), [(0, []), (1, [1]), (1_000, [1_000]), (2_001, [1_000, 1_000, 1])]
)
def test_a_request_has_at_most_a_thousand_events(count: int, counts: list[int]) -> None:
    events = [report(f"e-{index}") for index in range(count)]

    batches = event_batches(events, max_message_bytes=4 * MIB)

    assert [len(batch.request.events) for batch in batches] == counts


def test_two_events_of_one_id_would_lose_one() -> None:
    other = Event(WHOLE["personal_block"], event_id="e-1")

    with pytest.raises(ValueError, match="same event_id"):
        event_batches([report(), other], max_message_bytes=MIB)
    assert len(event_batches([report(), report()], max_message_bytes=MIB)[0].request.events) == 2


@pytest.mark.parametrize("events", [None, "e", report(), iter([report()]), [A], [None]])
def test_what_is_no_list_of_events_is_refused(events: Any) -> None:
    with pytest.raises(TypeError, match="events"):
        event_batches(events, max_message_bytes=MIB)


def test_an_id_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        event_batches([report("\ud800")], max_message_bytes=MIB)


def test_evidence_is_sent_with_its_participant() -> None:
    message = record_age_evidence_request(A, [self_declared(age_years=17, evidence_id="e-1")])

    assert message.participant.participant_id == "a"
    assert list(message.participant.linked_ids) == ["device-1"]
    assert [item.evidence_id for item in message.age_evidence] == ["e-1"]
    assert message.age_evidence[0].self_declared.age_years == 17


@pytest.mark.parametrize(
    ("participant", "evidence", "error"),
    [
        ("a", [self_declared(age_years=17, evidence_id="e")], TypeError),
        (A, self_declared(age_years=17, evidence_id="e"), TypeError),
        (A, [report()], TypeError),
        (A, [self_declared(age_years=17)], ValueError),
        (A, [], ValueError),
    ],
)
def test_what_is_no_evidence_to_keep_is_refused(
    participant: Any, evidence: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        record_age_evidence_request(participant, evidence)


def test_an_erasure_names_all_ids() -> None:
    assert erase_participant_request(
        ParticipantReference("a", ["d"])
    ) == feedback_service_pb2.EraseParticipantRequest(
        participant=participant_pb2.ParticipantReference(participant_id="a", linked_ids=["d"])
    )


@pytest.mark.parametrize(("decision_id", "error"), [("", ValueError), (None, TypeError)])
def test_a_decision_is_asked_for_by_its_id(decision_id: Any, error: type[Exception]) -> None:
    assert get_decision_request("d-1").decision_id == "d-1"
    with pytest.raises(error):
        get_decision_request(decision_id)


def test_nobody_is_erased_by_a_bare_id() -> None:
    wrong: Any = "a"
    with pytest.raises(TypeError, match="ParticipantReference"):
        erase_participant_request(wrong)
