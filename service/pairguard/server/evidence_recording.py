"""What ``RecordAgeEvidence`` does: keep evidence, end a hold that it answers, name unsafe chats.

Owns that order. It must not know how evidence is kept, nor what makes a chat unsafe
(``pairguard.server.unsafe_chats``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import count
from math import inf
from typing import Final

from pairguard.errors import FieldViolation, StoreUnavailable
from pairguard.history.changes import EvidenceKept
from pairguard.history.kept_evidence import KeptItem, with_item, would_fit
from pairguard.policy.reasons import ReasonCode
from pairguard.risk.participant import Participant
from pairguard.server.call_facts import calling
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.event_recording import RECORD_VERSION, require_durability
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.journal_reading import FindDecisions
from pairguard.server.kept_evidence import copies_among
from pairguard.server.kept_participants import KeptParticipants, summary_of
from pairguard.server.metrics import Metrics
from pairguard.server.record_conversion import (
    RecordAgeEvidenceCall,
    read_record_age_evidence,
    record_results,
)
from pairguard.server.response_conversion import REASONS, set_time
from pairguard.server.unsafe_chats import UnsafeChats
from pairguard.server.violations import RefusedItem
from pairguard.store.effects import BELOW_MINIMUM_AGE, evidence_change
from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import JournalRecord, ParticipantStore
from pairguard.store.record_fields import seconds
from pairguard.store.records import evidence_record
from pairguard.v1 import (
    age_assurance_service_pb2,
    journal_pb2,
    participant_pb2,
    record_result_pb2,
)

EVIDENCE_ID_REUSED: Final = "EVIDENCE_ID_REUSED"
"""The id came with another content before: a new observation needs an id of its own."""
EVIDENCE_LIMIT: Final = "EVIDENCE_LIMIT"
"""So many different items are kept of the participant that none can be added."""


class EvidenceRecording:
    """Records age evidence.

    Args:
        store: Where records are kept.
        kept: What is kept of participants.
        hashing: What hashes messages.
        generations: What judges.
        metrics: Where evidence is counted.
        clock: Seconds since 1970.
        find_decisions: As in ``EventRecording``.
        accept_weak_durability: As in ``EventRecording``.
    """

    def __init__(
        self,
        store: ParticipantStore,
        kept: KeptParticipants,
        hashing: CurrentHashing,
        generations: GenerationSlot,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        find_decisions: FindDecisions,
        accept_weak_durability: bool,
    ) -> None:
        self._store = store
        self._kept = kept
        self._hashing = hashing
        self._generations = generations
        self._metrics = metrics
        self._clock = clock
        self._unsafe_chats = UnsafeChats(store, find_decisions)
        self._accept_weak_durability = accept_weak_durability

    def record(
        self, request: age_assurance_service_pb2.RecordAgeEvidenceRequest
    ) -> age_assurance_service_pb2.RecordAgeEvidenceResponse:
        """Record the evidence of a request; what is acknowledged is durable.

        Raises:
            BundleRefused: No bundle is loaded yet, so unsafe chats could not be told.
            InvalidInput: The participant is wrong, or there are no items or too many.
            StoreUnavailable: Nothing is promised of those that are not answered.
        """
        now = self._clock()
        generation = self._generations.current
        call = read_record_age_evidence(request, now)
        require_durability(self._store, accept_weak=self._accept_weak_durability)
        outcomes: list[RefusedItem | record_result_pb2.RecordStatus.ValueType]
        records, were_kept, outcomes = self._records(request, call, now, generation)
        try:
            new = iter(self._append(records, were_kept, now))
        except StoreUnavailable:
            self._metrics.count_store_error("append")
            raise
        for place, outcome in enumerate(outcomes):
            if outcome == record_result_pb2.RECORD_STATUS_RECORDED and not next(new):
                outcomes[place] = record_result_pb2.RECORD_STATUS_DUPLICATE
        for item, outcome in zip(request.age_evidence, outcomes, strict=True):
            kind = item.WhichOneof("observation") or "none"
            self._metrics.count_recorded_evidence(kind, _word(outcome))
        ids = [item.evidence_id for item in request.age_evidence]
        response = age_assurance_service_pb2.RecordAgeEvidenceResponse(
            results=record_results(ids, outcomes)
        )
        self._follow_up(call.ids, generation, now, response)
        return response

    def _records(
        self,
        request: age_assurance_service_pb2.RecordAgeEvidenceRequest,
        call: RecordAgeEvidenceCall,
        now: float,
        generation: Generation,
    ) -> tuple[
        list[JournalRecord],
        list[bool],
        list[RefusedItem | record_result_pb2.RecordStatus.ValueType],
    ]:
        """Return the records of what can be kept, whether it is kept, and what becomes of all."""
        keys = self._kept.keys
        hashing = self._hashing.of(generation)
        reference = hashing.reference(request.participant)
        # An item belongs to the participant's own id; another's may have come with a linked one.
        ids = (keys.hashes(call.ids), keys.hashes(call.ids[:1]))
        evidence, own = (
            list(summary_of(kept.rows, now).evidence) for kept in self._store.read(ids, now=now)
        )
        records, were_kept = [], []
        outcomes: list[RefusedItem | record_result_pb2.RecordStatus.ValueType] = []
        for sent, item in zip(request.age_evidence, call.items, strict=True):
            if isinstance(item, RefusedItem):
                outcomes.append(item)
                continue
            copies = copies_among(own, item, keys)
            if copies and not any(is_same for _, is_same in copies):
                # Acknowledged as a duplicate it would be lost, and what it corrects would stand.
                outcomes.append(_REUSED)
                continue
            message = journal_pb2.EvidenceRecord(
                record_version=RECORD_VERSION,
                participant=reference,
                age_evidence=hashing.age_evidence(sent),
                caller=calling().name,
                hash_key_id=keys.current.key_id,
            )
            set_time(message.receive_time, now)
            change = evidence_change(message.age_evidence, now)
            known = any(each.evidence == change.evidence for each, _ in copies)
            if copies and not known:  # kept under a retired key
                outcomes.append(record_result_pb2.RECORD_STATUS_DUPLICATE)
                continue
            if not known and not _can_be_kept(evidence, change):
                outcomes.append(_FULL)
                continue
            if not known:
                new = KeptItem(change.evidence, change.claim, change.time, change.content)
                evidence.append(new)
                own.append(new)
            records.append(evidence_record(message))
            were_kept.append(known)
            outcomes.append(record_result_pb2.RECORD_STATUS_RECORDED)
        return records, were_kept, outcomes

    def _append(
        self, records: Sequence[JournalRecord], were_kept: Sequence[bool], now: float
    ) -> list[bool]:
        """Keep records and return which are new.

        Of what was kept once and erased the journal still has a record, without what it said: to be
        kept again it needs another. What another call has recorded meanwhile needs none.
        """
        new = list(self._store.append(records))
        waiting = [n for n, is_new in enumerate(new) if not is_new and not were_kept[n]]
        for turn in count(1):
            if waiting:
                kept = self._kept_items(records[waiting[0]].participants, now)
                waiting = [n for n in waiting if kept.isdisjoint(_items(records[n]))]
            if not waiting:
                break
            again = self._store.append([_renewed(records[place], turn) for place in waiting])
            for place, is_new in zip(waiting, again, strict=True):
                new[place] = is_new
            waiting = [place for place in waiting if not new[place]]
        return new

    def _kept_items(self, ids: Iterable[bytes], now: float) -> set[bytes]:
        (kept,) = self._store.read([tuple(ids)], now=now)
        return {item.evidence for item in summary_of(kept.rows, now).evidence}

    def _follow_up(
        self,
        raw_ids: tuple[str, ...],
        generation: Generation,
        now: float,
        response: age_assurance_service_pb2.RecordAgeEvidenceResponse,
    ) -> None:
        """End an age hold that the evidence answers, and name the chats that it makes unsafe."""
        sent = Participant(raw_ids[0], linked_ids=raw_ids[1:])
        known = self._kept.read_one(sent, now)
        participant = known.participant
        keys = self._kept.keys
        if any(hold.reason == BELOW_MINIMUM_AGE for hold in known.holds):
            # Who shares a device with somebody held frees nobody: the own id must be held, too.
            (own,) = self._store.read([keys.hashes(raw_ids[:1])], now=now)
            age_held = any(hold.reason == BELOW_MINIMUM_AGE for hold in own.holds)
        else:
            age_held = False
        if age_held and generation.judge.ends_age_hold(participant, now):
            ids = keys.hashes(raw_ids)
            self._store.release_holds(ids, now=now, reasons=frozenset({BELOW_MINIMUM_AGE}))
            self._metrics.count_released_hold(BELOW_MINIMUM_AGE)
        for chat in self._unsafe_chats.of(known, generation, now):
            unsafe = response.unsafe_chats.add(decision_id=chat.decision_id)
            unsafe.chat_id = keys.unseal(chat.sealed_chat_id).decode()
            unsafe.reason.CopyFrom(REASONS[ReasonCode.POOLS_DIFFER, None])
            self._metrics.count_unsafe_chat()


def _items(record: JournalRecord) -> set[bytes]:
    return {
        change.evidence
        for changes in record.changes.values()
        for change in changes
        if isinstance(change, EvidenceKept)
    }


def _renewed(record: JournalRecord, turn: int) -> JournalRecord:
    """Return a record under a further id, the same for all who send it again at one moment."""
    text = f"{record.record_id}:{turn}"
    record_id = blake2b(text.encode(), digest_size=HASH_BYTES).hexdigest()
    return replace(record, record_id=record_id)


def _can_be_kept(evidence: list[KeptItem], change: EvidenceKept) -> bool:
    """Return whether an item can be kept without losing what no other says as well or better.

    Of items with one claim the last that came stays. Where that was observed or expires before one
    that would have to go, it says less of a minor, and the row is full.
    """
    if not would_fit(evidence, change.claim):
        return False
    after = with_item(evidence, change)
    return all(
        any(
            each.claim == item.claim
            and all(a >= b for a, b in zip(_dates(each), _dates(item), strict=True))
            for each in after
        )
        for item in evidence
        if item not in after
    )


def _dates(item: KeptItem) -> tuple[float, float, float]:
    """Return when an item was observed, declared and expires; absent: as late as can be."""
    message = participant_pb2.AgeEvidence.FromString(item.content)
    declared = message.self_declared
    return (
        seconds(message.observed_time) if message.HasField("observed_time") else inf,
        seconds(declared.declared_time) if declared.HasField("declared_time") else inf,
        seconds(message.expire_time) if message.HasField("expire_time") else inf,
    )


def _word(outcome: RefusedItem | record_result_pb2.RecordStatus.ValueType) -> str:
    if isinstance(outcome, RefusedItem):
        return "refused"
    return "recorded" if outcome == record_result_pb2.RECORD_STATUS_RECORDED else "duplicate"


_REUSED: Final = RefusedItem(
    EVIDENCE_ID_REUSED,
    (FieldViolation("evidence_id", "was that of another item of the participant before"),),
)
_FULL: Final = RefusedItem(
    EVIDENCE_LIMIT,
    (FieldViolation("evidence_id", "is one more item than is kept of a participant"),),
)
