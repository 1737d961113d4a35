"""What came of the pairs that met, as far as it was told.

Owns when a decision came to harm, and when enough time has passed to tell: a harm report within the
report window, which counts only as upheld where it was reviewed, as ``harm_labels`` has it; of a
pair whose reports came too late, or of which reviews could not tell, nothing is known. What would
have come of a pair that was stopped is not known to anybody and is not made up here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from pairguard.store.ports import ParticipantStore, RecordKind
from pairguard.store.record_fields import seconds
from pairguard.store.records import parsed
from pairguard.v1 import feedback_service_pb2, journal_pb2
from pairguard_training.harm.reports import NO_HARM_CATEGORIES
from pairguard_training.replaying.journal_source import BATCH
from pairguard_training.replaying.logged import LoggedDecision

SECONDS_PER_DAY: Final = 86_400.0

_UPHELD: Final = feedback_service_pb2.VERDICT_UPHELD
_REVIEWED: Final = {
    value
    for name, value in feedback_service_pb2.Verdict.items()
    if name.removeprefix("VERDICT_") in ("UPHELD", "CLEARED", "INCONCLUSIVE")
}
_CLEARED: Final = feedback_service_pb2.VERDICT_CLEARED


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is known of the pairs that met.

    Attributes:
        harmed: When harm was reported, seconds since 1970, of each decision of which it was.
        window_seconds: How long after a decision a report counts.
        known_until: Up to when reports have come in; None: no outcome was ever recorded.
        mixed: Whether a pair is mixed by ages that are known from elsewhere, by decision; others
            are unknown.
        untold: Decisions of which only reports speak that say neither harm nor none.
    """

    harmed: Mapping[str, float]
    window_seconds: float
    known_until: float | None
    mixed: Mapping[str, bool] = field(default_factory=dict)
    untold: AbstractSet[str] = frozenset()

    def of(self, logged: LoggedDecision) -> bool | None:
        """Return whether a pair that was allowed came to harm; None: not known, or not yet."""
        if self.known_until is None or logged.time + self.window_seconds > self.known_until:
            return None
        reported = self.harmed.get(logged.decision_id)
        if reported is None:
            return None if logged.decision_id in self.untold else False
        # What came too late could not be known of a young pair, and speaks for none.
        return True if reported <= logged.time + self.window_seconds else None


NO_OUTCOMES: Final = Outcomes({}, 0.0, None)
"""Where nothing was ever told."""


@dataclass(slots=True)
class _Report:
    time: float
    chat: str
    decision: str
    reported: str
    upheld: bool = False
    cleared: bool = False
    reviewed: bool = False

    @property
    def stands(self) -> bool:
        return not self.reviewed or (self.upheld and not self.cleared)

    @property
    def is_undecided(self) -> bool:
        return self.reviewed and not self.upheld and not self.cleared


@dataclass(slots=True)
class _Found:
    """When harm was reported, and of what only reports speak of which nobody could tell."""

    harmed: dict[str, float] = field(default_factory=dict)
    untold: set[str] = field(default_factory=set)

    def remember(self, decision_id: str, report: _Report) -> None:
        """Take in a report of a decision; "": of none."""
        if not decision_id:
            return
        if report.stands:
            self.harmed[decision_id] = min(self.harmed.get(decision_id, report.time), report.time)
        else:
            self.untold.add(decision_id)


def journal_outcomes(store: ParticipantStore, *, window_days: float) -> Outcomes:
    """Return what the events of a journal tell; two passes, in memory for the reports alone.

    Args:
        store: Where the journal is.
        window_days: How long after a decision a report counts.

    Raises:
        StoreUnavailable: The store cannot be read.
    """
    reports: dict[str, _Report] = {}
    verdicts: list[feedback_service_pb2.Event] = []
    known_until = None
    for message in _events(store):
        time = seconds(message.receive_time)
        known_until = time if known_until is None else max(known_until, time)
        kind = message.event.WhichOneof("event")
        if kind == "report":
            _add_report(reports, message)
        elif kind == "review_verdict" and _is_on_harm(message.event.review_verdict):
            verdicts.append(message.event)
    unreported = _reviewed(verdicts, reports)
    told = [each for each in reports.values() if each.stands or each.is_undecided] + unreported
    of_chats: dict[str, list[_Report]] = {}
    for each in told:
        if each.chat:
            of_chats.setdefault(each.chat, []).append(each)
    found = _Found()
    for each in told:
        found.remember(each.decision, each)
    for message in _events(store) if of_chats else ():
        event = message.event
        if event.WhichOneof("event") == "chat_started" and event.decision_id:
            for each in of_chats.get(event.chat_id, ()):
                found.remember(event.decision_id, each)
    return Outcomes(found.harmed, window_days * SECONDS_PER_DAY, known_until, untold=found.untold)


def _events(store: ParticipantStore) -> Iterator[journal_pb2.EventRecord]:
    after, kinds = "", frozenset({RecordKind.EVENT})
    while batch := store.read_journal(after, BATCH, kinds=kinds):
        after = batch[-1].cursor
        for each in batch:
            try:
                message: journal_pb2.EventRecord = parsed(RecordKind.EVENT, each.payload)
            except ValueError:
                continue  # what is damaged tells nothing
            yield message


def _is_on_harm(verdict: feedback_service_pb2.ReviewVerdict) -> bool:
    return verdict.verdict in _REVIEWED and not _is_nuisance(verdict.category)


def _is_nuisance(category: feedback_service_pb2.ReportCategory.ValueType) -> bool:
    name = feedback_service_pb2.ReportCategory.Name(category)
    return name.removeprefix("REPORT_CATEGORY_") in NO_HARM_CATEGORIES


def _add_report(reports: dict[str, _Report], message: journal_pb2.EventRecord) -> None:
    event, content = message.event, message.event.report
    if _is_nuisance(content.category):
        return
    reports[event.event_id] = _Report(
        seconds(message.receive_time),
        event.chat_id,
        event.decision_id,
        content.reported.participant_id,
    )


def _reviewed(
    verdicts: list[feedback_service_pb2.Event], reports: Mapping[str, _Report]
) -> list[_Report]:
    """Tell the reports what reviews found; return what they found where nobody had reported.

    Of that it is not known what it says of a pair, but nobody may call the pair harmless.
    """
    unreported: dict[tuple[str, str, str], _Report] = {}
    for event in verdicts:
        if _apply(event, reports):
            continue
        about = event.review_verdict.participant.participant_id
        key = event.chat_id, event.decision_id, about
        if event.review_verdict.verdict == _CLEARED:
            unreported.pop(key, None)
        else:
            unreported[key] = _Report(0.0, *key, reviewed=True)
    return [*unreported.values()]


def _apply(event: feedback_service_pb2.Event, reports: Mapping[str, _Report]) -> bool:
    """Tell the reports that a review speaks of what it found; return whether there are any."""
    verdict = event.review_verdict
    about = verdict.participant.participant_id
    if verdict.report_event_ids:
        meant = [reports[each] for each in verdict.report_event_ids if each in reports]
    else:
        meant = [
            each
            for each in reports.values()
            if event.chat_id and each.chat == event.chat_id and each.reported in ("", about)
        ]
    for each in meant:
        each.reviewed = True
        each.upheld |= verdict.verdict == _UPHELD
        each.cleared |= verdict.verdict == _CLEARED
    return bool(meant)
