"""The value that is kept of one id."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import ReportMade
from pairguard.history.row import Row
from pairguard.store.ports import LEGAL_HOLD, Hold
from pairguard.store.redis.cells import (
    HEAD_BYTES,
    NEVER,
    Cell,
    read_cell,
    read_head,
    with_hold,
    without_holds,
    write_cell,
)

TIMES = st.floats(-1e12, 1e12)
HOLDS = st.builds(
    Hold,
    reason=st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True),
    start_time=TIMES,
    expire_time=st.none() | TIMES,
)
CELLS = st.builds(
    Cell,
    base=st.integers(0, 2**53),
    applied=st.lists(st.integers(0, 2**53), max_size=9, unique=True).map(sorted).map(tuple),
    erase_time=st.just(NEVER) | TIMES,
    holds=st.lists(HOLDS, max_size=4).map(tuple),
    row=st.binary(max_size=200),
)


def row_seen(time: float) -> bytes:
    state = Row()
    state.apply(ReportMade(time))
    return state.written()


@given(CELLS)
def test_a_cell_is_read_as_it_was_written_under_a_new_version(cell: Cell) -> None:
    first, second = write_cell(cell), write_cell(cell)
    read = read_cell(first)
    assert (read.base, read.applied, read.erase_time) == (cell.base, cell.applied, cell.erase_time)
    assert (read.holds, read.row) == (cell.holds, cell.row)
    assert read.version == first[1:9] != second[1:9]


@given(CELLS)
def test_a_cell_that_is_cut_off_anywhere_is_refused(cell: Cell) -> None:
    value = write_cell(cell)
    for end in range(len(value)):
        with pytest.raises(ValueError, match=r"cell|hold|decode"):
            read_cell(value[:end])


def test_another_form_is_refused() -> None:
    value = b"\x02" + write_cell(Cell())[1:]
    with pytest.raises(ValueError, match="form"):
        read_cell(value)
    with pytest.raises(ValueError, match="form"):
        read_head(value)


def test_the_head_tells_what_a_purge_looks_at() -> None:
    cell = Cell(erase_time=3.0, holds=(Hold("REVIEW", 1.0),), row=row_seen(77.0))
    head = read_head(write_cell(cell)[:HEAD_BYTES])
    assert (head.erase_time, head.last_seen, head.hold_count, head.has_row) == (3.0, 77.0, 1, True)
    empty = read_head(write_cell(Cell()))
    assert (empty.last_seen, empty.has_row) == (0.0, False)


def test_a_damaged_row_is_never_too_old() -> None:
    assert read_head(write_cell(Cell(row=row_seen(77.0)[:-1]))).last_seen == math.inf


def test_records_below_the_floor_need_no_mark_of_their_own() -> None:
    cell = Cell(base=3, applied=(5, 9))
    assert [number for number in range(1, 12) if cell.holds_record(number)] == [1, 2, 3, 5, 9]
    later = cell.with_records([7], floor=6, row=b"row")
    assert later == Cell(base=5, applied=(7, 9), row=b"row")
    assert cell.with_records([7], floor=1, row=b"").applied == (5, 7, 9)


@given(HOLDS, HOLDS)
def test_a_hold_is_never_shortened(first: Hold, second: Hold) -> None:
    second = Hold(first.reason, second.start_time, second.expire_time)
    (kept,) = with_hold(with_hold(Cell(), first), second).holds
    ends = [math.inf if each.expire_time is None else each.expire_time for each in (first, second)]
    assert (math.inf if kept.expire_time is None else kept.expire_time) == max(ends)


def test_a_release_of_all_leaves_what_the_law_asks_for() -> None:
    cell = Cell(holds=(Hold("REVIEW", 1.0), Hold(LEGAL_HOLD, 1.0), Hold("ENDED", 1.0, 2.0)))
    freed, count = without_holds(cell, 5.0, None)
    assert count == 1
    assert freed.holds == (
        Hold("REVIEW", 1.0, 5.0),
        Hold(LEGAL_HOLD, 1.0),
        Hold("ENDED", 1.0, 2.0),
    )
    assert without_holds(cell, 5.0, frozenset({LEGAL_HOLD}))[1] == 1
