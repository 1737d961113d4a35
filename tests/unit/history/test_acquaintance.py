"""Whoever met or blocked another of a pool is found, whatever else is in the rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.history.acquaintance import possibly_acquainted, possibly_acquainted_with
from pairguard.history.changes import Blocked, Change, ChatStarted
from pairguard.history.row import Row
from pairguard.history.summary import blocks, last_met, may_block, may_have_met

NOON = 1_795_000_000.0
PEOPLE = [tuple(bytes([who, link]) * 8 for link in range(2)) for who in range(6)]

happenings = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from(["met", "blocked", "was blocked", "lifted"]),
    ).filter(lambda each: each[0] != each[1]),
    max_size=8,
)


def change(kind: str, number: int, other: tuple[bytes, ...]) -> Change:
    if kind == "met":
        return ChatStarted(NOON, f"{number:032x}", other, "", b"")
    return Blocked(NOON, other, by_this=kind == "blocked", lifted=kind == "lifted")


def rows_after(happened: list[tuple[int, int, str]]) -> list[list[bytes]]:
    rows = [[Row() for _ in ids] for ids in PEOPLE]
    for number, (who, other, kind) in enumerate(happened):
        rows[who][number % 2].apply(change(kind, number, PEOPLE[other]))
    return [[row.written() for row in of_one] for of_one in rows]


@given(happenings)
@settings(max_examples=200)
def test_those_who_know_each_other_are_found(happened: list[tuple[int, int, str]]) -> None:
    written = rows_after(happened)

    found = possibly_acquainted(written, PEOPLE)

    known = {
        (a, b)
        for a in range(6)
        for b in range(a + 1, 6)
        if any(
            last_met(written[one], PEOPLE[two]) is not None or blocks(written[one], PEOPLE[two])
            for one, two in ((a, b), (b, a))
        )
    }
    assert known <= found
    for one in range(6):
        of_one = possibly_acquainted_with(one, written, PEOPLE)
        assert {(min(one, each), max(one, each)) for each in of_one} >= {
            pair for pair in known if one in pair
        }
        assert one not in of_one
    assert found <= {(min(a, b), max(a, b)) for a, b, _ in happened}


def test_a_pool_of_whom_nothing_is_kept_knows_nobody() -> None:
    assert possibly_acquainted([(), ()], PEOPLE[:2]) == set()
    assert possibly_acquainted_with(0, [(), ()], PEOPLE[:2]) == []


@given(happenings)
def test_what_a_search_of_whole_rows_rules_out_is_not_there(
    happened: list[tuple[int, int, str]],
) -> None:
    written = rows_after(happened)
    for one in range(6):
        for two in range(6):
            if last_met(written[one], PEOPLE[two]) is not None:
                assert may_have_met(written[one], PEOPLE[two])
            if blocks(written[one], PEOPLE[two]):
                assert may_block(written[one])
    nobody = (b"n" * 16,)
    assert not any(may_have_met(each, nobody) for each in written)


def test_rows_that_know_others_do_not_name_a_stranger() -> None:
    row = Row()
    row.apply(change("met", 1, PEOPLE[1]))
    people = PEOPLE[1:5]  # zeros, the ids of the first, may be anywhere
    rows = [[], [], [row.written()], []]
    assert possibly_acquainted_with(0, rows, people) == [2]
    assert possibly_acquainted_with(2, rows, people) == [0]
    assert possibly_acquainted_with(1, rows, people) == []


@pytest.mark.parametrize("link", [0, 1])
def test_whoever_is_named_by_one_id_alone_is_found(link: int) -> None:
    people = PEOPLE[1:4]
    row = Row()
    row.apply(change("met", 1, (people[0][link],)))
    rows = [[], [row.written()], []]
    assert possibly_acquainted_with(0, rows, people) == [1]
    assert possibly_acquainted_with(1, rows, people) == [0]


def test_a_row_of_blocks_may_name_anybody() -> None:
    row = Row()
    row.apply(change("was blocked", 1, PEOPLE[1]))
    rows = [[row.written()] if place == 3 else [] for place in range(6)]
    assert possibly_acquainted_with(3, rows, PEOPLE) == [0, 1, 2, 4, 5]
    assert possibly_acquainted_with(2, rows, PEOPLE) == [3]
