"""The figures of the journal: what was recorded, taken over into the store, and forgotten.

Owns their names and labels; ``docs/metrics.md`` explains each to people. It must not know how any
of it is done.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from pairguard.store.ports import PurgeReport
from pairguard.store.segments.importing import ImportReport


class JournalMetrics:
    """Those metrics of one server.

    Args:
        registry: Where they are kept.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lost_decisions = Counter(
            "pairguard_decisions_not_journaled",
            "Decisions that could not be recorded.",
            registry=registry,
        )
        self._journal_sync_errors = Counter(
            "pairguard_journal_sync_errors",
            "Times that recorded decisions could not be put on the disk; they are written again.",
            registry=registry,
        )
        self._imported = Counter(
            "pairguard_journal_imported_records",
            "Decisions that were taken over from local files into the store.",
            registry=registry,
        )
        self._damaged = Counter(
            "pairguard_journal_damaged_records",
            "Records of local files that were lost, by how.",
            ("kind",),
            registry=registry,
        )
        self._import_failing = Gauge(
            "pairguard_journal_import_failing",
            "1 while the store does not take decisions over, else 0.",
            registry=registry,
        )
        self._import_restarts = Gauge(
            "pairguard_journal_import_restarts",
            "Times that the importing process had to be started again.",
            registry=registry,
        )
        self._waiting = Gauge(
            "pairguard_journal_waiting_participants",
            "Ids with decisions that the store does not count yet.",
            registry=registry,
        )
        self._purged = Counter(
            "pairguard_purged",
            "What was forgotten because its time was over, by what it was.",
            ("what",),
            registry=registry,
        )

    def count_lost_decision(self) -> None:
        """Count a decision that could not be recorded."""
        self._lost_decisions.inc()

    def count_journal_sync_error(self) -> None:
        """Count a sync of local files that failed."""
        self._journal_sync_errors.inc()

    def watch_import(
        self,
        *,
        is_failing: Callable[[], bool],
        restarts: Callable[[], int],
        waiting: Callable[[], int],
    ) -> None:
        """Ask for the state of the import whenever somebody looks at the figures."""
        self._import_failing.set_function(lambda: float(is_failing()))
        self._import_restarts.set_function(restarts)
        self._waiting.set_function(waiting)

    def observe_import(self, report: ImportReport) -> None:
        """Count what an import of local files did."""
        if report.was_locked_out:
            return
        self._imported.inc(report.records)
        self._damaged.labels("torn").inc(report.torn_records)
        self._damaged.labels("damaged").inc(report.damaged_records)
        self._damaged.labels("file").inc(report.damaged_files)

    def observe_purge(self, report: PurgeReport) -> None:
        """Count what was forgotten."""
        for kind, count in report.records.items():
            self._purged.labels(kind.value).inc(count)
        for what in ("rows", "holds", "answers", "erasures"):
            self._purged.labels(what).inc(getattr(report, what))
