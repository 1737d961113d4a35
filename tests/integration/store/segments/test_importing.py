"""Importing: every record once, whatever is interrupted, unreachable or in the way."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest

from pairguard.store.segments.directory import list_segments
from pairguard.store.segments.framing import (
    Position,
    SegmentName,
    encode_header,
    encode_record,
)
from pairguard.store.segments.importing import ImportReport, SegmentImporter
from pairguard.store.segments.writing import SegmentWriter
from tests.integration.store.segments.sinks import MemorySink, SqliteSink


def no_sync_error() -> None:
    raise AssertionError


def write(directory: Path, payloads: list[bytes], **options: int) -> None:
    writer = SegmentWriter(directory, on_sync_error=no_sync_error, **options)
    for payload in payloads:
        writer.append(payload)
    writer.close()


def write_by_hand(
    directory: Path,
    time_ns: int,
    records: list[tuple[bytes, Position | None]],
    *,
    is_rescue: bool = False,
) -> list[Position]:
    """Write a segment of one writer and return where its records end."""
    name = str(SegmentName(time_ns, "7-0123456789abcdef", is_rescue))
    data, seed = encode_header(os.urandom(16))
    ends = []
    for payload, origin in records:
        data += encode_record(seed, len(data), payload, origin)
        ends.append(Position(name, len(data)))
    (directory / name).write_bytes(data)
    return ends


class Interrupted(BaseException):
    """What ends a run where a crash would."""


class Steps:
    """Counts what a run changes, in the sink and in the directory, and interrupts it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sink: MemorySink | SqliteSink) -> None:
        self.left = -1
        for owner, name in (
            (sink, "import_records"),
            (sink, "forget"),
            (os, "fsync"),
            (os, "ftruncate"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name), is_method=False))
        for name in ("rename", "unlink"):
            monkeypatch.setattr(Path, name, self._counted(getattr(Path, name), is_method=True))

    def _counted(self, step: Callable[..., Any], *, is_method: bool) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self._pass()
            result = step(*arguments)
            self._pass()
            return result

        def method(path: Path, *arguments: Any) -> Any:
            return counted(path, *arguments)

        return method if is_method else counted

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Interrupted


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_import_interrupted_anywhere_takes_each_record_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    payloads = [b"%d" % number for number in range(9)]
    interruptions = 0
    for step in range(1, 200):
        directory = tmp_path / str(step)
        directory.mkdir()
        # An older segment with a torn end, whose last records stand in a later one again.
        ends = write_by_hand(directory, 1, [(each, None) for each in payloads[:4]])
        old = directory / ends[0].segment
        old.write_bytes(old.read_bytes()[:-1])
        repeated = [(payloads[n], ends[n]) for n in (2, 3)]
        rest = [(each, None) for each in payloads[4:6]]
        write_by_hand(directory, 2, [*repeated, *rest], is_rescue=True)
        write(directory, payloads[6:], max_segment_bytes=150)
        sink = MemorySink() if kind == "memory" else SqliteSink(directory / "sink.sqlite3")
        importer = SegmentImporter(directory, sink, batch_records=2)
        with monkeypatch.context() as patch:
            steps = Steps(patch, sink)
            steps.left = step
            try:
                importer.run_once()
            except Interrupted:
                interruptions += 1
            was_interrupted = steps.left <= 0
        for _ in range(3):
            report = importer.run_once()
            assert report.is_complete
        assert sink.payloads() == payloads
        assert not list(directory.glob("*segment*"))
        remembered = len(sink.ends) if kind == "memory" else sink.remembered_segments()  # type: ignore[union-attr]
        assert remembered == 0
        sink.close()
        if not was_interrupted:
            break
    assert interruptions > 25
    assert interruptions == step - 1


def test_a_sink_that_is_down_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    write(tmp_path, [b"1", b"2"])
    sink = MemorySink()
    importer = SegmentImporter(tmp_path, sink)
    sink.down = True
    report = importer.run_once()
    assert report == ImportReport(failure="the sink is down")
    assert not report.is_complete
    sink.down = False
    assert importer.run_once().records == 2
    assert sink.stored == [b"1", b"2"]


def test_nothing_is_deleted_before_the_sink_promises_it(tmp_path: Path) -> None:
    write(tmp_path, [b"1"])
    sink = MemorySink()
    sink.durable = False
    importer = SegmentImporter(tmp_path, sink)
    assert importer.run_once().deleted_segments == 0
    assert len(list_segments(tmp_path)) == 1
    # A sink that lost what it had not promised gets it again.
    sink = MemorySink()
    assert SegmentImporter(tmp_path, sink).run_once().deleted_segments == 1
    assert sink.stored == [b"1"]


def test_one_segment_that_cannot_be_read_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = write_by_hand(tmp_path, 1, [(b"bad", None)]), None
    good = write_by_hand(tmp_path, 2, [(b"good", None)])
    sink = MemorySink()
    open_file = os.open

    def fail(path: Any, *arguments: Any) -> int:
        if Path(path).name == bad[0].segment:
            raise OSError(errno.EIO, "unreadable")
        return open_file(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        report = SegmentImporter(tmp_path, sink).run_once()
    assert (report.unread_segments, report.records) == (1, 1)
    assert report.imported_ends == {good[0].segment: good[0].end}
    assert SegmentImporter(tmp_path, sink).run_once().records == 1
    assert sink.stored == [b"good", b"bad"]


def test_a_repetition_waits_for_what_it_repeats(tmp_path: Path) -> None:
    """Its records end further on: taking them first would pass over the earlier ones."""
    ends = write_by_hand(tmp_path, 1, [(b"1", None), (b"2", None)])
    write_by_hand(tmp_path, 2, [(b"2", ends[1]), (b"3", None)], is_rescue=True)
    old, away = tmp_path / ends[0].segment, tmp_path / "away"
    old.rename(away)
    old.mkdir()  # there, and unreadable even to the superuser
    sink = MemorySink()
    report = SegmentImporter(tmp_path, sink).run_once()
    assert sink.stored == []
    assert report.unread_segments == 2
    old.rmdir()
    away.rename(old)
    assert SegmentImporter(tmp_path, sink).run_once().records == 3
    assert sink.stored == [b"1", b"2", b"3"]


def test_a_repetition_of_what_is_gone_is_all_there_is(tmp_path: Path) -> None:
    gone = str(SegmentName(1, "7-0123456789abcdef", is_rescue=False))
    write_by_hand(
        tmp_path, 2, [(b"2", Position(gone, 100)), (b"3", Position(gone, 200))], is_rescue=True
    )
    sink = MemorySink()
    assert SegmentImporter(tmp_path, sink).run_once().records == 2
    assert sink.stored == [b"2", b"3"]


def test_a_segment_set_aside_leaves_its_repetition_to_be_read(tmp_path: Path) -> None:
    ends = write_by_hand(tmp_path, 1, [(b"1", None), (b"2", None)])
    old = tmp_path / ends[0].segment
    old.write_bytes(b"garbage" * 50)
    write_by_hand(tmp_path, 2, [(b"2", ends[1])], is_rescue=True)
    sink = MemorySink()
    sink.ends[old.name] = ends[0].end  # the first record was imported before
    report = SegmentImporter(tmp_path, sink).run_once()
    assert report.damaged_files == 1
    assert sink.stored == [b"2"]


def test_only_one_imports_at_a_time(tmp_path: Path) -> None:
    write(tmp_path, [b"1"])
    importer = SegmentImporter(tmp_path, MemorySink())
    descriptor = os.open(tmp_path, os.O_RDONLY)
    flock(descriptor, LOCK_EX)
    assert importer.run_once() == ImportReport(was_locked_out=True)
    assert not importer.run_once(lock_timeout_seconds=0.02).is_complete
    timer = threading.Timer(0.05, os.close, [descriptor])
    timer.start()
    assert importer.run_once(lock_timeout_seconds=5.0).records == 1
    timer.join()


def test_what_is_no_segment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "1.segment").write_text("mine")
    write(tmp_path, [b"1"])
    assert SegmentImporter(tmp_path, MemorySink()).run_once().is_complete
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1.segment", "notes.txt"]


def test_leftovers_of_a_beginning_are_removed_and_a_living_one_is_not(tmp_path: Path) -> None:
    name = str(SegmentName(1, "7-0123456789abcdef", is_rescue=False))
    dead, living = tmp_path / f"{name}.new", tmp_path / f"{name.replace('7-', '8-')}.new"
    dead.touch()
    living.touch()
    descriptor = os.open(living, os.O_RDWR)
    flock(descriptor, LOCK_EX)
    SegmentImporter(tmp_path, MemorySink()).run_once()
    os.close(descriptor)
    assert [each.name for each in tmp_path.iterdir()] == [living.name]


def test_a_directory_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    report = SegmentImporter(path, MemorySink()).run_once()
    assert report.failure is not None
    assert not report.is_complete
