"""Folding records of the journal into the cells of their ids, each record once into each cell.

Owns what makes that exact: a record is in the journal and marked as unfinished before any cell is
touched; a cell and the mark that a record is in it change in one step; the mark in the journal goes
last. Whoever ended in between is completed by the next append, purge or check. It must not know
how cells and records are kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.history.changes import Change, Unlinked
from pairguard.history.folding import Folding, folded
from pairguard.history.sections import DAMAGE
from pairguard.history.summary import may_have_upheld_harm
from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import JournalRecord, RecordKind
from pairguard.store.records import record_of
from pairguard.store.redis.cell_storage import CellStorage, Replacement
from pairguard.store.redis.cells import NEVER, Cell, with_hold, without_holds
from pairguard.store.redis.connections import Connections
from pairguard.store.redis.entries import Entry
from pairguard.store.redis.journal import Appended, Journal, Unfinished
from pairguard.store.unlinking import unlinked

_RECORDS_PER_APPEND: Final = 250
_COMPLETION_PAUSE_SECONDS: Final = 1.0
_MAX_REPLACEMENTS: Final = 100

Work = Mapping[int, JournalRecord]
"""Records by their number in the journal."""


class Application:
    """Appends records and applies them.

    Args:
        journal: Where records lie.
        storage: Where cells lie.
        connections: With time enough for a write.
    """

    def __init__(self, journal: Journal, storage: CellStorage, connections: Connections) -> None:
        self._journal = journal
        self._storage = storage
        self._connections = connections
        self._next_completion = 0.0

    def append(self, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
        """Keep records and apply them; see ``ParticipantStore.append``.

        They are kept some at a time, because nobody else is served meanwhile, and then applied all
        together: each cell is changed once.
        """
        cells: dict[bytes, Cell] = {}
        kept: list[JournalRecord] = []
        appended: list[Appended] = []
        for start in range(0, len(records), _RECORDS_PER_APPEND):
            part = records[start : start + _RECORDS_PER_APPEND]
            touched = {each for record in part for each in _touched(record)}
            missing = [each for each in touched if each not in cells]
            if missing or not cells:
                cells |= self._storage.read(self._connections, missing)
            kept += (whole := [_without_erased(record, cells) for record in part])
            appended.append(self._journal.append(self._connections, whole))
        if appended:
            self._apply_appended(kept, appended, cells)
        return tuple([number > 0 for done in appended for number in done.numbers])

    def complete(self, unfinished: Sequence[Unfinished], floor: int) -> None:
        """Finish what others have left unfinished, or are still about: both are safe.

        Args:
            unfinished: The records.
            floor: The lowest of all that are not finished, or lower.

        Raises:
            StoreUnavailable: It cannot be done now, or a record is damaged; it stays unfinished.
        """
        damaged: set[int] = set()
        for start in range(0, len(unfinished), _RECORDS_PER_APPEND):
            part = unfinished[start : start + _RECORDS_PER_APPEND]
            entries = self._journal.entries(self._connections, [each.number for each in part])
            work: dict[int, JournalRecord] = {}
            for entry in entries:
                if entry is None:
                    continue
                try:
                    work[entry.number] = _record(entry)
                except StoreUnavailable:
                    damaged.add(entry.number)
            self._apply(work, floor=floor, oldest=0)
            done = [each for each in part if each.number not in damaged]
            self._journal.finish(self._connections, done)
        if damaged:
            raise StoreUnavailable("a record of the journal is damaged")

    def complete_all(self) -> None:
        """Finish all that is unfinished."""
        unfinished = self._journal.unfinished(self._connections)
        if unfinished:
            self.complete(unfinished, unfinished[0].number)

    def complete_old(self) -> None:
        """Finish what has been unfinished for long, whose worker has ended."""
        appended = self._journal.append(self._connections, ())
        if appended.old_unfinished:
            self.complete(appended.old_unfinished, appended.floor)

    def without_erased(self, entry: Entry, payload: bytes) -> bytes:
        """Return a new payload of a record without whoever was erased after it."""
        ids = record_of(entry.kind, payload).participants
        cells = self._storage.read(self._connections, ids)
        gone = [each for each in ids if entry.time < cells[each].erase_time]
        return unlinked(entry.kind, payload, gone) if gone else payload

    def unlink(self, entries: Iterable[Entry], ids: Sequence[bytes], token: bytes) -> int:
        """Take participants out of records and of what the records did to others.

        Args:
            entries: The records.
            ids: Of the participants.
            token: Takes their place where somebody has to stand.

        Returns:
            How many records led to one of the ids until now.
        """
        count = 0
        others: set[bytes] = set()
        for entry in entries:
            count += self._unlink_record(entry, ids)
            if entry.kind is RecordKind.EVENT:
                with suppress(ValueError):
                    others |= record_of(entry.kind, entry.payload).participants
        self.unlink_cells(others.difference(ids), Unlinked(tuple(ids), token))
        return count

    def unlink_cells(self, others: Iterable[bytes], change: Unlinked) -> None:
        """Take participants out of the rows of others."""

        def forget(_each: bytes, cell: Cell) -> Replacement | None:
            row = _changed(cell.row, (change,), Folding()) if cell.row else b""
            return None if row == cell.row else Replacement(replace(cell, row=row))

        waiting = sorted(others)
        for start in range(0, len(waiting), _RECORDS_PER_APPEND):
            part = waiting[start : start + _RECORDS_PER_APPEND]
            self._storage.change(self._connections, part, forget)

    def _apply_appended(
        self,
        records: Sequence[JournalRecord],
        appended: Sequence[Appended],
        cells: Mapping[bytes, Cell],
    ) -> None:
        numbers = [number for done in appended for number in done.numbers]
        last = appended[-1]
        work = {number: each for number, each in zip(numbers, records, strict=True) if number > 0}
        finished = [each for done in appended for each in done.unfinished]
        # Named twice in this call, or left by a worker that ended; the first word stands.
        repeated = {
            -number: each
            for number, each in zip(numbers, records, strict=True)
            if number < 0 and -number not in work
        }
        if repeated:
            finished += self._journal.unfinished_marks(self._connections, list(repeated))
            entries = self._journal.entries(self._connections, list(repeated))
            for entry in entries:
                if entry is not None:
                    sent = repeated[entry.number]
                    # What was kept and cannot be read any more is applied as it is sent now.
                    with suppress(StoreUnavailable):
                        kept = _record(entry)
                        sent = replace(kept, holds=kept.holds or sent.holds)
                    work[entry.number] = sent
        self._apply(work, floor=last.floor, oldest=last.oldest, cells=cells)
        self._journal.finish(self._connections, finished)
        old = appended[0].old_unfinished
        if old and time.monotonic() > self._next_completion:
            self._next_completion = time.monotonic() + _COMPLETION_PAUSE_SECONDS
            # What these records say was promised to nobody yet; the next one tries again.
            with suppress(StoreUnavailable):
                self.complete(old, last.floor)

    def _apply(
        self, work: Work, *, floor: int, oldest: int, cells: Mapping[bytes, Cell] | None = None
    ) -> None:
        by_id: dict[bytes, list[int]] = {}
        for number in sorted(work):
            for each in _touched(work[number]):
                by_id.setdefault(each, []).append(number)
        late: dict[bytes, set[int]] = {}
        folding = Folding()

        def change(each: bytes, cell: Cell) -> Replacement | None:
            replacement, late[each] = _fold(
                each, cell, work, by_id[each], floor=floor, folding=folding
            )
            return replacement

        self._storage.change(
            self._connections, list(by_id), change, oldest=oldest, read=_complete_part(cells, by_id)
        )
        for each, numbers in late.items():
            if numbers:
                # Its participant was erased between the reading and the append.
                entries = self._journal.entries(self._connections, sorted(numbers))
                late_ones = [entry for entry in entries if entry is not None]
                self.unlink(late_ones, [each], os.urandom(HASH_BYTES))

    def _unlink_record(self, entry: Entry, ids: Sequence[bytes]) -> bool:
        current: Entry | None = entry
        for _ in range(_MAX_REPLACEMENTS):
            if current is None:
                return False
            try:
                payload = unlinked(current.kind, current.payload, ids)
            except ValueError:
                # What cannot be read cannot be unlinked.
                return bool(self._journal.forget(self._connections, [current]))
            if payload == current.payload:
                return False
            if self._journal.replace(self._connections, current, payload):
                return True
            (current,) = self._journal.find(self._connections, entry.kind, [entry.record_id])
        raise StoreUnavailable("others change the same record all the time")


def _fold(
    each: bytes,
    cell: Cell,
    work: Work,
    numbers: Sequence[int],
    *,
    floor: int,
    folding: Folding,
) -> tuple[Replacement | None, set[int]]:
    """Return what a cell becomes, and the records that came too late for somebody erased."""
    late: set[int] = set()
    if cell.erase_time != NEVER:
        late = {
            number
            for number in numbers
            if each in work[number].participants and work[number].time < cell.erase_time
        }
    new = [number for number in numbers if not cell.holds_record(number)]
    if not new:
        return None, late
    kept = [number for number in new if number not in late]
    changes = [change for number in kept for change in work[number].changes.get(each, ())]
    row = _changed(cell.row, changes, folding) if changes else cell.row
    cell = cell.with_records(new, floor, row=row)
    for number in new:
        if work[number].holds:
            cell = _with_holds(each, cell, work[number])
    references = tuple(number for number in kept if each in work[number].participants)
    return Replacement(cell, references), late


def _with_holds(each: bytes, cell: Cell, record: JournalRecord) -> Cell:
    for change in record.holds:
        if each not in change.ids:
            continue
        if change.hold is not None:
            cell = with_hold(cell, change.hold)
        elif not (change.unless_upheld and may_have_upheld_harm(cell.row, record.time)):
            cell, _ = without_holds(cell, record.time, change.ended_reasons)
    return cell


def _changed(row: bytes, changes: Sequence[Change], folding: Folding) -> bytes:
    """Return a row after changes; one that is damaged stays, and whoever reads it finds it so."""
    try:
        return folding.folded(row, changes)
    except DAMAGE:
        # What an empty row does not take either is a mistake of the program and not of the row.
        folded(b"", changes)
        return row


def _touched(record: JournalRecord) -> set[bytes]:
    if not record.holds:
        return {*record.participants, *record.changes}
    held = {each for hold_change in record.holds for each in hold_change.ids}
    return {*record.participants, *record.changes, *held}


def _record(entry: Entry) -> JournalRecord:
    try:
        record = record_of(entry.kind, entry.payload)
    except ValueError as error:
        raise StoreUnavailable("a record of the journal is damaged") from error
    # What was unlinked tells another id of itself.
    return replace(record, record_id=entry.record_id, time=entry.time)


def _without_erased(record: JournalRecord, cells: Mapping[bytes, Cell]) -> JournalRecord:
    """Return what is kept of a record that arrives after a participant of it was erased."""
    gone = [each for each in record.participants if record.time < cells[each].erase_time]
    if not gone:
        return record
    left = record_of(record.kind, unlinked(record.kind, record.payload, gone))
    # Holds stay: erasing must not free anybody.
    return replace(
        record, payload=left.payload, participants=left.participants, changes=left.changes
    )


def _complete_part(
    cells: Mapping[bytes, Cell] | None, by_id: Mapping[bytes, object]
) -> dict[bytes, Cell]:
    return {each: cell for each, cell in (cells or {}).items() if each in by_id}
