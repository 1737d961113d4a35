"""Many changes folded into many rows at once are those of the plain way, to the byte."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import Change, Linked, ReportMade, Unlinked
from pairguard.history.folding import Folding, folded
from pairguard.history.sections import LEDGER, TIMES, sections_of
from pairguard.history.sections import row_of as row_of_sections
from tests.history_changes import (
    DAY,
    NOON,
    changes,
    decided,
    ended,
    hashed,
    reported,
    started,
    with_devices,
)
from tests.reference_row import reference_row

# What one call tells of, all of it at one time, and the calls before it.
appends = st.lists(st.lists(changes, min_size=1, max_size=10), min_size=1, max_size=4)
# Far enough apart that tiles, contacts and chats go.
pauses = st.lists(st.sampled_from([0.0, 1.0, 400.0, DAY, 31 * DAY]), min_size=4, max_size=4)


def at(change: Change, seconds: float) -> Change:
    """Return a change that happens later."""
    fields = {name: getattr(change, name) for name in change.__dataclass_fields__}
    return type(change)(**{**fields, "time": fields["time"] + seconds})


@given(told=appends, pauses=pauses)
def test_a_row_after_many_changes_is_that_of_the_plain_way(
    told: list[list[Change]], pauses: list[float]
) -> None:
    row = plain = b""
    later = 0.0
    for of_call, pause in zip(told, pauses, strict=False):
        later += pause
        happened = [at(change, later) for change in of_call]
        row, plain = folded(row, happened), reference_row(plain, happened)
        assert row == plain


@given(told=appends, own=st.sampled_from([("phone",), ("phone", "tablet")]))
def test_rows_that_share_their_changes_are_those_of_the_plain_way(
    told: list[list[Change]], own: tuple[str, ...]
) -> None:
    ids = ("account", "session", "phone")
    rows = dict.fromkeys(ids, b"")
    plain = dict(rows)
    for of_call in told:
        shared = [change for change in of_call if not isinstance(change, Linked)]
        folding = Folding()
        for each in ids:
            happened = [*shared, with_devices(*own)] if each == "account" else shared
            rows[each] = folding.folded(rows[each], happened)
            plain[each] = reference_row(plain[each], happened)
        assert rows == plain


@given(happened=st.lists(changes, min_size=1, max_size=10), apart=st.integers(0, 9))
def test_at_one_time_it_does_not_matter_how_the_changes_are_dealt_out(
    happened: list[Change], apart: int
) -> None:
    at_once = [at(change, NOON - change.time) for change in happened]  # type: ignore[union-attr]
    two_calls = folded(folded(b"", at_once[:apart]), at_once[apart:])
    one_by_one = b""
    for change in at_once:
        one_by_one = folded(one_by_one, [change])
    assert folded(b"", at_once) == two_calls == one_by_one


def test_rows_that_differ_are_not_taken_for_each_other() -> None:
    happened: list[Change] = [started("chat", "ann"), ended("chat", "ann")]
    before = [b"", folded(b"", [decided()]), folded(b"", [ReportMade(NOON)])]
    folding = Folding()
    found = [folding.folded(row, happened) for row in before]
    assert found == [folded(row, happened) for row in before]
    assert all(one != other for one, other in pairwise(found))


def test_a_row_keeps_what_is_its_own_and_what_a_newer_program_wrote() -> None:
    first = folded(b"", [decided(), with_devices("phone")])
    second = row_of_sections({**sections_of(folded(b"", [decided()])), 200: b"newer"})
    folding = Folding()
    happened: list[Change] = [started("chat", "ann")]
    folding.folded(first, happened)
    assert folding.folded(second, happened) == folded(second, happened)
    assert sections_of(folding.folded(second, happened))[200] == b"newer"


def test_more_chats_and_contacts_than_a_row_holds_force_out_the_oldest_alike() -> None:
    happened: list[Change] = []
    for number in range(600):
        partner = [f"p{number}", f"phone of p{number}"]
        happened.append(started(f"c{number}", *partner, time=NOON + number))
        if number % 3:
            happened.append(ended(f"c{number}", *partner, time=NOON + number + 9.0))
    assert folded(b"", happened) == reference_row(b"", happened)


def test_a_damaged_part_is_refused_by_the_change_that_touches_it() -> None:
    sections = sections_of(folded(b"", [started("chat", "ann"), reported("r", "bea")]))
    damaged = row_of_sections({**sections, LEDGER: b"no object"})
    assert folded(damaged, [decided()])
    refused: tuple[Change, ...] = (started("c2", "cem"), reported("s", "cem"))
    for each in refused:
        with pytest.raises(ValueError, match=r"."):
            folded(damaged, [each])
    with pytest.raises(ValueError, match="times"):
        Folding().folded(row_of_sections({**sections, TIMES: b"short"}), [decided()])


def test_an_erasure_is_folded_as_it_always_was() -> None:
    row = folded(b"", [started("chat", "ann", "phone of ann")])
    change = Unlinked((hashed("ann"),), hashed("token"))
    assert Folding().folded(row, [change]) == folded(row, [change]) != row
