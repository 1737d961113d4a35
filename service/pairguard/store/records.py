"""From messages of the journal to what they do to what is kept.

Owns the one meaning of every record: which rows it changes and how, which holds begin or end, and
what is left of it when somebody in it is erased. All ids in the messages are hashed already; a
participant that is absent has been erased. It must not know where anything is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.history.changes import (
    Blocked,
    Change,
    ChatEnded,
    ChatStarted,
    Decided,
    EvidenceKept,
    Exonerated,
    Exposed,
    ReportMade,
    ReportReceived,
    Reviewed,
    ReviewResult,
)
from pairguard.history.row import SKIP_SECONDS
from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import LEGAL_HOLD, Hold, HoldChange, JournalRecord, RecordKind
from pairguard.v1 import assessment_pb2, feedback_service_pb2, journal_pb2, participant_pb2

UPHELD_HARM: Final = "UPHELD_HARM"
"""Reason of the hold that follows from an upheld review."""
BELOW_MINIMUM_AGE: Final = "BELOW_MINIMUM_AGE"
"""Reason of the hold that follows from an age."""
PLATFORM_HOLD_PREFIX: Final = "PLATFORM_"
"""Begins the stored reason of a hold that the caller placed, so that it is never one of ours."""

Ids = tuple[bytes, ...]
_Changes = dict[bytes, tuple[Change, ...]]
_Event = feedback_service_pb2.Event

_NOT_BY_CHOICE: Final = frozenset(
    {
        feedback_service_pb2.CHAT_END_MANNER_CONNECTION_LOST,
        feedback_service_pb2.CHAT_END_MANNER_TIME_LIMIT,
        feedback_service_pb2.CHAT_END_MANNER_MODERATED,
        feedback_service_pb2.CHAT_END_MANNER_UNSAFE,
    }
)
_REVIEW_RESULTS: Final = {
    feedback_service_pb2.VERDICT_UPHELD: ReviewResult.UPHELD,
    feedback_service_pb2.VERDICT_CLEARED: ReviewResult.CLEARED,
}


def decision_record(message: journal_pb2.DecisionRecord) -> JournalRecord:
    """Return the record of a decision."""
    time = seconds(message.decision_time)
    changes: _Changes = {}
    participants: set[bytes] = set()
    if message.WhichOneof("subject") == "pair":
        pair = message.pair
        allowed = pair.assessment.decision == assessment_pb2.DECISION_ALLOW
        exposure = _optional(pair, "exposure")
        if exposure is None:
            exposure = _optional(pair.assessment, "minor_adult_probability")
        minor_a = _optional(pair, "participant_a_probability_minor")
        minor_b = _optional(pair, "participant_b_probability_minor")
        for record, own, partner in (
            (pair.participant_a, minor_a, minor_b),
            (pair.participant_b, minor_b, minor_a),
        ):
            ids = ids_of(record.participant)
            participants.update(ids)
            for place, each in enumerate(ids):
                linked = ids[1:] if place == 0 else ()
                decided = Decided(time, allowed, exposure, own, partner, linked)
                # An id may be linked to both.
                changes[each] = (*changes.get(each, ()), decided)
    elif message.WhichOneof("subject") == "ranking":
        ranking = message.ranking
        for each_one in (ranking.seeker, *(each.participant for each in ranking.candidates)):
            participants.update(ids_of(each_one.participant))
        changes = _ranked(ranking, time)
    return JournalRecord(
        kind=RecordKind.DECISION,
        record_id=message.decision_id,
        time=time,
        payload=message.SerializeToString(deterministic=True),
        participants=frozenset(participants),
        changes=changes,
    )


def _ranked(ranking: journal_pb2.RankingDecision, time: float) -> _Changes:
    """Return what a ranking changes: it is one decision on the seeker.

    To be offered is not to meet, so that nothing is counted for the candidates.
    """
    ids = ids_of(ranking.seeker.participant)
    minors = [
        minor
        for each in ranking.candidates
        if (minor := _optional(each.participant.assessment, "probability_minor")) is not None
    ]
    decided = Decided(
        time,
        allowed=any(each.HasField("place") for each in ranking.candidates),
        exposure=_optional(ranking, "exposure") or 0.0,
        own_probability_minor=_optional(ranking.seeker.assessment, "probability_minor"),
        partner_probability_minor=sum(minors) / len(minors) if minors else None,
    )
    return {
        each: (decided if place else replace(decided, linked=ids[1:]),)
        for place, each in enumerate(ids)
    }


def event_record(message: journal_pb2.EventRecord) -> JournalRecord:
    """Return the record of an event."""
    event = message.event
    kind = event.WhichOneof("event") or ""
    effect = _Effect(message)
    _EFFECTS[kind](effect)
    reconciliation = message.reconciliation
    return JournalRecord(
        kind=RecordKind.EVENT,
        record_id=event.event_id,
        time=effect.time,
        payload=message.SerializeToString(deterministic=True),
        participants=frozenset(each for ids in event_participants(event) for each in ids),
        decision_id=event.decision_id,
        pending=kind == "chat_started" and reconciliation == journal_pb2.RECONCILIATION_UNSPECIFIED,
        reconciliation=reconciliation_name(reconciliation),
        changes=effect.changes,
        holds=tuple(effect.holds),
    )


def evidence_record(message: journal_pb2.EvidenceRecord) -> JournalRecord:
    """Return the record of an item of age evidence."""
    time = seconds(message.receive_time)
    ids = ids_of(message.participant)
    kept = evidence_change(message.age_evidence, time)
    return JournalRecord(
        kind=RecordKind.EVIDENCE,
        record_id=_evidence_record_id(ids, message.age_evidence.evidence_id),
        time=time,
        payload=message.SerializeToString(deterministic=True),
        participants=frozenset(ids),
        changes=_kept_by(ids, kept),
    )


def _kept_by(ids: Ids, kept: EvidenceKept) -> _Changes:
    """Return what an item changes: it is the participant's own, and others may share its links."""
    linked = replace(kept, own=False)
    return {each: (linked if place else kept,) for place, each in enumerate(ids)}


def record_of(kind: RecordKind, payload: bytes) -> JournalRecord:
    """Return the record of a serialized message.

    Raises:
        ValueError: The bytes are no such message.
    """
    return _READERS[kind](_parsed(kind, payload))


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
    message = _parsed(kind, payload)
    if kind is RecordKind.DECISION:
        _unlink_decision(message, gone)
    elif kind is RecordKind.EVENT:
        _unlink_event(message, gone)
    elif _is_one_of(message.participant, gone):
        message.ClearField("participant")
        message.ClearField("age_evidence")
    return bytes(message.SerializeToString(deterministic=True))


def evidence_change(item: participant_pb2.AgeEvidence, time: float) -> EvidenceKept:
    """Return what an item with hashed ids does to a row."""
    claim = participant_pb2.AgeEvidence()
    claim.CopyFrom(item)
    for name in ("evidence_id", "observed_time", "expire_time"):
        claim.ClearField(name)
    if claim.HasField("self_declared"):
        claim.self_declared.ClearField("declared_time")
    said = claim.SerializeToString(deterministic=True)
    return EvidenceKept(
        time,
        bytes.fromhex(item.evidence_id),
        blake2b(said, digest_size=8).digest(),
        item.SerializeToString(deterministic=True),
    )


def review_of(message: journal_pb2.EventRecord) -> Reviewed | None:
    """Return what a review says of a harm; None: nothing."""
    event, content = message.event, message.event.review_verdict
    result = _REVIEW_RESULTS.get(content.verdict)
    if result is None:
        return None
    reports = tuple(content.report_event_ids)
    return Reviewed(seconds(message.receive_time), event.event_id, result, reports, event.chat_id)


def event_participants(event: _Event) -> tuple[Ids, ...]:
    """Return the ids of everybody in an event, the erased left out."""
    kind = event.WhichOneof("event")
    if kind is None:
        return ()
    content = getattr(event, kind)
    return tuple(ids_of(getattr(content, field)) for field in _PARTICIPANT_FIELDS[kind])


def ids_of(
    reference: participant_pb2.ParticipantReference | participant_pb2.Participant,
) -> Ids:
    """Return the hashes of a participant of a record, its own first; empty: it was erased."""
    own = reference.participant_id
    if not own:
        return ()
    linked = reference.linked_ids
    if not linked:
        return (bytes.fromhex(own),)
    return tuple(dict.fromkeys((bytes.fromhex(own), *map(bytes.fromhex, linked))))


def seconds(time: Timestamp) -> float:
    """Return seconds since 1970."""
    return time.seconds + time.nanos * 1e-9


def reconciliation_name(value: journal_pb2.Reconciliation.ValueType) -> str:
    """Return the name of an agreement without its prefix; "": there is none yet."""
    if value == journal_pb2.RECONCILIATION_UNSPECIFIED:
        return ""
    return journal_pb2.Reconciliation.Name(value).removeprefix("RECONCILIATION_")


class _Effect:
    """What one event does."""

    def __init__(self, message: journal_pb2.EventRecord) -> None:
        self.message = message
        self.event = message.event
        self.time = seconds(message.receive_time)
        self.changes: _Changes = {}
        self.holds: list[HoldChange] = []

    def change(self, ids: Ids, *changes: Change) -> None:
        for each in ids:
            self.changes[each] = (*self.changes.get(each, ()), *changes)

    def probabilities(self) -> tuple[float | None, float | None]:
        return (
            _optional(self.message, "participant_a_probability_minor"),
            _optional(self.message, "participant_b_probability_minor"),
        )

    def hold(self, ids: Ids, reason: str, expire_time: float | None) -> None:
        if ids:
            self.holds.append(HoldChange(ids, Hold(reason, self.time, expire_time)))

    def release(self, ids: Ids, reasons: frozenset[str] | None) -> None:
        if ids and (reasons is None or reasons):
            self.holds.append(HoldChange(ids, ended_reasons=reasons))


def _chat_started(effect: _Effect) -> None:
    event, content = effect.event, effect.event.chat_started
    a, b = ids_of(content.participant_a), ids_of(content.participant_b)
    for own, partner in ((a, b), (b, a)):
        for place, each in enumerate(own):
            linked = own[1:] if place == 0 else ()
            started = ChatStarted(
                effect.time,
                event.chat_id,
                partner,
                event.decision_id,
                effect.message.sealed_chat_id,
                linked,
                seconds(event.event_time) if event.HasField("event_time") else None,
            )
            effect.change((each,), started)
    exposure = _optional(effect.message, "exposure")
    if exposure is not None:
        for own, minor in zip((a, b), effect.probabilities(), strict=True):
            effect.change(own, Exposed(effect.time, exposure, minor))


def _chat_ended(effect: _Effect) -> None:
    event, content = effect.event, effect.event.chat_ended
    a, b = ids_of(content.participant_a), ids_of(content.participant_b)
    minor_a, minor_b = effect.probabilities()
    message = effect.message
    duration = (
        message.chat_duration.seconds + message.chat_duration.nanos * 1e-9
        if message.HasField("chat_duration")
        else None
    )
    skipped = (
        duration is not None and duration <= SKIP_SECONDS and content.manner not in _NOT_BY_CHOICE
    )
    by_a = skipped and content.ender == feedback_service_pb2.CHAT_ENDER_PARTICIPANT_A
    by_b = skipped and content.ender == feedback_service_pb2.CHAT_ENDER_PARTICIPANT_B
    for own, partner, by_own, by_partner, partner_minor in (
        (a, b, by_a, by_b, minor_b),
        (b, a, by_b, by_a, minor_a),
    ):
        ended = ChatEnded(
            effect.time, event.chat_id, partner, duration, by_own, by_partner, partner_minor
        )
        effect.change(own, ended)


def _report(effect: _Effect) -> None:
    event, content = effect.event, effect.event.report
    reporter, reported = ids_of(content.reporter), ids_of(content.reported)
    effect.change(reporter, ReportMade(effect.time))
    if reporter:
        category = feedback_service_pb2.ReportCategory.Name(content.category)
        received = ReportReceived(
            effect.time,
            event.event_id,
            event.chat_id,
            category.removeprefix("REPORT_CATEGORY_"),
            reporter,
            met=effect.message.reporter_met_reported,
        )
        effect.change(reported, received)


def _review_verdict(effect: _Effect) -> None:
    event, content, message = effect.event, effect.event.review_verdict, effect.message
    ids = ids_of(content.participant)
    reviewed = review_of(message)
    if reviewed is not None:
        effect.change(ids, reviewed)
    if message.HasField("hold_duration"):
        length = message.hold_duration.seconds + message.hold_duration.nanos * 1e-9
        effect.hold(ids, UPHELD_HARM, effect.time + length)
    effect.release(ids, frozenset(message.ended_hold_reasons))
    if content.HasField("confirmed_age"):
        item = participant_pb2.AgeEvidence(
            evidence_id=event.event_id,
            observed_time=(
                event.event_time if event.HasField("event_time") else message.receive_time
            ),
            binding=participant_pb2.BINDING_LIVE_PERSON,
            verified_age=content.confirmed_age,
        )
        for each, changes in _kept_by(ids, evidence_change(item, effect.time)).items():
            effect.change((each,), *changes)


def _hold_placed(effect: _Effect) -> None:
    content = effect.event.hold_placed
    legal = content.kind == feedback_service_pb2.HOLD_KIND_LEGAL
    reason = LEGAL_HOLD if legal else f"{PLATFORM_HOLD_PREFIX}{content.reason_code}"[:64]
    expire_time = seconds(content.expire_time) if content.HasField("expire_time") else None
    effect.hold(ids_of(content.participant), reason, expire_time)


def _hold_released(effect: _Effect) -> None:
    content = effect.event.hold_released
    legal = content.kind == feedback_service_pb2.HOLD_KIND_LEGAL
    effect.release(ids_of(content.participant), frozenset({LEGAL_HOLD}) if legal else None)


def _personal_block(effect: _Effect) -> None:
    content = effect.event.personal_block
    _block(effect, ids_of(content.blocker), ids_of(content.blocked), lifted=False)


def _personal_block_lifted(effect: _Effect) -> None:
    content = effect.event.personal_block_lifted
    _block(effect, ids_of(content.blocker), ids_of(content.blocked), lifted=True)


def _block(effect: _Effect, blocker: Ids, blocked: Ids, *, lifted: bool) -> None:
    effect.change(blocker, Blocked(effect.time, blocked, by_this=True, lifted=lifted))
    effect.change(blocked, Blocked(effect.time, blocker, by_this=False, lifted=lifted))


def _appeal_outcome(effect: _Effect) -> None:
    content = effect.event.appeal_outcome
    if content.result == feedback_service_pb2.APPEAL_RESULT_OVERTURNED:
        ids = ids_of(content.participant)
        ended = frozenset(effect.message.ended_hold_reasons)
        message = effect.message
        until = (
            seconds(message.exonerated_until_time)
            if message.HasField("exonerated_until_time")
            else None
        )
        # An appeal over an age says nothing of a harm.
        if ended - {BELOW_MINIMUM_AGE} or until is not None:
            effect.change(ids, Exonerated(effect.time, until))
        effect.release(ids, ended)


def _nothing(_effect: _Effect) -> None:
    """A kind of event that a newer program recorded changes nothing here."""


_EFFECTS: Final[Mapping[str, Callable[[_Effect], None]]] = {
    "": _nothing,
    "chat_started": _chat_started,
    "chat_ended": _chat_ended,
    "report": _report,
    "review_verdict": _review_verdict,
    "hold_placed": _hold_placed,
    "hold_released": _hold_released,
    "personal_block": _personal_block,
    "personal_block_lifted": _personal_block_lifted,
    "appeal_outcome": _appeal_outcome,
}
_PARTICIPANT_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "chat_started": ("participant_a", "participant_b"),
    "chat_ended": ("participant_a", "participant_b"),
    "report": ("reporter", "reported"),
    "review_verdict": ("participant",),
    "hold_placed": ("participant",),
    "hold_released": ("participant",),
    "personal_block": ("blocker", "blocked"),
    "personal_block_lifted": ("blocker", "blocked"),
    "appeal_outcome": ("participant",),
}
_MESSAGES: Final[Mapping[RecordKind, Callable[[], Any]]] = {
    RecordKind.DECISION: journal_pb2.DecisionRecord,
    RecordKind.EVENT: journal_pb2.EventRecord,
    RecordKind.EVIDENCE: journal_pb2.EvidenceRecord,
}
_READERS: Final[Mapping[RecordKind, Callable[[Any], JournalRecord]]] = {
    RecordKind.DECISION: decision_record,
    RecordKind.EVENT: event_record,
    RecordKind.EVIDENCE: evidence_record,
}


def _parsed(kind: RecordKind, payload: bytes) -> Any:
    message = _MESSAGES[kind]()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise ValueError(f"the bytes are no record of kind {kind}") from error
    return message


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
    for field in _PARTICIPANT_FIELDS[kind]:
        if _is_one_of(getattr(content, field), gone):
            content.ClearField(field)
            if kind == "review_verdict":
                content.ClearField("confirmed_age")


def _is_one_of(
    reference: participant_pb2.ParticipantReference | participant_pb2.Participant, gone: set[str]
) -> bool:
    return not gone.isdisjoint((reference.participant_id, *reference.linked_ids))


def _optional(message: Any, field: str) -> float | None:
    """Return a probability; None: there is none, and what is no number is none."""
    value = float(getattr(message, field)) if message.HasField(field) else math.nan
    return None if math.isnan(value) else min(max(value, 0.0), 1.0)


def _evidence_record_id(ids: Ids, evidence_id: str) -> str:
    """Return an id by participant and item: two participants may be told of one item."""
    own = ids[0] if ids else bytes(HASH_BYTES)
    return blake2b(own + bytes.fromhex(evidence_id), digest_size=HASH_BYTES).hexdigest()
