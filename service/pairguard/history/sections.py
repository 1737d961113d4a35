"""The form of a row: what is in it, part by part, and how it is told that it is whole.

Owns the check sum, the sections (a tag byte, a length, content), the section of times and the
ledger as one JSON object. A section that this version does not know, what stands behind the times
that it knows, and a name that it does not know in the ledger stay as they are, so that an older
program does not destroy what a newer one wrote. It must not know what the other sections hold.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import inf, nan
from typing import Any, Final
from zlib import crc32

TIMES, TILES, CONTACTS, DEVICES, EVIDENCE, LEDGER, CHATS = 1, 2, 3, 4, 5, 6, 7

Ledger = dict[str, Any]

DAMAGE: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error)
"""What reading bytes that are no row raises."""

_CHECK = struct.Struct("<I")
_SECTION = struct.Struct("<BI")
_TIMES = struct.Struct("<6d")
# An empty list of these is left out; whatever else is empty may mean something to a newer program.
_LISTS: Final = frozenset({"reports", "verdicts", "blocks", "blocked_by", "open"})
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class Times:
    """When an id was seen, and how old it was taken to be.

    Attributes:
        first_seen: Seconds since 1970; 0.0: never.
        last_seen: Seconds since 1970; 0.0: never.
        first_event: When the first event was recorded; 0.0: none ever was.
        first_chat: When the first start or end of a chat was; 0.0: none ever was.
        decided: When the last decision was made; 0.0: none that knew the age.
        probability_minor: P(minor) by that decision; NaN: there was none.
    """

    __slots__ = (
        "decided",
        "first_chat",
        "first_event",
        "first_seen",
        "last_seen",
        "probability_minor",
    )

    def __init__(self, section: bytes | None) -> None:
        if section and len(section) < _TIMES.size:
            raise ValueError("a row ends within its times")
        (
            self.first_seen,
            self.last_seen,
            self.first_event,
            self.first_chat,
            self.decided,
            self.probability_minor,
        ) = _TIMES.unpack_from(section) if section else (0.0, 0.0, 0.0, 0.0, 0.0, nan)

    def section(self, old: bytes) -> bytes:
        """Return the section, with whatever a newer program put behind."""
        return (
            _TIMES.pack(
                self.first_seen,
                self.last_seen,
                self.first_event,
                self.first_chat,
                self.decided,
                self.probability_minor,
            )
            + old[_TIMES.size :]
        )

    def see(self, time: float) -> None:
        """Take note of a time."""
        self.first_seen = earlier(self.first_seen, time)
        self.last_seen = max(self.last_seen, time)

    def decide(self, time: float, probability_minor: float) -> None:
        """Take note of P(minor) by a decision; of two at one time the greater stays."""
        latest = max((self.decided, self.probability_minor), (time, probability_minor))
        self.decided, self.probability_minor = latest


def earlier(time: float, other: float) -> float:
    """Return the earlier of two times, where 0.0 is none."""
    return min(time or inf, other or inf) if time or other else 0.0


def sections_of(row: bytes) -> dict[int, bytes]:
    """Return the sections of a row by tag; of b"": none.

    Raises:
        ValueError: The row is damaged.
    """
    sections: dict[int, bytes] = {}
    if not row:
        return sections
    end = len(row)
    if end < _CHECK.size or crc32(memoryview(row)[_CHECK.size :]) != _CHECK.unpack_from(row)[0]:
        raise ValueError("a row is not as it was written")
    place = _CHECK.size
    while place < end:
        if end - place < _SECTION.size:
            raise ValueError("a row ends within the head of a section")
        tag, length = _SECTION.unpack_from(row, place)
        place += _SECTION.size
        if length > end - place or tag in sections:
            raise ValueError("a section of a row reaches beyond it or stands there twice")
        sections[tag] = row[place : place + length]
        place += length
    return sections


def section_of(row: bytes, tag: int) -> bytes:
    """Return one section as it stands, b"" for none: ten times as fast, and unchecked.

    For a search that is nearly always in vain; what it finds is read again by ``sections_of``.

    Raises:
        ValueError: The row is damaged.
    """
    place, end = _CHECK.size, len(row) - _SECTION.size
    while place <= end:
        found, length = _SECTION.unpack_from(row, place)
        place += _SECTION.size
        if found == tag:
            return row[place : place + length]
        place += length
    if row and place != len(row):
        raise ValueError("a row ends within a section")
    return b""


def row_of(sections: Mapping[int, bytes]) -> bytes:
    """Return the row with these sections, without the empty ones; b"": all are."""
    parts: list[bytes] = []
    for tag in sorted(sections):
        content = sections[tag]
        if content:
            parts += (_SECTION.pack(tag, len(content)), content)
    content = b"".join(parts)
    return _CHECK.pack(crc32(content)) + content if content else b""


def ledger_of(section: bytes | None) -> Ledger:
    """Return what stands in the ledger; see ``pairguard.history.reports`` and ``.blocks``.

    Raises:
        ValueError: It is damaged.
    """
    if not section:
        return {}
    ledger = json.loads(section.decode())
    if not isinstance(ledger, dict):
        raise ValueError("a ledger must be an object")  # noqa: TRY004 - the row is damaged
    return ledger


def ledger_section(ledger: Ledger) -> bytes:
    """Return the section of a ledger, whichever of its parts came first."""
    content = {name: ledger[name] for name in sorted(ledger) if ledger[name] or name not in _LISTS}
    return _ENCODER.encode(content).encode() if content else b""
