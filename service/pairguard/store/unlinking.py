"""What is left of a record when somebody in it is erased.

Owns which parts of a message speak of a participant.
"""

from __future__ import annotations

from collections.abc import Iterable

from pairguard.store.ports import RecordKind
from pairguard.store.record_fields import PARTICIPANT_FIELDS
from pairguard.store.records import parsed
from pairguard.v1 import journal_pb2, participant_pb2


def unlinked(kind: RecordKind, payload: bytes, ids: Iterable[bytes]) -> bytes:
    """Return a record from which a participant is gone: its reference and all that speaks of it.

    Args:
        kind: What the record tells.
        payload: The serialized message.
        ids: Hashes of the participant.

    Raises:
        ValueError: The bytes are no such message.
    """
    gone = {each.hex() for each in ids}
    message = parsed(kind, payload)
    if kind is RecordKind.DECISION:
        _unlink_decision(message, gone)
    elif kind is RecordKind.EVENT:
        _unlink_event(message, gone)
    elif _is_one_of(message.participant, gone):
        message.ClearField("participant")
        message.ClearField("age_evidence")
    return bytes(message.SerializeToString(deterministic=True))


def _unlink_decision(message: journal_pb2.DecisionRecord, gone: set[str]) -> None:
    subject = message.WhichOneof("subject")
    if subject == "pair":
        pair = message.pair
        for side in ("a", "b"):
            if _is_one_of(getattr(pair, f"participant_{side}").participant, gone):
                pair.ClearField(f"participant_{side}")  # type: ignore[arg-type]
    elif subject == "ranking":
        ranking = message.ranking
        if _is_one_of(ranking.seeker.participant, gone):
            ranking.ClearField("seeker")
        for candidate in ranking.candidates:
            if _is_one_of(candidate.participant.participant, gone):
                candidate.ClearField("participant")


def _unlink_event(message: journal_pb2.EventRecord, gone: set[str]) -> None:
    kind = message.event.WhichOneof("event")
    if kind is None:
        return
    content = getattr(message.event, kind)
    for field in PARTICIPANT_FIELDS[kind]:
        if _is_one_of(getattr(content, field), gone):
            content.ClearField(field)
            if kind == "review_verdict":
                content.ClearField("confirmed_age")


def _is_one_of(
    reference: participant_pb2.ParticipantReference | participant_pb2.Participant, gone: set[str]
) -> bool:
    return not gone.isdisjoint((reference.participant_id, *reference.linked_ids))
