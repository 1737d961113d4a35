"""Whether what is kept of each id is what the journal says.

Owns the recount: each row is folded anew from the records that name its id and compared. It must
not know who asked.

Only rows whose whole history is still in the journal can be compared: not those that were seen
before the latest time up to which retention has forgotten anything, nor those in which somebody
else was erased.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pairguard.history.changes import Change
from pairguard.history.folding import folded
from pairguard.history.sections import (
    DAMAGE,
    LEDGER,
    TILES,
    TIMES,
    Times,
    ledger_of,
    sections_of,
)
from pairguard.history.tiles import Tiles
from pairguard.store.ports import RecordKind
from pairguard.store.records import record_of
from pairguard.store.sqlite import rows
from pairguard.store.sqlite.connections import Session
from pairguard.store.sqlite.retention import forgotten_before
from pairguard.store.sqlite.schema import transaction
from pairguard.store.sqlite.store import SqliteStore

_IDS_PER_SNAPSHOT: Final = 200
_IDS: Final = """
    SELECT id_hash FROM participant_rows WHERE id_hash > ?1
    UNION SELECT id_hash FROM record_participants WHERE id_hash > ?1 ORDER BY id_hash LIMIT ?2
"""
_RECORDS: Final = """
    SELECT records.seq, kind, time, payload FROM record_participants JOIN records USING (seq)
    WHERE id_hash = ? ORDER BY seq
"""


@dataclass(slots=True)
class RowVerification:
    """What a recount found.

    Attributes:
        compared: Rows that were folded anew.
        not_comparable: Rows whose history is not in the journal any more.
        differing: Ids whose row is not what the journal says.
        damaged: Ids whose row cannot be read, or was set aside.
        unreadable_records: Numbers of records that cannot be read.
    """

    compared: int = 0
    not_comparable: int = 0
    differing: list[bytes] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    unreadable_records: set[int] = field(default_factory=set)

    @property
    def agrees(self) -> bool:
        """Whether nothing was found wrong."""
        return not (self.differing or self.damaged or self.unreadable_records)


@dataclass(frozen=True, slots=True)
class _History:
    """What the journal says of one id; ``first_time`` is infinite where it says nothing."""

    changes: Sequence[Change]
    first_time: float
    last_time: float
    unreadable: Sequence[int]


def verify_rows(store: SqliteStore) -> RowVerification:
    """Recount every row, some hundred ids at a time, each from one state of the database.

    Raises:
        StoreUnavailable: The database could not be read.
    """
    found = RowVerification()
    last = b""
    while True:
        ids = store.connections.run(partial(_verify_some, found, last))
        if len(ids) < _IDS_PER_SNAPSHOT:
            return found
        last = ids[-1]


def repair_rows(
    store: SqliteStore, ids: Iterable[bytes], *, accept_incomplete: bool = False
) -> tuple[bytes, ...]:
    """Make damaged rows anew from the journal.

    Args:
        store: Where they are.
        ids: Those of ``RowVerification.damaged``; a row that is whole stays as it is.
        accept_incomplete: Also where retention has taken a part of the journal, so that what is
            made may say less than what was lost.

    Returns:
        The ids whose rows are as damaged as before.

    Raises:
        StoreUnavailable: The database could not be written.
    """
    return tuple(
        each
        for each in ids
        if not store.connections.run_alone(partial(_repair, each, accept_incomplete))
    )


def _verify_some(found: RowVerification, after: bytes, session: Session) -> list[bytes]:
    connection = session.connection
    connection.execute("BEGIN")
    ids = [each for (each,) in connection.execute(_IDS, (after, _IDS_PER_SNAPSHOT)).fetchall()]
    forgotten = forgotten_before(connection)
    for each in ids:
        _verify(connection, each, forgotten, found)
    connection.execute("COMMIT")
    return ids


def _verify(
    connection: sqlite3.Connection, id_hash: bytes, forgotten: float, found: RowVerification
) -> None:
    stored = connection.execute(
        "SELECT row, not_from_journal FROM participant_rows WHERE id_hash = ?", (id_hash,)
    ).fetchone()
    history = _history(connection, id_hash)
    found.unreadable_records.update(history.unreadable)
    row, not_from_journal = stored or (b"", False)
    try:
        kept = _comparable(row) if row is not None else None
    except DAMAGE:
        kept = None
    if kept is None:
        found.damaged.append(id_hash)
        return
    first_seen, content = kept
    if not stored and not history.changes:
        return
    if not_from_journal or history.unreadable or min(first_seen, history.first_time) <= forgotten:
        found.not_comparable += 1
        return
    found.compared += 1
    if not history.changes or _comparable(folded(b"", history.changes))[1] != content:
        found.differing.append(id_hash)


def _repair(id_hash: bytes, accept_incomplete: bool, session: Session) -> bool:  # noqa: FBT001
    connection = session.connection
    with transaction(connection):
        stored = connection.execute(
            "SELECT row, not_from_journal FROM participant_rows WHERE id_hash = ?", (id_hash,)
        ).fetchone()
        if stored is None or _is_whole(stored[0]):
            return True
        history = _history(connection, id_hash)
        complete = not (
            stored[1] or history.unreadable or forgotten_before(connection) > float("-inf")
        )
        if not (complete or accept_incomplete):
            return False
        connection.execute("DELETE FROM participant_rows WHERE id_hash = ?", (id_hash,))
        connection.execute("DELETE FROM damaged_rows WHERE id_hash = ?", (id_hash,))
        if history.changes:
            connection.execute(
                "INSERT INTO participant_rows (id_hash, last_day, not_from_journal, row) "
                "VALUES (?, ?, ?, ?)",
                (
                    id_hash,
                    rows.day_of(history.last_time),
                    not complete,
                    folded(b"", history.changes),
                ),
            )
    return True


def _is_whole(row: bytes | None) -> bool:
    try:
        return row is not None and bool(_comparable(row))
    except DAMAGE:
        return False


def _history(connection: sqlite3.Connection, id_hash: bytes) -> _History:
    changes: list[Change] = []
    times: list[float] = []
    unreadable: list[int] = []
    for seq, kind, time, payload in connection.execute(_RECORDS, (id_hash,)).fetchall():
        try:
            of_this = record_of(RecordKind(kind), payload).changes.get(id_hash, ())
        except ValueError:
            unreadable.append(seq)
            continue
        changes += of_this
        times.append(time)
    return _History(changes, min(times, default=float("inf")), max(times, default=0.0), unreadable)


def _comparable(row: bytes) -> tuple[float, dict[int, Any]]:
    """Return when an id was first seen, and its row in a form that does not tell of batches.

    Which old tiles a row still has depends on how many records were applied together.
    """
    sections: dict[int, Any] = dict(sections_of(row))
    times = Times(sections.get(TIMES))
    tiles = Tiles(sections.pop(TILES, b"")).block(times.last_seen)
    return times.first_seen or float("inf"), sections | {
        TILES: tiles,
        LEDGER: ledger_of(sections.get(LEDGER)),
    }
