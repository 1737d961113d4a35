"""The header blocks of the load generator, read and written without a table."""

import pytest

from tests.bench.header_block import HeaderBlockError, grpc_status, request_blocks

_SIZE_UPDATE_TO_0 = b"\x20"
_STATUS_200 = b"\x88"


def _literal(kind: int, name: bytes, value: bytes) -> bytes:
    return bytes([kind, len(name)]) + name + bytes([len(value)]) + value


@pytest.mark.parametrize("kind", [0x00, 0x10, 0x40], ids=["plain", "never", "entered"])
@pytest.mark.parametrize("status", [0, 3, 16])
def test_the_status_is_found_among_other_fields(kind: int, status: int) -> None:
    block = (
        _SIZE_UPDATE_TO_0
        + _STATUS_200
        + _literal(kind, b"grpc-message", b"grpc-status is not here")
        + _literal(kind, b"grpc-status", str(status).encode())
        + _literal(kind, b"x", b"0")
    )
    assert grpc_status(block) == status


def test_a_value_longer_than_its_length_prefix_is_skipped_whole() -> None:
    long_value = b"\x00\x01x\x7f\xad\x01" + b"v" * (127 + 173)
    assert grpc_status(long_value + _literal(0, b"grpc-status", b"7")) == 7


def test_a_huffman_coded_value_of_another_field_is_skipped() -> None:
    assert grpc_status(b"\x00\x01x\x82\xff\xff" + _literal(0, b"grpc-status", b"7")) == 7


def test_a_block_without_a_status_has_none() -> None:
    assert grpc_status(_STATUS_200) is None


@pytest.mark.parametrize(
    "block",
    [
        b"\xbe",  # the newest entry of a dynamic table
        b"\x7e\x01v",  # a name from there
        b"\x80",
        _literal(0, b"grpc-status", b"0")[:-1],
        b"\x00\x0bgrpc-status",
        _literal(0, b"grpc-status", b"-1"),
        _literal(0, b"grpc-status", b""),
        b"\x00\x81\xff\x010",
    ],
)
def test_what_cannot_be_read_is_refused_and_never_taken_for_a_status(block: bytes) -> None:
    with pytest.raises(HeaderBlockError):
        grpc_status(block)


def test_later_calls_refer_to_the_fields_that_the_first_has_entered() -> None:
    first, later = request_blocks("/a.B/C", authority="host:1", metadata=[("grpc-timeout", "1S")])
    assert b"\x44\x06/a.B/C" in first
    assert first.endswith(b"\x40\x0cgrpc-timeout\x021S")
    assert later == bytes([0x83, 0x86, 0xC3, 0xC2, 0xC1, 0xC0, 0xBF, 0xBE])


def test_fields_beyond_the_server_s_header_table_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 4096"):
        request_blocks("/a.B/C", authority="host:1", metadata=[("x", "v" * 4096)])
