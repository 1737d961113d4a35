"""The journal: records as they are appended, found, read on and reconciled.

Owns that each record is kept and applied once, and that nobody who was erased comes back with a
record that was on its way. Everything that writes runs within the caller's transaction.

A cursor is the number of a record in twenty digits. Numbers rise in the order of commits, since
there is one writer at a time: who has read up to a cursor has missed nothing before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from pairguard.errors import StoreUnavailable
from pairguard.history.changes import Change
from pairguard.store.ports import JournalRecord, KeptRecord, RecordKind
from pairguard.store.records import record_of
from pairguard.store.sqlite import holds, rows
from pairguard.store.sqlite.batches import Selection, joined
from pairguard.store.unlinking import unlinked

_MAX_EVENTS: Final = 1_000
_CURSOR_DIGITS: Final = 20
_MAX_SEQ: Final = 2**63 - 1
_KEPT: Final = "SELECT seq, kind, record_id, payload FROM records"

_INSERT: Final = """
    INSERT INTO records
        (seq, kind, record_id, time, decision_id, pending, reconciliation, participants, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# As AUTOINCREMENT would count, so that no number is ever given again.
_LAST_SEQ: Final = """
    SELECT max(
        ifnull((SELECT max(seq) FROM records), 0),
        ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'records'), 0)
    )
"""
_KNOWN: Final = Selection(
    "SELECT record_id FROM records WHERE kind = ?1 AND record_id IN ({})", others=1
)
_FIND: Final = Selection(f"{_KEPT} WHERE kind = ?1 AND record_id IN ({{}})", others=1)
_TOMBSTONES: Final = Selection("SELECT id_hash, time FROM tombstones WHERE id_hash IN ({})")


def append(connection: sqlite3.Connection, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
    """Keep and apply records; see ``ParticipantStore.append``.

    However many there are, each table is asked and changed by a few statements, and each row is
    read, folded and written once.
    """
    new, fresh = _new_ones(connection, without_erased(connection, records))
    if not fresh:
        return new
    (seq,) = connection.execute(_LAST_SEQ).fetchone()
    inserted: list[tuple[Any, ...]] = []
    participants: list[tuple[bytes, int]] = []
    changes: dict[bytes, list[Change]] = {}
    days: dict[bytes, int] = {}
    for record in fresh:
        seq += 1
        inserted.append(
            (
                seq,
                record.kind.value,
                record.record_id,
                float(record.time),
                record.decision_id,
                record.pending,
                record.reconciliation,
                joined(sorted(record.participants)),
                record.payload,
            )
        )
        participants += [(each, seq) for each in record.participants]
        day = rows.day_of(record.time)
        for id_hash, of_one in record.changes.items():
            earlier = changes.get(id_hash)
            if earlier is None:
                changes[id_hash], days[id_hash] = [*of_one], day
            else:
                earlier += of_one
                days[id_hash] = max(days[id_hash], day)
    connection.executemany(_INSERT, inserted)
    connection.executemany("INSERT INTO record_participants VALUES (?, ?)", sorted(participants))
    rows.change(connection, changes, days)
    # After the rows, which may say that a hold goes on.
    for record in fresh:
        for each in record.holds:
            holds.apply(connection, each, record.time)
    return new


def _new_ones(
    connection: sqlite3.Connection, records: Sequence[JournalRecord]
) -> tuple[tuple[bool, ...], list[JournalRecord]]:
    """Return which of some records are new, of those named twice the first, and these records."""
    named: dict[RecordKind, dict[str, None]] = {}
    for record in records:
        named.setdefault(record.kind, {})[record.record_id] = None
    known = {
        kind: {each for (each,) in _KNOWN.rows(connection, [*ids], kind.value)}
        for kind, ids in named.items()
    }
    new: list[bool] = []
    fresh: list[JournalRecord] = []
    for record in records:
        of_kind = known[record.kind]
        is_new = record.record_id not in of_kind
        if is_new:
            of_kind.add(record.record_id)
            fresh.append(record)
        new.append(is_new)
    return tuple(new), fresh


def without_erased(
    connection: sqlite3.Connection, records: Sequence[JournalRecord]
) -> Sequence[JournalRecord]:
    """Return records without those participants who were erased after they were made.

    What a record says of holds stays: an erasure ends no hold, and so it prevents none.
    """
    (any_erased,) = connection.execute("SELECT EXISTS (SELECT 1 FROM tombstones)").fetchone()
    if not any_erased:
        return records
    named = sorted({each for record in records for each in record.participants})
    erased = dict(_TOMBSTONES.rows(connection, named))
    return [_without(record, erased) for record in records] if erased else records


def _without(record: JournalRecord, erased: dict[bytes, float]) -> JournalRecord:
    gone = [each for each in record.participants if record.time < erased.get(each, record.time)]
    if not gone:
        return record
    left = record_of(record.kind, unlinked(record.kind, record.payload, gone))
    return replace(
        record, payload=left.payload, participants=left.participants, changes=left.changes
    )


def find(connection: sqlite3.Connection, kind: RecordKind, record_id: str) -> KeptRecord | None:
    """Return one record."""
    found = connection.execute(
        f"{_KEPT} WHERE kind = ? AND record_id = ?", (str(kind), record_id)
    ).fetchall()
    return _kept(found[0]) if found else None


def find_all(
    connection: sqlite3.Connection, kind: RecordKind, record_ids: Sequence[str]
) -> dict[str, KeptRecord]:
    """Return those of some records that are kept, by id."""
    found = _FIND.rows(connection, list(dict.fromkeys(record_ids)), str(kind))
    return {record.record_id: record for record in _all_kept(found)}


def events_of(connection: sqlite3.Connection, decision_id: str) -> tuple[KeptRecord, ...]:
    """Return the events of a decision."""
    return _all_kept(
        connection.execute(
            f"{_KEPT} WHERE decision_id = ? AND decision_id <> '' AND kind = ? "
            "ORDER BY seq LIMIT ?",
            (decision_id, str(RecordKind.EVENT), _MAX_EVENTS),
        )
    )


def read_on(
    connection: sqlite3.Connection, after: int, limit: int, kinds: frozenset[RecordKind] | None
) -> tuple[KeptRecord, ...]:
    """Return the next records."""
    chosen = sorted(str(kind) for kind in kinds or RecordKind)
    marks = ",".join("?" * len(chosen))
    return _all_kept(
        connection.execute(
            f"{_KEPT} WHERE seq > ? AND kind IN ({marks}) ORDER BY seq LIMIT ?",
            (after, *chosen, limit),
        )
    )


def pending(connection: sqlite3.Connection, before: float, limit: int) -> tuple[KeptRecord, ...]:
    """Return starts of chats that are not reconciled, the oldest first."""
    return _all_kept(
        connection.execute(
            f"{_KEPT} WHERE pending AND time < ? ORDER BY time, seq LIMIT ?", (before, limit)
        )
    )


def reconcile(
    connection: sqlite3.Connection, record_id: str, payload: bytes, reconciliation: str
) -> None:
    """Put an agreement in place of "not yet"; whoever was erased in between stays so."""
    (record,) = without_erased(connection, [record_of(RecordKind.EVENT, payload)])
    connection.execute(
        "UPDATE records SET payload = ?, reconciliation = ?, pending = 0 "
        "WHERE kind = ? AND record_id = ? AND pending",
        (record.payload, reconciliation, str(RecordKind.EVENT), record_id),
    )


def reconciled(
    connection: sqlite3.Connection, reconciliation: str, limit: int
) -> tuple[KeptRecord, ...]:
    """Return the latest starts of chats with an agreement."""
    return _all_kept(
        connection.execute(
            f"{_KEPT} WHERE reconciliation = ? AND reconciliation <> '' ORDER BY seq DESC LIMIT ?",
            (reconciliation, limit),
        )
    )


def imported_end(connection: sqlite3.Connection, segment: str) -> int:
    """Return up to which byte a segment was imported."""
    found = connection.execute(
        "SELECT imported_end FROM segments WHERE name = ?", (segment,)
    ).fetchone()
    return int(found[0]) if found else 0


def set_imported_end(connection: sqlite3.Connection, segment: str, end: int) -> None:
    """Remember up to which byte a segment was imported."""
    connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?)", (segment, end))


def exported_to(connection: sqlite3.Connection, consumer: str) -> str:
    """Return how far a consumer has come."""
    found = connection.execute("SELECT seq FROM consumers WHERE name = ?", (consumer,)).fetchone()
    return cursor_of(found[0]) if found else ""


def confirm(connection: sqlite3.Connection, consumer: str, seq: int) -> None:
    """Remember how far a consumer has come."""
    connection.execute(
        "INSERT INTO consumers VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq)",
        (consumer, seq),
    )


def cursor_of(seq: int) -> str:
    """Return the cursor of a record."""
    return f"{seq:0{_CURSOR_DIGITS}d}"


def seq_of(cursor: str) -> int:
    """Return the number of a record.

    Raises:
        ValueError: The text is no cursor of this store.
    """
    if not cursor:
        return 0
    if len(cursor) != _CURSOR_DIGITS or not (cursor.isascii() and cursor.isdigit()):
        raise ValueError("a cursor is one that this store gave out, or empty")
    return min(int(cursor), _MAX_SEQ)


def _all_kept(found: Iterable[Sequence[Any]]) -> tuple[KeptRecord, ...]:
    return tuple([_kept(row) for row in found])


def _kept(row: Sequence[Any]) -> KeptRecord:
    seq, kind, record_id, payload = row
    try:
        return KeptRecord(cursor_of(seq), RecordKind(kind), record_id, payload)
    except ValueError as error:
        raise StoreUnavailable("a record of the journal has an unknown kind") from error
