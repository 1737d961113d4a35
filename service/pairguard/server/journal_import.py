"""How recorded decisions reach the store, and who is told.

Owns the child process that imports, the import in place when somebody cannot wait, and what follows
from both: figures, and that imported decisions are no longer counted as recent.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pairguard.server.metrics import Metrics
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.settings import Settings
from pairguard.store.decision_sink import DecisionSink
from pairguard.store.ports import ParticipantStore
from pairguard.store.segments.importing import ImportReport, SegmentImporter
from pairguard.store.segments.worker import ImportProcess, SinkSource

INTERVAL_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 10.0


class JournalImport:
    """Imports the decisions of this machine.

    Args:
        settings: Names the store and the directory, for the child.
        store: The same store, for imports in place.
        recent: What is not imported yet.
        metrics: Where imports are counted.
        in_child: Import in a process of its own; otherwise in a thread of this one.
    """

    def __init__(
        self,
        settings: Settings,
        store: ParticipantStore,
        recent: RecentDecisions,
        metrics: Metrics,
        *,
        in_child: bool = True,
    ) -> None:
        self._directory = settings.journal_directory.absolute()
        self._recent = recent
        self._metrics = metrics
        self._ends: dict[str, int] = {}
        self._has_failed = False
        self._has_begun = False
        metrics.watch_import(
            is_failing=self._is_failing,
            restarts=lambda: self.restarts,
            waiting=lambda: recent.waiting,
        )
        self._lock = threading.Lock()
        accept_weak = settings.accept_weak_durability
        self._importer = SegmentImporter(
            self._directory,
            DecisionSink(
                store, self._directory, accept_weak_durability=accept_weak, owns_store=False
            ),
        )
        self._process: ImportProcess | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        if in_child:
            source = SinkSource(
                "pairguard.store.decision_sink:build_sink",
                (
                    settings.absolute_store,
                    _text(settings.key_file),
                    _text(settings.store_password_file),
                    str(self._directory),
                    "true" if accept_weak else "false",
                ),
            )
            self._process = ImportProcess(
                self._directory, source, interval_seconds=INTERVAL_SECONDS, on_report=self._take
            )

    def start(self) -> None:
        """Begin."""
        self._has_begun = True
        if self._process is not None:
            self._process.start()
        else:
            self._thread = threading.Thread(target=self._run, name="journal-import", daemon=True)
            self._thread.start()

    def flush(self, timeout_seconds: float) -> bool:
        """Import in place what was recorded before this call; return whether all of it is."""
        report = self._importer.run_once(lock_timeout_seconds=timeout_seconds)
        self._take(report)
        return report.is_complete

    def stop(self) -> None:
        """Import what is left, as far as that can be done now, and end."""
        self._stopping.set()
        if self._process is not None:
            self._process.stop(_STOP_SECONDS)
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            self.flush(_STOP_SECONDS)

    @property
    def restarts(self) -> int:
        """How many times the child has ended without being asked to."""
        return 0 if self._process is None else self._process.restarts

    def _is_failing(self) -> bool:
        """Return whether nothing is taken over now: the store refuses it, or nobody does it."""
        is_there = self._process is None or self._process.process_id is not None
        return self._has_failed or (self._has_begun and not is_there)

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_SECONDS):
            self.flush(0.0)

    def _take(self, report: ImportReport) -> None:
        with self._lock:
            self._learn(report.imported_ends)
            self._recent.settle(self._is_imported)
        self._metrics.observe_import(report)
        if not report.was_locked_out:
            self._has_failed = report.failure is not None

    def _learn(self, ends: Mapping[str, int]) -> None:
        for segment, end in ends.items():
            self._ends[segment] = max(end, self._ends.get(segment, 0))
        if len(self._ends) > 64:
            self._ends = {s: end for s, end in self._ends.items() if self._is_there(s)}

    def _is_imported(self, segment: str, end: int) -> bool:
        # A segment is deleted only once all of it is imported.
        return self._ends.get(segment, 0) >= end or not self._is_there(segment)

    def _is_there(self, segment: str) -> bool:
        return (self._directory / segment).exists()


def _text(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())
