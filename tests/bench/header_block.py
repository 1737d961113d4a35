"""Header blocks of gRPC unary calls: written as constants, read without state.

Owns the little of HPACK (RFC 7541) that a load generator needs. Must not know sockets, frames or
timing.

Requests: the first block of a connection enters every field in the server's dynamic table, and all
later blocks are the same few index bytes, as any gRPC client sends them. Nothing else is ever
entered, so the indices never move and each block is a constant.

Responses: the load generator announces a dynamic table of 0 bytes, so every block it receives can
be read by itself, and equal bytes always mean the same.
"""

from collections.abc import Sequence

_STATIC_ENTRIES = 61
# The only static names used here (RFC 7541, appendix A); other names are spelled out.
_STATIC_NAMES = {":authority": 1, ":path": 4, "content-type": 31, "user-agent": 58}
_POST_AND_HTTP = b"\x83\x86"  # ":method: POST" and ":scheme: http" are whole static entries.
_INDEXED, _ENTERED, _TABLE_SIZE, _LITERAL = 0x80, 0x40, 0x20, 0x00
_DEFAULT_TABLE_BYTES = 4096
_ENTRY_OVERHEAD_BYTES = 32


class HeaderBlockError(ValueError):
    """A received header block is malformed, or refers to a table that was never allowed."""


def request_blocks(
    method: str, *, authority: str, metadata: Sequence[tuple[str, str]] = ()
) -> tuple[bytes, bytes]:
    """Encode the header blocks of a unary call.

    Args:
        method: Full method path, "/package.Service/Method".
        authority: What the caller dialled, "host:port".
        metadata: Further fields, the same in every call; lower-case ASCII names. A deadline is
            ("grpc-timeout", "5S").

    Returns:
        The block of a connection's first call, and the block of all its later calls.

    Raises:
        ValueError: The fields do not fit the default dynamic table, so that indices would move.
    """
    fields = [
        (":path", method),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "grpc-load/1"),
        *metadata,
    ]
    table_bytes = sum(len(name) + len(value) + _ENTRY_OVERHEAD_BYTES for name, value in fields)
    if table_bytes > _DEFAULT_TABLE_BYTES:
        raise ValueError(
            f"the request fields take {table_bytes} bytes of header table; "
            f"at most {_DEFAULT_TABLE_BYTES} are allowed"
        )
    first = _POST_AND_HTTP + b"".join(_entered(name, value) for name, value in fields)
    # The newest entry has the lowest index, so the first field entered has the highest.
    newest = _STATIC_ENTRIES + 1
    indices = range(newest + len(fields) - 1, newest - 1, -1)
    return first, _POST_AND_HTTP + b"".join(_integer(_INDEXED, 7, index) for index in indices)


def grpc_status(block: bytes) -> int | None:
    """Return the `grpc-status` of a trailer block written without a dynamic table.

    None means that the block holds no such field.

    Raises:
        HeaderBlockError: The block is cut short, refers to a dynamic entry, or holds a status that
            is no plain number.
    """
    try:
        return _find_status(block)
    except IndexError:
        raise HeaderBlockError(f"a header block of {len(block)} bytes is cut short") from None


def _find_status(block: bytes) -> int | None:
    status: int | None = None
    position = 0
    while position < len(block):
        kind = block[position]
        if kind & _INDEXED:
            index, position = _read_integer(block, position, 7)
            _check_static(index)
            continue
        if kind & _ENTERED:
            name_index, position = _read_integer(block, position, 6)
        elif kind & _TABLE_SIZE:
            _, position = _read_integer(block, position, 5)
            continue
        else:
            name_index, position = _read_integer(block, position, 4)
        name = b""
        if name_index:
            _check_static(name_index)
        else:
            name, name_is_huffman, position = _read_string(block, position)
            if name_is_huffman:
                raise HeaderBlockError("a Huffman-coded field name cannot be read here")
        value, is_huffman, position = _read_string(block, position)
        if name == b"grpc-status":
            if is_huffman or not value.isdigit():
                raise HeaderBlockError(f"grpc-status is no plain number: {value!r}")
            status = int(value)
    return status


def _check_static(index: int) -> None:
    if not 1 <= index <= _STATIC_ENTRIES:
        raise HeaderBlockError(f"header index {index} is outside the static table")


def _entered(name: str, value: str) -> bytes:
    index = _STATIC_NAMES.get(name, 0)
    head = _integer(_ENTERED, 6, index)
    return head + (b"" if index else _string(name)) + _string(value)


def _string(text: str) -> bytes:
    octets = text.encode("ascii")
    return _integer(_LITERAL, 7, len(octets)) + octets


def _integer(pattern: int, prefix_bits: int, value: int) -> bytes:
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([pattern | value])
    octets = [pattern | limit]
    value -= limit
    while value >= 0x80:
        octets.append(0x80 | (value & 0x7F))
        value >>= 7
    return bytes([*octets, value])


def _read_integer(block: bytes, position: int, prefix_bits: int) -> tuple[int, int]:
    limit = (1 << prefix_bits) - 1
    value = block[position] & limit
    position += 1
    if value < limit:
        return value, position
    shift = 0
    while True:
        octet = block[position]
        position += 1
        value += (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return value, position


def _read_string(block: bytes, position: int) -> tuple[bytes, bool, int]:
    is_huffman = bool(block[position] & 0x80)
    length, position = _read_integer(block, position, 7)
    end = position + length
    if end > len(block):
        raise IndexError(end)
    return block[position:end], is_huffman, end
