"""Events for tests of the client."""

from datetime import UTC, datetime, timedelta

from pairguard.client import (
    AppealOutcome,
    AppealResult,
    ChatEnded,
    ChatEnder,
    ChatEndManner,
    ChatStarted,
    Event,
    HoldKind,
    HoldPlaced,
    HoldReleased,
    Modality,
    ParticipantReference,
    PersonalBlock,
    PersonalBlockLifted,
    Report,
    ReportCategory,
    ReviewVerdict,
    Verdict,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.client.events import EventBody

MOMENT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
A = ParticipantReference("a", ["device-1"])
B = ParticipantReference("b")

WHOLE: dict[str, EventBody] = {
    "chat_started": ChatStarted(participant_a=A, participant_b=B, modality=Modality.VIDEO),
    "chat_ended": ChatEnded(
        participant_a=A,
        participant_b=B,
        duration=timedelta(seconds=9.5),
        ender=ChatEnder.PARTICIPANT_B,
        manner=ChatEndManner.SKIPPED,
    ),
    "report": Report(reporter=A, reported=B, category=ReportCategory.SEXTORTION),
    "review_verdict": ReviewVerdict(
        participant=B,
        report_event_ids=["r-1", "r-2"],
        verdict=Verdict.UPHELD,
        category=ReportCategory.SEXTORTION,
        confirmed_age=VerifiedAge(method=VerificationMethod.MODERATOR, age_years=16),
    ),
    "hold_placed": HoldPlaced(
        participant=B, reason_code="CASE_7", kind=HoldKind.LEGAL, expire_time=MOMENT
    ),
    "hold_released": HoldReleased(participant=B, reason_code="OK", kind=HoldKind.LEGAL),
    "personal_block": PersonalBlock(blocker=A, blocked=B),
    "personal_block_lifted": PersonalBlockLifted(blocker=A, blocked=B),
    "appeal_outcome": AppealOutcome(
        participant=B, result=AppealResult.OVERTURNED, appeal_time=MOMENT
    ),
}
"""An event of each kind with all that can be said, by the name of the contract."""


def report(event_id: str = "e-1") -> Event:
    """Return a report with this id."""
    return Event(WHOLE["report"], event_id=event_id)
