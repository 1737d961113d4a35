"""Reports against a participant, and what reviews said of them.

Owns three names of the ledger: ``reports``, ``verdicts`` (by the hash of a report, ``chat:`` and
the hash of a chat, or ``review:`` and the hash of a review that named neither) and ``exonerated``
(until when all that was upheld was found to be wrong). A report counts if its reporter met the
reported, before or after; cleared ones do not. Whatever arrives first waits for the rest, but for a
review that cleared a chat: it says nothing of what is reported after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from pairguard.history.changes import ReportReceived, Reviewed, ReviewResult
from pairguard.history.people import distinct_people
from pairguard.history.sections import Ledger

KEEP_REPORTS_SECONDS: Final = 365 * 86_400.0
MAX_REPORTS: Final = 256

_Report = dict[str, Any]
_Verdict = tuple[float, bool]
"""When it was, and whether it was UPHELD; of two at one time that is the greater."""


@dataclass(frozen=True, slots=True)
class CountedReports:
    """The reports that count, of the last year.

    Attributes:
        reports: Time, category and reporter's ids of each.
        upheld: How many reports, chats or reviews were upheld within the year and still are.
    """

    reports: tuple[tuple[float, str, Sequence[str]], ...] = ()
    upheld: int = 0

    def reporters(self, since: float = -inf, among: frozenset[str] | None = None) -> int:
        """Return how many people reported after a time; ``among``: for one of these categories."""
        return distinct_people(
            [
                by
                for time, category, by in self.reports
                if time > since and (among is None or category in among)
            ]
        )


_NONE: Final = CountedReports()


def add_report(ledger: Ledger, change: ReportReceived, *, met: bool) -> None:
    """Take note of a report; ``met``: whether the reporter is known to have met the reported."""
    reports: list[_Report] = ledger.setdefault("reports", [])
    if any(report["id"] == change.report for report in reports):
        return
    reports.append(
        {
            "id": change.report,
            "time": change.time,
            "chat": change.chat,
            "category": change.category,
            "by": [each.hex() for each in change.reporter],
            "met": met,
        }
    )
    oldest = change.time - KEEP_REPORTS_SECONDS
    kept = [each for each in reports if each["time"] > oldest]
    ledger["reports"] = _capped(kept) if len(kept) > MAX_REPORTS else kept


def mark_met(ledger: Ledger, partner: Sequence[bytes]) -> None:
    """Take note that the participant met another, whose reports count from now on."""
    waiting = [report for report in ledger.get("reports", ()) if not report["met"]]
    if waiting:
        names = {each.hex() for each in partner}
        for report in waiting:
            report["met"] = not names.isdisjoint(report["by"])


def add_review(ledger: Ledger, change: Reviewed) -> None:
    """Take note of a review; each report has the word of its last one."""
    verdicts = ledger.setdefault("verdicts", {})
    subjects = change.reports or ((f"chat:{change.chat}",) if change.chat else ())
    new = (change.time, change.result == ReviewResult.UPHELD)
    for subject in subjects or (f"review:{change.review}",):
        if new >= _verdict(verdicts.get(subject, (-inf, ""))):
            verdicts[subject] = [change.time, str(change.result)]
    oldest = change.time - KEEP_REPORTS_SECONDS
    ledger["verdicts"] = {key: each for key, each in verdicts.items() if each[0] > oldest}


def exonerate(ledger: Ledger, time: float) -> None:
    """Take note that whatever was upheld until a time was found to be wrong."""
    ledger["exonerated"] = max(ledger.get("exonerated", -inf), time)


def unlink_reports(ledger: Ledger, names: Mapping[str, str]) -> None:
    """Put other hashes in the place of a reporter's, so that counts stay."""
    for report in ledger.get("reports", ()):
        report["by"] = [names.get(each, each) for each in report["by"]]


def counted_reports(ledgers: Sequence[Ledger], now: float) -> CountedReports:
    """Return the reports that count at a time, each once, over the ids of one participant."""
    if not any("reports" in ledger or "verdicts" in ledger for ledger in ledgers):
        return _NONE
    verdicts = _verdicts(ledgers)
    by_id: dict[str, _Report] = {}
    for ledger in ledgers:
        for report in ledger.get("reports", ()):
            if report["met"] or report["id"] not in by_id:
                by_id[report["id"]] = report
    oldest = now - KEEP_REPORTS_SECONDS
    counted = []
    words = dict(verdicts)
    for name, report in by_id.items():
        word = _word_on(report, verdicts)
        if word is not None and name in words:
            # The last review of its chat may have said otherwise than that of the report.
            words[name] = word
        cleared = word is not None and not word[1]
        if report["met"] and report["time"] > oldest and not cleared:
            counted.append((report["time"], report["category"], report["by"]))
    upheld = sum(1 for time, is_upheld in words.values() if is_upheld and time > oldest)
    return CountedReports(tuple(counted), upheld)


def _capped(reports: list[_Report]) -> list[_Report]:
    """Return the reports without one too many.

    First goes one by somebody who is not known to have met the participant, then one that its
    reporter made again, then the oldest: nobody can flood out what others reported.
    """
    index = next((i for i, each in enumerate(reports) if not each["met"]), None)
    if index is None:
        last: dict[tuple[str, str], int] = {}
        for place, each in enumerate(reports):
            last |= {(name, each["category"]): place for name in each["by"]}
        repeated = (
            place
            for place, each in enumerate(reports)
            if any(last[name, each["category"]] != place for name in each["by"])
        )
        oldest = min(range(len(reports)), key=lambda place: reports[place]["time"])
        index = next(repeated, oldest)
    return [*reports[:index], *reports[index + 1 :]]


def _verdict(entry: Sequence[Any]) -> _Verdict:
    return entry[0], entry[1] == ReviewResult.UPHELD


def _verdicts(ledgers: Iterable[Ledger]) -> dict[str, _Verdict]:
    latest: dict[str, _Verdict] = {}
    for ledger in ledgers:
        exonerated = ledger.get("exonerated", -inf)
        for subject, entry in ledger.get("verdicts", {}).items():
            verdict = _verdict(entry)
            if verdict[1] and verdict[0] <= exonerated:
                verdict = (exonerated, False)
            latest[subject] = max(latest.get(subject, verdict), verdict)
    return latest


def _word_on(report: _Report, verdicts: Mapping[str, _Verdict]) -> _Verdict | None:
    """Return the last word on a report: of its own review or of one of its chat; None: neither."""
    own = verdicts.get(report["id"])
    of_chat = verdicts.get(f"chat:{report['chat']}") if report["chat"] else None
    if of_chat is not None and not of_chat[1] and of_chat[0] < report["time"]:
        of_chat = None  # whoever looked at the chat did not know of this
    if own is None or of_chat is None:
        return own or of_chat
    return max(own, of_chat)
