"""What is kept of one id, as one value: its row, its holds, and the records that it holds.

Owns the form of a cell and how holds in it begin and end. It must not know Redis.

A record is folded into a cell once: ``base`` says up to which number every record that touches the
cell is in it, ``applied`` which later ones are too. A cell that was erased keeps the time of it for
a while: what was recorded before and arrives later is not kept.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from pairguard.history.sections import DAMAGE, TIMES, Times, sections_of
from pairguard.store.ports import LEGAL_HOLD, Hold

NEVER: Final = -math.inf

# Form, version, base, time of the erasure, time when last seen, applied records, holds, row bytes.
_HEAD = struct.Struct("<B8sQddIHI")
_FORM = 1
_HOLD = struct.Struct("<ddB")
VERSION_BYTES: Final = 8
HEAD_BYTES: Final = _HEAD.size


@dataclass(frozen=True, slots=True)
class Cell:
    """What is kept of one id.

    Attributes:
        version: Other than at any earlier time; b"": there is no such cell.
        base: Number of the record up to which all are in it.
        applied: Numbers of later records that are in it, rising.
        erase_time: When it was erased, seconds since 1970; ``NEVER``: it was not.
        holds: One a reason, ended ones among them until they are purged.
        row: Its row; b"": none.
    """

    version: bytes = b""
    base: int = 0
    applied: tuple[int, ...] = ()
    erase_time: float = NEVER
    holds: tuple[Hold, ...] = ()
    row: bytes = b""

    @property
    def says_something(self) -> bool:
        """Whether it would be missed."""
        return bool(self.row or self.holds or self.erase_time != NEVER)

    def holds_record(self, number: int) -> bool:
        """Tell whether a record is folded in."""
        return number <= self.base or number in self.applied

    def with_records(self, numbers: Iterable[int], floor: int, *, row: bytes) -> Cell:
        """Return the cell with records marked as folded in.

        Args:
            numbers: The records.
            floor: The lowest record that is not finished in all of its cells.
            row: The row with what they change.
        """
        base = max(self.base, floor - 1)
        applied = sorted({each for each in (*self.applied, *numbers) if each > base})
        return Cell(self.version, base, tuple(applied), self.erase_time, self.holds, row)


@dataclass(frozen=True, slots=True)
class CellHead:
    """What stands at the beginning of a cell, so that a purge need not read the rest.

    Attributes:
        erase_time: As in ``Cell``.
        last_seen: When the row was last seen, seconds since 1970; 0: there is none.
        hold_count: How many holds, ended ones too.
        has_row: Whether there is a row.
    """

    erase_time: float
    last_seen: float
    hold_count: int
    has_row: bool


def write_cell(cell: Cell) -> bytes:
    """Return the value that is kept, with a new version."""
    row = cell.row
    parts = [
        _HEAD.pack(
            _FORM,
            os.urandom(VERSION_BYTES),
            cell.base,
            cell.erase_time,
            last_seen(row),
            len(cell.applied),
            len(cell.holds),
            len(row),
        ),
        struct.pack(f"<{len(cell.applied)}Q", *cell.applied),
    ]
    for hold in cell.holds:
        reason = hold.reason.encode()
        end = math.inf if hold.expire_time is None else hold.expire_time
        parts += (_HOLD.pack(hold.start_time, end, len(reason)), reason)
    return b"".join((*parts, row))


def read_cell(value: bytes | None) -> Cell:
    """Return the cell of a kept value; None: there is none.

    Raises:
        ValueError: The value is damaged, or was written by a program too new for this one.
    """
    if value is None:
        return Cell()
    try:
        form, version, base, erase_time, _, applied_count, hold_count, row_bytes = (
            _HEAD.unpack_from(value)
        )
        if form != _FORM:
            raise ValueError("a cell has a form that this program does not know")
        place = HEAD_BYTES
        applied = struct.unpack_from(f"<{applied_count}Q", value, place)
        place += 8 * applied_count
        holds = []
        for _ in range(hold_count):
            start_time, end, length = _HOLD.unpack_from(value, place)
            place += _HOLD.size
            reason = value[place : place + length].decode()
            place += length
            holds.append(Hold(reason, start_time, None if end == math.inf else end))
    except struct.error as error:
        raise ValueError("a cell is cut off") from error
    if len(value) != place + row_bytes:
        raise ValueError("a cell is not as long as it says")
    return Cell(version, base, applied, erase_time, tuple(holds), value[place:])


def read_head(value: bytes) -> CellHead:
    """Return what stands at the beginning of a cell.

    Args:
        value: At least its first ``HEAD_BYTES`` bytes.

    Raises:
        ValueError: As ``read_cell``.
    """
    if len(value) < HEAD_BYTES or value[0] != _FORM:
        raise ValueError("a cell is cut off or has a form that this program does not know")
    _, _, _, erase_time, last_seen, _, hold_count, row_bytes = _HEAD.unpack_from(value)
    return CellHead(erase_time, last_seen, hold_count, row_bytes > 0)


def last_seen(row: bytes) -> float:
    """Return when a row was last seen, seconds since 1970; 0: there is none; inf: it is damaged."""
    try:
        return Times(sections_of(row).get(TIMES)).last_seen if row else 0.0
    except DAMAGE:
        return math.inf


def is_active(hold: Hold, now: float) -> bool:
    """Tell whether a hold has not ended."""
    return hold.expire_time is None or hold.expire_time > now


def is_kept_for_law(cell: Cell, now: float) -> bool:
    """Tell whether a legal hold keeps what is known from being forgotten."""
    return any(hold.reason == LEGAL_HOLD and is_active(hold, now) for hold in cell.holds)


def with_hold(cell: Cell, hold: Hold) -> Cell:
    """Return the cell with a hold; one of the same reason is extended and never shortened."""
    kept = next((each for each in cell.holds if each.reason == hold.reason), None)
    if kept is not None:
        began_anew = kept.expire_time is not None and kept.expire_time <= hold.start_time
        hold = Hold(
            hold.reason,
            hold.start_time if began_anew else min(kept.start_time, hold.start_time),
            None
            if kept.expire_time is None or hold.expire_time is None
            else max(kept.expire_time, hold.expire_time),
        )
    others = [each for each in cell.holds if each.reason != hold.reason]
    return replace(cell, holds=(*others, hold))


def without_holds(cell: Cell, now: float, reasons: frozenset[str] | None) -> tuple[Cell, int]:
    """Return the cell with holds ended, and how many; see ``ParticipantStore.release_holds``."""
    ends: Callable[[Hold], bool] = lambda hold: (  # noqa: E731 - named for the two uses below
        is_active(hold, now)
        and (hold.reason != LEGAL_HOLD if reasons is None else hold.reason in reasons)
    )
    count = sum(1 for hold in cell.holds if ends(hold))
    if not count:
        return cell, 0
    holds = (replace(hold, expire_time=now) if ends(hold) else hold for hold in cell.holds)
    return replace(cell, holds=tuple(holds)), count
