"""What happened after a decision, as a chat backend tells it.

Owns the values of events. It must not know how they are sent, nor what they change.

Each event is recorded once by its id, however often it is sent. Ranges and lengths are checked by
the service, which refuses an event with the field that is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import uuid4

from pairguard.client.arguments import (
    require_duration,
    require_member,
    require_moment,
    require_text,
    require_texts,
)
from pairguard.client.evidence import VerifiedAge
from pairguard.client.participant import ParticipantReference, require_reference
from pairguard.client.vocabulary import (
    AppealResult,
    ChatEnder,
    ChatEndManner,
    HoldKind,
    Modality,
    ReportCategory,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatStarted:
    """Two participants were connected.

    Attributes:
        participant_a: One of the two.
        participant_b: The other.
        modality: How they talk. None: not told.
    """

    participant_a: ParticipantReference
    participant_b: ParticipantReference
    modality: Modality | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("participant_a", self.participant_a)
        require_reference("participant_b", self.participant_b)
        if self.modality is not None:
            require_member("modality", self.modality, Modality)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEnded:
    """A chat ended.

    Attributes:
        participant_a: One of the two, in either order.
        participant_b: The other.
        duration: How long it lasted. None: unknown, unless its start was recorded.
        ender: Who ended it, by the names of this event. None: not told.
        manner: How it ended. None: not told.
    """

    participant_a: ParticipantReference
    participant_b: ParticipantReference
    duration: timedelta | None = None
    ender: ChatEnder | None = None
    manner: ChatEndManner | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("participant_a", self.participant_a)
        require_reference("participant_b", self.participant_b)
        if self.duration is not None:
            require_duration("duration", self.duration)
        if self.ender is not None:
            require_member("ender", self.ender, ChatEnder)
        if self.manner is not None:
            require_member("manner", self.manner, ChatEndManner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A participant reported another.

    Attributes:
        reporter: Who reports.
        reported: Who is reported.
        category: What for. None: not told.
    """

    reporter: ParticipantReference
    reported: ParticipantReference
    category: ReportCategory | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("reporter", self.reporter)
        require_reference("reported", self.reported)
        if self.category is not None:
            require_member("category", self.category, ReportCategory)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewVerdict:
    """A moderator reviewed a participant.

    Attributes:
        participant: Who was reviewed.
        report_event_ids: Reports that were reviewed, by the ``event_id`` of their events. Empty: it
            followed no report, or speaks of all reports in the event's chat.
        verdict: What was found. None: nothing on conduct, only on age.
        category: What the harm was. None: none, or not told.
        confirmed_age: Age that the review confirmed, with ``VerificationMethod.MODERATOR``. None:
            it confirmed none.
    """

    participant: ParticipantReference
    report_event_ids: Sequence[str] = ()
    verdict: Verdict | None = None
    category: ReportCategory | None = None
    confirmed_age: VerifiedAge | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent, and copy what could change later."""
        require_reference("participant", self.participant)
        require_texts("report_event_ids", self.report_event_ids)
        object.__setattr__(self, "report_event_ids", tuple(self.report_event_ids))
        if self.verdict is None and self.confirmed_age is None:
            raise ValueError("a review needs a verdict or a confirmed_age")
        if self.verdict is not None:
            require_member("verdict", self.verdict, Verdict)
        if self.category is not None:
            require_member("category", self.category, ReportCategory)
        if self.confirmed_age is not None and not isinstance(self.confirmed_age, VerifiedAge):
            raise TypeError(
                f"confirmed_age must be a VerifiedAge, not {type(self.confirmed_age).__name__}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced:
    """Somebody put a hold on a participant.

    Attributes:
        participant: Who is held.
        reason_code: Why, an UPPER_SNAKE code of the caller's; no free text.
        kind: What is held.
        expire_time: When it ends by itself. None: it does not.
    """

    participant: ParticipantReference
    reason_code: str
    kind: HoldKind = HoldKind.PAIRING
    expire_time: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("participant", self.participant)
        require_text("reason_code", self.reason_code)
        require_member("kind", self.kind, HoldKind)
        if self.expire_time is not None:
            require_moment("expire_time", self.expire_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased:
    """Somebody ended a hold.

    Attributes:
        participant: Who is released.
        reason_code: Why, an UPPER_SNAKE code of the caller's; no free text.
        kind: What is released; holds of the other kind stay.
    """

    participant: ParticipantReference
    reason_code: str
    kind: HoldKind = HoldKind.PAIRING

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("participant", self.participant)
        require_text("reason_code", self.reason_code)
        require_member("kind", self.kind, HoldKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalBlock:
    """A participant wants never to meet another again; it holds both ways."""

    blocker: ParticipantReference
    blocked: ParticipantReference

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("blocker", self.blocker)
        require_reference("blocked", self.blocked)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalBlockLifted:
    """A participant took a personal block back; one in the other direction stays."""

    blocker: ParticipantReference
    blocked: ParticipantReference

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("blocker", self.blocker)
        require_reference("blocked", self.blocked)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealOutcome:
    """An appeal against a decision or a hold was decided.

    Attributes:
        participant: Who appealed.
        result: How it ended; an overturned one ends the holds that followed from the decision.
        appeal_time: When the appeal was made. None: unknown.
    """

    participant: ParticipantReference
    result: AppealResult
    appeal_time: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        require_reference("participant", self.participant)
        require_member("result", self.result, AppealResult)
        if self.appeal_time is not None:
            require_moment("appeal_time", self.appeal_time)


EventBody: TypeAlias = (
    ChatStarted
    | ChatEnded
    | Report
    | ReviewVerdict
    | HoldPlaced
    | HoldReleased
    | PersonalBlock
    | PersonalBlockLifted
    | AppealOutcome
)
"""What can happen."""


def _new_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Keep the value, or its ``event_id``, until it is recorded: sent again under the same id it
    counts once.

    Attributes:
        body: What happened.
        chat_id: The caller's id of the chat that it belongs to. Needed for the start and the end
            of a chat. Empty: none.
        decision_id: The decision that it follows from. Empty: none; a chat that starts without one
            is counted as a bypass.
        event_time: When it happened, at most seven days ago. None: when the service receives it,
            so give it where that may be later.
        event_id: The caller's id of the event. A fresh one unless given.

    Raises:
        TypeError: A field has another type.
        ValueError: ``event_id`` is empty, the start or end of a chat has no ``chat_id``, or
            ``event_time`` has no time zone.
    """

    body: EventBody
    chat_id: str = field(default="", kw_only=True)
    decision_id: str = field(default="", kw_only=True)
    event_time: datetime | None = field(default=None, kw_only=True)
    event_id: str = field(default_factory=_new_id, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        if not isinstance(self.body, EventBody):
            raise TypeError(
                f"body must be one of the kinds of events, not {type(self.body).__name__}"
            )
        for name in ("chat_id", "decision_id", "event_id"):
            require_text(name, getattr(self, name))
        if not self.event_id:
            raise ValueError("event_id must not be empty; leave it out for a fresh one")
        if not self.chat_id and isinstance(self.body, (ChatStarted, ChatEnded)):
            raise ValueError("the start and the end of a chat need its chat_id")
        if self.event_time is not None:
            require_moment("event_time", self.event_time)
