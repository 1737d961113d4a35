"""Items of evidence in a row."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import EvidenceKept
from pairguard.history.kept_evidence import (
    MAX_ITEMS,
    KeptItem,
    read_items,
    with_item,
    would_fit,
    write_items,
)
from tests.history_changes import NOON, hashed, row_of


def item(number: int, claim: int) -> EvidenceKept:
    claimed = hashed(f"claim {claim}")[:8]
    return EvidenceKept(NOON + number, hashed(f"item {number}"), claimed, bytes([claim % 256]))


def kept(*changes: EvidenceKept) -> list[KeptItem]:
    items: list[KeptItem] = []
    for change in changes:
        items = read_items(write_items(with_item(items, change)))
    return items


@given(claims=st.lists(st.integers(0, 60), max_size=90))
def test_what_was_said_only_once_is_never_dropped(claims: list[int]) -> None:
    items = kept(*[item(number, claim) for number, claim in enumerate(claims)])
    assert {each.claim for each in items} == {hashed(f"claim {claim}")[:8] for claim in claims}
    assert len(items) <= max(MAX_ITEMS, len(set(claims)))
    assert len(items) >= min(len(claims), MAX_ITEMS)
    # Of each claim the latest one is there.
    latest = {claim: number for number, claim in enumerate(claims)}
    assert {hashed(f"item {number}") for number in latest.values()} <= {
        each.evidence for each in items
    }


def test_an_item_is_kept_once_and_two_items_of_one_id_both() -> None:
    first, other = item(1, 1), item(1, 2)
    assert kept(first, first) == kept(first)
    assert kept(first, other) == [*kept(first), *kept(other)]


def test_an_item_of_somebody_linked_may_turn_out_to_be_own_and_never_the_reverse() -> None:
    own = item(1, 1)
    linked = replace(own, own=False)
    assert [each.own for each in kept(linked)] == [False]
    assert [each.own for each in kept(linked, own)] == [True]
    assert [each.own for each in kept(own, linked)] == [True]


@given(claims=st.lists(st.integers(0, 60), max_size=60), new=st.integers(0, 60))
def test_what_would_fit_drops_no_claim_and_keeps_to_the_cap(claims: list[int], new: int) -> None:
    items: list[KeptItem] = []
    for number, claim in enumerate(claims):
        if would_fit(items, hashed(f"claim {claim}")[:8]):
            items = with_item(items, item(number, claim))
    assert len(items) <= MAX_ITEMS
    known = hashed(f"claim {new}")[:8] in {each.claim for each in items}
    distinct = len({each.claim for each in items})
    assert would_fit(items, hashed(f"claim {new}")[:8]) == (known or distinct < MAX_ITEMS)


def test_a_long_item_is_kept_whole() -> None:
    change = EvidenceKept(NOON, hashed("i"), hashed("c")[:8], b"x" * 100_000)
    (found,) = kept(change)
    assert found.content == change.content
    assert len(row_of([change])) > 100_000


@given(damage=st.binary(min_size=1, max_size=100))
def test_damaged_items_are_refused_and_nothing_else_is_raised(damage: bytes) -> None:
    try:
        items = read_items(damage)
    except ValueError:
        return
    assert write_items(items) == damage
