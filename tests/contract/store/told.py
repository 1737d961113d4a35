"""What tests of stores tell them, and what they find again."""

from __future__ import annotations

from collections.abc import Sequence

from pairguard.history.summary import Summary, summarise
from pairguard.store.ports import Hold, JournalRecord, KeptRecord, ParticipantStore, RecordKind
from pairguard.store.records import decision_record, evidence_record
from pairguard.v1 import assessment_pb2, journal_pb2, participant_pb2
from tests.integration.store.meetings import NOON, hashed

DAY = 86_400.0


def decided(
    name: str, a: Sequence[str], b: Sequence[str], time: int = NOON, *, probability: float = 0.25
) -> JournalRecord:
    """Return the record of an ALLOW for two participants, each told by its ids."""
    message = journal_pb2.DecisionRecord(record_version=1, decision_id=f"decision-{name}")
    message.decision_time.seconds = time
    for record, ids in ((message.pair.participant_a, a), (message.pair.participant_b, b)):
        record.participant.participant_id = hashed(ids[0]).hex()
        record.participant.linked_ids.extend(hashed(each).hex() for each in ids[1:])
    message.pair.assessment.decision = assessment_pb2.DECISION_ALLOW
    message.pair.assessment.minor_adult_probability = probability
    message.pair.participant_a_probability_minor = 0.5
    message.pair.participant_b_probability_minor = 0.125
    return decision_record(message)


def told_of_age(name: str, ids: Sequence[str], time: int = NOON) -> JournalRecord:
    """Return the record of an item of evidence."""
    message = journal_pb2.EvidenceRecord(
        record_version=1,
        age_evidence=participant_pb2.AgeEvidence(
            evidence_id=hashed(f"item {name}").hex(),
            self_declared=participant_pb2.SelfDeclared(age_years=15),
        ),
    )
    message.receive_time.seconds = time
    message.participant.participant_id = hashed(ids[0]).hex()
    message.participant.linked_ids.extend(hashed(each).hex() for each in ids[1:])
    return evidence_record(message)


def summary(store: ParticipantStore, *ids: str, now: float = NOON + 600.0) -> Summary:
    """Return what the rows of a participant say."""
    (kept,) = store.read([[hashed(each) for each in ids]], now=now)
    return summarise(kept.rows, now)


def chats(store: ParticipantStore, *ids: str, now: float = NOON + 600.0) -> float:
    """Return how many chats are counted for a participant within a day; 0.0: or unknown."""
    return summary(store, *ids, now=now).chats_started_24h


def held(store: ParticipantStore, *ids: str, now: float = 0.0) -> tuple[Hold, ...]:
    (kept,) = store.read([[hashed(each) for each in ids]], now=now)
    return kept.holds


def journal(
    store: ParticipantStore, kinds: frozenset[RecordKind] | None = None, *, step: int = 3
) -> list[KeptRecord]:
    """Return the whole journal, read a few records at a time."""
    found: list[KeptRecord] = []
    while part := store.read_journal(found[-1].cursor if found else "", step, kinds=kinds):
        found += part
    return found
