"""What ``RecordEvents`` does: from events to records that are kept before they are acknowledged.

Owns the order, and under which names an event is kept. It must not know how anything is kept, nor
what is added to an event (``pairguard.server.event_completion``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.server.call_facts import calling
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.event_completion import EventCompletion
from pairguard.server.generation import GenerationSlot
from pairguard.server.journal_reading import FindDecisions
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.server.record_conversion import read_record_events, record_results
from pairguard.server.response_conversion import set_time
from pairguard.server.violations import RefusedItem
from pairguard.store.effects import BELOW_MINIMUM_AGE
from pairguard.store.identity import HASH_BYTES, IdentityKey
from pairguard.store.ports import (
    JournalRecord,
    KeptParticipant,
    ParticipantStore,
    RecordKind,
)
from pairguard.store.record_fields import Ids, event_participants
from pairguard.store.records import event_record
from pairguard.v1 import (
    feedback_service_pb2,
    journal_pb2,
    participant_pb2,
    record_result_pb2,
)

RECORD_VERSION: Final = 1
_NOBODY: Final = (bytes(HASH_BYTES),)


class EventRecording:
    """Records events.

    Args:
        store: Where records are kept.
        kept: What is kept of participants.
        hashing: What hashes messages.
        generations: Where the policy is found.
        metrics: Where events are counted.
        clock: Seconds since 1970.
        find_decisions: Looks up what is named, also what this machine has not imported yet.
        accept_weak_durability: Acknowledge events also where the store cannot promise that they
            survive a power cut.
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
        self, request: feedback_service_pb2.RecordEventsRequest
    ) -> feedback_service_pb2.RecordEventsResponse:
        """Record the events of a request; those that are acknowledged are durable.

        Raises:
            BundleRefused: No bundle is loaded yet, so nobody knows its policy.
            InvalidInput: There are no events or too many.
            StoreUnavailable: Nothing is promised of those that are not answered.
        """
        now = self._clock()
        refusals = read_record_events(request, now)
        require_durability(self._store, accept_weak=self._accept_weak_durability)
        fine = [e for e, refusal in zip(request.events, refusals, strict=True) if refusal is None]
        records = self._records(fine, now)
        try:
            new = iter(self._store.append(records))
        except StoreUnavailable:
            self._metrics.count_store_error("append")
            raise
        outcomes: list[RefusedItem | record_result_pb2.RecordStatus.ValueType] = []
        counted: Counter[tuple[str, str]] = Counter()
        recorded = iter(records)
        for event, refusal in zip(request.events, refusals, strict=True):
            kind = event.WhichOneof("event") or "none"
            if refusal is not None:
                outcomes.append(refusal)
                counted[kind, "refused"] += 1
                continue
            is_new, record = next(new), next(recorded)
            if not is_new:
                outcomes.append(record_result_pb2.RECORD_STATUS_DUPLICATE)
                counted[kind, "duplicate"] += 1
                continue
            outcomes.append(record_result_pb2.RECORD_STATUS_RECORDED)
            counted[kind, "recorded"] += 1
            if kind == "chat_started":
                self._kept.chats_are_reported = True
                if record.reconciliation:
                    self._metrics.count_chat(record.reconciliation)
        for (name, status), count in counted.items():
            self._metrics.count_events(name, status, count)
        ids = [event.event_id for event in request.events]
        return feedback_service_pb2.RecordEventsResponse(results=record_results(ids, outcomes))

    def _records(
        self, events: Sequence[feedback_service_pb2.Event], now: float
    ) -> list[JournalRecord]:
        if not events:
            return []
        keys = self._kept.keys
        generation = self._generations.current
        hashing = self._hashing.of(generation)
        # What all of them have in common.
        common = journal_pb2.EventRecord(
            record_version=RECORD_VERSION,
            caller=calling().name,
            hash_key_id=keys.current.key_id,
        )
        set_time(common.receive_time, now)
        messages = []
        for event in events:
            message = journal_pb2.EventRecord()
            message.CopyFrom(common)
            hashing.event(event, into=message.event)
            kind = event.WhichOneof("event")
            if kind == "chat_started":
                message.sealed_chat_id = keys.current.seal(event.chat_id.encode())
            elif keys.retired and kind != "chat_ended":
                _name_as_before(message.event, event, keys.retired)
            messages.append(message)
        if keys.retired:
            self._name_as_recorded(events, messages, keys.retired)
        participants = [event_participants(message.event) for message in messages]
        # Decisions first: to find them may import them, and then they are known of everybody.
        decisions = self._decisions(messages)
        known = self._known(participants, now)
        age_held = self._age_held(events, participants, now)
        EventCompletion(known, decisions, now, age_held=age_held).complete(
            messages, generation.judge.policy, participants
        )
        return [
            event_record(message, participants=people)
            for message, people in zip(messages, participants, strict=True)
        ]

    def _name_as_recorded(
        self,
        events: Sequence[feedback_service_pb2.Event],
        messages: Sequence[journal_pb2.EventRecord],
        retired: Sequence[IdentityKey],
    ) -> None:
        """Give events that were recorded before the keys were changed the names they have."""
        names = [[_event_hash(key, event.event_id) for key in retired] for event in events]
        wanted = dict.fromkeys(name for of_one in names for name in of_one)
        found = self._store.find_records(RecordKind.EVENT, [*wanted])
        for message, of_one in zip(messages, names, strict=True):
            for name in of_one:
                if name in found:
                    message.event.event_id = name

    def _known(
        self, participants: Sequence[tuple[Ids, ...]], now: float
    ) -> dict[bytes, KeptParticipant | None]:
        """Return what is kept of everybody in the events, by their own id; None: unreadable.

        Of somebody whom several name that is what is kept under any of the ids named with it: one
        that names fewer hides nothing from the others.
        """
        people: dict[bytes, Ids] = {}
        for of_one in participants:
            for ids in of_one:
                people[ids[0]] = tuple(dict.fromkeys((*people.get(ids[0], ()), *ids)))
        read: Sequence[KeptParticipant | None]
        try:
            read = self._store.read([*people.values()], now=now)
        except StoreUnavailable:
            # If it can read what nobody has, what is kept of somebody is damaged: that is unknown
            # then, and no reason to refuse the events of all the others.
            self._store.read([_NOBODY], now=now)
            read = [self._known_singly(ids, now) for ids in people.values()]
        return dict(zip(people, read, strict=True))

    def _known_singly(self, ids: Sequence[bytes], now: float) -> KeptParticipant | None:
        try:
            (kept,) = self._store.read([ids], now=now)
        except StoreUnavailable:
            self._metrics.count_store_error("read")
            return None
        return kept

    def _age_held(
        self,
        events: Sequence[feedback_service_pb2.Event],
        participants: Sequence[tuple[Ids, ...]],
        now: float,
    ) -> frozenset[bytes]:
        """Return who of those whose age was confirmed is held for an age under its own id.

        Who shares a device with somebody held frees nobody.
        """
        found = set()
        for event, people in zip(events, participants, strict=True):
            if event.review_verdict.HasField("confirmed_age"):
                own = self._kept.keys.hashes([event.review_verdict.participant.participant_id])
                kept = self._known_singly(own, now)
                if kept is not None and any(h.reason == BELOW_MINIMUM_AGE for h in kept.holds):
                    found.add(people[0][0])
        return frozenset(found)

    def _decisions(
        self, messages: Sequence[journal_pb2.EventRecord]
    ) -> Mapping[str, journal_pb2.DecisionRecord]:
        named: dict[str | None, set[str]] = {"chat_started": set(), "appeal_outcome": set()}
        for message in messages:
            kind, decision_id = message.event.WhichOneof("event"), message.event.decision_id
            if decision_id and kind in named:
                named[kind].add(decision_id)
        found: dict[str, journal_pb2.DecisionRecord] = {}
        for naming, wanted in named.items():
            if wanted:
                # A chat waits for its decision; an appeal would be kept and end nothing.
                certain = naming == "appeal_outcome"
                found |= self._find_decisions(sorted(wanted), certain=certain)
        return found


def require_durability(store: ParticipantStore, *, accept_weak: bool) -> None:
    """Return where the store may acknowledge.

    Raises:
        StoreUnavailable: It cannot promise that what it takes survives a power cut.
    """
    if not accept_weak and not store.promises_durability():
        raise StoreUnavailable(
            "the store does not promise that what it takes survives a power cut; "
            "accept_weak_durability would acknowledge all the same"
        )


def _name_as_before(
    event: feedback_service_pb2.Event,
    sent: feedback_service_pb2.Event,
    retired: Sequence[IdentityKey],
) -> None:
    """Add to a hashed event what its participants and reports are kept under by retired keys.

    Otherwise a hold or a block of before the keys were changed could not be ended.
    """
    kind = sent.WhichOneof("event") or ""
    for place, value in getattr(sent, kind).ListFields():
        if isinstance(value, participant_pb2.ParticipantReference):
            ids = (value.participant_id, *value.linked_ids)
            kept = getattr(getattr(event, kind), place.name)
            kept.linked_ids.extend(key.hash(each).hex() for key in retired for each in ids)
    if kind == "review_verdict":
        reports = sent.review_verdict.report_event_ids
        event.review_verdict.report_event_ids.extend(
            _event_hash(key, each) for key in retired for each in reports
        )


def _event_hash(key: IdentityKey, event_id: str) -> str:
    return key.hash(f"event:{event_id}").hex()
