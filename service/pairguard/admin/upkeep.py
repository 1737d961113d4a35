"""``pairguard journal import | prune``: what a running server does by itself, done now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from pairguard.admin.access import opened
from pairguard.admin.output import EXIT_FOUND, EXIT_OK, Output, complain
from pairguard.server.settings import Settings
from pairguard.store.decision_sink import DecisionSink
from pairguard.store.ports import ParticipantStore, RecordKind
from pairguard.store.records import record_of
from pairguard.store.segments.importing import SegmentImporter

_LOCK_SECONDS: Final = 10.0
_BATCH: Final = 500
# Records stand in the order in which they came, their times nearly so: what an importer brought
# late is older than what stands before it.
_LATE_SECONDS: Final = 86_400.0


def import_segments(settings: Settings, output: Output) -> int:
    """Take the local journal over into the store; a server may be running."""
    directory = settings.journal_directory.absolute()
    with opened(settings) as store:
        store.check()
        sink = DecisionSink(
            store,
            directory,
            accept_weak_durability=settings.accept_weak_durability,
            owns_store=False,
        )
        report = SegmentImporter(directory, sink).run_once(lock_timeout_seconds=_LOCK_SECONDS)
    output.tell(
        {
            "complete": report.is_complete,
            "records": report.records,
            "deleted_segments": report.deleted_segments,
            "torn_records": report.torn_records,
            "damaged_records": report.damaged_records,
            "damaged_files": report.damaged_files,
            "unread_segments": report.unread_segments,
        },
        [
            f"imported: {report.records:,} records; done with {report.deleted_segments:,} files",
            f"cut: {report.torn_records:,} torn ends",
            f"skipped: {report.damaged_records:,} damaged places",
            f"set aside: {report.damaged_files:,} files",
        ],
    )
    if report.is_complete:
        return EXIT_OK
    if report.was_locked_out:
        complain("not done: another process has been importing all the while; try again")
    if report.failure is not None:
        complain(f"not all of it: {report.failure}")
    if report.unread_segments:
        complain(f"{report.unread_segments:,} files are left: they cannot be read now")
    return EXIT_FOUND


def prune(
    settings: Settings,
    output: Output,
    *,
    dry_run: bool,
    clock: Callable[[], float] = time.time,
) -> int:
    """Forget what is past its time by the settings, as a server does each hour."""
    with opened(settings) as store:
        if dry_run:
            counts = _past_time(store, settings, clock())
            output.tell(
                {"dry_run": True, "records": counts},
                [
                    *(f"would go: {number:,} records of {kind}" for kind, number in counts.items()),
                    "less those under a legal hold; rows, holds and answers are not counted here",
                ],
            )
            return EXIT_OK
        report = store.purge(now=clock(), retention=settings.retention)
    records = {kind.value: report.records.get(kind, 0) for kind in RecordKind}
    output.tell(
        {
            "dry_run": False,
            "records": records,
            "rows": report.rows,
            "holds": report.holds,
            "answers": report.answers,
            "erasures": report.erasures,
        },
        [
            *(f"gone: {number:,} records of {kind}" for kind, number in records.items()),
            f"gone: {report.rows:,} participant rows",
            f"gone: {report.holds:,} ended holds and {report.answers:,} answers",
            f"done: {report.erasures:,} erasures that had been delayed",
        ],
    )
    return EXIT_OK


def _past_time(store: ParticipantStore, settings: Settings, now: float) -> dict[str, int]:
    """Count records of before the end of their time, by kind; reads only that part."""
    retention = settings.retention
    ages = {
        RecordKind.DECISION: retention.decisions_seconds,
        RecordKind.EVENT: retention.events_seconds,
        RecordKind.EVIDENCE: retention.evidence_seconds,
    }
    counts = {}
    for kind, age in ages.items():
        before, after, number, is_over = now - age, "", 0, False
        while not is_over and (found := store.read_journal(after, _BATCH, kinds=frozenset({kind}))):
            for record in found:
                try:
                    recorded = record_of(kind, record.payload).time
                except ValueError:
                    continue
                number += recorded <= before
                is_over = is_over or recorded > before + _LATE_SECONDS
            after = found[-1].cursor
        counts[kind.value] = number
    return counts
