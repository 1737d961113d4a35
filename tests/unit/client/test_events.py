"""Events as values: what cannot be sent is refused where it is written."""

from dataclasses import fields
from datetime import datetime
from typing import Any

import pytest

from pairguard.client import (
    AppealOutcome,
    ChatEnded,
    ChatStarted,
    Event,
    HoldPlaced,
    ParticipantInput,
    ParticipantReference,
    Report,
    ReviewVerdict,
    Verdict,
)
from tests.unit.client.happenings import MOMENT, WHOLE, A, B


def test_each_event_has_an_id_of_its_own() -> None:
    ids = {Event(WHOLE["report"]).event_id for _ in range(100)}

    assert len(ids) == 100
    assert all(1 <= len(one) <= 128 for one in ids)


def test_an_event_keeps_the_id_that_it_is_given() -> None:
    assert Event(WHOLE["report"], event_id="e-1").event_id == "e-1"


def test_lists_are_copied() -> None:
    ids, links = ["r-1"], ["d-1"]
    verdict = ReviewVerdict(participant=A, report_event_ids=ids, verdict=Verdict.CLEARED)
    who = ParticipantReference("a", links)
    ids.append("r-2")
    links.append("d-2")

    assert verdict.report_event_ids == ("r-1",)
    assert who.linked_ids == ("d-1",)
    assert hash(verdict) == hash(verdict)


def test_a_participant_is_named_by_ids_alone() -> None:
    who = ParticipantInput("a", linked_ids=["d-1"], region="GB")

    assert who.reference == ParticipantReference("a", ["d-1"])


@pytest.mark.parametrize("kind", ["chat_started", "chat_ended"])
def test_a_chat_needs_its_id(kind: str) -> None:
    with pytest.raises(ValueError, match="chat_id"):
        Event(WHOLE[kind])


@pytest.mark.parametrize("body", [None, "report", A, ChatStarted])
def test_what_is_no_event_is_none(body: Any) -> None:
    with pytest.raises(TypeError, match="body"):
        Event(body)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"event_id": ""}, ValueError),
        ({"event_id": 7}, TypeError),
        ({"event_id": None}, TypeError),
        ({"chat_id": None}, TypeError),
        ({"decision_id": None}, TypeError),
        ({"event_time": 7}, TypeError),
        ({"event_time": datetime(2024, 5, 1)}, ValueError),  # noqa: DTZ001 - that is the mistake
    ],
)
def test_wrong_envelopes_are_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Event(WHOLE["report"], **changes)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_value_of_another_type_is_refused_in_each_field(kind: str) -> None:
    body = WHOLE[kind]
    values = {field.name: getattr(body, field.name) for field in fields(body)}
    for name in values:
        with pytest.raises(TypeError):
            type(body)(**(values | {name: 7}))


@pytest.mark.parametrize("kind", [Report, ChatStarted, ChatEnded, AppealOutcome, HoldPlaced])
def test_what_an_event_needs_cannot_be_left_out(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind()


def test_a_review_found_something() -> None:
    with pytest.raises(ValueError, match="verdict or a confirmed_age"):
        ReviewVerdict(participant=B)


def test_a_moment_knows_its_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        HoldPlaced(participant=B, reason_code="A", expire_time=MOMENT.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(("",), ValueError), ((None,), TypeError), (("a", "d"), TypeError), (("a", [7]), TypeError)],
)
def test_a_participant_has_ids(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ParticipantReference(*arguments)
