"""What an event or an item of evidence does to what is kept.

Owns the one meaning of each: which rows it changes and how, which holds begin or end. It must not
know where anything is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from pairguard.history.changes import (
    Blocked,
    Change,
    ChatEnded,
    ChatStarted,
    EvidenceKept,
    Exonerated,
    Exposed,
    Linked,
    ReportMade,
    ReportReceived,
    Reviewed,
    ReviewResult,
)
from pairguard.history.row import SKIP_SECONDS
from pairguard.store.ports import LEGAL_HOLD, Hold, HoldChange
from pairguard.store.record_fields import (
    Ids,
    event_participants,
    optional_probability,
    seconds,
)
from pairguard.v1 import feedback_service_pb2, journal_pb2, participant_pb2

UPHELD_HARM: Final = "UPHELD_HARM"
"""Reason of the hold that follows from an upheld review."""
BELOW_MINIMUM_AGE: Final = "BELOW_MINIMUM_AGE"
"""Reason of the hold that follows from an age."""
PLATFORM_HOLD_PREFIX: Final = "PLATFORM_"
"""Begins the stored reason of a hold that the caller placed, so that it is never one of ours."""

Changes = dict[bytes, tuple[Change, ...]]
"""What changes in the row of each id."""

_NOT_BY_CHOICE: Final = frozenset(
    {
        feedback_service_pb2.CHAT_END_MANNER_CONNECTION_LOST,
        feedback_service_pb2.CHAT_END_MANNER_TIME_LIMIT,
        feedback_service_pb2.CHAT_END_MANNER_MODERATED,
        feedback_service_pb2.CHAT_END_MANNER_UNSAFE,
    }
)
_NUISANCES: Final = frozenset(
    {
        feedback_service_pb2.REPORT_CATEGORY_SPAM,
        feedback_service_pb2.REPORT_CATEGORY_UNDERAGE,
    }
)
"""What is no harm that somebody did to another."""
_REVIEW_RESULTS: Final = {
    feedback_service_pb2.VERDICT_UPHELD: ReviewResult.UPHELD,
    feedback_service_pb2.VERDICT_CLEARED: ReviewResult.CLEARED,
}


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


def kept_by(ids: Ids, kept: EvidenceKept) -> Changes:
    """Return what an item changes: it is the participant's own, and others may share its links."""
    linked = replace(kept, own=False)
    return {each: (linked if place else kept,) for place, each in enumerate(ids)}


def review_of(message: journal_pb2.EventRecord) -> Reviewed | None:
    """Return what a review says of a harm; None: nothing."""
    event, content = message.event, message.event.review_verdict
    result = _REVIEW_RESULTS.get(content.verdict)
    if result is None:
        return None
    reports = tuple(content.report_event_ids)
    if result is ReviewResult.CLEARED and not reports and content.category in _NUISANCES:
        # It would clear all reports of its chat, and end the hold for a harm that was upheld there.
        return None
    return Reviewed(seconds(message.receive_time), event.event_id, result, reports, event.chat_id)


def effect_of(
    message: journal_pb2.EventRecord, participants: tuple[Ids, ...] | None = None
) -> Effect:
    """Return what an event does.

    Args:
        message: The event.
        participants: Who is in it, where that was read already (``event_participants``).
    """
    if participants is None:
        participants = event_participants(message.event)
    effect = Effect(message, participants)
    _EFFECTS[message.event.WhichOneof("event") or ""](effect)
    return effect


class Effect:
    """What one event does.

    Attributes:
        participants: The ids of everybody in it, as ``event_participants`` returns them.
        time: When it was received, seconds since 1970.
        changes: What it changes in the rows, by id.
        holds: Which holds it begins and ends.
    """

    def __init__(self, message: journal_pb2.EventRecord, participants: tuple[Ids, ...]) -> None:
        self.message = message
        self.participants = participants
        self.event = message.event
        self.time = seconds(message.receive_time)
        self.changes: Changes = {}
        self.holds: list[HoldChange] = []

    def change(self, ids: Ids, *changes: Change) -> None:
        """Add changes to the row of each of these ids."""
        for each in ids:
            earlier = self.changes.get(each)
            self.changes[each] = changes if earlier is None else earlier + changes

    def probabilities(self) -> tuple[float | None, float | None]:
        """Return each participant's probability of being a minor as decided, None if unknown."""
        return (
            optional_probability(self.message, "participant_a_probability_minor"),
            optional_probability(self.message, "participant_b_probability_minor"),
        )

    def hold(self, ids: Ids, reason: str, expire_time: float | None) -> None:
        """Begin a hold of these ids; without an expiry it lasts until it is released."""
        if ids:
            self.holds.append(HoldChange(ids, Hold(reason, self.time, expire_time)))

    def release(
        self, ids: Ids, reasons: frozenset[str] | None, *, unless_upheld: bool = False
    ) -> None:
        """End the holds of these ids, those with these reasons; None is every reason."""
        if ids and (reasons is None or reasons):
            self.holds.append(HoldChange(ids, ended_reasons=reasons, unless_upheld=unless_upheld))

    def release_found(self, ids: Ids) -> None:
        """End the holds that the service found to end; those for conduct unless a harm stands."""
        ended = frozenset(self.message.ended_hold_reasons)
        self.release(ids, ended & {BELOW_MINIMUM_AGE})
        self.release(ids, ended - {BELOW_MINIMUM_AGE}, unless_upheld=True)


def _chat_started(effect: Effect) -> None:
    event = effect.event
    a, b = effect.participants
    start_time = seconds(event.event_time) if event.HasField("event_time") else None
    for own, partner in ((a, b), (b, a)):
        started = ChatStarted(
            effect.time,
            event.chat_id,
            partner,
            event.decision_id,
            effect.message.sealed_chat_id,
            start_time,
        )
        effect.change(own, started)
        if len(own) > 1:
            effect.change(own[:1], Linked(effect.time, own[1:]))
    exposure = optional_probability(effect.message, "exposure")
    if exposure is not None:
        for own, minor in zip((a, b), effect.probabilities(), strict=True):
            effect.change(own, Exposed(effect.time, exposure, minor))


def _chat_ended(effect: Effect) -> None:
    event, content = effect.event, effect.event.chat_ended
    a, b = effect.participants
    minor_a, minor_b = effect.probabilities()
    message = effect.message
    duration = seconds(message.chat_duration) if message.HasField("chat_duration") else None
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


def _report(effect: Effect) -> None:
    event, content = effect.event, effect.event.report
    reporter, reported = effect.participants
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


def _review_verdict(effect: Effect) -> None:
    event, content, message = effect.event, effect.event.review_verdict, effect.message
    (ids,) = effect.participants
    reviewed = review_of(message)
    if reviewed is not None:
        effect.change(ids, reviewed)
    if message.HasField("hold_duration"):
        length = seconds(message.hold_duration)
        effect.hold(ids, UPHELD_HARM, effect.time + length)
    effect.release_found(ids)
    if content.HasField("confirmed_age"):
        item = participant_pb2.AgeEvidence(
            evidence_id=event.event_id,
            observed_time=(
                event.event_time if event.HasField("event_time") else message.receive_time
            ),
            binding=participant_pb2.BINDING_LIVE_PERSON,
            verified_age=content.confirmed_age,
        )
        for each, changes in kept_by(ids, evidence_change(item, effect.time)).items():
            effect.change((each,), *changes)


def _hold_placed(effect: Effect) -> None:
    content = effect.event.hold_placed
    legal = content.kind == feedback_service_pb2.HOLD_KIND_LEGAL
    reason = LEGAL_HOLD if legal else f"{PLATFORM_HOLD_PREFIX}{content.reason_code}"[:64]
    expire_time = seconds(content.expire_time) if content.HasField("expire_time") else None
    effect.hold(effect.participants[0], reason, expire_time)


def _hold_released(effect: Effect) -> None:
    content = effect.event.hold_released
    legal = content.kind == feedback_service_pb2.HOLD_KIND_LEGAL
    effect.release(effect.participants[0], frozenset({LEGAL_HOLD}) if legal else None)


def _personal_block(effect: Effect) -> None:
    _block(effect, *effect.participants, lifted=False)


def _personal_block_lifted(effect: Effect) -> None:
    _block(effect, *effect.participants, lifted=True)


def _block(effect: Effect, blocker: Ids, blocked: Ids, *, lifted: bool) -> None:
    effect.change(blocker, Blocked(effect.time, blocked, by_this=True, lifted=lifted))
    effect.change(blocked, Blocked(effect.time, blocker, by_this=False, lifted=lifted))


def _appeal_outcome(effect: Effect) -> None:
    content = effect.event.appeal_outcome
    if content.result == feedback_service_pb2.APPEAL_RESULT_OVERTURNED:
        (ids,) = effect.participants
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
        effect.release_found(ids)


def _nothing(_effect: Effect) -> None:
    """A kind of event that a newer program recorded changes nothing here."""


_EFFECTS: Final[Mapping[str, Callable[[Effect], None]]] = {
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
