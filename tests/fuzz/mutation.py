"""Bytes made wrong in a few places, again and again, from right ones.

Owns how they are made wrong; what is made follows from the seed alone. It must not know what the
bytes are, but that most of them are protobuf's or text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

_MOST_BYTES = 65_536
_EXTREME_VARINTS = (
    b"\x00",
    b"\x7f",
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80" * 11,
)
_EXTREME_DOUBLES = (
    b"\x00\x00\x00\x00\x00\x00\xf0\x7f",  # infinite
    b"\x00\x00\x00\x00\x00\x00\xf8\x7f",  # NaN
    b"\x01\x00\x00\x00\x00\x00\x00\x00",  # the smallest
    b"\xff\xff\xff\xff\xff\xff\xef\xff",  # the lowest
)
_TEXTS = (b"\xff\xfe", b"\x00", "￿".encode(), b'"', b"{", b"[[", b"\xed\xa0\x80", b"1e999", b"-0")


def mutations(right: Sequence[bytes], *, seed: int) -> Iterator[bytes]:
    """Yield inputs without end: a right one with one to eight changes."""
    draw = random.Random(seed)
    while True:
        content = bytearray(draw.choice(right))
        for _ in range(1 if draw.random() < 0.5 else draw.randint(2, 8)):
            draw.choice(_CHANGES)(content, right, draw)
        yield bytes(content[:_MOST_BYTES])


def alternately(*sources: Iterator[bytes]) -> Iterator[bytes]:
    """Yield from each in turn, without end."""
    return chain.from_iterable(zip(*sources, strict=True))


_Change = Callable[[bytearray, Sequence[bytes], random.Random], None]


def _place(content: bytearray, draw: random.Random) -> int:
    return draw.randrange(len(content) + 1)


def _flip(content: bytearray, _right: Sequence[bytes], draw: random.Random) -> None:
    if content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def _set(content: bytearray, _right: Sequence[bytes], draw: random.Random) -> None:
    if content:
        content[draw.randrange(len(content))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, 8, 0x12))


def _cut(content: bytearray, _right: Sequence[bytes], draw: random.Random) -> None:
    start = _place(content, draw)
    del content[start : start + draw.randint(1, 16)]


def _end(content: bytearray, _right: Sequence[bytes], draw: random.Random) -> None:
    del content[_place(content, draw) :]


def _repeat(content: bytearray, _right: Sequence[bytes], draw: random.Random) -> None:
    start = _place(content, draw)
    part = bytes(content[start : start + draw.randint(1, 64)])
    content[start:start] = part * draw.choice((1, 1, 2, 40))


def _splice(content: bytearray, right: Sequence[bytes], draw: random.Random) -> None:
    other = draw.choice(right)
    start = draw.randrange(len(other) + 1)
    place = _place(content, draw)
    content[place:place] = other[start : start + draw.randint(1, 200)]


def _extreme(content: bytearray, _right: Sequence[bytes], draw: random.Random) -> None:
    extreme = draw.choice((*_EXTREME_VARINTS, *_EXTREME_DOUBLES, *_TEXTS))
    place = _place(content, draw)
    replaced = len(extreme) if draw.random() < 0.7 else 0
    content[place : place + replaced] = extreme


def _random(content: bytearray, _right: Sequence[bytes], draw: random.Random) -> None:
    place = _place(content, draw)
    content[place:place] = draw.randbytes(draw.randint(1, 12))


_CHANGES: tuple[_Change, ...] = (_flip, _set, _cut, _end, _repeat, _splice, _extreme, _random)
