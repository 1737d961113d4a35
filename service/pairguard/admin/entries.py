"""Records of the journal as entries: for programs whole, for people in one line.

Owns what is shown of a record. Every id in a record is a hash already; nothing is looked up.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from pairguard.admin.output import time_text
from pairguard.store.ports import KeptRecord, RecordKind
from pairguard.store.record_fields import reconciliation_name, seconds
from pairguard.v1 import assessment_pb2, journal_pb2, participant_pb2

_SHORT_DIGITS = 8


def entry_of(record: KeptRecord) -> journal_pb2.JournalEntry:
    """Return the entry of a record.

    Raises:
        ValueError: The record cannot be read.
    """
    entry = journal_pb2.JournalEntry(cursor=record.cursor)
    message = getattr(entry, record.kind.value)
    message.SetInParent()
    try:
        message.ParseFromString(record.payload)
    except DecodeError as error:
        raise ValueError(f"record {record.record_id} cannot be read") from error
    return entry


def document_of(record: KeptRecord) -> dict[str, Any]:
    """Return the entry of a record in protobuf's JSON, as a document; unreadable ones say so."""
    try:
        document: dict[str, Any] = json_format.MessageToDict(entry_of(record))
    except ValueError:
        return {
            "cursor": record.cursor,
            "kind": record.kind.value,
            "recordId": record.record_id,
            "unreadable": True,
        }
    return document


def json_of(record: KeptRecord) -> str:
    """Return ``document_of`` as text, one line."""
    return json.dumps(document_of(record), sort_keys=True)


def line_of(record: KeptRecord) -> str:
    """Return a record in one line, without its cursor."""
    try:
        entry = entry_of(record)
    except ValueError:
        return f"{record.kind.value}  {record.record_id}  UNREADABLE"
    if record.kind is RecordKind.DECISION:
        return decision_line(entry.decision)
    if record.kind is RecordKind.EVENT:
        return event_line(entry.event)
    return _evidence_line(entry.evidence)


def decision_line(message: journal_pb2.DecisionRecord) -> str:
    """Return a decision in one line."""
    words = [time_text(seconds(message.decision_time)), "decision", message.decision_id]
    if message.WhichOneof("subject") == "ranking":
        ranking = message.ranking
        placed = sum(each.HasField("place") for each in ranking.candidates)
        words.append(f"ranking of {len(ranking.candidates)}, {placed} offered")
        words.append(f"seeker {_short(ranking.seeker.participant.participant_id)}")
        return "  ".join(words)
    if message.WhichOneof("subject") == "shadow":
        shadow = message.shadow
        differ = sum(each.decision != each.challenger_decision for each in shadow.decisions)
        words[1] = "shadow"
        words.append(f"challenger on {len(shadow.decisions)}, {differ} decided otherwise")
        words.append(f"bundle {shadow.bundle_version}, policy {shadow.policy_version}")
        return "  ".join(words)
    pair = message.pair
    assessment = pair.assessment
    words.append(assessment_pb2.Decision.Name(assessment.decision).removeprefix("DECISION_"))
    if assessment.HasField("minor_adult_probability"):
        words.append(f"mixed {assessment.minor_adult_probability:.4f}")
    if assessment.HasField("harm_probability"):
        words.append(f"harm {assessment.harm_probability:.4f}")
    words += [reason.code for reason in assessment.reasons]
    one, other = pair.participant_a.participant, pair.participant_b.participant
    words.append(f"of {_short(one.participant_id)} and {_short(other.participant_id)}")
    return "  ".join(words)


def event_line(message: journal_pb2.EventRecord) -> str:
    """Return an event in one line."""
    event = message.event
    kind = event.WhichOneof("event") or "unknown"
    words = [time_text(seconds(message.receive_time)), "event", event.event_id, kind]
    if kind != "unknown":
        content = getattr(event, kind)
        words += _facts_of(content)
    agreement = reconciliation_name(message.reconciliation)
    if agreement:
        words.append(agreement)
    if event.decision_id:
        words.append(f"decision {event.decision_id}")
    return "  ".join(words)


def _evidence_line(message: journal_pb2.EvidenceRecord) -> str:
    item = message.age_evidence
    kind = item.WhichOneof("observation") or "unknown"
    who = _short(message.participant.participant_id)
    time = time_text(seconds(message.receive_time))
    return f"{time}  evidence  {item.evidence_id}  {kind}  of {who}"


def _facts_of(content: Any) -> list[str]:
    """Return who is in an event and what its enums say."""
    people, facts = [], []
    for field in content.DESCRIPTOR.fields:
        if field.message_type is participant_pb2.ParticipantReference.DESCRIPTOR:
            people.append(_short(getattr(content, field.name).participant_id))
        elif field.enum_type is not None and getattr(content, field.name):
            facts.append(field.enum_type.values_by_number[getattr(content, field.name)].name)
        elif field.name == "reason_code":
            facts.append(content.reason_code)
    return [*facts, "of " + " and ".join(people)] if people else facts


def _short(hash_text: str) -> str:
    return hash_text[:_SHORT_DIGITS] or "(erased)"
