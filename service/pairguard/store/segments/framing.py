"""How a segment is laid out: its name, its header, its records.

Owns the bytes and what makes them trustworthy. It must not know files, locks or clocks.

A file starts with its header, twice, so that no single damaged byte makes it unreadable::

    magic 8 | version 2 | zero 2 | nonce 16 | CRC-32 of these 4

Records follow, little-endian::

    mark 3 | kind 1 | payload length 4 | own offset in the file 8 | head check 4 | payload check 4

Both checks are CRC-32 (IEEE 802.3, every burst of up to 32 bits is found), begun with that of the
nonce and carried on from the head into the payload. So a block left over from another file, or of
this one at another place, does not pass, and a length is trusted before its payload was read.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from zlib import crc32

SUFFIX = ".segment"
VERSION = 1
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024

_MAGIC = b"PGSEG\r\n\x1a"
_HEADER = struct.Struct("<8sHH16s")
_CHECK = struct.Struct("<I")
NONCE_BYTES = 16
HEADER_BYTES = 2 * (_HEADER.size + _CHECK.size)

_MARK = b"\xa7Pg"
_HEAD = struct.Struct("<3sBIQ")
_CHECKS = struct.Struct("<II")
_ORIGIN = struct.Struct("<BQ")
RECORD_HEADER_BYTES = _HEAD.size + _CHECKS.size
_OWN, _RESCUED = 0, 1
# A rescued record also carries the name and end of where it stood first.
_MAX_STORED_BYTES = MAX_PAYLOAD_BYTES + _ORIGIN.size + 255

_NAME = re.compile(r"(?P<time>\d{20})-(?P<writer>\d+-[0-9a-f]{16})(?P<rescue>-rescue)?\.segment")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record ends.

    Attributes:
        segment: Name of the segment file.
        end: Offset of the first byte behind the record, bytes from the start of the file.
    """

    segment: str
    end: int


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What the name of a segment says.

    Attributes:
        time_ns: When it was begun, nanoseconds since 1970 UTC; grows with each of one writer.
        writer: Process id and 16 random hex digits: the same for all segments of one writer.
        is_rescue: It begins with records that an older segment of this writer may have lost.
    """

    time_ns: int
    writer: str
    is_rescue: bool

    def __str__(self) -> str:
        rescue = "-rescue" if self.is_rescue else ""
        return f"{self.time_ns:020d}-{self.writer}{rescue}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was read.

    Attributes:
        end: Offset behind it in the file that was read.
        payload: What was appended.
        origin: Where it was appended first, if this is its second place; else None.
    """

    end: int
    payload: bytes
    origin: Position | None


@dataclass(frozen=True, slots=True)
class Incomplete:
    """More bytes are needed: this many from the start of the record, as far as is known."""

    needed_bytes: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """No record that was written stands here; ``end`` is where it ended, None if unknown."""

    end: int | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A whole header of a version that this program cannot read."""

    version: int


def parse_name(name: str) -> SegmentName | None:
    """Return what a file name says; None: it is not that of a segment."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return SegmentName(int(match["time"]), match["writer"], match["rescue"] is not None)


def encode_header(nonce: bytes) -> tuple[bytes, int]:
    """Return the first ``HEADER_BYTES`` of a segment and the seed of the checks of its records.

    Args:
        nonce: 16 random bytes.
    """
    fields = _HEADER.pack(_MAGIC, VERSION, 0, nonce)
    return (fields + _CHECK.pack(crc32(fields))) * 2, crc32(nonce)


def decode_header(data: bytes) -> int | Foreign | None:
    """Return the seed of the checks of a segment's records; None: neither copy is whole."""
    for start in (0, HEADER_BYTES // 2):
        fields = data[start : start + _HEADER.size]
        check = data[start + _HEADER.size : start + HEADER_BYTES // 2]
        if len(check) == _CHECK.size and _CHECK.unpack(check)[0] == crc32(fields):
            magic, version, _, nonce = _HEADER.unpack(fields)
            if magic == _MAGIC:
                return crc32(nonce) if version == VERSION else Foreign(version)
    return None


def encode_record(seed: int, start: int, payload: bytes, origin: Position | None = None) -> bytes:
    """Return the bytes of a record that will stand at the offset ``start``."""
    kind = _OWN
    if origin is not None:
        kind = _RESCUED
        name = origin.segment.encode("ascii")
        payload = _ORIGIN.pack(len(name), origin.end) + name + payload
    head = _HEAD.pack(_MARK, kind, len(payload), start)
    head_check = crc32(head, seed)
    return b"".join((head, _CHECKS.pack(head_check, crc32(payload, head_check)), payload))


def decode_record(seed: int, start: int, data: bytes, at: int) -> Record | Incomplete | Damaged:
    """Read the record at the index ``at`` of ``data``, the offset ``start`` of the file."""
    if len(data) - at < RECORD_HEADER_BYTES:
        return Incomplete(RECORD_HEADER_BYTES)
    mark, kind, length, offset = _HEAD.unpack_from(data, at)
    head_check, payload_check = _CHECKS.unpack_from(data, at + _HEAD.size)
    if (
        mark != _MARK
        or offset != start
        or length > _MAX_STORED_BYTES
        or head_check != crc32(data[at : at + _HEAD.size], seed)
    ):
        return Damaged(None)
    first = at + RECORD_HEADER_BYTES
    if len(data) - first < length:
        return Incomplete(RECORD_HEADER_BYTES + length)
    payload = data[first : first + length]
    end = start + RECORD_HEADER_BYTES + length
    if payload_check != crc32(payload, head_check):
        return Damaged(end)
    if kind == _OWN:
        return Record(end, payload, None)
    name_length, origin_end = _ORIGIN.unpack_from(payload)
    name = payload[_ORIGIN.size : _ORIGIN.size + name_length].decode("ascii")
    return Record(end, payload[_ORIGIN.size + name_length :], Position(name, origin_end))


def find_record(seed: int, start: int, data: bytes, at: int) -> int | None:
    """Return the index of the first whole record of ``data`` from ``at`` on; None: there is none.

    Args:
        seed: Of this segment's checks.
        start: The offset of the file at which ``data`` begins.
        data: Everything from there to the end of the file.
        at: The index to search from.
    """
    while (at := data.find(_MARK, at)) >= 0:
        if isinstance(decode_record(seed, start + at, data, at), Record):
            return at
        at += 1
    return None
