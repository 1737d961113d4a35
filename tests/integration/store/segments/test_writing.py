"""Appending: what a record survives, and what a disk that fails does to it."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.segments.directory import list_segments
from pairguard.store.segments.framing import MAX_PAYLOAD_BYTES, parse_name
from pairguard.store.segments.importing import SegmentImporter
from pairguard.store.segments.writing import SegmentWriter
from tests.integration.store.segments.sinks import MemorySink

Open = Callable[..., SegmentWriter]


class Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def sync_errors() -> Counter:
    return Counter()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def open_writer(directory: Path, sync_errors: Counter) -> Iterator[Open]:
    writers: list[SegmentWriter] = []

    def open_one(**options: float) -> SegmentWriter:
        options = {"sync_interval_seconds": 0.005, **options}
        writers.append(SegmentWriter(directory, on_sync_error=sync_errors, **options))  # type: ignore[arg-type]
        return writers[-1]

    yield open_one
    for writer in writers:
        writer.close()


def imported(directory: Path, sink: MemorySink | None = None) -> list[bytes]:
    sink = sink or MemorySink()
    report = SegmentImporter(directory, sink).run_once()
    assert report.is_complete, report
    return sink.stored


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_records_are_read_in_order_while_the_writer_lives(
    directory: Path, open_writer: Open
) -> None:
    writer, sink = open_writer(), MemorySink()
    positions = [writer.append(b"%d" % number) for number in range(10)]
    assert imported(directory, sink) == [b"%d" % number for number in range(10)]
    assert sink.ends == {positions[-1].segment: positions[-1].end}
    assert len({each.end for each in positions}) == 10
    writer.append(b"later")
    assert imported(directory, sink)[-1] == b"later"
    assert len(sink.stored) == 11


def test_nothing_is_made_before_the_first_record(directory: Path, open_writer: Open) -> None:
    open_writer().close()
    assert not directory.exists()
    assert SegmentImporter(directory, MemorySink()).run_once().is_complete


def test_only_the_owner_may_look(directory: Path, open_writer: Open) -> None:
    position = open_writer().append(b"1")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / position.segment).stat().st_mode) == 0o600


def test_a_segment_is_locked_as_long_as_it_is_written(directory: Path, open_writer: Open) -> None:
    writer = open_writer()
    position = writer.append(b"1")
    assert is_locked(directory / position.segment)
    writer.close()
    assert not is_locked(directory / position.segment)
    with pytest.raises(StoreUnavailable, match="closed"):
        writer.append(b"2")


def test_segments_end_by_size(directory: Path, open_writer: Open) -> None:
    writer = open_writer(max_segment_bytes=500)
    payloads = [b"%d" % number * 100 for number in range(10)]
    ends = [writer.append(each) for each in payloads]
    names = list_segments(directory)
    assert names == sorted({each.segment for each in ends})
    assert len(names) == 4
    assert all((directory / name).stat().st_size <= 500 for name in names)
    writer.append(b"x" * 1000)  # longer than a segment may be, so alone in one
    assert imported(directory) == [*payloads, b"x" * 1000]


def test_an_idle_segment_is_closed_and_can_be_deleted(directory: Path, open_writer: Open) -> None:
    writer, sink = open_writer(max_segment_seconds=0.05), MemorySink()
    first = writer.append(b"1")
    wait_until(lambda: not is_locked(directory / first.segment))
    assert imported(directory, sink) == [b"1"]
    assert list(directory.iterdir()) == []
    assert sink.ends == {}
    assert writer.append(b"2").segment > first.segment
    assert imported(directory, sink) == [b"1", b"2"]


def test_each_record_is_written_by_one_call_and_synced_soon(
    open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    synced = threading.Event()
    write, fdatasync = os.write, os.fdatasync

    def count(descriptor: int, data: bytes) -> int:
        writes.append(len(data))
        return write(descriptor, data)

    def note(descriptor: int) -> None:
        fdatasync(descriptor)
        synced.set()

    writer = open_writer()
    writer.append(b"first")
    monkeypatch.setattr(os, "write", count)
    monkeypatch.setattr(os, "fdatasync", note)
    for _ in range(5):
        writer.append(b"p" * 1500)
    assert len(writes) == 5
    assert synced.wait(5)
    wait_until(lambda: not writer._unsynced)


def test_threads_append_side_by_side(directory: Path, open_writer: Open) -> None:
    writer = open_writer(max_segment_bytes=4000)

    def append(name: int) -> None:
        for number in range(200):
            writer.append(b"%d-%d" % (name, number))

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = imported(directory)
    for name in range(4):
        own = [each for each in stored if each.startswith(b"%d-" % name)]
        assert own == [b"%d-%d" % (name, number) for number in range(200)]
    assert len(stored) == 800


def test_a_payload_has_a_greatest_length(directory: Path, open_writer: Open) -> None:
    writer = open_writer()
    writer.append(b"x" * MAX_PAYLOAD_BYTES)
    with pytest.raises(StoreUnavailable, match="at most"):
        writer.append(b"x" * (MAX_PAYLOAD_BYTES + 1))
    writer.append(b"")
    assert [len(each) for each in imported(directory)] == [MAX_PAYLOAD_BYTES, 0]


# ---- a disk that fails -----------------------------------------------------------------------


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_may_not_grow_gets_no_half_record(directory: Path, open_writer: Open) -> None:
    """The kernel writes what fits, then refuses: a short write and an error, both real."""
    writer = open_writer()
    end = writer.append(b"before" * 20)
    failures = 0
    with file_size_limit(end.end + 50):
        for _ in range(3):
            try:
                writer.append(b"during" * 100)
            except StoreUnavailable:
                failures += 1
    assert failures == 3
    assert (directory / end.segment).stat().st_size == end.end
    assert writer.append(b"after").segment == end.segment
    assert imported(directory) == [b"before" * 20, b"after"]


def test_no_new_segment_leaves_nothing_behind(directory: Path, open_writer: Open) -> None:
    writer = open_writer()
    failed = False
    with file_size_limit(10):
        try:
            writer.append(b"1")
        except StoreUnavailable:
            failed = True
    assert failed
    assert list(directory.iterdir()) == []
    writer.append(b"2")
    assert imported(directory) == [b"2"]


class FailingWrites:
    """Makes the next writes to segments fail, after a part of each was written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, part: int, code: int | None) -> None:
        self.left = 0
        self._write = os.write
        self._part = part
        self._code = code
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        if not self.left:
            return self._write(descriptor, data)
        self.left -= 1
        written = self._write(descriptor, data[: self._part]) if self._part else 0
        if self._code is not None:
            raise OSError(self._code, os.strerror(self._code))
        return written


@pytest.mark.parametrize("part", [0, 1, 23, 30])
@pytest.mark.parametrize(
    "code", [None, errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EBADF]
)
def test_a_failed_write_is_told_and_cut_off(
    directory: Path,
    open_writer: Open,
    monkeypatch: pytest.MonkeyPatch,
    part: int,
    code: int | None,
) -> None:
    writes = FailingWrites(monkeypatch, part, code)
    writer = open_writer()
    writer.append(b"before")
    for _ in range(2):
        writes.left = 1
        with pytest.raises(StoreUnavailable):
            writer.append(b"during" * 10)
    writer.append(b"after")
    assert imported(directory) == [b"before", b"after"]


def test_what_cannot_be_cut_off_ends_the_segment(
    directory: Path, open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, length: int) -> None:
        raise OSError(errno.EIO, "no")

    writes = FailingWrites(monkeypatch, 30, None)
    writer = open_writer(sync_interval_seconds=30.0)
    first = writer.append(b"before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse)
        writes.left = 1
        with pytest.raises(StoreUnavailable):
            writer.append(b"during" * 10)
    assert writer.append(b"after").segment != first.segment
    sink = MemorySink()
    writer.close()
    report = SegmentImporter(directory, sink).run_once()
    assert sink.stored == [b"before", b"after"]
    assert (report.torn_records, report.torn_bytes) == (1, 30)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where one can be had."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    disk = tmp_path / "disk"
    disk.mkdir()
    if mount is None or umount is None:
        pytest.skip("there is no command to mount with")
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "none", str(disk)],
        check=False,
        capture_output=True,
    ).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run([umount, "--lazy", str(disk)], check=True)


def test_a_full_disk_is_told_and_used_again_when_there_is_room(
    small_disk: Path, sync_errors: Counter
) -> None:
    ballast = small_disk / "ballast"
    writer = SegmentWriter(small_disk / "journal", on_sync_error=sync_errors)
    kept = [b"before"]
    writer.append(kept[0])
    is_full = False
    with ballast.open("wb", buffering=0) as file:
        while not is_full:
            try:
                file.write(bytes(4096))
            except OSError:
                is_full = True
    refused = 0
    for number in range(200):
        payload = b"%d-" % number + b"x" * 100
        try:
            writer.append(payload)
        except StoreUnavailable:
            refused += 1
        else:
            kept.append(payload)
    assert refused > 100
    ballast.unlink()
    kept.append(b"after")
    writer.append(kept[-1])
    assert imported(small_disk / "journal") == kept
    writer.close()


@pytest.mark.parametrize("harm", ["remove", "cut", "grow"])
def test_a_segment_that_somebody_else_touches_is_given_up(
    directory: Path, open_writer: Open, sync_errors: Counter, harm: str
) -> None:
    writer = open_writer(sync_interval_seconds=30.0)
    path = directory / writer.append(b"unsynced").segment
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        os.truncate(path, 70)
    else:
        with path.open("ab") as file:
            file.write(b"not ours")
    with pytest.raises(StoreUnavailable, match="removed or changed"):
        writer.append(b"refused")
    assert writer.append(b"after").segment != path.name
    writer.close()
    assert imported(directory) == [b"unsynced", b"after"]


def test_a_removed_segment_is_noticed_without_another_record(
    directory: Path, open_writer: Open, sync_errors: Counter
) -> None:
    writer = open_writer(sync_interval_seconds=0.2)
    (directory / writer.append(b"unsynced").segment).unlink()
    wait_until(lambda: sync_errors.count == 1)
    wait_until(lambda: len(list_segments(directory)) == 1)
    assert imported(directory) == [b"unsynced"]


def test_a_removed_directory_is_made_again(directory: Path, open_writer: Open) -> None:
    writer = open_writer()
    (directory / writer.append(b"1").segment).unlink()
    directory.rmdir()
    with pytest.raises(StoreUnavailable):
        writer.append(b"2")
    writer.append(b"3")
    assert imported(directory)[-1] == b"3"


@pytest.mark.parametrize("is_reused", [True, False])
def test_a_descriptor_that_somebody_else_closes_is_neither_written_nor_closed(
    directory: Path, tmp_path: Path, open_writer: Open, is_reused: bool
) -> None:
    writer = open_writer(sync_interval_seconds=30.0)
    writer.append(b"unsynced")
    assert writer._segment is not None
    descriptor = writer._segment.descriptor
    os.close(descriptor)
    other = tmp_path / "other"
    other.touch()
    source = os.open(other, os.O_RDWR)
    if is_reused and source != descriptor:
        os.dup2(source, descriptor)
    elif not is_reused and source == descriptor:
        source = os.dup(descriptor)
        os.close(descriptor)
    with pytest.raises(StoreUnavailable):
        writer.append(b"refused")
    writer.append(b"after")
    writer.close()
    assert other.read_bytes() == b""
    os.fstat(source)
    os.close(source)
    if is_reused and source != descriptor:
        os.close(descriptor)
    assert sorted(imported(directory)) == [b"after", b"unsynced"]


def test_a_read_only_directory_is_told(directory: Path, open_writer: Open) -> None:
    directory.parent.joinpath("journal").write_bytes(b"a file where the directory should be")
    with pytest.raises(StoreUnavailable):
        open_writer().append(b"1")


# ---- a sync that fails -----------------------------------------------------------------------


class FailingSyncs:
    """Makes syncs of files fail as long as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail = self.fail_once = False
        self._fdatasync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, descriptor: int) -> None:
        if self.fail or self.fail_once:
            self.fail_once = False
            raise OSError(errno.EIO, "the pages are gone")
        self._fdatasync(descriptor)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> FailingSyncs:
    return FailingSyncs(monkeypatch)


def test_what_was_not_synced_is_written_again_and_counted_once(
    directory: Path, open_writer: Open, syncs: FailingSyncs, sync_errors: Counter
) -> None:
    writer, sink = open_writer(), MemorySink()
    first = writer.append(b"synced")
    wait_until(lambda: not writer._unsynced)
    syncs.fail = True
    for number in range(5):
        writer.append(b"%d" % number)
    wait_until(lambda: sync_errors.count >= 1)
    imported(directory, sink)  # the old segment may still be readable, and be read first
    syncs.fail = False
    wait_until(lambda: not writer._unsynced and not writer._pending)
    last = writer.append(b"after")
    assert last.segment != first.segment
    writer.close()
    names = list_segments(directory)
    assert any((name := parse_name(each)) and name.is_rescue for each in names)
    imported(directory, sink)
    assert sink.stored == [b"synced", *[b"%d" % number for number in range(5)], b"after"]
    assert list_segments(directory) == names[:1]  # it outlives what repeats it
    imported(directory, sink)
    assert list_segments(directory) == []
    assert len(sink.stored) == 7
    assert sink.ends == {}


def test_what_was_lost_with_its_pages_is_read_from_the_second_place(
    directory: Path, open_writer: Open, syncs: FailingSyncs, sync_errors: Counter
) -> None:
    writer, sink = open_writer(), MemorySink()
    first = writer.append(b"synced")
    wait_until(lambda: not writer._unsynced)
    syncs.fail = True
    lost = [writer.append(b"%d" % number) for number in range(5)]
    imported(directory, sink)
    wait_until(lambda: sync_errors.count >= 1)
    syncs.fail = False
    wait_until(lambda: not writer._unsynced and not writer._pending)
    writer.close()
    with (directory / first.segment).open("r+b") as file:
        file.seek(lost[0].end - 10)
        file.write(bytes(lost[-1].end - lost[0].end + 10))
    sink = MemorySink()
    report = SegmentImporter(directory, sink).run_once()
    assert sink.stored == [b"synced", *[b"%d" % number for number in range(5)]]
    assert report.torn_records == 1


def test_a_disk_that_never_syncs_fills_neither_memory_nor_directory(
    directory: Path, open_writer: Open, syncs: FailingSyncs, sync_errors: Counter
) -> None:
    writer, sink = open_writer(max_unsynced_bytes=1000), MemorySink()
    syncs.fail = True
    importer = SegmentImporter(directory, sink)
    expected = [b"%03d" % number * 30 for number in range(100)]
    for payload in expected:
        writer.append(payload)
        importer.run_once()
    wait_until(lambda: sync_errors.count >= 3)
    assert sum(len(payload) for _, payload in [*writer._unsynced, *writer._pending]) <= 1000
    writer.close()
    for _ in range(3):
        assert importer.run_once().is_complete
    assert sorted(sink.stored) == expected
    assert sync_errors.count < 20
    for _ in range(sync_errors.count):
        importer.run_once()
    assert list_segments(directory) == []
    assert sink.ends == {}


def test_a_failed_sync_at_the_end_is_made_good(
    directory: Path, open_writer: Open, syncs: FailingSyncs, sync_errors: Counter
) -> None:
    writer = open_writer(sync_interval_seconds=30.0)
    writer.append(b"1")
    syncs.fail_once = True
    writer.close()
    assert sync_errors.count == 1
    assert len(list_segments(directory)) == 2
    assert imported(directory) == [b"1"]


# ---- processes -------------------------------------------------------------------------------


def test_a_forked_child_writes_to_a_segment_of_its_own(directory: Path, open_writer: Open) -> None:
    writer = open_writer()
    first = writer.append(b"parent")
    child = os.fork()
    if child == 0:
        try:
            own = writer.append(b"child").segment != first.segment
            writer.close()
            os._exit(0 if own else 1)
        except BaseException:  # noqa: BLE001 - the exit code is all that leaves the child
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert writer.append(b"parent again").segment == first.segment
    assert is_locked(directory / first.segment)
    assert sorted(imported(directory)) == [b"child", b"parent", b"parent again"]


def test_a_child_that_outlives_its_parent_does_not_keep_the_segment_locked(
    directory: Path, open_writer: Open
) -> None:
    writer = open_writer()
    position = writer.append(b"parent")
    reading, writing = os.pipe()
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.write(telling, b"1")
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    # It gives up what it inherited when it begins, not when its parent is back from the fork.
    assert os.read(told, 1) == b"1"
    os.close(told)
    os.close(telling)
    writer.close()
    assert not is_locked(directory / position.segment)
    os.close(writing)
    os.waitpid(child, 0)


def test_a_child_forked_in_the_middle_of_an_append_is_not_stuck(
    directory: Path, open_writer: Open
) -> None:
    writer = open_writer()
    writer.append(b"parent")
    with writer._lock:
        child = os.fork()
        if child == 0:
            writer.append(b"child")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sorted(imported(directory)) == [b"child", b"parent"]
