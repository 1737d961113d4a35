"""Records of decisions and events on small numbers in place of hashed ids."""

from __future__ import annotations

from pairguard.history.row import Row
from pairguard.store.ports import JournalRecord
from pairguard.store.records import decision_record, event_record
from pairguard.v1 import assessment_pb2, journal_pb2

DAY = 86_400.0
TIME = 1_700_000_000.0


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def decided(name: str, a: int, b: int, *, time: float = TIME) -> JournalRecord:
    """Return a decision that allowed a pair; nothing in a row tells one from another."""
    message = journal_pb2.DecisionRecord(record_version=1, decision_id=name)
    message.decision_time.FromNanoseconds(round(time * 1e9))
    pair = message.pair
    pair.participant_a.participant.participant_id = id_of(a).hex()
    pair.participant_b.participant.participant_id = id_of(b).hex()
    pair.assessment.decision = assessment_pb2.DECISION_ALLOW
    pair.assessment.minor_adult_probability = 0.25
    pair.participant_a_probability_minor = 0.5
    pair.participant_b_probability_minor = 0.5
    return decision_record(message)


def chat_started(
    number: int, a: int, b: int, *, time: float = TIME, decision_id: str = ""
) -> JournalRecord:
    message = journal_pb2.EventRecord(record_version=1)
    message.receive_time.FromNanoseconds(round(time * 1e9))
    event = message.event
    event.event_id, event.chat_id = f"{number:032x}", f"{number + 1_000_000:032x}"
    event.decision_id = decision_id
    event.chat_started.participant_a.participant_id = id_of(a).hex()
    event.chat_started.participant_b.participant_id = id_of(b).hex()
    return event_record(message)


def row_after(number: int, *records: JournalRecord) -> bytes:
    """Return the row of a participant to whom each record was applied once, in order."""
    row = b""
    for record in records:
        state = Row(row)
        for change in record.changes.get(id_of(number), ()):
            state.apply(change)
        row = state.written()
    return row
