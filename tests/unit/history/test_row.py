"""How a row is written and read again."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import Change, ReportMade
from pairguard.history.row import Row
from pairguard.history.sections import (
    CONTACTS,
    DEVICES,
    EVIDENCE,
    LEDGER,
    TILES,
    TIMES,
    ledger_section,
    sections_of,
)
from pairguard.history.sections import (
    row_of as row_of_sections,
)
from pairguard.history.summary import blocks, last_met, summarise
from tests.history_changes import (
    DAY,
    NOON,
    changes,
    hashed,
    reported,
    row_of,
    started,
    with_devices,
)

READERS: dict[str, Callable[[bytes], object]] = {
    "summarise": lambda row: summarise([row], NOON),
    "write": lambda row: Row(row).written(),
    "apply": lambda row: Row(row).apply(ReportMade(NOON)),
}
FULL = row_of(
    [
        started("chat", "ann", "phone of ann"),
        with_devices("phone"),
        reported("report", "ann", chat="chat"),
    ]
)


@given(happened=st.lists(changes, max_size=25))
def test_reading_and_writing_changes_nothing(happened: list[Change]) -> None:
    row = row_of(happened)
    assert Row(row).written() == row or not happened


@given(happened=st.lists(changes, min_size=1, max_size=25))
def test_it_is_the_same_row_whether_written_in_between_or_not(happened: list[Change]) -> None:
    at_once = Row()
    for change in happened:
        at_once.apply(change)
    assert summarise([at_once.written()], NOON + DAY) == summarise([row_of(happened)], NOON + DAY)


def test_what_is_no_change_is_refused() -> None:
    with pytest.raises(TypeError, match="no change"):
        Row().apply("a text")  # type: ignore[arg-type]


def test_sections_of_a_newer_program_survive() -> None:
    sections = {**sections_of(FULL), 200: b"newer", TIMES: sections_of(FULL)[TIMES] + b"behind"}
    row = row_of([started("another", "bea"), ReportMade(NOON)], row_of_sections(sections))
    found = sections_of(row)
    assert found[200] == b"newer"
    assert found[TIMES].endswith(b"behind")
    assert summarise([row], NOON).partners_30d == 2.0


@given(
    names=st.dictionaries(
        st.text(min_size=1, max_size=5).map(lambda text: f"newer_{text}"),
        st.one_of(st.none(), st.integers(), st.just([]), st.just({}), st.lists(st.booleans())),
        max_size=4,
    )
)
def test_names_of_a_newer_program_in_the_ledger_survive(names: dict[str, object]) -> None:
    sections = sections_of(FULL)
    ledger = {**json.loads(sections[LEDGER]), **names}
    row = row_of_sections({**sections, LEDGER: ledger_section(ledger)})
    row = row_of([reported("another", "bea"), started("c", "bea")], row)
    after = json.loads(sections_of(row)[LEDGER])
    assert {name: after[name] for name in names} == names


def test_nothing_is_a_row_about_which_nothing_is_known() -> None:
    assert sections_of(b"") == {}
    assert summarise([b""], NOON).signals is None
    assert last_met([b""], [hashed("ann")]) is None
    assert not blocks([b""], [hashed("ann")])


@pytest.mark.parametrize("reader", READERS)
@given(place=st.integers(0, len(FULL) - 1), bit=st.integers(0, 7))
def test_a_changed_bit_is_never_read_as_something_else(reader: str, place: int, bit: int) -> None:
    damaged = bytearray(FULL)
    damaged[place] ^= 1 << bit
    with pytest.raises(ValueError, match="row"):
        READERS[reader](bytes(damaged))


@pytest.mark.parametrize("reader", READERS)
@given(length=st.integers(1, len(FULL) - 1), more=st.binary(max_size=3))
def test_a_torn_row_is_refused(reader: str, length: int, more: bytes) -> None:
    with pytest.raises(ValueError, match="row"):
        READERS[reader](FULL[:length] + more)


@pytest.mark.parametrize("reader", READERS)
@given(garbage=st.binary(min_size=1, max_size=300))
def test_any_other_bytes_are_refused(reader: str, garbage: bytes) -> None:
    with pytest.raises(ValueError, match="row"):
        READERS[reader](garbage)


@given(garbage=st.binary(max_size=120), more=st.sampled_from([b"", FULL]))
def test_a_search_in_a_damaged_row_raises_nothing_else(garbage: bytes, more: bytes) -> None:
    for search in (last_met, blocks):
        try:
            search([more + garbage], [hashed("nobody"), garbage[:16].ljust(16)])
        except ValueError:
            continue


@pytest.mark.parametrize("tag", [TIMES, TILES, CONTACTS, DEVICES, EVIDENCE, LEDGER])
@given(content=st.one_of(st.binary(min_size=1, max_size=90), st.just(b"[]"), st.just(b"{")))
def test_a_damaged_section_is_refused_or_read_but_nothing_else(tag: int, content: bytes) -> None:
    row = row_of_sections({**sections_of(FULL), tag: content})
    for read in READERS.values():
        try:
            read(row)
        except ValueError:
            continue


def test_a_section_that_stands_there_twice_is_refused() -> None:
    section = b"\xc8\x01\x00\x00\x00x"
    one = row_of_sections({200: b"x"})
    assert one.endswith(section)
    # The check sum is right; only the form is not.
    content = section + section
    with pytest.raises(ValueError, match="twice"):
        sections_of(crc32(content).to_bytes(4, "little") + content)


def test_a_row_stays_small_whatever_comes() -> None:
    row = Row()
    numbers = random.Random(7)
    for number in range(3_000):
        time = NOON + number * 600.0
        name = str(numbers.randrange(10**9))
        row.apply(started(name, name, f"phone of {name}", time=time))
        row.apply(with_devices(name, time=time))
        row.apply(reported(name, name, time=time))
    assert len(row.written()) < 100_000
