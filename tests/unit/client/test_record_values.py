"""Answers about what was to be kept: nothing counts as done that was not said to be."""

from typing import Any

import pytest

from pairguard.client import (
    CallFailure,
    Decision,
    ErasureStatus,
    FailureKind,
    FieldViolation,
    Reason,
    RecordResult,
    RecordStatus,
    UnsafeChat,
)
from pairguard.client.failure import LocalFailure
from pairguard.client.record_values import (
    erasure,
    record_results,
    recorded_decision,
    unsafe_chats,
)
from pairguard.client.recording import Recording
from pairguard.v1 import age_assurance_service_pb2 as age_assurance
from pairguard.v1 import assessment_pb2, feedback_service_pb2, journal_pb2, record_result_pb2
from pairguard.v1.pair_risk_service_pb2 import GetDecisionResponse
from tests.unit.client.answers import DECIDED, block, timestamp
from tests.unit.client.happenings import report


def result(index: int, item_id: str, status: int = 1, **values: Any) -> Any:
    return record_result_pb2.RecordResult(
        index=index,
        item_id=item_id,
        status=status,  # type: ignore[arg-type]
        **values,
    )


def test_each_status_is_read() -> None:
    violation = record_result_pb2.FieldViolation(field="report.category", description="Unknown.")
    refused = result(2, "e3", 3, reason_code="FIELD_INVALID", field_violations=[violation])

    first, second, third = record_results(
        ["e1", "e2", "e3"], [result(0, "e1"), result(1, "e2", 2), refused]
    )

    assert first == RecordResult("e1", RecordStatus.RECORDED)
    assert second == RecordResult("e2", RecordStatus.DUPLICATE)
    assert third == RecordResult(
        "e3",
        RecordStatus.REFUSED,
        "FIELD_INVALID",
        (FieldViolation("report.category", "Unknown."),),
    )
    assert [one.recorded for one in (first, second, third)] == [
        True,
        True,
        False,
    ]


def test_a_refused_id_may_be_left_out() -> None:
    (one,) = record_results(["e" * 200], [result(0, "", 3)])

    assert one is not None
    assert one.item_id == "e" * 200


@pytest.mark.parametrize("status", [0, 4, 99, -1])
def test_a_status_that_is_unspecified_or_new_is_no_record(status: int) -> None:
    assert record_results(["e1"], [result(0, "e1", status)]) == (None,)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [result(0, "e1")],
        [result(0, "e1"), result(1, "e2"), result(2, "e3")],
        [result(0, "e2"), result(1, "e1")],
        [result(1, "e1"), result(0, "e2")],
        [result(0, ""), result(1, "e2")],
        [result(0, "e1"), result(0, "e2")],
    ],
)
def test_results_that_are_not_those_of_the_items_are_none(messages: list[Any]) -> None:
    with pytest.raises(LocalFailure) as caught:
        record_results(["e1", "e2"], messages)

    assert caught.value.kind is FailureKind.RESPONSE_INVALID


def test_what_was_not_answered_for_is_not_recorded() -> None:
    events = [report(f"e{index}") for index in range(5)]
    recording = Recording(events)

    recording.take(0, 2, [result(0, "e0"), result(1, "e1", 3)])
    with pytest.raises(LocalFailure):
        recording.take(2, 2, [result(0, "e2", 0), result(1, "e3", 2)])
    error = recording.not_recorded(CallFailure(FailureKind.RESPONSE_INVALID, "R"))

    assert error.unrecorded_events == (events[2], events[4])
    assert [one.item_id for one in error.results] == ["e0", "e1", "e3"]
    assert error.failure.kind is FailureKind.RESPONSE_INVALID


def test_a_refused_item_is_answered_for() -> None:
    recording = Recording([report("e0")])

    recording.take(0, 1, [result(0, "e0", 3, reason_code="EVENT_TOO_OLD")])

    assert recording.results == (RecordResult("e0", RecordStatus.REFUSED, "EVENT_TOO_OLD"),)


def test_each_unsafe_chat_counts_whatever_of_it_can_be_read() -> None:
    why = assessment_pb2.Reason(code="AGE_UNDER_MINIMUM", analyst_text="why")

    assert unsafe_chats(
        [
            age_assurance.UnsafeChat(chat_id="c1", decision_id="d1", reason=why),
            age_assurance.UnsafeChat(chat_id="c2"),
            age_assurance.UnsafeChat(),
        ]
    ) == (
        UnsafeChat("c1", "d1", Reason("AGE_UNDER_MINIMUM", analyst_text="why")),
        UnsafeChat("c2"),
        UnsafeChat(""),
    )


@pytest.mark.parametrize("status", ErasureStatus)
def test_an_erasure_says_what_became_of_it(status: ErasureStatus) -> None:
    message = feedback_service_pb2.EraseParticipantResponse(
        status=feedback_service_pb2.ErasureStatus.Value(f"ERASURE_STATUS_{status}"),
        kept_hold_count=2,
        unlinked_record_count=7,
    )

    value = erasure(message)

    assert (value.status, value.kept_hold_count, value.unlinked_record_count) == (status, 2, 7)


@pytest.mark.parametrize("status", [0, 99])
def test_an_erasure_that_says_nothing_is_none(status: Any) -> None:
    with pytest.raises(LocalFailure):
        erasure(feedback_service_pb2.EraseParticipantResponse(status=status))


def test_a_decision_on_a_pair_is_read() -> None:
    record = journal_pb2.DecisionRecord(
        decision_id="d-2",
        decision_time=timestamp(DECIDED),
        bundle_version="b-1",
        policy_version="p-1",
        pair=journal_pb2.PairDecision(assessment=block()),
    )
    event = journal_pb2.EventRecord(record_version=1)

    value = recorded_decision("d-2", GetDecisionResponse(decision=record, events=[event]))

    assert value.decision is Decision.BLOCK
    assert value.decision_time == DECIDED
    assert [reason.code for reason in value.reasons] == ["AGE_BARRED"]
    assert value.degradations == ("STORE_UNAVAILABLE",)
    assert (value.bundle_version, value.policy_version) == ("b-1", "p-1")
    assert value.record == record
    assert value.events == (event,)


def test_a_ranking_has_no_decision_of_its_own() -> None:
    record = journal_pb2.DecisionRecord(
        decision_id="d-2", ranking=journal_pb2.RankingDecision(degradations=["X"])
    )

    value = recorded_decision("d-2", GetDecisionResponse(decision=record))

    assert (value.decision, value.decision_time, value.reasons) == (None, None, ())
    assert value.degradations == ("X",)


@pytest.mark.parametrize("found", ["", "d-1"])
def test_another_decision_is_no_answer(found: str) -> None:
    record = journal_pb2.DecisionRecord(decision_id=found)
    with pytest.raises(LocalFailure):
        recorded_decision("d-2", GetDecisionResponse(decision=record))
