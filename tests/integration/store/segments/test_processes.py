"""Several processes on one directory: writers that are killed, importers that take turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pairguard.store.segments.importing import ImportReport, SegmentImporter
from pairguard.store.segments.worker import (
    ImportProcess,
    SinkSource,
    decode_report,
    encode_report,
    run_worker,
)
from pairguard.store.segments.writing import SegmentWriter
from tests.integration.store.segments.sinks import MemorySink, SqliteSink

ROOT = Path(__file__).parents[4]
SINK = "tests.integration.store.segments.sinks:SqliteSink"

WRITER = """
import sys
from pathlib import Path
from pairguard.store.segments.writing import SegmentWriter
directory, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
writer = SegmentWriter(directory, on_sync_error=lambda: None, max_segment_bytes=20_000)
for number in range(count):
    if number == count // 2:
        sys.stdin.readline()
    writer.append(f"{name}-{number}-".encode() + b"x" * 200)
    sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
writer.close()
"""


def start_writer(directory: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def payload(name: str, number: int) -> bytes:
    return f"{name}-{number}-".encode() + b"x" * 200


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where the child finds the sink of the tests
    return tmp_path / "sink.sqlite3"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_what_was_appended_survives_the_kill_of_the_writer(tmp_path: Path) -> None:
    process = start_writer(tmp_path, "victim", 1_000_000)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(200)]
    process.kill()
    rest = process.stdout.read()
    process.communicate(timeout=30)
    acknowledged += [int(line) for line in rest[: rest.rfind("\n") + 1].split()]
    sink = MemorySink()
    report = SegmentImporter(tmp_path, sink).run_once()
    assert report.torn_records == report.damaged_records == 0
    # The record after the last that was told of may have been written as well.
    assert len(sink.stored) - len(acknowledged) in {0, 1}
    assert sink.stored == [payload("victim", number) for number in range(len(sink.stored))]
    assert list(tmp_path.iterdir()) == []


def test_a_writer_killed_in_the_middle_of_a_write_leaves_a_torn_end(tmp_path: Path) -> None:
    """Killed for good inside write(2), at the point where a part of the record is in the file."""
    child = os.fork()
    if child == 0:
        writer = SegmentWriter(tmp_path, on_sync_error=lambda: None)
        writer.append(b"whole")
        write = os.write

        def die_in_the_middle(descriptor: int, data: bytes) -> None:
            write(descriptor, data[:30])
            os.kill(os.getpid(), 9)

        setattr(os, "write", die_in_the_middle)  # noqa: B010 - for the rest of this process
        writer.append(b"half of this")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    sink = MemorySink()
    report = SegmentImporter(tmp_path, sink).run_once()
    assert sink.stored == [b"whole"]
    assert (report.torn_records, report.torn_bytes, report.deleted_segments) == (1, 30, 1)


def test_two_writers_and_two_importers_at_once_lose_and_repeat_nothing(
    directory: Path, database: Path
) -> None:
    writers = [start_writer(directory, name, 1500) for name in ("one", "two")]
    sink = SqliteSink(database)
    importer = SegmentImporter(directory, sink, batch_records=7)
    process = ImportProcess(directory, SinkSource(SINK, (str(database),)), interval_seconds=0.001)
    own_records = 0

    def import_once() -> int:
        nonlocal own_records
        report = importer.run_once()
        assert report.failure is None
        assert report.torn_records == report.damaged_records == report.damaged_files == 0
        own_records += report.records
        return own_records

    try:
        # The writers wait in the middle, so this happens while they live.
        wait_until(lambda: import_once() > 0)
        process.start()
        for each in writers:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        while any(each.poll() is None for each in writers):
            import_once()
    finally:
        for each in writers:
            each.communicate(timeout=10)
        assert process.stop(timeout_seconds=10)
    assert all(each.returncode == 0 for each in writers)
    stored = sink.payloads()
    for name in ("one", "two"):
        own = [each for each in stored if each.startswith(f"{name}-".encode())]
        assert own == [payload(name, number) for number in range(1500)]
    assert len(stored) == 3000
    assert list(directory.iterdir()) == []
    assert sink.remembered_segments() == 0
    sink.close()


# ---- the importing child ----------------------------------------------------------------------


@pytest.fixture
def writer(directory: Path) -> Iterator[SegmentWriter]:
    writer = SegmentWriter(directory, on_sync_error=lambda: None)
    yield writer
    writer.close()


def stored(database: Path) -> list[bytes]:
    if not database.exists():
        return []
    sink = SqliteSink(database)
    try:
        return sink.payloads()
    finally:
        sink.close()


def test_the_child_imports_reports_and_is_started_again_when_it_dies(
    directory: Path, database: Path, writer: SegmentWriter
) -> None:
    reports: list[ImportReport] = []
    process = ImportProcess(
        directory,
        SinkSource(SINK, (str(database),)),
        interval_seconds=0.01,
        on_report=reports.append,
    )
    process.start()
    try:
        last = writer.append(b"1")
        wait_until(lambda: bool(reports) and last.segment in reports[-1].imported_ends)
        assert reports[-1].imported_ends[last.segment] == last.end
        assert stored(database) == [b"1"]
        first_id = process.process_id
        assert first_id is not None
        os.kill(first_id, 9)
        writer.append(b"2")
        wait_until(lambda: stored(database) == [b"1", b"2"])
        assert process.restarts == 1
        assert process.process_id not in {None, first_id}
        wait_until(lambda: len(reports) == 2)
        time.sleep(0.1)
        assert len(reports) == 2  # nothing new is not told again and again
        writer.append(b"3")
        writer.close()
    finally:
        assert process.stop(timeout_seconds=10)
    assert stored(database) == [b"1", b"2", b"3"]
    assert list(directory.iterdir()) == []
    assert sum(report.records for report in reports) == 3
    assert process.process_id is None


PARENT = """
import sys, time
from pathlib import Path
from pairguard.store.segments.worker import ImportProcess, SinkSource
from pairguard.store.segments.writing import SegmentWriter
directory, factory, database = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
# It would import for the first time long after this process is dead.
process = ImportProcess(directory, SinkSource(factory, (database,)), interval_seconds=60.0)
process.start()
writer = SegmentWriter(directory, on_sync_error=lambda: None)
for number in range(10):
    writer.append(b"%d" % number)
while process.process_id is None:
    time.sleep(0.01)
print(process.process_id, flush=True)
time.sleep(60)
"""


def test_the_child_imports_what_its_killed_parent_left_and_ends(
    directory: Path, database: Path
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(directory), SINK, str(database)], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    child_id = int(parent.stdout.readline())
    parent.kill()
    parent.communicate(timeout=10)
    wait_until(lambda: stored(database) == [b"%d" % number for number in range(10)])
    wait_until(lambda: not _is_running(child_id))
    assert list(directory.iterdir()) == []


def _is_running(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_flush_imports_in_place(directory: Path, database: Path, writer: SegmentWriter) -> None:
    process = ImportProcess(directory, SinkSource(SINK, (str(database),)))
    assert process.flush(timeout_seconds=1.0).is_complete
    writer.append(b"1")
    report = process.flush(timeout_seconds=1.0)
    assert report.is_complete
    assert report.records == 1
    assert stored(database) == [b"1"]
    assert process.stop(timeout_seconds=1.0)


def test_a_child_that_cannot_start_is_tried_again_more_and_more_rarely(directory: Path) -> None:
    source = SinkSource("pairguard.nowhere:sink")
    process = ImportProcess(directory, source, interval_seconds=0.1)
    process.start()
    time.sleep(1.2)  # pauses of 0.1, 0.2, 0.4 and 0.8 s lie between five starts
    assert process.restarts <= 4
    wait_until(lambda: process.restarts >= 2)
    assert process.stop(timeout_seconds=10)


class Loop:
    """Runs the child's loop here, ends it, and keeps what it tells."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reports: list[ImportReport] = []
        self.reading, self.writing = os.pipe()

    def run(self, build: Callable[[], MemorySink], on_run: Callable[[], None]) -> int:
        def on_report(report: ImportReport) -> None:
            self.reports.append(report)
            on_run()

        try:
            return run_worker(
                self.directory,
                build,
                interval_seconds=0.002,
                input_descriptor=self.reading,
                on_report=on_report,
            )
        finally:
            os.close(self.reading)

    def end(self) -> None:
        os.close(self.writing)


def test_the_loop_waits_for_a_sink_and_ends_with_its_input(
    directory: Path, writer: SegmentWriter
) -> None:
    writer.append(b"1")
    loop, sink = Loop(directory), MemorySink()
    sink.down = True

    def on_run() -> None:
        if sink.down:
            sink.down = False
        elif len(loop.reports) == 2:
            writer.append(b"2")
            loop.end()

    assert loop.run(lambda: sink, on_run) == 0
    assert [each.failure for each in loop.reports] == ["the sink is down", None, None]
    assert sink.stored == [b"1", b"2"]


def test_the_loop_gives_up_on_what_it_cannot_import(
    directory: Path, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairguard.store.segments.worker._LAST_IMPORT_SECONDS", 0.05)
    writer.append(b"1")
    loop, sink = Loop(directory), MemorySink()
    sink.down = True
    loop.end()
    assert loop.run(lambda: sink, lambda: None) == 1
    assert loop.reports == [ImportReport(failure="the sink is down")]


def test_a_report_is_one_line_and_is_read_back() -> None:
    report = ImportReport(records=3, imported_ends={"a": 7}, failure="line\nbreak")
    line = encode_report(report)
    assert line.count(b"\n") == 1
    assert decode_report(line) == report
    with pytest.raises(ValueError, match=r".*"):
        decode_report(line[:10])
