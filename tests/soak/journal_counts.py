"""What the records of a journal add up to, without the program that is being proved.

Owns sums over the messages themselves: nothing of ``pairguard.history`` nor of the meaning that
``pairguard.store.records`` gives to a record is used here, so that a mistake there shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from pairguard.store.ports import KeptRecord, ParticipantStore, RecordKind
from pairguard.v1 import assessment_pb2, journal_pb2, participant_pb2

_PAGE = 1_000


@dataclass
class JournalCounts:
    """Sums over a journal; ids are hashes in hexadecimal digits.

    Attributes:
        records: How often each record stands there, by kind and id.
        participants: The ids of everybody in a decision, by id of the decision: of both, or of a
            seeker and its candidates.
        decisions: Decisions by id of a participant.
        exposure: Sum of the exposure of the allowed ones, and of chats that began from a ranking.
        seconds: Duration of chats with somebody whose age was known, by id.
        chat_seconds: Duration of a chat by id of the event that ended it.
        evidence: How often an item was recorded, by id of participant and item.
        content: All payloads, by kind and id.
    """

    records: dict[RecordKind, Counter[str]] = field(
        default_factory=lambda: {kind: Counter() for kind in RecordKind}
    )
    participants: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    decisions: Counter[str] = field(default_factory=Counter)
    exposure: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    chat_seconds: dict[str, float] = field(default_factory=dict)
    evidence: Counter[tuple[str, str]] = field(default_factory=Counter)
    content: dict[tuple[RecordKind, str], bytes] = field(default_factory=dict)

    def add(self, record: KeptRecord) -> None:
        self.records[record.kind][record.record_id] += 1
        self.content[record.kind, record.record_id] = record.payload
        if record.kind is RecordKind.DECISION:
            self._decision(journal_pb2.DecisionRecord.FromString(record.payload))
        elif record.kind is RecordKind.EVENT:
            self._event(journal_pb2.EventRecord.FromString(record.payload))
        else:
            evidence = journal_pb2.EvidenceRecord.FromString(record.payload)
            item = evidence.age_evidence.evidence_id
            if item:
                self.evidence[evidence.participant.participant_id, item] += 1

    def _decision(self, message: journal_pb2.DecisionRecord) -> None:
        if message.WhichOneof("subject") == "ranking":
            self._ranking(message)
            return
        pair = message.pair
        sides = tuple(
            (each.participant.participant_id, *each.participant.linked_ids)
            for each in (pair.participant_a, pair.participant_b)
        )
        self.participants[message.decision_id] = (sides[0], sides[1])
        for each in (*sides[0], *sides[1]):
            self.decisions[each] += 1
            if pair.assessment.decision == assessment_pb2.DECISION_ALLOW:
                self.exposure[each] += pair.exposure

    def _ranking(self, message: journal_pb2.DecisionRecord) -> None:
        """A ranking is one decision on the seeker; candidates are offered and not decided on."""
        ranking = message.ranking
        records = (ranking.seeker, *(each.participant for each in ranking.candidates))
        self.participants[message.decision_id] = tuple(
            (each.participant.participant_id, *each.participant.linked_ids) for each in records
        )
        is_anybody_offered = any(each.HasField("place") for each in ranking.candidates)
        for each in self.participants[message.decision_id][0]:
            self.decisions[each] += 1
            if is_anybody_offered:
                self.exposure[each] += ranking.exposure

    def _event(self, message: journal_pb2.EventRecord) -> None:
        if message.event.WhichOneof("event") == "chat_started":
            started = message.event.chat_started
            for each in (*_ids(started.participant_a), *_ids(started.participant_b)):
                self.exposure[each] += message.exposure
        if message.event.WhichOneof("event") != "chat_ended":
            return
        ended = message.event.chat_ended
        length = message.chat_duration.seconds + message.chat_duration.nanos * 1e-9
        self.chat_seconds[message.event.event_id] = length
        a, b = _ids(ended.participant_a), _ids(ended.participant_b)
        if message.HasField("participant_b_probability_minor"):
            for each in a:
                self.seconds[each] += length
        if message.HasField("participant_a_probability_minor"):
            for each in b:
                self.seconds[each] += length


def _ids(reference: participant_pb2.ParticipantReference) -> tuple[str, ...]:
    return (reference.participant_id, *reference.linked_ids)


def journal_of(store: ParticipantStore) -> tuple[JournalCounts, list[KeptRecord]]:
    """Return the sums over a whole journal, and its records in order."""
    counts, records, cursor = JournalCounts(), list[KeptRecord](), ""
    while page := store.read_journal(cursor, _PAGE):
        for each in page:
            counts.add(each)
        records += page
        cursor = page[-1].cursor
    return counts, records
