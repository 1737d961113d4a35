"""Dated lists of ids."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.contacts import (
    MAX_CONTACTS,
    contact_count,
    last_contact,
    note_contact,
    open_contacts,
    prefixes_of,
    with_names,
)
from tests.history_changes import DAY, NOON, hashed

MET = st.lists(
    st.tuples(st.integers(0, 29 * 86_400), st.sampled_from(["ann", "bea", "cem"])), max_size=20
)


def with_contact(contacts: bytes, time: float, ids: Sequence[bytes]) -> bytes:
    """Return a list in which a participant was met at a time."""
    kept = open_contacts(contacts)
    note_contact(kept, time, ids)
    return bytes(kept)


@given(met=MET)
def test_the_last_meeting_is_found_whatever_the_order(met: list[tuple[int, str]]) -> None:
    contacts = b""
    for second, name in met:
        contacts = with_contact(contacts, NOON + second, [hashed(name), hashed(f"phone of {name}")])
    for name in ("ann", "bea", "cem"):
        seconds = [second for second, other in met if other == name]
        expected = ((NOON + max(seconds)) // 60.0 + 1.0) * 60.0 if seconds else None
        assert last_contact(contacts, [hashed(name)]) == expected
        assert last_contact(contacts, [hashed("x"), hashed(f"phone of {name}")]) == expected
    assert contact_count([contacts], NOON + 29 * DAY) == len({name for _, name in met})


def test_only_ids_that_were_somebodys_own_are_counted() -> None:
    contacts = with_contact(b"", NOON, [hashed("ann"), hashed("phone")])
    assert contact_count([contacts], NOON) == 1
    # The phone comes as an id of its own, and then again as a linked one.
    contacts = with_contact(contacts, NOON, [hashed("phone")])
    contacts = with_contact(contacts, NOON, [hashed("ann"), hashed("phone")])
    assert contact_count([contacts], NOON) == 2


def test_the_same_id_in_several_lists_is_one_contact() -> None:
    first = with_contact(b"", NOON, [hashed("ann")])
    second = with_contact(with_contact(b"", NOON + DAY, [hashed("ann")]), NOON, [hashed("bea")])
    assert contact_count([first, second, first], NOON + DAY) == 2
    assert contact_count([b"", first, b""], NOON + DAY) == 1
    assert contact_count([], NOON) == contact_count([b""], NOON) == 0


def test_contacts_are_counted_for_thirty_days() -> None:
    contacts = with_contact(b"", NOON, [hashed("ann")])
    assert contact_count([contacts], NOON + 30 * DAY) == 1
    assert contact_count([contacts], NOON + 30 * DAY + 61.0) == 0
    assert contact_count([contacts], NOON - 300 * DAY) == 1  # a clock that went back
    assert len(with_contact(contacts, NOON + 31 * DAY, [hashed("bea")])) == len(contacts)


def test_a_list_tells_the_beginnings_of_its_ids() -> None:
    contacts = with_contact(b"", NOON, [hashed("ann"), hashed("phone")])
    assert set(prefixes_of(contacts)) == {hashed("ann")[:8], hashed("phone")[:8]}
    assert prefixes_of(b"") == []
    with pytest.raises(ValueError, match="ends within"):
        prefixes_of(contacts[:-1])


def test_beyond_the_cap_the_oldest_are_forgotten() -> None:
    contacts = b""
    for number in range(MAX_CONTACTS + 5):
        contacts = with_contact(contacts, NOON + 60.0 * number, [hashed(str(number))])
    assert contact_count([contacts], NOON + DAY) == MAX_CONTACTS
    assert last_contact(contacts, [hashed("4")]) is None
    assert last_contact(contacts, [hashed("5")]) is not None
    assert last_contact(contacts, [hashed(str(MAX_CONTACTS + 4))]) is not None


@given(
    ids=st.lists(st.binary(min_size=16, max_size=16), unique_by=lambda each: each[:8], max_size=12),
    gone=st.sets(st.integers(0, 11)),
)
def test_other_names_leave_counts_and_no_trace(ids: list[bytes], gone: set[int]) -> None:
    contacts = b""
    for each in ids:
        contacts = with_contact(contacts, NOON, [each])
    erased = [each for index, each in enumerate(ids) if index in gone]
    names = {each: hashed(f"another {index}") for index, each in enumerate(erased)}
    renamed = with_names(contacts, names)
    assert contact_count([renamed], NOON) == len(ids)
    assert contact_count([renamed, renamed[:16]], NOON) == len(ids)
    for each in ids:
        assert (last_contact(renamed, [each]) is None) == (each in erased)


@pytest.mark.parametrize("length", [1, 15, 17])
def test_damaged_lists_are_refused(length: int) -> None:
    damaged = bytes(length)
    with pytest.raises(ValueError, match="ends within"):
        with_contact(damaged, NOON, [hashed("ann")])
    with pytest.raises(ValueError, match="ends within"):
        last_contact(damaged, [hashed("ann")])
    with pytest.raises(ValueError, match="ends within"):
        contact_count([damaged], NOON)
    with pytest.raises(ValueError, match="ends within"):
        with_names(damaged, {hashed("ann"): hashed("x")})
