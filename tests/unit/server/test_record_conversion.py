"""Requests whose items stand or fall one by one."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from pairguard.age.evidence import AgeEvidence, SelfDeclared
from pairguard.errors import InvalidInput
from pairguard.server.record_conversion import (
    read_record_age_evidence,
    read_record_events,
    record_results,
)
from pairguard.server.violations import RefusedItem
from pairguard.v1.age_assurance_service_pb2 import RecordAgeEvidenceRequest
from pairguard.v1.feedback_service_pb2 import Event, RecordEventsRequest, RecordEventsResponse
from pairguard.v1.participant_pb2 import AgeEvidence as AgeEvidenceMessage
from pairguard.v1.record_result_pb2 import (
    RECORD_STATUS_DUPLICATE,
    RECORD_STATUS_RECORDED,
    RECORD_STATUS_REFUSED,
    FieldViolation,
    RecordResult,
)
from tests.domain import NOW
from tests.unit.server.events import BODIES, event
from tests.unit.server.requests import PAST


def recording(*items: str, participant: str = "participant_id: 'p'") -> RecordAgeEvidenceRequest:
    """Return a request to keep items of evidence in text format."""
    text = f"participant {{ {participant} }}" + "".join(f" age_evidence {{ {i} }}" for i in items)
    return text_format.Parse(text, RecordAgeEvidenceRequest())


def fields(item: AgeEvidence | RefusedItem) -> list[str]:
    """Return what is wrong with an item that is refused."""
    assert isinstance(item, RefusedItem)
    assert item.reason == "FIELD_INVALID"
    return [v.field for v in item.violations]


def test_a_wrong_event_is_refused_and_the_others_stand() -> None:
    request = RecordEventsRequest(events=[event(), Event(), *(event(kind) for kind in BODIES)])

    first, second, *others = read_record_events(request, NOW)

    assert first is None
    assert second is not None
    assert [v.field for v in second.violations] == ["event_id", "event"]
    assert others == [None] * len(BODIES)


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_call_has_one_to_a_thousand_events(count: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_record_events(RecordEventsRequest(events=[event()] * count), NOW)

    assert [v.field for v in caught.value.violations] == ["events"]


def test_a_thousand_events_are_a_call() -> None:
    request = RecordEventsRequest(events=[event()] * 1_000)

    assert read_record_events(request, NOW) == (None,) * 1_000


def test_evidence_is_read_as_in_any_request() -> None:
    call = read_record_age_evidence(
        recording(
            f"evidence_id: 'e1' provider: 'yoti' observed_time {{ seconds: {PAST} }}"
            " self_declared { age_years: 19 }",
            participant="participant_id: 'p' linked_ids: ['d', 'p']",
        ),
        NOW,
    )

    assert call.ids == ("p", "d")
    assert call.items == (
        AgeEvidence(
            SelfDeclared(age_years=19.0),
            evidence_id="e1",
            observed_time=float(PAST),
            provider="yoti",
        ),
    )


def test_a_wrong_item_of_evidence_is_refused_and_the_others_stand() -> None:
    call = read_record_age_evidence(
        recording(
            "evidence_id: 'e1' self_declared { age_years: 19 }",
            "self_declared { age_years: 19 }",
            "evidence_id: 'e2' facial_age_estimate { mean_years: nan }",
            f"evidence_id: '{'x' * 129}'",
            f"evidence_id: 'e3' observed_time {{ seconds: {int(NOW) + 61} }}"
            " self_declared { age_years: 1 }",
            "evidence_id: 'e4' age_check { method: 1 result: 2 threshold_years: 18 }",
        ),
        NOW,
    )

    right, nameless, face, long, future, check = call.items
    assert isinstance(right, AgeEvidence)
    assert fields(nameless) == ["evidence_id"]
    assert fields(face) == ["facial_age_estimate.mean_years"]
    assert fields(long) == ["evidence_id", "observation"]
    assert fields(future) == ["observed_time"]
    assert isinstance(check, AgeEvidence)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (RecordAgeEvidenceRequest(age_evidence=[AgeEvidenceMessage()]), "participant"),
        (recording(""), ""),
        (recording("", participant=""), "participant.participant_id"),
        (recording(), "age_evidence"),
        (recording(*[""] * 32), ""),
        (recording(*[""] * 33), "age_evidence"),
    ],
)
def test_a_call_without_a_participant_or_with_too_many_items_is_refused_as_a_whole(
    request_: RecordAgeEvidenceRequest, field: str
) -> None:
    if not field:
        assert len(read_record_age_evidence(request_, NOW).items) == len(request_.age_evidence)
        return
    with pytest.raises(InvalidInput) as caught:
        read_record_age_evidence(request_, NOW)

    assert [v.field for v in caught.value.violations] == [field]


def test_each_item_has_its_result() -> None:
    (refused,) = read_record_events(RecordEventsRequest(events=[Event(event_id="e3")]), NOW)
    assert refused is not None

    results = record_results(
        ["e1", "e2", "e3"], [RECORD_STATUS_RECORDED, RECORD_STATUS_DUPLICATE, refused]
    )

    assert results == [
        RecordResult(index=0, item_id="e1", status=RECORD_STATUS_RECORDED),
        RecordResult(index=1, item_id="e2", status=RECORD_STATUS_DUPLICATE),
        RecordResult(
            index=2,
            item_id="e3",
            status=RECORD_STATUS_REFUSED,
            reason_code="FIELD_INVALID",
            field_violations=[
                FieldViolation(
                    field="event", description="exactly one that this service knows is required"
                )
            ],
        ),
    ]


def test_a_result_for_fewer_items_is_no_answer() -> None:
    with pytest.raises(ValueError, match="zip"):
        record_results(["e1", "e2"], [RECORD_STATUS_RECORDED])


def test_a_thousand_events_that_are_wrong_everywhere_fit_into_an_answer() -> None:
    wrong = event("report", "reporter {" + " linked_ids: ''" * 16 + "} category: 99")
    wrong.event_id = wrong.chat_id = "x" * 900
    request = RecordEventsRequest(events=[wrong] * 1_000)

    outcomes = [refused for refused in read_record_events(request, NOW) if refused]
    results = record_results([item.event_id for item in request.events], outcomes)

    assert len(results) == 1_000
    assert RecordEventsResponse(results=results).ByteSize() < 2 * 1024 * 1024
