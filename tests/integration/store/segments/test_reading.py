"""Segments that are cut, flipped, blank or foreign: only what was written is ever read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pairguard.store.segments.framing import HEADER_BYTES, encode_header, encode_record
from pairguard.store.segments.importing import ImportReport, SegmentImporter
from pairguard.store.segments.reading import SegmentReader
from tests.integration.store.segments.sinks import MemorySink

NAME = "00000000000000000001-7-0123456789abcdef.segment"
OTHER = "00000000000000000002-7-0123456789abcdef.segment"
PAYLOADS = [b"first", b"", b"x" * 100, b"\xa7Pg\xa7Pg", b"last"]


def segment(payloads: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """Return a whole segment and the offsets at which its records begin, then its length."""
    data, seed = encode_header(b"n" * 16)
    starts = []
    for payload in payloads:
        starts.append(len(data))
        data += encode_record(seed, len(data), payload)
    return data, [*starts, len(data)]


DATA, STARTS = segment(PAYLOADS)


def run(directory: Path, sink: MemorySink, **options: int) -> ImportReport:
    return SegmentImporter(directory, sink, **options).run_once()


def imported(data: bytes, **options: int) -> tuple[list[bytes], ImportReport, list[str]]:
    """Import one segment left by a dead writer; also return what is left in the directory."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / NAME).write_bytes(data)
        sink = MemorySink()
        report = run(directory, sink, **options)
        return sink.stored, report, [each.name for each in directory.iterdir()]


@pytest.mark.parametrize("batch_records", [1, 2, 500])
@pytest.mark.parametrize("batch_bytes", [1, 50, 4_000_000])
def test_a_whole_segment_is_read_in_batches(batch_records: int, batch_bytes: int) -> None:
    stored, report, left = imported(DATA, batch_records=batch_records, batch_bytes=batch_bytes)
    assert stored == PAYLOADS
    assert left == []
    assert report == ImportReport(records=5, deleted_segments=1, imported_ends={NAME: len(DATA)})


@given(length=st.integers(0, len(DATA)))
def test_a_segment_cut_anywhere_loses_only_what_was_cut(length: int) -> None:
    stored, report, left = imported(DATA[:length])
    assert stored == PAYLOADS[: sum(end <= length for end in STARTS[1:])]
    whole = max([end for end in STARTS if end <= length], default=0)
    assert report.torn_bytes == length - whole
    assert report.torn_records == (length > whole)
    assert report.damaged_records == report.damaged_files == 0
    assert left == []


@given(position=st.integers(0, len(DATA) - 1), bits=st.integers(1, 255))
@example(position=STARTS[1] + 4, bits=1)  # a length
@example(position=STARTS[0] + 3, bits=1)  # a kind
def test_a_changed_byte_loses_only_the_record_it_is_in(position: int, bits: int) -> None:
    data = bytearray(DATA)
    data[position] ^= bits
    stored, report, left = imported(bytes(data))
    touched = sum(start <= position for start in STARTS[:-1]) - 1
    expected = [each for number, each in enumerate(PAYLOADS) if number != touched]
    assert stored == (expected if position >= HEADER_BYTES else PAYLOADS)
    lost = report.torn_records + report.damaged_records
    assert lost == (position >= HEADER_BYTES)
    assert report.torn_records == (touched == len(PAYLOADS) - 1)
    assert left == []


@given(
    holes=st.lists(
        st.tuples(st.integers(HEADER_BYTES, len(DATA)), st.binary(max_size=150)), max_size=4
    )
)
def test_noise_anywhere_never_makes_a_record(holes: list[tuple[int, bytes]]) -> None:
    data = bytearray(DATA)
    for position, noise in holes:
        data[position : position + len(noise)] = noise
    stored, report, _ = imported(bytes(data))
    remaining = iter(PAYLOADS)
    assert all(each in remaining for each in stored)  # a subsequence
    for number, payload in enumerate(PAYLOADS):
        start, end = STARTS[number], STARTS[number + 1]
        if data[start:end] == DATA[start:end]:
            assert payload in stored
    if stored != PAYLOADS:
        assert report.torn_records + report.damaged_records > 0


def test_each_damaged_record_of_known_length_counts() -> None:
    data = bytearray(DATA)
    for number in (0, 2, 3):
        data[STARTS[number + 1] - 1] ^= 1
    stored, report, _ = imported(bytes(data), batch_records=1)
    assert stored == [b"", b"last"]
    assert report.damaged_records == 3
    assert report.damaged_bytes == sum(STARTS[number + 1] - STARTS[number] for number in (0, 2, 3))


def test_damage_longer_than_what_is_read_at_once_is_skipped() -> None:
    data, starts = segment([b"a", b"b" * 3_000_000, b"c", b"d" * 1_100_000, b"e"])
    damaged = bytearray(data)
    damaged[starts[1] : starts[1] + 200] = bytes(200)
    stored, report, _ = imported(bytes(damaged))
    assert stored == [b"a", b"c", b"d" * 1_100_000, b"e"]
    assert (report.damaged_records, report.damaged_bytes) == (1, starts[2] - starts[1])


def test_blocks_left_over_from_another_segment_do_not_pass() -> None:
    header, _ = encode_header(b"m" * 16)
    stored, report, _ = imported(header + DATA[HEADER_BYTES:])
    assert stored == []
    assert report.torn_bytes == len(DATA) - HEADER_BYTES


def test_a_segment_without_header_is_set_aside_and_stops_no_other(tmp_path: Path) -> None:
    data = bytes(HEADER_BYTES) + DATA[HEADER_BYTES:]
    (tmp_path / NAME).write_bytes(data)
    (tmp_path / OTHER).write_bytes(DATA)
    sink = MemorySink()
    report = run(tmp_path, sink)
    assert (report.damaged_files, report.damaged_bytes) == (1, len(data))
    assert sink.stored == PAYLOADS
    assert [each.name for each in tmp_path.iterdir()] == [f"{NAME}.damaged"]
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == data
    assert not run(tmp_path, sink).has_counts


@pytest.mark.parametrize("data", [b"", bytes(40), bytes(5000), DATA[: HEADER_BYTES // 2 - 1]])
def test_a_segment_that_got_its_name_and_no_contents_is_torn(data: bytes) -> None:
    stored, report, left = imported(data)
    assert stored == []
    assert (report.torn_records, report.torn_bytes) == (1 if data else 0, len(data))
    assert report.damaged_files == 0
    assert left == []


def test_a_newer_version_is_left_for_a_newer_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("pairguard.store.segments.framing.VERSION", 2)
        data, _ = segment(PAYLOADS)
    (tmp_path / NAME).write_bytes(data)
    (tmp_path / OTHER).write_bytes(DATA)
    sink = MemorySink()
    report = run(tmp_path, sink)
    assert report.unread_segments == 1
    assert not report.is_complete
    assert sink.stored == PAYLOADS
    assert (tmp_path / NAME).read_bytes() == data


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """Return a function that writes a segment whose writer lives."""
    descriptors = []

    def write(data: bytes) -> Path:
        path = tmp_path / NAME
        path.write_bytes(data)
        descriptors.append(os.open(path, os.O_RDWR))
        flock(descriptors[-1], LOCK_EX)
        return path

    yield write
    for each in descriptors:
        os.close(each)


@pytest.mark.parametrize("cut", [1, 5, 27])
def test_the_unfinished_end_of_a_living_segment_is_waited_for(
    tmp_path: Path, living: Callable[[bytes], Path], cut: int
) -> None:
    path = living(DATA[:-cut])
    sink = MemorySink()
    for _ in range(2):
        report = run(tmp_path, sink)
        assert report.is_complete
        assert report.torn_records == report.damaged_records == 0
        assert sink.stored == PAYLOADS[:-1]
        assert path.read_bytes() == DATA[:-cut]
    with path.open("ab") as file:
        file.write(DATA[-cut:])
    run(tmp_path, sink)
    assert sink.stored == PAYLOADS
    assert path.exists()


def test_damage_in_a_living_segment_waits_for_its_end(
    tmp_path: Path, living: Callable[[bytes], Path]
) -> None:
    data = bytearray(DATA)
    data[STARTS[3] - 1] ^= 1
    path = living(bytes(data))
    sink = MemorySink()
    assert run(tmp_path, sink).damaged_records == 0
    assert sink.stored == PAYLOADS[:2]
    assert path.read_bytes() == data


def test_what_a_dead_writer_left_torn_is_cut_off_and_counted_once(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(DATA[:-2])
    sink = MemorySink()
    sink.durable = False
    assert run(tmp_path, sink).torn_records == 1
    assert path.read_bytes() == DATA[: STARTS[-2]]
    assert not run(tmp_path, sink).has_counts
    sink.durable = True
    assert run(tmp_path, sink).deleted_segments == 1
    assert sink.stored == PAYLOADS[:-1]


def test_nothing_is_read_behind_the_end_of_a_file_that_lost_its_own(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(DATA[: STARTS[2]])
    sink = MemorySink()
    sink.ends[NAME] = len(DATA)
    assert run(tmp_path, sink).deleted_segments == 1
    assert sink.stored == []


def test_a_reader_alone_tells_where_to_read_on(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(DATA)
    with SegmentReader(tmp_path / NAME) as reader:
        first = reader.read(0, limit_records=2)
        second = reader.read(first.end, limit_records=500)
        third = reader.read(second.end, limit_records=500)
    assert [each.payload for each in (*first.records, *second.records)] == PAYLOADS
    assert (first.is_last, second.is_last, third.is_last) == (False, True, True)
    assert first.end == STARTS[2]
    assert second.end == third.end == len(DATA)
