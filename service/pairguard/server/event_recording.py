"""What ``RecordEvents`` does: from events to records that are kept before they are acknowledged.

Owns what is added to an event that only the service knows: how long a chat was, how old its two
were taken to be, what a review or an appeal does to holds, whether a start agrees with its
decision. It must not know how anything is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from math import nan
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.history.changes import Exonerated, Reviewed, ReviewResult
from pairguard.history.row import Row
from pairguard.history.summary import Summary, last_probability_minor, summarise
from pairguard.policy.reasons import HOLD_REASONS, ReasonCode
from pairguard.server.chat_agreement import agreement
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.event_conversion import MAX_CHAT_SECONDS
from pairguard.server.generation import GenerationSlot
from pairguard.server.journal_reading import FindDecisions
from pairguard.server.kept_participants import KeptParticipants, open_chats_of, summary_of
from pairguard.server.metrics import Metrics
from pairguard.server.record_conversion import read_record_events, record_results
from pairguard.server.response_conversion import set_time
from pairguard.server.violations import RefusedItem
from pairguard.store.identity import HASH_BYTES, IdentityKey
from pairguard.store.ports import (
    JournalRecord,
    KeptParticipant,
    ParticipantStore,
)
from pairguard.store.records import event_participants, event_record, ids_of, seconds
from pairguard.v1 import (
    assessment_pb2,
    feedback_service_pb2,
    journal_pb2,
    participant_pb2,
    record_result_pb2,
)

RECORD_VERSION: Final = 1
_NOBODY: Final = (bytes(HASH_BYTES),)
_SECONDS_PER_HOUR: Final = 3600.0
_CONDUCT_HOLDS: Final = HOLD_REASONS - {ReasonCode.BELOW_MINIMUM_AGE}


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
        recorded = iter(records)
        for event, refusal in zip(request.events, refusals, strict=True):
            kind = event.WhichOneof("event") or "none"
            if refusal is not None:
                outcomes.append(refusal)
                self._metrics.count_event(kind, "refused")
                continue
            is_new, record = next(new), next(recorded)
            outcomes.append(
                record_result_pb2.RECORD_STATUS_RECORDED
                if is_new
                else record_result_pb2.RECORD_STATUS_DUPLICATE
            )
            self._metrics.count_event(kind, "recorded" if is_new else "duplicate")
            if is_new and kind == "chat_started":
                self._kept.chats_are_reported = True
                if record.reconciliation:
                    self._metrics.count_chat(record.reconciliation)
        ids = [event.event_id for event in request.events]
        return feedback_service_pb2.RecordEventsResponse(results=record_results(ids, outcomes))

    def _records(
        self, events: Sequence[feedback_service_pb2.Event], now: float
    ) -> list[JournalRecord]:
        keys = self._kept.keys
        hashing = self._hashing.of(self._generations.current)
        messages = []
        for event in events:
            message = journal_pb2.EventRecord(
                record_version=RECORD_VERSION,
                event=hashing.event(event),
                hash_key_id=keys.current.key_id,
            )
            set_time(message.receive_time, now)
            kind = event.WhichOneof("event")
            if kind == "chat_started":
                message.sealed_chat_id = keys.current.seal(event.chat_id.encode())
            elif keys.retired and kind != "chat_ended":
                _name_as_before(message.event, event, keys.retired)
            messages.append(message)
        if messages:
            # Decisions first: to find them may import them, and then they are known of everybody.
            decisions = self._decisions(messages)
            _Completion(self._known(messages, now), decisions, now).complete(
                messages, self._generations
            )
        return [event_record(message) for message in messages]

    def _known(
        self, messages: Sequence[journal_pb2.EventRecord], now: float
    ) -> dict[bytes, KeptParticipant]:
        """Return what is kept of everybody in the events, by their own id."""
        people = {ids[0]: ids for message in messages for ids in event_participants(message.event)}
        read: Sequence[KeptParticipant]
        try:
            read = self._store.read([*people.values()], now=now)
        except StoreUnavailable:
            # If it can read what nobody has, what is kept of somebody is damaged: that is unknown
            # then, and no reason to refuse the events of all the others.
            self._store.read([_NOBODY], now=now)
            read = [self._known_singly(ids, now) for ids in people.values()]
        return dict(zip(people, read, strict=True))

    def _known_singly(self, ids: Sequence[bytes], now: float) -> KeptParticipant:
        try:
            (kept,) = self._store.read([ids], now=now)
        except StoreUnavailable:
            return KeptParticipant()
        return kept

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


class _Completion:
    """Adds to the events of one request what only the service knows.

    Args:
        known: What is kept of everybody in them, by their own id.
        decisions: The decisions that they name, by id.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        known: Mapping[bytes, KeptParticipant],
        decisions: Mapping[str, journal_pb2.DecisionRecord],
        now: float,
    ) -> None:
        self._known = known
        self._decisions = decisions
        self._now = now
        self._starts: dict[str, float] = {}

    def complete(
        self, messages: Sequence[journal_pb2.EventRecord], generations: GenerationSlot
    ) -> None:
        """Complete messages in place."""
        for message in messages:
            kind = message.event.WhichOneof("event")
            if kind == "chat_started":
                self._started(message)
            elif kind == "review_verdict":
                self._reviewed(message, generations)
            elif kind == "appeal_outcome":
                self._appealed(message)
        # Last, so that an end finds its start also where it stands before it in the request.
        for message in messages:
            if message.event.WhichOneof("event") == "chat_ended":
                self._ended(message)

    def _started(self, message: journal_pb2.EventRecord) -> None:
        event = message.event
        self._starts[event.chat_id] = _event_seconds(message)
        self._tell_ages(message)
        decision = self._decisions.get(event.decision_id)
        if decision is None and event.decision_id:
            return  # it may still be on its way: looked for again by the upkeep
        message.reconciliation = agreement(message, decision)

    def _ended(self, message: journal_pb2.EventRecord) -> None:
        content = message.event.chat_ended
        self._tell_ages(message)
        if content.HasField("duration"):
            message.chat_duration.CopyFrom(content.duration)
            return
        start = self._starts.get(message.event.chat_id)
        for ids in event_participants(message.event):
            with suppress(StoreUnavailable):  # damaged, so unknown
                for chat in open_chats_of(self._known[ids[0]].rows, self._now):
                    if start is None and chat.chat == message.event.chat_id:
                        start = chat.start_time
        length = nan if start is None else _event_seconds(message) - start
        # Of an end that lies before its start nobody knows how long it was.
        if length >= 0.0:
            length = min(length, MAX_CHAT_SECONDS)
            message.chat_duration.seconds = int(length)
            message.chat_duration.nanos = int((length - int(length)) * 1e9)

    def _reviewed(self, message: journal_pb2.EventRecord, generations: GenerationSlot) -> None:
        content = message.event.review_verdict
        policy = generations.current.judge.policy
        ended: set[str] = set()
        if content.HasField("confirmed_age") and _confirmed_years(message) >= (
            policy.for_participant("").minimum_age
        ):
            ended.add(ReasonCode.BELOW_MINIMUM_AGE)
        if content.verdict == feedback_service_pb2.VERDICT_UPHELD:
            hours = policy.upheld_hold_hours()
            message.hold_duration.FromSeconds(int(hours * _SECONDS_PER_HOUR))
        elif content.verdict == feedback_service_pb2.VERDICT_CLEARED:
            (ids,) = event_participants(message.event)
            review = Reviewed(
                self._now,
                message.event.event_id,
                ReviewResult.CLEARED,
                tuple(content.report_event_ids),
                message.event.chat_id,
            )
            with suppress(StoreUnavailable):  # damaged, so nothing is known to be cleared
                if self._summary(ids).upheld_harm and not self._upheld_after(ids, review):
                    ended |= _CONDUCT_HOLDS
        message.ended_hold_reasons.extend(sorted(ended))

    def _appealed(self, message: journal_pb2.EventRecord) -> None:
        event = message.event
        if event.appeal_outcome.result != feedback_service_pb2.APPEAL_RESULT_OVERTURNED:
            return
        reasons = {str(reason) for reason in HOLD_REASONS}
        if event.decision_id:
            # Only what followed from that decision ends; of one that is not kept that is nothing.
            (ids,) = event_participants(event)
            reasons &= _held_reasons(self._decisions.get(event.decision_id), ids)
        message.ended_hold_reasons.extend(sorted(reasons))

    def _tell_ages(self, message: journal_pb2.EventRecord) -> None:
        content = getattr(message.event, message.event.WhichOneof("event") or "")
        for side in ("a", "b"):
            reference = getattr(content, f"participant_{side}")
            kept = self._known[bytes.fromhex(reference.participant_id)]
            with suppress(ValueError):  # damaged, so unknown
                minor = last_probability_minor(kept.rows)
                if minor is not None:
                    setattr(message, f"participant_{side}_probability_minor", minor)

    def _summary(self, ids: Sequence[bytes]) -> Summary:
        return summary_of(self._known[ids[0]].rows, self._now)

    def _upheld_after(self, ids: Sequence[bytes], change: Reviewed | Exonerated) -> bool:
        rows = []
        for written in self._known[ids[0]].rows:
            row = Row(written)
            row.apply(change)
            rows.append(row.written())
        return summarise(rows, self._now).upheld_harm


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
            key.hash(f"event:{each}").hex() for key in retired for each in reports
        )


def _held_reasons(
    decision: journal_pb2.DecisionRecord | None, ids: Sequence[bytes]
) -> frozenset[str]:
    """Return what a decision told that the participant with these ids is held for."""
    if decision is None:
        return frozenset()
    pair = decision.pair
    sides = {
        assessment_pb2.PARTICIPANT_ROLE_A: pair.participant_a,
        assessment_pb2.PARTICIPANT_ROLE_B: pair.participant_b,
    }
    own = {
        role for role, side in sides.items() if not set(ids).isdisjoint(ids_of(side.participant))
    }
    return frozenset(
        held.reason.code for held in pair.assessment.held_participants if held.participant in own
    )


def _confirmed_years(message: journal_pb2.EventRecord) -> float:
    """Return the least age that a review confirmed, years; 0.0: it confirmed none."""
    confirmed = message.event.review_verdict.confirmed_age
    if confirmed.HasField("age_years"):
        return confirmed.age_years
    if not confirmed.HasField("birth_year"):
        return 0.0
    year = datetime.fromtimestamp(_event_seconds(message), UTC).year
    return float(year - confirmed.birth_year - 1)


def _event_seconds(message: journal_pb2.EventRecord) -> float:
    event = message.event
    return seconds(event.event_time if event.HasField("event_time") else message.receive_time)
