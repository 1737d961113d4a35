"""Records of chats for tests of stores, as the service makes them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from pairguard.store.ports import JournalRecord
from pairguard.store.records import event_record
from pairguard.v1 import feedback_service_pb2, journal_pb2, participant_pb2

NOON = 1_700_000_000


def hashed(name: str) -> bytes:
    """Return what stands for an id."""
    return blake2b(name.encode(), digest_size=16).digest()


def started(name: str, a: Sequence[str], b: Sequence[str], time: int = NOON) -> JournalRecord:
    """Return the start of a chat of two participants, each told by its ids."""
    message = _event("start", name, time)
    _fill(message.event.chat_started.participant_a, a)
    _fill(message.event.chat_started.participant_b, b)
    message.sealed_chat_id = b"sealed"
    return event_record(message)


def ended(name: str, a: Sequence[str], b: Sequence[str], time: int = NOON + 60) -> JournalRecord:
    """Return the end of a chat of a minute, with partners known to be adults."""
    message = _event("end", name, time)
    content = message.event.chat_ended
    _fill(content.participant_a, a)
    _fill(content.participant_b, b)
    content.ender = feedback_service_pb2.CHAT_ENDER_PARTICIPANT_A
    message.chat_duration.seconds = 60
    message.participant_a_probability_minor = 0.25
    message.participant_b_probability_minor = 0.125
    return event_record(message)


def reported(name: str, a: Sequence[str], b: Sequence[str], time: int = NOON + 70) -> JournalRecord:
    """Return a report of the first against the second."""
    message = _event("report", name, time)
    _fill(message.event.report.reporter, a)
    _fill(message.event.report.reported, b)
    message.event.report.category = feedback_service_pb2.REPORT_CATEGORY_SEXTORTION
    return event_record(message)


def blocked(name: str, a: Sequence[str], b: Sequence[str], time: int = NOON + 80) -> JournalRecord:
    """Return a block that the first asked for against the second."""
    message = _event("block", name, time)
    _fill(message.event.personal_block.blocker, a)
    _fill(message.event.personal_block.blocked, b)
    return event_record(message)


def placed(
    name: str, a: Sequence[str], *, legal: bool, time: int = NOON, end: int | None = None
) -> JournalRecord:
    """Return a hold that the platform placed."""
    message = _event("hold", name, time)
    content = message.event.hold_placed
    _fill(content.participant, a)
    content.kind = (
        feedback_service_pb2.HOLD_KIND_LEGAL if legal else feedback_service_pb2.HOLD_KIND_PAIRING
    )
    content.reason_code = "CASE_7"
    if end is not None:
        content.expire_time.seconds = end
    return event_record(message)


def released(name: str, a: Sequence[str], *, time: int = NOON) -> JournalRecord:
    """Return the platform's release of all holds."""
    message = _event("release", name, time)
    _fill(message.event.hold_released.participant, a)
    return event_record(message)


def reviewed(
    name: str, ids: Sequence[str], *, upheld: bool, report: str, time: int = NOON + 90
) -> JournalRecord:
    """Return a review of a report: one that upholds holds for a day.

    One that clears was prepared by somebody who knew of no other harm, and ends that hold.
    """
    message = _event("review", name, time)
    content = message.event.review_verdict
    _fill(content.participant, ids)
    content.report_event_ids.append(hashed(f"report {report}").hex())
    if upheld:
        content.verdict = feedback_service_pb2.VERDICT_UPHELD
        message.hold_duration.FromSeconds(86_400)
    else:
        content.verdict = feedback_service_pb2.VERDICT_CLEARED
        message.ended_hold_reasons.append("UPHELD_HARM")
    return event_record(message)


def overturned(
    name: str, ids: Sequence[str], *, until: int | None = None, time: int = NOON + 95
) -> JournalRecord:
    """Return an appeal that takes back what was upheld until a time, prepared like a review."""
    message = _event("appeal", name, time)
    _fill(message.event.appeal_outcome.participant, ids)
    message.event.appeal_outcome.result = feedback_service_pb2.APPEAL_RESULT_OVERTURNED
    message.ended_hold_reasons.append("UPHELD_HARM")
    if until is not None:
        message.exonerated_until_time.seconds = until
    return event_record(message)


def _event(kind: str, name: str, time: int) -> journal_pb2.EventRecord:
    message = journal_pb2.EventRecord(record_version=1)
    message.event.event_id = hashed(f"{kind} {name}").hex()
    message.event.chat_id = hashed(f"chat {name}").hex()
    message.event.decision_id = f"decision-{name}"
    message.receive_time.seconds = time
    return message


def _fill(reference: participant_pb2.ParticipantReference, ids: Sequence[str]) -> None:
    reference.participant_id = hashed(ids[0]).hex()
    reference.linked_ids.extend(hashed(each).hex() for each in ids[1:])
