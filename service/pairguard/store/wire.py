"""Fields of messages as bytes, so that a message can be put together from parts written before.

Owns the little of the Protocol Buffers wire format (https://protobuf.dev/programming-guides/encoding)
that this needs. Numbers of fields come from the generated classes. It must not know any message.

A message that contains others copies each of them several times on its way to bytes; joining bytes
that are kept from the last time costs a fraction of that.
"""

from __future__ import annotations

import struct
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_FIXED_64: Final = 1
_LENGTH_DELIMITED: Final = 2


def varint(value: int) -> bytes:
    """Return a number from 0 up as its bytes."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


_SHORTS: Final = 4_096
_SHORT: Final = tuple(varint(count) for count in range(_SHORTS))


def length(count: int) -> bytes:
    """Return how many bytes follow, as it stands before them."""
    return _SHORT[count] if count < _SHORTS else varint(count)


def tag(kind: type[Message], name: str) -> bytes:
    """Return what stands before the length of a field that is a text, bytes, a list or a message.

    Raises:
        TypeError: The field is written otherwise.
    """
    field = kind.DESCRIPTOR.fields_by_name[name]
    is_delimited = field.type in (
        FieldDescriptor.TYPE_STRING,
        FieldDescriptor.TYPE_BYTES,
        FieldDescriptor.TYPE_MESSAGE,
    )
    if not (is_delimited or (field.is_repeated and field.is_packed)):
        raise TypeError(f"{field.full_name} has no length")
    return varint(field.number << 3 | _LENGTH_DELIMITED)


def enclosed(before: bytes, content: bytes) -> bytes:
    """Return a field that holds some bytes, from its tag on."""
    count = len(content)
    return before + (_SHORT[count] if count < _SHORTS else varint(count)) + content


def number_tag(kind: type[Message], name: str) -> bytes:
    """Return what stands before a floating point number of 64 bits.

    Raises:
        TypeError: The field is written otherwise.
    """
    field = kind.DESCRIPTOR.fields_by_name[name]
    if field.type != FieldDescriptor.TYPE_DOUBLE or field.is_repeated:
        raise TypeError(f"{field.full_name} is no number of 64 bits")
    return varint(field.number << 3 | _FIXED_64)


class Numbers:
    """Floating point numbers of 64 bits of one message, written together.

    Args:
        kind: The message.
        names: The fields.

    Raises:
        TypeError: A field is written otherwise.
    """

    __slots__ = ("_pack", "_tags")

    def __init__(self, kind: type[Message], *names: str) -> None:
        self._tags = [number_tag(kind, name) for name in names]
        self._pack = struct.Struct("<" + "".join(f"{len(each)}sd" for each in self._tags)).pack

    def written(self, *values: float) -> bytes:
        """Return the fields with these values, one for each."""
        arguments: list[bytes | float] = []
        for before, value in zip(self._tags, values, strict=True):
            arguments += (before, value)
        return self._pack(*arguments)
