"""The embedded adapter of ``ParticipantStore``.

Owns which queries make one operation, which of them wait for the disk, and what a wrong argument
is. It must not know the queries.

With ``synchronous=FULL`` a commit is on the disk before a write returns. Writers of one process
queue for a lock of their own, since SQLite's waiting is by polling and unfair. The busy timeout is
short: a database that another process keeps locked is an unavailable one, which the caller answers
cautiously.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from pairguard.store.arguments import require_ids, require_limit, require_records, require_time
from pairguard.store.identity import IdentityKeys
from pairguard.store.ports import (
    Erasure,
    ErasureStatus,
    Hold,
    JournalRecord,
    KeptAnswer,
    KeptParticipant,
    KeptRecord,
    PurgeReport,
    RecordKind,
    Retention,
    StoreStatistics,
)
from pairguard.store.sqlite import (
    answers,
    erasure,
    holds,
    journal,
    retention,
    rows,
    statistics,
)
from pairguard.store.sqlite.connections import Session, SqliteConnections
from pairguard.store.sqlite.retention import Lot, Place
from pairguard.store.sqlite.schema import transaction

_Result = TypeVar("_Result")

# Longest rest between two lots of a purge or an erasure, which rest as long as they worked.
_LONGEST_REST_SECONDS: Final = 0.05


class SqliteStore:
    """The embedded adapter of ``ParticipantStore``.

    Nothing is opened by the constructor: ``check`` tells whether the store can be used.

    Args:
        path: The database; it is made at first use, its directory must be there.
        key_path: The file with the identity keys. None: the store's own, beside the database with
            ``.key`` appended, made together with the database.
        busy_timeout_seconds: How long a call waits for another process's lock.
        first_open_timeout_seconds: How long the first use waits instead, while other processes
            may be making the same database.
    """

    def __init__(
        self,
        path: Path,
        *,
        key_path: Path | None = None,
        busy_timeout_seconds: float = 0.25,
        first_open_timeout_seconds: float = 5.0,
    ) -> None:
        self._connections = SqliteConnections(
            path,
            key_path=key_path,
            busy_timeout_seconds=busy_timeout_seconds,
            first_open_timeout_seconds=first_open_timeout_seconds,
        )

    @property
    def connections(self) -> SqliteConnections:
        """The connections, for what is done to the database as a whole."""
        return self._connections

    @property
    def keys(self) -> IdentityKeys:
        """The keys that ids are hashed with; opens the store."""
        return self._connections.run(lambda session: session.keys)

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        """Return rows and holds of each participant; see ``ParticipantStore.read``."""
        require_time(now)
        for ids in participants:
            require_ids(ids)
        return self._connections.run(
            lambda session: rows.read(session.connection, participants, now)
        )

    def write_hold(self, ids: Sequence[bytes], hold: Hold) -> None:
        """Put a hold on all of these ids, durably; see ``ParticipantStore.write_hold``."""
        require_ids(ids)
        self._write(lambda connection: holds.write(connection, ids, hold))

    def release_holds(
        self, ids: Sequence[bytes], *, now: float, reasons: frozenset[str] | None
    ) -> int:
        """End active holds on these ids, durably; see ``ParticipantStore.release_holds``."""
        require_ids(ids)
        require_time(now)
        return self._write(lambda connection: holds.release(connection, ids, float(now), reasons))

    def append(self, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
        """Keep and apply records, all or none; see ``ParticipantStore.append``."""
        require_records(records)
        return self._write(lambda connection: journal.append(connection, records))

    def keep_answer(self, key: bytes, answer: KeptAnswer, *, now: float) -> KeptAnswer:
        """Keep an answer past the end of this process; see ``ParticipantStore.keep_answer``."""
        require_time(now)

        def keep(session: Session) -> KeptAnswer:
            while True:
                if answers.keep(session.connection, key, answer, now):
                    return answer
                earlier = answers.find(session.connection, key, now)
                # It may have been purged between the two, by a clock that is ahead.
                if earlier is not None:
                    return earlier

        return self._connections.run_alone(keep, power_safe=False)

    def find_answer(self, key: bytes, *, now: float) -> KeptAnswer | None:
        """Return the kept answer to a request; see ``ParticipantStore.find_answer``."""
        require_time(now)
        return self._connections.run(lambda session: answers.find(session.connection, key, now))

    def find_record(self, kind: RecordKind, record_id: str) -> KeptRecord | None:
        """Return one record; see ``ParticipantStore.find_record``."""
        return self._connections.run(
            lambda session: journal.find(session.connection, kind, record_id)
        )

    def find_records(self, kind: RecordKind, record_ids: Sequence[str]) -> Mapping[str, KeptRecord]:
        """Return those records that are kept; see ``ParticipantStore.find_records``."""
        return self._connections.run(
            lambda session: journal.find_all(session.connection, kind, record_ids)
        )

    def events_of(self, decision_id: str) -> tuple[KeptRecord, ...]:
        """Return the events of a decision; see ``ParticipantStore.events_of``."""
        return self._connections.run(
            lambda session: journal.events_of(session.connection, decision_id)
        )

    def read_journal(
        self, after: str, limit: int, *, kinds: frozenset[RecordKind] | None = None
    ) -> tuple[KeptRecord, ...]:
        """Return the next records; see ``ParticipantStore.read_journal``."""
        seq = journal.seq_of(after)
        require_limit(limit)
        return self._connections.run(
            lambda session: journal.read_on(session.connection, seq, limit, kinds)
        )

    def exported_to(self, consumer: str) -> str:
        """Return how far a consumer has come; see ``ParticipantStore.exported_to``."""
        return self._connections.run(
            lambda session: journal.exported_to(session.connection, consumer)
        )

    def confirm_export(self, consumer: str, cursor: str) -> None:
        """Remember how far a consumer has come; see ``ParticipantStore.confirm_export``."""
        seq = journal.seq_of(cursor)
        self._write(lambda connection: journal.confirm(connection, consumer, seq))

    def pending_chats(self, before: float, limit: int) -> tuple[KeptRecord, ...]:
        """Return chats without their decision; see ``ParticipantStore.pending_chats``."""
        require_time(before)
        require_limit(limit)
        return self._connections.run(
            lambda session: journal.pending(session.connection, before, limit)
        )

    def reconcile(self, record_id: str, payload: bytes, reconciliation: str) -> None:
        """Put an agreement in place of "not yet"; see ``ParticipantStore.reconcile``."""
        self._write(
            lambda connection: journal.reconcile(connection, record_id, payload, reconciliation)
        )

    def reconciled(self, reconciliation: str, limit: int) -> tuple[KeptRecord, ...]:
        """Return the latest chats with an agreement; see ``ParticipantStore.reconciled``."""
        require_limit(limit)
        return self._connections.run(
            lambda session: journal.reconciled(session.connection, reconciliation, limit)
        )

    def erase(self, ids: Sequence[bytes], *, now: float) -> Erasure:
        """Remove what is kept under ids; see ``ParticipantStore.erase``.

        What was deleted is overwritten. The log may hold it until it is moved into the database,
        which is tried at once and done later where somebody reads at this moment.
        """
        require_ids(ids)
        require_time(now)
        run = self._connections.run_alone
        done = run(lambda session: erasure.begin(session.connection, ids, now))
        done = self._finish(done)
        kept = run(lambda session: len(holds.active(session.connection, done.ids, now)))
        if done.delayed:
            return Erasure(ErasureStatus.DELAYED_BY_LEGAL_HOLD, kept_holds=kept)
        self._connections.empty_log()
        found = done.rows or done.records
        return Erasure(
            ErasureStatus.ERASED if found else ErasureStatus.NOTHING_KEPT,
            kept_holds=kept,
            unlinked_records=done.records,
        )

    def imported_end(self, segment: str) -> int:
        """Return how much of a segment was imported; see ``ParticipantStore.imported_end``."""
        return self._connections.run(
            lambda session: journal.imported_end(session.connection, segment)
        )

    def import_records(
        self, segment: str, start: int, end: int, records: Sequence[JournalRecord]
    ) -> None:
        """Append a part of a segment once; see ``ParticipantStore.import_records``."""
        require_records(records)

        def import_once(connection: sqlite3.Connection) -> None:
            if journal.imported_end(connection, segment) > start:
                return
            journal.append(connection, records)
            journal.set_imported_end(connection, segment, end)

        self._write(import_once)

    def forget_segment(self, segment: str) -> None:
        """Forget a segment, which is gone."""

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM segments WHERE name = ?", (segment,))

        self._write(forget)

    def purge(self, *, now: float, retention: Retention) -> PurgeReport:
        """Forget what is past its time; see ``ParticipantStore.purge``."""
        require_time(now)
        erasures = self._finish_erasures(now)
        ages = {
            RecordKind.DECISION: retention.decisions_seconds,
            RecordKind.EVENT: retention.events_seconds,
            RecordKind.EVIDENCE: retention.evidence_seconds,
        }
        records = {kind: self._purge_records(kind, now, now - age) for kind, age in ages.items()}
        report = PurgeReport(
            records=records,
            rows=self._purge_rows(now, now - retention.rows_seconds),
            holds=self._purge_all(holds.purge, now),
            answers=self._purge_all(answers.purge, now),
            erasures=erasures,
        )
        self._write(lambda connection: erasure.purge_tombstones(connection, now))
        self._connections.empty_log()
        return report

    def statistics(self) -> StoreStatistics:
        """Count what is kept; see ``ParticipantStore.statistics``."""
        path = self._connections.path
        return self._connections.run(lambda session: statistics.count(session.connection, path))

    def check(self) -> None:
        """Take the write lock, read, and give it back: nothing is written."""

        def probe(session: Session) -> None:
            connection = session.connection
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT reason FROM holds LIMIT 1").fetchall()
            connection.execute("ROLLBACK")

        self._connections.run(probe)

    def promises_durability(self) -> bool:
        """Return whether each commit waits for the disk."""
        (level,) = self._connections.run(
            lambda session: session.connection.execute("PRAGMA synchronous").fetchone()
        )
        return bool(level >= 2)

    def close(self) -> None:
        """Close the connections of all threads; see ``ParticipantStore.close``."""
        self._connections.close()

    def _write(self, operation: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run an operation in one transaction, which is on the disk when this returns."""

        def write(session: Session) -> _Result:
            with transaction(session.connection):
                return operation(session.connection)

        return self._connections.run_alone(write)

    def _finish(self, progress: erasure.Progress) -> erasure.Progress:
        began = time.monotonic()
        while not progress.finished:
            _rest_since(began)
            began = time.monotonic()
            progress = self._connections.run_alone(partial(_go_on, progress))
        return progress

    def _finish_erasures(self, now: float) -> int:
        done = 0
        for progress, has_begun in self._connections.run(
            lambda session: erasure.open_ones(session.connection)
        ):
            if not has_begun:
                ids = progress.ids
                progress = self._connections.run_alone(  # noqa: PLW2901
                    partial(_begin, ids, now)
                )
            done += not self._finish(progress).delayed
        return done

    def _purge_records(self, kind: RecordKind, now: float, before: float) -> int:
        def purge(place: Place, session: Session) -> Lot:
            return retention.purge_records(
                session.connection, kind, now=now, before=before, place=place
            )

        return self._purge_lots(purge)

    def _purge_rows(self, now: float, before: float) -> int:
        if before == -math.inf:
            return 0

        def purge(place: Place, session: Session) -> Lot:
            return retention.purge_rows(session.connection, now=now, before=before, place=place)

        return self._purge_lots(purge)

    def _purge_all(self, purge: Callable[[sqlite3.Connection, float, int], int], now: float) -> int:
        def lot(place: Place, session: Session) -> Lot:
            gone = purge(session.connection, now, retention.ROWS_PER_TRANSACTION)
            return Lot(gone, place if gone == retention.ROWS_PER_TRANSACTION else None)

        return self._purge_lots(lot)

    def _purge_lots(self, purge: Callable[[Place, Session], Lot]) -> int:
        gone = 0
        place: Place | None = retention.START
        while place is not None:
            began = time.monotonic()
            lot = self._connections.run_alone(partial(purge, place))
            gone += lot.gone
            place = lot.place
            if place is not None:
                _rest_since(began)
        return gone


def _rest_since(began: float) -> None:
    """Let others write: nobody gets a lock that is taken again at once."""
    time.sleep(min(time.monotonic() - began, _LONGEST_REST_SECONDS))


def _begin(ids: Sequence[bytes], now: float, session: Session) -> erasure.Progress:
    return erasure.begin(session.connection, ids, now)


def _go_on(progress: erasure.Progress, session: Session) -> erasure.Progress:
    return erasure.go_on(session.connection, progress)
