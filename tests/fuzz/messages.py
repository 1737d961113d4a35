"""Messages that parse and say what nobody means: right ones, made wrong field by field.

Owns how a field is made wrong by its type. It must not know what a message is for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_NAN = float("nan")
_INFINITE = float("inf")
_FLOATS = (0.0, -0.0, -1.0, 1e-320, 17.999999, 18.0, 121.0, 1e308, _INFINITE, -_INFINITE, _NAN)
_TEXTS = ("", " ", "a", "b", "\0", "￿", "é" * 40, "x" * 129, "x" * 5_000, "NaN", "US", "history.x")
_BITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-1, 2**31 - 1),
}


def message_mutations(right: Message, *, seed: int) -> Iterator[bytes]:
    """Yield serialized messages without end: the right one with one to five fields changed."""
    draw = random.Random(f"{right.DESCRIPTOR.full_name} {seed}")
    while True:
        message = type(right)()
        message.CopyFrom(right)
        for _ in range(draw.choice((1, 1, 2, 5))):
            _change(message, draw)
        yield message.SerializeToString()


def _change(message: Any, draw: random.Random) -> None:
    """Change a field somewhere below, the deeper the more there is."""
    field = draw.choice(message.DESCRIPTOR.fields)
    inner = _inner(message, field, draw)
    if inner is not None and draw.random() < 0.85:
        _change(inner, draw)
    elif draw.random() < 0.15:
        message.ClearField(field.name)
    elif _is_map(field):
        _change_map(getattr(message, field.name), field, draw)
    elif field.is_repeated:
        _change_list(getattr(message, field.name), field, draw)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _value(field, draw))


def _inner(message: Any, field: FieldDescriptor, draw: random.Random) -> Any:
    """Return a message that stands in a field; None: none does."""
    if field.cpp_type != FieldDescriptor.CPPTYPE_MESSAGE:
        return None
    if _is_map(field):
        return None
    value = getattr(message, field.name)
    if not field.is_repeated:
        return value if message.HasField(field.name) else None
    return draw.choice(value) if len(value) else None


def _is_map(field: FieldDescriptor) -> bool:
    kind: Any = field.message_type
    return kind is not None and kind.GetOptions().map_entry


def _change_map(values: Any, field: FieldDescriptor, draw: random.Random) -> None:
    entry: Any = field.message_type
    value = entry.fields_by_name["value"]
    for _ in range(draw.choice((1, 1, 300))):
        values[draw.choice(_TEXTS) + str(draw.randrange(400))] = _value(value, draw)


def _change_list(values: Any, field: FieldDescriptor, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 1, 3, 40))):
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            values.add()
            if len(values) > 1 and draw.random() < 0.7:
                values[-1].CopyFrom(values[0])
        else:
            values.append(_value(field, draw))


def _value(field: FieldDescriptor, draw: random.Random) -> Any:
    kind = field.cpp_type
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return draw.choice((*_FLOATS, draw.uniform(-5.0, 125.0)))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return draw.random() < 0.5
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = draw.choice(_TEXTS)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return text.encode()
        return text
    low, high = _BITS[kind]
    return draw.choice((low, high, 0, 1, 2, 7, 99, draw.randint(low, high)))
