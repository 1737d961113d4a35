"""A process of its own that imports, so that serving does not pay for it.

Owns the child's loop and, in the parent, its life. It must not know what a sink is made of: the
child builds it from the name of a function and plain arguments.
"""

from __future__ import annotations

import json
import os
import pkgutil
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pairguard.errors import StoreUnavailable
from pairguard.store.segments.importing import ImportReport, RecordSink, SegmentImporter

_MAX_RETRY_SECONDS = 5.0
_LAST_IMPORT_SECONDS = 30.0
_MAX_RESTART_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SinkSource:
    """How a sink is built, in whatever process.

    Attributes:
        factory: ``package.module:function``; called with the arguments, returns a ``RecordSink``.
        arguments: Plain text; no secrets, everybody on the machine can read them.
    """

    factory: str
    arguments: tuple[str, ...] = ()

    def build(self) -> RecordSink:
        """Build the sink.

        Raises:
            StoreUnavailable: The sink cannot be had now.
            ImportError, AttributeError, ValueError: There is no such function.
        """
        sink: RecordSink = pkgutil.resolve_name(self.factory)(*self.arguments)
        return sink


def run_worker(
    directory: Path,
    build_sink: Callable[[], RecordSink],
    *,
    interval_seconds: float,
    input_descriptor: int,
    on_report: Callable[[ImportReport], None],
) -> int:
    """Import again and again until the input ends, then what is left.

    Args:
        directory: Of the segments.
        build_sink: Called again if it raises ``StoreUnavailable``.
        interval_seconds: Pause between two runs; grows while the sink fails.
        input_descriptor: A pipe whose other end lives as long as this is wanted.
        on_report: Called after each run that did something or found another state than the last.

    Returns:
        0: everything that is left is imported; 1: it could not be within 30 s.
    """
    importer: SegmentImporter | None = None
    last_state: object = None

    def import_once(lock_timeout_seconds: float) -> ImportReport:
        nonlocal importer, last_state
        try:
            if importer is None:
                importer = SegmentImporter(directory, build_sink())
            report = importer.run_once(lock_timeout_seconds=lock_timeout_seconds)
        except StoreUnavailable as error:
            report = ImportReport(failure=str(error))
        if not report.was_locked_out:
            state = (report.imported_ends, report.unread_segments, report.failure)
            if report.has_counts or state != last_state:
                on_report(report)
            last_state = state
        return report

    pause_seconds = interval_seconds
    while not _has_ended(input_descriptor, pause_seconds):
        failed = import_once(0.0).failure is not None
        pause_seconds = min(2 * pause_seconds, _MAX_RETRY_SECONDS) if failed else interval_seconds
    deadline = time.monotonic() + _LAST_IMPORT_SECONDS
    while not import_once(max(0.0, deadline - time.monotonic())).is_complete:
        if time.monotonic() >= deadline:
            return 1
        time.sleep(interval_seconds)
    return 0


def _has_ended(descriptor: int, timeout_seconds: float) -> bool:
    readable, _, _ = select.select([descriptor], [], [], timeout_seconds)
    return bool(readable) and not os.read(descriptor, 4096)


class ImportProcess:
    """A child process that imports, restarted with growing pauses when it dies.

    The child ends by itself, after a last import, when this process and all that were forked from
    it have ended, however that happens.

    Args:
        directory: Of the segments.
        source: Of the sink, in the child as in ``flush``.
        interval_seconds: Between two imports of the child.
        on_report: Called from a thread of this object's with the report of each run of the child
            that did something or found another state than the one before; must not raise.
    """

    def __init__(
        self,
        directory: Path,
        source: SinkSource,
        *,
        interval_seconds: float = 0.1,
        on_report: Callable[[ImportReport], None] | None = None,
    ) -> None:
        self._directory = directory.absolute()
        self._source = source
        self._interval_seconds = interval_seconds
        self._on_report = on_report
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._restarts = 0

    @property
    def restarts(self) -> int:
        """How many times the child has ended without being asked to."""
        return self._restarts

    @property
    def process_id(self) -> int | None:
        """Of the child; None while there is none."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start the child and a thread that minds it; returns at once."""
        self._thread = threading.Thread(target=self._mind, name="import-process", daemon=True)
        self._thread.start()

    def flush(self, timeout_seconds: float) -> ImportReport:
        """Import in this process everything that was appended before this call.

        Args:
            timeout_seconds: How long to wait while another process imports.

        Returns:
            The report; ``is_complete`` tells whether that is done.
        """
        try:
            sink = self._source.build()
        except StoreUnavailable as error:
            return ImportReport(failure=str(error))
        try:
            importer = SegmentImporter(self._directory, sink)
            return importer.run_once(lock_timeout_seconds=timeout_seconds)
        finally:
            sink.close()

    def stop(self, timeout_seconds: float) -> bool:
        """Let the child import what is left and end; it is killed when that takes too long.

        Returns:
            Whether it ended by itself; what it has not imported is left for the next one.
        """
        self._stopping.set()
        with self._lock:
            process = self._process
            if process is not None and process.stdin is not None:
                process.stdin.close()
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_seconds)
        if not thread.is_alive():
            return True
        if process is not None:
            process.kill()
        thread.join(timeout_seconds)
        return False

    def _mind(self) -> None:
        pause_seconds = self._interval_seconds
        while True:
            started_at = time.monotonic()
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process = None
                with suppress(OSError):  # no process can be had: try again
                    self._process = self._spawn()
            if self._process is not None:
                self._follow(self._process)
            if self._stopping.is_set():
                return
            self._restarts += 1
            if time.monotonic() - started_at > _MAX_RESTART_SECONDS:
                pause_seconds = self._interval_seconds
            self._stopping.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _MAX_RESTART_SECONDS)

    def _spawn(self) -> subprocess.Popen[bytes]:
        interval = ["--interval-seconds", str(self._interval_seconds)]
        arguments = [str(self._directory), self._source.factory, *self._source.arguments]
        return subprocess.Popen(  # noqa: S603 - this program, started by itself
            [sys.executable, "-P", "-m", __package__, *interval, "--", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a key press in a terminal is for the parent alone
        )

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - piped above
        with process.stdout as lines:
            for line in lines:
                try:
                    report = decode_report(line)
                except (ValueError, TypeError):  # the last line of a killed child
                    continue
                if self._on_report is not None:
                    self._on_report(report)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def encode_report(report: ImportReport) -> bytes:
    """Return a report as one line."""
    return json.dumps(asdict(report)).encode() + b"\n"


def decode_report(line: bytes) -> ImportReport:
    """Return the report that a line was made of.

    Raises:
        ValueError, TypeError: It was made of none.
    """
    return ImportReport(**json.loads(line))
