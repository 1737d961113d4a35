"""Requests that name somebody or something by an id alone."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from pairguard.errors import InvalidInput
from pairguard.server.reference_conversion import read_erase_participant, read_get_decision
from pairguard.v1.feedback_service_pb2 import EraseParticipantRequest
from pairguard.v1.pair_risk_service_pb2 import GetDecisionRequest


def erasing(participant: str) -> EraseParticipantRequest:
    return text_format.Parse(f"participant {{ {participant} }}", EraseParticipantRequest())


def test_everybody_is_erased_under_each_id_once() -> None:
    request = erasing("participant_id: 'p' linked_ids: ['d', 'p', 'c', 'd']")

    assert read_erase_participant(request) == ("p", "d", "c")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (EraseParticipantRequest(), ["participant"]),
        (erasing(""), ["participant.participant_id"]),
        (
            erasing(f"participant_id: '{'x' * 129}' linked_ids: ['d', '']"),
            ["participant.participant_id", "participant.linked_ids[1]"],
        ),
        (erasing("participant_id: 'p'" + " linked_ids: 'd'" * 17), ["participant.linked_ids"]),
    ],
)
def test_nobody_in_particular_is_not_erased(
    request_: EraseParticipantRequest, fields: list[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_erase_participant(request_)

    assert [v.field for v in caught.value.violations] == fields


@pytest.mark.parametrize("text", ["0", "a" * 64, "0123456789abcdef" * 2, "A-b_9"])
def test_a_decision_has_an_id(text: str) -> None:
    assert read_get_decision(GetDecisionRequest(decision_id=text)) == text


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "a\n", "ä", "../x", "%"])
def test_anything_else_is_no_id_of_a_decision(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_get_decision(GetDecisionRequest(decision_id=text))

    assert [v.field for v in caught.value.violations] == ["decision_id"]
    assert not text or text not in str(caught.value)
