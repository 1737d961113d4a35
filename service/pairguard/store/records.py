"""From messages of the journal to records.

Owns what a record is of each kind of message: its id, its time, who is in it, what it changes
(``pairguard.store.effects``, and of decisions here). All ids in the messages are hashed already; a
participant that is absent has been erased. It must not know where anything is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

from google.protobuf.message import DecodeError

from pairguard.history.changes import Decided, Linked
from pairguard.store.effects import Changes, effect_of, evidence_change, kept_by
from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import JournalRecord, RecordKind
from pairguard.store.record_fields import (
    Ids,
    ids_of,
    optional_probability,
    reconciliation_name,
    seconds,
)
from pairguard.v1 import assessment_pb2, journal_pb2


def decision_record(
    message: journal_pb2.DecisionRecord, payload: bytes | None = None
) -> JournalRecord:
    """Return the record of a decision.

    Args:
        message: The decision.
        payload: The same serialized, where it was read from that.
    """
    time = seconds(message.decision_time)
    changes: Changes = {}
    participants: set[bytes] = set()
    if message.WhichOneof("subject") == "pair":
        pair = message.pair
        allowed = pair.assessment.decision == assessment_pb2.DECISION_ALLOW
        exposure = optional_probability(pair, "exposure")
        if exposure is None:
            exposure = optional_probability(pair.assessment, "minor_adult_probability")
        minor_a = optional_probability(pair, "participant_a_probability_minor")
        minor_b = optional_probability(pair, "participant_b_probability_minor")
        for record, own, partner in (
            (pair.participant_a, minor_a, minor_b),
            (pair.participant_b, minor_b, minor_a),
        ):
            ids = ids_of(record.participant)
            participants.update(ids)
            decided = Decided(time, allowed, exposure, own, partner)
            for each in ids:
                # An id may be linked to both.
                changes[each] = (*changes.get(each, ()), decided)
            if len(ids) > 1:
                changes[ids[0]] = (*changes[ids[0]], Linked(time, ids[1:]))
    elif message.WhichOneof("subject") == "ranking":
        ranking = message.ranking
        for each_one in (ranking.seeker, *(each.participant for each in ranking.candidates)):
            participants.update(ids_of(each_one.participant))
        changes = _ranked(ranking, time)
    return JournalRecord(
        kind=RecordKind.DECISION,
        record_id=message.decision_id,
        time=time,
        payload=_written(message) if payload is None else payload,
        participants=frozenset(participants),
        changes=changes,
    )


def _ranked(ranking: journal_pb2.RankingDecision, time: float) -> Changes:
    """Return what a ranking changes: it is one decision on the seeker.

    To be offered is not to meet, so that nothing is counted for the candidates.
    """
    ids = ids_of(ranking.seeker.participant)
    offered = [
        optional_probability(each.participant.assessment, "probability_minor")
        for each in ranking.candidates
    ]
    minors = [each for each in offered if each is not None]
    decided = Decided(
        time,
        allowed=any(each.HasField("place") for each in ranking.candidates),
        exposure=optional_probability(ranking, "exposure") or 0.0,
        own_probability_minor=optional_probability(ranking.seeker.assessment, "probability_minor"),
        partner_probability_minor=sum(minors) / len(minors) if minors else None,
    )
    changes: Changes = dict.fromkeys(ids, (decided,))
    if len(ids) > 1:
        changes[ids[0]] = (decided, Linked(time, ids[1:]))
    return changes


def event_record(
    message: journal_pb2.EventRecord,
    payload: bytes | None = None,
    *,
    participants: tuple[Ids, ...] | None = None,
) -> JournalRecord:
    """Return the record of an event.

    Args:
        message: The event.
        payload: The same serialized, where it was read from that.
        participants: Who is in it, where that was read already (``event_participants``).
    """
    event = message.event
    effect = effect_of(message, participants)
    reconciliation = message.reconciliation
    is_start = event.WhichOneof("event") == "chat_started"
    return JournalRecord(
        kind=RecordKind.EVENT,
        record_id=event.event_id,
        time=effect.time,
        payload=_written(message) if payload is None else payload,
        participants=frozenset([each for ids in effect.participants for each in ids]),
        decision_id=event.decision_id,
        pending=is_start and reconciliation == journal_pb2.RECONCILIATION_UNSPECIFIED,
        reconciliation=reconciliation_name(reconciliation),
        changes=effect.changes,
        holds=tuple(effect.holds),
    )


def evidence_record(
    message: journal_pb2.EvidenceRecord, payload: bytes | None = None
) -> JournalRecord:
    """Return the record of an item of age evidence.

    Args:
        message: The item.
        payload: The same serialized, where it was read from that.
    """
    time = seconds(message.receive_time)
    ids = ids_of(message.participant)
    kept = evidence_change(message.age_evidence, time)
    return JournalRecord(
        kind=RecordKind.EVIDENCE,
        record_id=_evidence_record_id(ids, message.age_evidence.evidence_id),
        time=time,
        payload=_written(message) if payload is None else payload,
        participants=frozenset(ids),
        changes=kept_by(ids, kept),
    )


def record_of(kind: RecordKind, payload: bytes) -> JournalRecord:
    """Return the record of a serialized message.

    Raises:
        ValueError: The bytes are no such message.
    """
    return _READERS[kind](parsed(kind, payload), payload)


def parsed(kind: RecordKind, payload: bytes) -> Any:
    """Return the message of a record.

    Raises:
        ValueError: The bytes are no such message.
    """
    message = _MESSAGES[kind]()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise ValueError(f"the bytes are no record of kind {kind}") from error
    return message


_MESSAGES: Final[Mapping[RecordKind, Callable[[], Any]]] = {
    RecordKind.DECISION: journal_pb2.DecisionRecord,
    RecordKind.EVENT: journal_pb2.EventRecord,
    RecordKind.EVIDENCE: journal_pb2.EvidenceRecord,
}
_READERS: Final[Mapping[RecordKind, Callable[[Any, bytes], JournalRecord]]] = {
    RecordKind.DECISION: decision_record,
    RecordKind.EVENT: event_record,
    RecordKind.EVIDENCE: evidence_record,
}


def _written(message: Any) -> bytes:
    content: bytes = message.SerializeToString(deterministic=True)
    return content


def _evidence_record_id(ids: Ids, evidence_id: str) -> str:
    """Return an id by participant and item: two participants may be told of one item."""
    own = ids[0] if ids else bytes(HASH_BYTES)
    return blake2b(own + bytes.fromhex(evidence_id), digest_size=HASH_BYTES).hexdigest()
