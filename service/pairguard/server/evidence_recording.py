"""What ``RecordAgeEvidence`` does: keep evidence, end a hold that it answers, name unsafe chats.

Owns that order. It must not know how evidence is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from pairguard.age.admission import Admission
from pairguard.age.evidence import AgeEvidence
from pairguard.errors import FieldViolation, StoreUnavailable
from pairguard.history.kept_evidence import KeptItem, would_fit
from pairguard.history.summary import OpenChat
from pairguard.policy.decision import DecisionKind
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.state import StoredState
from pairguard.risk.participant import Participant
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.event_recording import RECORD_VERSION, require_durability
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.journal_reading import FindDecisions
from pairguard.server.kept_participants import (
    KeptParticipants,
    KnownParticipant,
    evidence_of,
    open_chats_of,
    summary_of,
)
from pairguard.server.metrics import Metrics
from pairguard.server.record_conversion import read_record_age_evidence, record_results
from pairguard.server.request_conversion import read_participant
from pairguard.server.response_conversion import REASONS, set_time
from pairguard.server.violations import RefusedItem, Violations
from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import JournalRecord, ParticipantStore
from pairguard.store.records import (
    BELOW_MINIMUM_AGE,
    evidence_change,
    evidence_record,
    ids_of,
)
from pairguard.v1 import (
    age_assurance_service_pb2,
    journal_pb2,
    participant_pb2,
    record_result_pb2,
)

EVIDENCE_LIMIT: Final = "EVIDENCE_LIMIT"
"""So many different items are kept of the participant that none can be added."""

# What makes a chat that goes on unsafe. Budgets, reports and scores stop the next pair, not this.
_UNSAFE: Final = frozenset(
    {
        ReasonCode.BELOW_MINIMUM_AGE,
        ReasonCode.AGE_EVIDENCE_CONFLICT,
        ReasonCode.AGE_UNKNOWN,
        ReasonCode.LIKELY_MINOR,
        ReasonCode.POOLS_DIFFER,
        ReasonCode.MINORS_NOT_PAIRED,
        ReasonCode.AGE_GAP_TOO_WIDE,
        ReasonCode.MINOR_ADULT_RISK,
    }
)


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
        self._find_decisions = find_decisions
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
        records, were_kept, outcomes = self._records(request, call.items, now, generation)
        try:
            new = iter(self._append(records, were_kept))
        except StoreUnavailable:
            self._metrics.count_store_error("append")
            raise
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, RefusedItem):
                continue
            if not next(new):
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
        items: Sequence[AgeEvidence | RefusedItem],
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
        ids = ids_of(reference)
        (kept,) = self._store.read([ids], now=now)
        evidence = list(summary_of(kept.rows, now).evidence)
        records, were_kept = [], []
        outcomes: list[RefusedItem | record_result_pb2.RecordStatus.ValueType] = []
        for sent, item in zip(request.age_evidence, items, strict=True):
            if isinstance(item, RefusedItem):
                outcomes.append(item)
                continue
            message = journal_pb2.EvidenceRecord(
                record_version=RECORD_VERSION,
                participant=reference,
                age_evidence=hashing.age_evidence(sent),
                hash_key_id=keys.current.key_id,
            )
            set_time(message.receive_time, now)
            change = evidence_change(message.age_evidence, now)
            known = any(each.evidence == change.evidence for each in evidence)
            if not known and not would_fit(evidence, change.claim):
                outcomes.append(_FULL)
                continue
            if not known:
                evidence.append(
                    KeptItem(change.evidence, change.claim, change.time, change.content)
                )
            records.append(evidence_record(message))
            were_kept.append(known)
            outcomes.append(record_result_pb2.RECORD_STATUS_RECORDED)
        return records, were_kept, outcomes

    def _append(self, records: Sequence[JournalRecord], were_kept: Sequence[bool]) -> list[bool]:
        """Keep records and return which are new.

        Of what was kept once and erased the journal still has a record, without what it said: to be
        kept again it needs another.
        """
        new = list(self._store.append(records))
        places = [n for n, is_new in enumerate(new) if not is_new and not were_kept[n]]
        if places:
            again = self._store.append([_renewed(records[place]) for place in places])
            for place, is_new in zip(places, again, strict=True):
                new[place] = is_new
        return new

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
        age_held = any(hold.reason == BELOW_MINIMUM_AGE for hold in known.holds)
        if age_held and generation.judge.ends_age_hold(participant, now):
            ids = self._kept.keys.hashes(raw_ids)
            self._store.release_holds(ids, now=now, reasons=frozenset({BELOW_MINIMUM_AGE}))
            self._metrics.count_released_hold(BELOW_MINIMUM_AGE)
        chats = open_chats_of(known.rows, now)
        if not chats:
            return
        decisions = self._find_decisions(sorted({c.decision_id for c in chats if c.decision_id}))
        for chat in chats:
            decision = decisions.get(chat.decision_id)
            if self._is_unsafe(known, chat, decision, generation, now):
                unsafe = response.unsafe_chats.add(decision_id=chat.decision_id)
                unsafe.chat_id = self._kept.keys.unseal(chat.sealed_chat_id).decode()
                unsafe.reason.CopyFrom(REASONS[ReasonCode.POOLS_DIFFER, None])
                self._metrics.count_unsafe_chat()

    def _is_unsafe(
        self,
        known: KnownParticipant,
        chat: OpenChat,
        decision: journal_pb2.DecisionRecord | None,
        generation: Generation,
        now: float,
    ) -> bool:
        """Return whether the two would not be paired any more, for what their ages are now."""
        (kept,) = self._store.read([chat.partner], now=now)
        partner_evidence = tuple(
            evidence_of(item.content, item.time) for item in summary_of(kept.rows, now).evidence
        )
        this, other = (
            known.participant,
            Participant(
                chat.partner[0].hex() if chat.partner else "erased", age_evidence=partner_evidence
            ),
        )
        if decision is not None and decision.WhichOneof("subject") == "pair":
            pair = decision.pair
            sides = [pair.participant_a, pair.participant_b]
            ids = set(known.ids)
            if not ids.isdisjoint(ids_of(pair.participant_b.participant)):
                sides.reverse()
            if not ids.isdisjoint(ids_of(sides[0].participant)):
                this = _as_used(sides[0].participant, known.participant.age_evidence, now)
                other = _as_used(sides[1].participant, partner_evidence, now)
        judgement = generation.judge.judge_pair(this, other, now=now, state=StoredState())
        if judgement.decision.kind is DecisionKind.ALLOW:
            return False
        pools = (judgement.decision.admission_a, judgement.decision.admission_b)
        if pools == (Admission.ADULTS, Admission.ADULTS):
            return False
        return not _UNSAFE.isdisjoint(reason.code for reason in judgement.decision.reasons)


def _as_used(
    message: participant_pb2.Participant, kept: Sequence[AgeEvidence], now: float
) -> Participant:
    """Return a participant of a record with the evidence that is kept by now."""
    recorded = participant_pb2.Participant()
    recorded.CopyFrom(message)
    # What the service counted stands beside what was sent; only that was judged as sent.
    for name in [name for name in recorded.signals if name.startswith("history.")]:
        del recorded.signals[name]
    if not recorded.participant_id:
        recorded.participant_id = "erased"
    # Together there may be more than one request may send.
    evidence = EvidenceReader("", now, Violations()).read(recorded.age_evidence)
    recorded.ClearField("age_evidence")
    used = read_participant(recorded, "participant", now=now, violations=Violations())
    # What stands in both is the same item, and counts once.
    return replace(used, age_evidence=evidence + tuple(kept))


def _renewed(record: JournalRecord) -> JournalRecord:
    text = f"{record.record_id}:{record.time!r}"
    record_id = blake2b(text.encode(), digest_size=HASH_BYTES).hexdigest()
    return replace(record, record_id=record_id)


def _word(outcome: RefusedItem | record_result_pb2.RecordStatus.ValueType) -> str:
    if isinstance(outcome, RefusedItem):
        return "refused"
    return "recorded" if outcome == record_result_pb2.RECORD_STATUS_RECORDED else "duplicate"


_FULL: Final = RefusedItem(
    EVIDENCE_LIMIT,
    (FieldViolation("evidence_id", "is one more item than is kept of a participant"),),
)
