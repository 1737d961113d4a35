"""Erasing a participant from cells and records.

Owns the order that makes it complete: the intent is kept first and removed last, so that a purge
finishes what broke off or had to wait for a legal hold; the cells are emptied before the records,
and tell from then on what may not come back. It must not know how cells and records are kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.history.changes import Unlinked
from pairguard.history.contacts import PREFIX_BYTES, prefixes_of
from pairguard.history.sections import CONTACTS, DAMAGE, LEDGER, ledger_of, sections_of
from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import LEGAL_HOLD, Erasure, ErasureStatus, Hold
from pairguard.store.records import record_of
from pairguard.store.redis.application import Application
from pairguard.store.redis.cell_storage import CellStorage, Replacement
from pairguard.store.redis.cells import Cell, is_active, is_kept_for_law
from pairguard.store.redis.connections import Connections, command
from pairguard.store.redis.entries import Entry
from pairguard.store.redis.journal import Journal

_RECORDS_PER_STEP: Final = 250


class Erasures:
    """Erases participants.

    Args:
        journal: Where records lie.
        storage: Where cells lie.
        application: Takes a participant out of records.
        connections: With time enough for a write.
    """

    def __init__(
        self,
        journal: Journal,
        storage: CellStorage,
        application: Application,
        connections: Connections,
    ) -> None:
        self._journal = journal
        self._storage = storage
        self._application = application
        self._connections = connections
        self._intents = journal.key("erasures")

    def erase(self, ids: Sequence[bytes], now: float) -> Erasure:
        """Erase a participant, or keep the intent to; see ``ParticipantStore.erase``."""
        with suppress(StoreUnavailable):
            # What is unfinished is kept unlinked when it is finished.
            self._application.complete_all()
        distinct = sorted(set(ids))
        intent = b",".join(each.hex().encode() for each in distinct)
        token = os.urandom(HASH_BYTES)
        self._connections.ask(command("HSETNX", self._intents, intent, token.hex()))
        return self._erase(intent, distinct, now)

    def finish(self, now: float) -> int:
        """Do the erasures that nothing delays any more, and return how many."""
        done = 0
        for intent in self._connections.ask(command("HKEYS", self._intents)):
            ids = [bytes.fromhex(each) for each in intent.decode().split(",")]
            outcome = self._erase(intent, ids, now)
            done += outcome.status is not ErasureStatus.DELAYED_BY_LEGAL_HOLD
        return done

    def count(self) -> int:
        """Return how many erasures wait."""
        return int(self._connections.ask(command("HLEN", self._intents)))

    def _erase(self, intent: bytes, ids: Sequence[bytes], now: float) -> Erasure:
        cells = self._storage.read(self._connections, ids)
        if any(is_kept_for_law(cell, now) for cell in cells.values()):
            kept = _active_holds(cells.values(), now)
            return Erasure(ErasureStatus.DELAYED_BY_LEGAL_HOLD, kept_holds=len(kept))
        token = bytes.fromhex(
            (self._connections.ask(command("HGET", self._intents, intent)) or b"").decode()
        ) or os.urandom(HASH_BYTES)
        self._leave_rows(ids, cells.values(), token)
        end = self._journal.last_number(self._connections)
        emptied: dict[bytes, Cell] = {}

        def empty(each: bytes, cell: Cell) -> Replacement:
            emptied[each] = cell
            return Replacement(_emptied(cell, now))

        # Also where nothing is kept: what was recorded before may yet arrive.
        self._storage.change(self._connections, ids, empty, read=cells)
        count = self._unlink_records(ids, token, end, now)
        self._connections.ask(command("HDEL", self._intents, intent))
        had_rows = any(cell.row for cell in emptied.values())
        return Erasure(
            ErasureStatus.ERASED if count or had_rows else ErasureStatus.NOTHING_KEPT,
            kept_holds=len(_active_holds(emptied.values(), now)),
            unlinked_records=count,
        )

    def _leave_rows(self, ids: Sequence[bytes], cells: Iterable[Cell], token: bytes) -> None:
        """Take the participant out of rows that it knows of, whose records may be gone already."""
        known = {each for cell in cells for each in _acquainted(cell.row)}
        if known:
            references = self._storage.references(self._connections, ids)
            numbers = sorted({number for each in references for number in each})
            found: set[bytes] = set()
            for part in _parts(numbers):
                for entry in self._journal.entries(self._connections, part):
                    if entry is not None:
                        with suppress(ValueError):
                            found |= record_of(entry.kind, entry.payload).participants
            # Those of whom there are records are seen to with them; the rest must be searched for.
            known -= {each[:PREFIX_BYTES] for each in found}
            others = self._storage.with_prefixes(self._connections, known)
            self._application.unlink_cells(others.difference(ids), Unlinked(tuple(ids), token))

    def _unlink_records(self, ids: Sequence[bytes], token: bytes, end: int, now: float) -> int:
        count = 0
        references = self._storage.references(self._connections, ids)
        for numbers in _parts(sorted({number for each in references for number in each})):
            entries = self._journal.entries(self._connections, numbers)
            # What is both recorded and dated later is of a participant who came back.
            later = {each.number for each in entries if each and _is_later(each, end, now)}
            gone = [each for each in entries if each and each.number not in later]
            count += self._application.unlink(gone, ids, token)
            for each, known in zip(ids, references, strict=True):
                dropped = set(known) - later
                self._storage.drop_references(
                    self._connections, each, [number for number in numbers if number in dropped]
                )
        return count


def _is_later(entry: Entry, end: int, now: float) -> bool:
    return entry.number > end and entry.time >= now


def _active_holds(cells: Iterable[Cell], now: float) -> set[Hold]:
    return {
        hold
        for cell in cells
        for hold in cell.holds
        if is_active(hold, now) and hold.reason != LEGAL_HOLD
    }


def _acquainted(row: bytes) -> set[bytes]:
    """Return how the ids begin of those whom a row tells of."""
    try:
        sections = sections_of(row)
        ledger = ledger_of(sections.get(LEDGER))
        prefixes = {*prefixes_of(sections.get(CONTACTS, b""))}
        for name in ("blocks", "blocked_by"):
            prefixes |= {bytes.fromhex(each)[:PREFIX_BYTES] for each in ledger.get(name, ())}
    except DAMAGE:
        return set()
    return prefixes


def _emptied(cell: Cell, now: float) -> Cell:
    holds = tuple(hold for hold in cell.holds if is_active(hold, now))
    return replace(cell, row=b"", holds=holds, erase_time=max(cell.erase_time, now))


def _parts(numbers: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _RECORDS_PER_STEP):
        yield list(numbers[start : start + _RECORDS_PER_STEP])
