"""A record as one value, and its place as a text.

Owns their forms: the number in digits, time, decision and agreement, then the payload. It must not
know where a record lies (``pairguard.store.redis.journal``).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

from pairguard.store.ports import KeptRecord, RecordKind

CURSOR_DIGITS: Final = 16
UNREADABLE: Final = b"\xff"
"""Stands for a payload that nobody can find in its value; no message is written so."""
_META = struct.Struct("<dHB")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it lies in the journal.

    Attributes:
        number: Its place; rises with each record.
        kind: What it tells.
        record_id: Once for each kind.
        time: When it was received or made, seconds since 1970.
        decision_id: For an event the decision that it names; "": none.
        reconciliation: Name of its agreement with the decision; "": none yet, or it is none.
        payload: The serialized message.
        value: All of it as it is kept.
    """

    number: int
    kind: RecordKind
    record_id: str
    time: float
    decision_id: str
    reconciliation: str
    payload: bytes
    value: bytes

    @property
    def kept_record(self) -> KeptRecord:
        """The record as the port tells it."""
        return KeptRecord(cursor_of(self.number), self.kind, self.record_id, self.payload)

    def replaced(self, payload: bytes, reconciliation: str) -> bytes:
        """Return the value with another payload."""
        meta = meta_of(self.time, self.decision_id, reconciliation)
        return self.value[:CURSOR_DIGITS] + meta + payload


def cursor_of(number: int) -> str:
    """Return the place of a record as the port tells it."""
    return f"{number:0{CURSOR_DIGITS}d}"


def number_of(cursor: str) -> int:
    """Return the number of a cursor; "" is 0.

    Raises:
        ValueError: It is no cursor of this journal.
    """
    if not cursor:
        return 0
    if len(cursor) != CURSOR_DIGITS or not (cursor.isascii() and cursor.isdigit()):
        raise ValueError(f"a cursor of this journal is {CURSOR_DIGITS} digits")
    return int(cursor)


def meta_of(time: float, decision_id: str, reconciliation: str) -> bytes:
    """Return what stands between the number of a record and its payload."""
    decision, name = decision_id.encode(), reconciliation.encode()
    return _META.pack(time, len(decision), len(name)) + decision + name


def read_entry(kind: RecordKind, record_id: str, value: bytes, number: int | None = None) -> Entry:
    """Return the record of a kept value.

    One whose head is damaged keeps its place and its name, and has a payload that cannot be read:
    whoever reads on counts it, names it and goes on, as with every record that cannot be read.

    Args:
        kind: What it tells, as the key says.
        record_id: Its id, as the key says.
        value: What is kept.
        number: Its place, where the stream tells that; None: the value alone does.
    """
    head = _read_head(value)
    if head is None:
        return Entry(
            number=number or 0,
            kind=kind,
            record_id=record_id,
            time=0.0,
            decision_id="",
            reconciliation="",
            payload=UNREADABLE,
            value=value,
        )
    written, time, decision_id, reconciliation, place = head
    return Entry(
        number=written if number is None else number,
        kind=kind,
        record_id=record_id,
        time=time,
        decision_id=decision_id,
        reconciliation=reconciliation,
        payload=value[place:],
        value=value,
    )


def _read_head(value: bytes) -> tuple[int, float, str, str, int] | None:
    """Return number, time, decision and agreement of a value, and where its payload begins.

    Returns:
        None: They are not as anybody writes them.
    """
    try:
        number = int(value[:CURSOR_DIGITS])
        time, decision_bytes, name_bytes = _META.unpack_from(value, CURSOR_DIGITS)
        place = CURSOR_DIGITS + _META.size
        decision_id = value[place : place + decision_bytes].decode()
        place += decision_bytes
        reconciliation = value[place : place + name_bytes].decode()
    except (ValueError, struct.error):
        return None
    place += name_bytes
    is_sound = number >= 0 and math.isfinite(time) and place <= len(value)
    return (number, time, decision_id, reconciliation, place) if is_sound else None
