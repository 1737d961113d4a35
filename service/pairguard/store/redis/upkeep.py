"""What is forgotten when its time is over, and how much is kept.

Owns retention: of records by their time, of rows by when they were last seen, of ended holds, of
answers, of the traces of erasures. A legal hold keeps the row and the records of its participant;
a personal block keeps the row: who asked never to meet somebody again asked for good.
It must not know how cells and records are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.history.blocks import any_block
from pairguard.history.sections import DAMAGE, LEDGER, ledger_of, sections_of
from pairguard.store.ports import PurgeReport, RecordKind, Retention, StoreStatistics
from pairguard.store.records import record_of
from pairguard.store.redis.answers import Answers
from pairguard.store.redis.application import Application
from pairguard.store.redis.cell_storage import CellStorage, Replacement
from pairguard.store.redis.cells import (
    NEVER,
    Cell,
    is_active,
    is_kept_for_law,
    last_seen,
    read_head,
)
from pairguard.store.redis.connections import Connections
from pairguard.store.redis.entries import Entry
from pairguard.store.redis.erasure import Erasures
from pairguard.store.redis.journal import Journal

_ENTRIES_PER_STEP: Final = 1_000
TRACE_SECONDS: Final = 8 * 86_400.0
"""How long an erased id is remembered, for records that were on their way."""


@dataclass(slots=True)
class _Sweep:
    """What one pass over all cells found."""

    rows: int = 0
    holds: int = 0
    kept_for_law: set[bytes] = field(default_factory=set)


class Upkeep:
    """Forgets and counts.

    Args:
        journal: Where records lie.
        storage: Where cells lie.
        application: Finishes what is unfinished first.
        erasures: Are done where nothing delays them any more.
        answers: Are forgotten, too.
        connections: With time enough for a write.
    """

    def __init__(
        self,
        journal: Journal,
        storage: CellStorage,
        application: Application,
        erasures: Erasures,
        *,
        answers: Answers,
        connections: Connections,
    ) -> None:
        self._journal = journal
        self._storage = storage
        self._application = application
        self._erasures = erasures
        self._connections = connections
        self._answers = answers

    def purge(self, now: float, retention: Retention) -> PurgeReport:
        """Forget what is past its time; see ``ParticipantStore.purge``."""
        # Agreed before anything is forgotten: the server may be another's.
        self._storage.read(self._connections, ())
        with suppress(StoreUnavailable):
            # A damaged row must not keep all others from being forgotten in time.
            self._application.complete_all()
        erasures = self._erasures.finish(now)
        sweep = self._sweep_cells(now, retention)
        answers = self._answers.purge(self._connections, now)
        seconds = {
            RecordKind.DECISION: retention.decisions_seconds,
            RecordKind.EVENT: retention.events_seconds,
            RecordKind.EVIDENCE: retention.evidence_seconds,
        }
        records = {
            kind: self._forget_records(kind, now - seconds[kind], sweep.kept_for_law)
            for kind in RecordKind
        }
        oldest = min(self._journal.mark(self._connections, kind.value) for kind in RecordKind)
        self._journal.raise_mark(self._connections, "oldest", oldest)
        for keys in self._connections.scan(self._storage.reference_pattern):
            if keys:
                self._storage.trim_references(self._connections, keys, oldest)
        return PurgeReport(
            records=records,
            rows=sweep.rows,
            holds=sweep.holds,
            answers=answers,
            erasures=erasures,
        )

    def statistics(self) -> StoreStatistics:
        """Count what is kept; see ``ParticipantStore.statistics``."""
        connections = self._connections
        self._storage.read(connections, ())
        rows = holds = 0
        for _, values in self._heads():
            for value in values:
                head = read_head(value)
                rows += head.has_row
                holds += head.hold_count
        return StoreStatistics(
            records=self._journal.counts(connections),
            rows=rows,
            holds=holds,
            answers=self._answers.count(connections),
            pending_chats=self._journal.pending_count(connections),
            reconciliations=self._journal.reconciliation_counts(connections),
            delayed_erasures=self._erasures.count(),
            bytes=sum(
                _used_memory(info) for (info,) in connections.ask_all_nodes(("INFO", "memory"))
            ),
        )

    def _heads(self) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Give all cells: their keys and their first bytes.

        One may come twice while Redis enlarges its table: a count is that little too high.
        """
        for keys in self._connections.scan(self._storage.pattern):
            if keys:
                values = self._storage.heads(self._connections, keys)
                there = [place for place, value in enumerate(values) if value]
                yield [keys[place] for place in there], [values[place] for place in there]

    def _sweep_cells(self, now: float, retention: Retention) -> _Sweep:
        sweep = _Sweep()
        unfinished = self._journal.unfinished(self._connections)
        floor = unfinished[0].number if unfinished else None
        for keys, values in self._heads():
            concerned = []
            for key, value in zip(keys, values, strict=True):
                head = read_head(value)
                old_row = head.has_row and head.last_seen + retention.rows_seconds <= now
                old_trace = head.erase_time > NEVER and head.erase_time + TRACE_SECONDS <= now
                empty = not (head.has_row or head.hold_count or head.erase_time > NEVER)
                if head.hold_count or old_row or old_trace or empty:
                    concerned.append(self._storage.id_of(key))
            if concerned:
                self._sweep(
                    concerned,
                    now=now,
                    rows_seconds=retention.rows_seconds,
                    floor=floor,
                    sweep=sweep,
                )
        return sweep

    def _sweep(
        self,
        ids: Sequence[bytes],
        *,
        now: float,
        rows_seconds: float,
        floor: int | None,
        sweep: _Sweep,
    ) -> None:
        counted: dict[bytes, tuple[int, int]] = {}

        def clean(each: bytes, cell: Cell) -> Replacement | None:
            for_law = is_kept_for_law(cell, now)
            if for_law:
                sweep.kept_for_law.add(each)
            holds = tuple(hold for hold in cell.holds if is_active(hold, now))
            old = (
                not for_law
                and last_seen(cell.row) + rows_seconds <= now
                and not _has_blocks(cell.row)
            )
            erase_time = cell.erase_time if cell.erase_time + TRACE_SECONDS > now else NEVER
            new = replace(cell, holds=holds, row=b"" if old else cell.row, erase_time=erase_time)
            if not new.says_something and (floor is None or all(n < floor for n in new.applied)):
                new = Cell(version=cell.version)
            elif new == cell:
                counted.pop(each, None)
                return None
            counted[each] = (bool(cell.row) and not new.row, len(cell.holds) - len(new.holds))
            return Replacement(new)

        self._storage.change(self._connections, ids, clean)
        sweep.rows += sum(rows for rows, _ in counted.values())
        sweep.holds += sum(holds for _, holds in counted.values())

    def _forget_records(self, kind: RecordKind, until: float, kept_for_law: set[bytes]) -> int:
        """Forget the records of a kind up to a time, and mark from where to look next time."""
        count = 0
        number = self._journal.mark(self._connections, kind.value)
        first_kept: int | None = None
        while True:
            names = self._journal.names_after(self._connections, number, _ENTRIES_PER_STEP)
            if not names:
                break
            old = []
            for place, found_kind, record_id, time in names:
                if found_kind is not kind:
                    continue
                if time <= until:
                    old.append((place, kind, record_id))
                elif first_kept is None:
                    first_kept = place
            entries = self._journal.at(self._connections, old)
            forgotten: list[Entry] = []
            for entry in entries:
                if entry is None:
                    continue
                if kept_for_law and not kept_for_law.isdisjoint(_participants(entry)):
                    first_kept = min(first_kept or entry.number, entry.number)
                else:
                    forgotten.append(entry)
            count += self._journal.forget(self._connections, forgotten)
            number = names[-1][0]
            # Records arrive about in the order of their times: where a thousand in a row are
            # kept, nothing behind them has waited for longer.
            if first_kept is not None and not old:
                break
        done = number if first_kept is None else first_kept - 1
        self._journal.raise_mark(self._connections, kind.value, done)
        return count


def _participants(entry: Entry) -> frozenset[bytes]:
    try:
        return record_of(entry.kind, entry.payload).participants
    except ValueError:
        return frozenset()


def _has_blocks(row: bytes) -> bool:
    try:
        return any_block(ledger_of(sections_of(row).get(LEDGER)))
    except DAMAGE:
        return True


def _used_memory(info: object) -> int:
    for line in info.decode().splitlines() if isinstance(info, bytes) else ():
        name, _, value = line.partition(":")
        if name == "used_memory":
            return int(value)
    return 0
