"""The bytes of a segment: what is taken for a record and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.store.segments.framing import (
    HEADER_BYTES,
    RECORD_HEADER_BYTES,
    Damaged,
    Foreign,
    Incomplete,
    Position,
    Record,
    SegmentName,
    decode_header,
    decode_record,
    encode_header,
    encode_record,
    find_record,
    parse_name,
)

NONCE = bytes(range(16))
HEADER, SEED = encode_header(NONCE)


def test_a_record_is_read_where_it_was_written() -> None:
    data = encode_record(SEED, 64, b"payload")
    assert decode_record(SEED, 64, data, 0) == Record(64 + len(data), b"payload", None)
    assert len(data) == RECORD_HEADER_BYTES + len(b"payload")


def test_a_rescued_record_names_where_it_stood_first() -> None:
    origin = Position("00000000000000000001-7-0123456789abcdef.segment", 777)
    data = encode_record(SEED, 64, b"payload", origin)
    assert decode_record(SEED, 64, data, 0) == Record(64 + len(data), b"payload", origin)


@pytest.mark.parametrize("origin", [None, Position("s", 9)])
def test_a_record_of_another_place_or_another_segment_does_not_pass(
    origin: Position | None,
) -> None:
    data = encode_record(SEED, 4096, b"payload", origin)
    other_seed = encode_header(bytes(16))[1]
    assert decode_record(SEED, 8192, data, 0) == Damaged(None)
    assert decode_record(other_seed, 4096, data, 0) == Damaged(None)


@given(payload=st.binary(max_size=40), position=st.integers(0), bit=st.integers(0, 7))
def test_no_flipped_bit_passes(payload: bytes, position: int, bit: int) -> None:
    data = bytearray(encode_record(SEED, 64, payload))
    data[position % len(data)] ^= 1 << bit
    assert isinstance(decode_record(SEED, 64, bytes(data), 0), Damaged)


@given(payload=st.binary(max_size=40), length=st.integers(0))
def test_a_cut_record_asks_for_the_rest(payload: bytes, length: int) -> None:
    data = encode_record(SEED, 64, payload)
    found = decode_record(SEED, 64, data[: length % len(data)], 0)
    assert isinstance(found, Incomplete)
    assert found.needed_bytes in {RECORD_HEADER_BYTES, len(data)}


def test_a_damaged_payload_leaves_the_end_known() -> None:
    data = bytearray(encode_record(SEED, 64, b"payload"))
    data[-1] ^= 1
    assert decode_record(SEED, 64, bytes(data), 0) == Damaged(64 + len(data))


def test_a_record_is_found_behind_noise_and_not_inside_another() -> None:
    inner = encode_record(SEED, 5000, b"a record in a payload")
    noise = b"\xa7Pg" * 5
    outer = encode_record(SEED, 64 + len(noise) + 1, inner)
    assert find_record(SEED, 64, noise + b"x" + outer, 0) == len(noise) + 1
    assert find_record(SEED, 64, noise + inner, 0) is None


@given(position=st.integers(0, HEADER_BYTES - 1), value=st.integers(0, 255))
def test_no_single_byte_makes_a_header_unreadable(position: int, value: int) -> None:
    data = bytearray(HEADER)
    data[position] = value
    assert decode_header(bytes(data)) == SEED


def test_a_header_that_is_lost_or_newer_is_told_apart() -> None:
    assert decode_header(b"") is None
    assert decode_header(bytes(HEADER_BYTES)) is None
    newer = _with_version(2)
    assert decode_header(newer) == Foreign(2)


def _with_version(version: int) -> bytes:
    from zlib import crc32  # noqa: PLC0415 - only this test makes headers by hand

    fields = HEADER[:8] + version.to_bytes(2, "little") + HEADER[10:28]
    return (fields + crc32(fields).to_bytes(4, "little")) * 2


@pytest.mark.parametrize("is_rescue", [True, False])
def test_a_name_is_read_back(is_rescue: bool) -> None:
    name = SegmentName(1_700_000_000_123_456_789, "41-0123456789abcdef", is_rescue)
    assert parse_name(str(name)) == name


@pytest.mark.parametrize("suffix", [".new", ".imported", ".damaged"])
def test_a_file_on_its_way_in_or_out_is_no_segment(suffix: str) -> None:
    name = str(SegmentName(1, "41-0123456789abcdef", is_rescue=False))
    assert parse_name(name + suffix) is None


def test_names_sort_by_time() -> None:
    early = SegmentName(999_999_999, "9-ffffffffffffffff", is_rescue=True)
    late = SegmentName(1_000_000_000, "1-0000000000000000", is_rescue=False)
    assert str(early) < str(late)
