"""Events from messages to events that can be recorded, or to everything that is wrong with them.

Owns every limit that the contract sets on one event. It must not know what an event changes, nor
how one is kept (``record_hashing``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.server.evidence_conversion import CLOCK_TOLERANCE_SECONDS, EvidenceReader
from pairguard.server.field_limits import (
    IN_FUTURE,
    TIME_RANGE,
    TOO_LONG,
    check_id,
    check_ids,
    seconds_of,
    too_long,
)
from pairguard.server.reference_conversion import (
    DECISION_ID,
    check_two,
    is_decision_id,
    read_reference,
)
from pairguard.server.violations import (
    FIELD_INVALID,
    REQUIRED,
    UNKNOWN_ENUM_NUMBER,
    RefusedItem,
    Violations,
)
from pairguard.v1 import assessment_pb2, feedback_service_pb2, participant_pb2

EVENT_TOO_OLD: Final = "EVENT_TOO_OLD"
EVENT_IN_FUTURE: Final = "EVENT_IN_FUTURE"

MAX_EVENT_AGE_SECONDS: Final = 7 * 86_400.0
MAX_CHAT_SECONDS: Final = 86_400
"""Nobody chats longer with one stranger: a longer chat is a mistaken unit."""
MAX_REPORT_IDS: Final = 100

_TOO_OLD = "must lie at most seven days ago"
_DURATION = "must be from 0 s to 24 h, nanos from 0 to 999,999,999"
_REASON_CODE = "must be from 1 to 64 characters, A-Z, 0-9 and _, the first a letter"
_NOT_AHEAD = "must lie in the future"
_NO_VERDICT = "is required where no age is confirmed"
_MODERATOR = "must be VERIFICATION_METHOD_MODERATOR"
_UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")

_MODALITIES: Final = frozenset(assessment_pb2.Modality.values())
_ENDERS: Final = frozenset(feedback_service_pb2.ChatEnder.values())
_MANNERS: Final = frozenset(feedback_service_pb2.ChatEndManner.values())
_CATEGORIES: Final = frozenset(feedback_service_pb2.ReportCategory.values())
_VERDICTS: Final = frozenset(feedback_service_pb2.Verdict.values())
_HOLD_KINDS: Final = frozenset(feedback_service_pb2.HoldKind.values())
_APPEAL_RESULTS: Final = frozenset(feedback_service_pb2.AppealResult.values())


def is_reason_code(text: str) -> bool:
    """Return whether a text is an UPPER_SNAKE code, which no free text is."""
    return _UPPER_SNAKE.fullmatch(text) is not None


def check_event(message: feedback_service_pb2.Event, now: float) -> RefusedItem | None:
    """Return why an event cannot be recorded; None: it can, and its message is the value.

    Args:
        message: What was sent.
        now: The server's clock, seconds since 1970.

    Returns:
        The violations, by paths from the event on, with the reason ``EVENT_TOO_OLD`` or
        ``EVENT_IN_FUTURE`` if that is all that is wrong, and ``FIELD_INVALID`` otherwise.
    """
    violations = Violations()
    check_id(message.event_id, "event_id", violations)
    decision_id = message.decision_id
    if decision_id and not is_decision_id(decision_id):
        violations.add("decision_id", DECISION_ID)
    kind = message.WhichOneof("event")
    if kind in {"chat_started", "chat_ended"}:
        check_id(message.chat_id, "chat_id", violations)
    elif too_long(message.chat_id):
        violations.add("chat_id", TOO_LONG)
    if kind is None:
        violations.add("event", "exactly one that this service knows is required")
    else:
        _CHECKS[kind](_Body(kind, getattr(message, kind), now, violations))
    reason = FIELD_INVALID
    if message.HasField("event_time"):
        reason = _event_time(message.event_time, now, violations)
    if not len(violations):
        return None
    return violations.refused_item(reason if len(violations) == 1 else FIELD_INVALID)


def _event_time(time: Timestamp, now: float, violations: Violations) -> str:
    """Check when an event happened; return the reason to refuse it if this is all there is."""
    seconds = seconds_of(time)
    if seconds is None:
        violations.add("event_time", TIME_RANGE)
    elif seconds > now + CLOCK_TOLERANCE_SECONDS:
        violations.add("event_time", IN_FUTURE)
        return EVENT_IN_FUTURE
    elif seconds < now - MAX_EVENT_AGE_SECONDS:
        violations.add("event_time", _TOO_OLD)
        return EVENT_TOO_OLD
    return FIELD_INVALID


class _Body:
    """What happened, and the checks that its kinds share."""

    __slots__ = ("message", "name", "now", "violations")

    def __init__(self, name: str, message: Any, now: float, violations: Violations) -> None:
        self.name = name
        self.message = message
        self.now = now
        self.violations = violations

    def refuse(self, field: str, description: str) -> None:
        """Remember a violation of a field of this body."""
        self.violations.add(f"{self.name}.{field}", description)

    def one(self, field: str) -> tuple[str, ...]:
        """Return the ids of a participant that is required."""
        if self.message.HasField(field):
            reference: participant_pb2.ParticipantReference = getattr(self.message, field)
            return read_reference(reference, f"{self.name}.{field}", self.violations)
        self.refuse(field, REQUIRED)
        return ()

    def two(self, first: str, second: str) -> None:
        """Check two participants, who must not be the same one."""
        names = f"{self.name}.{first}", f"{self.name}.{second}"
        check_two(self.one(first), self.one(second), names, self.violations)

    def enum(self, field: str, known: frozenset[int], *, required: bool = False) -> int:
        """Return the number of an enum, which must be one that is known."""
        number: int = getattr(self.message, field)
        if number not in known:
            self.refuse(field, UNKNOWN_ENUM_NUMBER)
        elif required and not number:
            self.refuse(field, REQUIRED)
        return number

    def time(self, field: str) -> float | None:
        """Return a time in seconds since 1970; None: absent or refused."""
        if not self.message.HasField(field):
            return None
        seconds = seconds_of(getattr(self.message, field))
        if seconds is None:
            self.refuse(field, TIME_RANGE)
        return seconds

    def reason_code(self) -> None:
        """Check the code that says why."""
        text: str = self.message.reason_code
        if not is_reason_code(text):
            self.refuse("reason_code", _REASON_CODE if text else REQUIRED)


def _chat_started(body: _Body) -> None:
    body.two("participant_a", "participant_b")
    body.enum("modality", _MODALITIES)


def _chat_ended(body: _Body) -> None:
    body.two("participant_a", "participant_b")
    body.enum("ender", _ENDERS)
    body.enum("manner", _MANNERS)
    if body.message.HasField("duration") and not _is_chat_duration(body.message.duration):
        body.refuse("duration", _DURATION)


def _is_chat_duration(duration: Duration) -> bool:
    seconds, nanos = duration.seconds, duration.nanos
    if not (0 <= seconds <= MAX_CHAT_SECONDS and 0 <= nanos <= 999_999_999):
        return False
    return seconds < MAX_CHAT_SECONDS or nanos == 0


def _report(body: _Body) -> None:
    body.two("reporter", "reported")
    body.enum("category", _CATEGORIES)


def _review_verdict(body: _Body) -> None:
    body.one("participant")
    message: feedback_service_pb2.ReviewVerdict = body.message
    if message.report_event_ids:
        field = f"{body.name}.report_event_ids"
        check_ids(message.report_event_ids, field, MAX_REPORT_IDS, body.violations)
    verdict = body.enum("verdict", _VERDICTS)
    body.enum("category", _CATEGORIES)
    if not message.HasField("confirmed_age"):
        if not verdict:
            body.refuse("verdict", _NO_VERDICT)
        return
    age = message.confirmed_age
    EvidenceReader(body.name, body.now, body.violations).read_verified_age(age, "confirmed_age")
    # What the reader refuses, a method that is missing or unknown, is not refused again.
    if age.method in {
        participant_pb2.VERIFICATION_METHOD_ID_DOCUMENT,
        participant_pb2.VERIFICATION_METHOD_DIGITAL_WALLET,
    }:
        body.refuse("confirmed_age.method", _MODERATOR)


def _hold_placed(body: _Body) -> None:
    body.one("participant")
    body.enum("kind", _HOLD_KINDS)
    body.reason_code()
    expire_time = body.time("expire_time")
    if expire_time is not None and expire_time <= body.now:
        body.refuse("expire_time", _NOT_AHEAD)


def _hold_released(body: _Body) -> None:
    body.one("participant")
    body.enum("kind", _HOLD_KINDS)
    body.reason_code()


def _personal_block(body: _Body) -> None:
    body.two("blocker", "blocked")


def _appeal_outcome(body: _Body) -> None:
    body.one("participant")
    body.enum("result", _APPEAL_RESULTS, required=True)
    appeal_time = body.time("appeal_time")
    if appeal_time is not None and appeal_time > body.now + CLOCK_TOLERANCE_SECONDS:
        body.refuse("appeal_time", IN_FUTURE)


_CHECKS: Final[Mapping[str, Callable[[_Body], None]]] = {
    "chat_started": _chat_started,
    "chat_ended": _chat_ended,
    "report": _report,
    "review_verdict": _review_verdict,
    "hold_placed": _hold_placed,
    "hold_released": _hold_released,
    "personal_block": _personal_block,
    "personal_block_lifted": _personal_block,
    "appeal_outcome": _appeal_outcome,
}
