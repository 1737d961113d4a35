"""When somebody is erased, what others' rows say stays and leads to nobody."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import Blocked, Change, Unlinked
from pairguard.history.summary import blocks, last_met, open_chats, summarise
from tests.history_changes import DAY, NOON, changes, hashed, reported, row_of, started

NOW = NOON + DAY
ERASED = (hashed("ann"), hashed("phone of ann"), hashed("bea"))
TOKEN = hashed("a token that leads to nobody")


def unlinked(row: bytes, token: bytes = TOKEN) -> bytes:
    return row_of([Unlinked(ERASED, token)], row)


def traces(row: bytes) -> list[bytes]:
    """Return in what forms anything of the erased stands in a row."""
    return [
        form
        for each in ERASED
        for form in (each, each[:8], each.hex().encode(), each[:8].hex().encode())
        if form in row
    ]


def is_own_block(change: Change) -> bool:
    return isinstance(change, Blocked) and change.by_this


@given(
    happened=st.lists(changes.filter(lambda change: not is_own_block(change)), max_size=20),
)
def test_counts_stay_and_nothing_leads_to_the_erased(happened: list[Change]) -> None:
    row = row_of(happened)
    after = unlinked(row)
    assert traces(after) == []
    before, now = summarise([row], NOW), summarise([after], NOW)
    without_partners = [replace(chat, partner=()) for chat in open_chats([after], NOW)]
    assert without_partners == [replace(chat, partner=()) for chat in open_chats([row], NOW)]
    assert now == before
    assert last_met([after], ERASED) is None
    assert not blocks([after], ERASED)
    # It is the same in the rows of several ids.
    assert summarise([after, after], NOW) == now


def test_those_who_stay_are_found_as_before() -> None:
    row = row_of(
        [
            started("1", "ann", "phone of ann"),
            started("2", "cem"),
            Blocked(NOON, (hashed("cem"),), by_this=False),
            reported("r", "cem", chat="2"),
        ]
    )
    after = unlinked(row)
    assert last_met([after], [hashed("cem")]) == last_met([row], [hashed("cem")]) is not None
    assert blocks([after], [hashed("cem")])
    assert summarise([after], NOW).reporters_30d == 1.0


def test_the_rows_of_one_participant_still_agree_on_who_was_met() -> None:
    own = row_of([started("1", "ann", "phone of ann"), started("2", "bea")])
    device = row_of([started("1", "ann", "phone of ann"), reported("r", "ann", "phone of ann")])
    before = summarise([own, device], NOW)
    after = summarise([unlinked(own), unlinked(device)], NOW)
    assert (before.partners_30d, before.reporters_30d) == (2.0, 1.0)
    assert (after.partners_30d, after.reporters_30d) == (2.0, 1.0)


def test_whom_a_participant_blocked_stays_blocked_whoever_was_erased() -> None:
    row = row_of([Blocked(NOON, ERASED, by_this=True), started("1", "ann")])
    after = unlinked(row)
    for each in ERASED:
        assert blocks([after], [each])
    assert last_met([after], ERASED) is None


def test_who_comes_back_after_the_erasure_is_somebody_new() -> None:
    row = unlinked(row_of([started("1", "ann"), reported("r", "ann")]))
    again = row_of([started("2", "ann", time=NOON + 60.0)], row)
    assert summarise([again], NOW).partners_30d == 2.0
    assert last_met([again], [hashed("ann")]) is not None


def test_two_erasures_are_told_apart() -> None:
    row = row_of([started("1", "ann"), started("2", "cem")])
    row = unlinked(row)
    row = row_of([Unlinked((hashed("cem"),), hashed("another token"))], row)
    assert summarise([row], NOW).partners_30d == 2.0
