"""Hashes in place of ids, and texts that only the key can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.store.identity import HASH_BYTES, KEY_BYTES, MAX_KEYS, IdentityKey, IdentityKeys

KEY, OTHER = IdentityKey(bytes(range(32))), IdentityKey(bytes(32))


@given(content=st.binary(max_size=200))
def test_what_is_sealed_is_read_with_the_same_key_alone(content: bytes) -> None:
    sealed = KEY.seal(content)
    assert KEY.unseal(sealed) == content
    with pytest.raises(ValueError, match="another key"):
        OTHER.unseal(sealed)
    assert IdentityKeys([OTHER, KEY]).unseal(sealed) == content
    with pytest.raises(ValueError, match="none of these keys"):
        IdentityKeys([OTHER]).unseal(sealed)


@given(content=st.binary(min_size=1, max_size=40), place=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_seal_that_was_changed_is_refused(content: bytes, place: int, bit: int) -> None:
    sealed = bytearray(KEY.seal(content))
    for each in (place, -1 - place % len(content)):
        changed = bytearray(sealed)
        changed[each] ^= 1 << bit
        with pytest.raises(ValueError, match="changed"):
            KEY.unseal(bytes(changed))
    for length in range(len(sealed)):
        with pytest.raises(ValueError, match="changed"):
            KEY.unseal(bytes(sealed[:length]))


@given(content=st.binary(min_size=8, max_size=300))
def test_a_seal_shows_nothing_of_its_text_and_is_never_the_same(content: bytes) -> None:
    first, second = KEY.seal(content), KEY.seal(content)
    assert first != second
    assert content not in first
    assert len(first) == len(content) + 32


def test_a_hash_depends_on_the_key_and_on_every_character() -> None:
    assert len(KEY.hash("ann")) == HASH_BYTES
    assert KEY.hash("ann") == IdentityKey(bytes(range(32))).hash("ann")
    hashes = {KEY.hash("ann"), KEY.hash("Ann"), KEY.hash("ann "), KEY.hash(""), OTHER.hash("ann")}
    assert len(hashes) == 5


def test_a_key_is_named_without_being_told() -> None:
    assert KEY.key_id != OTHER.key_id
    assert len(KEY.key_id) == 8
    assert KEY.check_value not in {KEY.hash(""), KEY.hash(KEY.key_id)}


@given(count=st.integers(1, MAX_KEYS), ids=st.lists(st.text(max_size=9), max_size=4))
def test_retired_keys_find_what_they_hashed(count: int, ids: list[str]) -> None:
    each_key = [IdentityKey(bytes([number] * KEY_BYTES)) for number in range(count)]
    keys = IdentityKeys(each_key)
    hashes = keys.hashes(ids)
    assert hashes[: len(ids)] == tuple(keys.hash(raw_id) for raw_id in ids)
    assert set(hashes) == {key.hash(raw_id) for key in each_key for raw_id in ids}
    assert len(hashes) == count * len(ids)
    assert keys.current is each_key[0]
    assert keys.retired == tuple(each_key[1:])


@pytest.mark.parametrize(
    "keys", [[], [KEY, KEY], [IdentityKey(bytes([n] * 32)) for n in range(MAX_KEYS + 1)]]
)
def test_no_keys_too_many_and_the_same_one_twice_are_refused(keys: list[IdentityKey]) -> None:
    with pytest.raises(ValueError, match="identity keys"):
        IdentityKeys(keys)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_has_its_length(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        IdentityKey(bytes(length))
