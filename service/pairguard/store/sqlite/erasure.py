"""Erasure: what is kept under ids goes, and records lead to them no more.

Owns in which order, so that an erasure that a crash or an error cuts short is finished later: it
is written down first, with the end of the journal at that moment, and struck out last. Records are
unlinked a few at a time, each lot with the rows of everybody else in it in one transaction, so that
the erasure of somebody with thousands of records holds up nobody.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pairguard.history.changes import Unlinked
from pairguard.history.contacts import PREFIX_BYTES, prefixes_of
from pairguard.history.sections import CONTACTS, LEDGER, ledger_of, sections_of
from pairguard.store.identity import HASH_BYTES
from pairguard.store.ports import RecordKind
from pairguard.store.records import record_of
from pairguard.store.sqlite import holds, rows
from pairguard.store.sqlite.batches import Selection, joined, split
from pairguard.store.sqlite.schema import transaction
from pairguard.store.unlinking import unlinked

TOMBSTONE_SECONDS: Final = 8 * 86_400.0
"""How long an erased id is remembered, for records that were on their way."""
_RECORDS_PER_TRANSACTION: Final = 500

_ROWS: Final = Selection("SELECT row FROM participant_rows WHERE id_hash IN ({})")
_DAMAGED: Final = Selection("SELECT id_hash, row FROM damaged_rows WHERE id_hash IN ({})")
_SEQS: Final = """
    SELECT seq FROM record_participants WHERE id_hash = ? AND seq <= ? ORDER BY seq LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an erasure has come.

    Attributes:
        ids: Hashes of the participant.
        rows: How many rows there were.
        records: How many records were unlinked.
        delayed: A legal hold stands against it; it was written down.
        finished: Nothing is left to be done now.
    """

    ids: tuple[bytes, ...]
    rows: int = 0
    records: int = 0
    delayed: bool = False
    finished: bool = False


def begin(connection: sqlite3.Connection, ids: Iterable[bytes], now: float) -> Progress:
    """Begin an erasure in a transaction of its own, which for most participants is all of it."""
    each_once = tuple(sorted(set(ids)))
    with transaction(connection):
        connection.execute(
            "INSERT OR IGNORE INTO open_erasures VALUES (?, NULL, ?)",
            (joined(each_once), os.urandom(HASH_BYTES)),
        )
        if holds.legally_held(connection, each_once, now):
            return Progress(each_once, delayed=True, finished=True)
        connection.execute(
            "UPDATE open_erasures SET begun = (SELECT coalesce(max(seq), 0) FROM records) "
            "WHERE ids = ?",
            (joined(each_once),),
        )
        connection.executemany(
            "INSERT INTO tombstones VALUES (?, ?) "
            "ON CONFLICT (id_hash) DO UPDATE SET time = max(time, excluded.time)",
            [(each, now) for each in each_once],
        )
        count = _remove_rows(connection, each_once)
        return _unlink_lot(connection, Progress(each_once, rows=count))


def go_on(connection: sqlite3.Connection, progress: Progress) -> Progress:
    """Unlink the next records, in a transaction of its own."""
    with transaction(connection):
        return _unlink_lot(connection, progress)


def open_ones(connection: sqlite3.Connection) -> list[tuple[Progress, bool]]:
    """Return the erasures that were written down and not done, and whether each has begun."""
    return [
        (Progress(tuple(split(ids))), begun is not None)
        for ids, begun in connection.execute("SELECT ids, begun FROM open_erasures").fetchall()
    ]


def purge_tombstones(connection: sqlite3.Connection, now: float) -> None:
    """Forget who was erased so long ago that no record can be on its way any more."""
    connection.execute("DELETE FROM tombstones WHERE time <= ?", (now - TOMBSTONE_SECONDS,))


def _remove_rows(connection: sqlite3.Connection, ids: Sequence[bytes]) -> int:
    """Remove rows, and the ids from the rows of those whom they tell of."""
    others: set[bytes] = set()
    for (row,) in _ROWS.rows(connection, ids):
        if row is not None:
            others |= _acquainted(connection, row)
    one_each = [(each,) for each in ids]
    removed = connection.executemany(
        "DELETE FROM participant_rows WHERE id_hash = ?", one_each
    ).rowcount
    connection.executemany("DELETE FROM damaged_rows WHERE id_hash = ?", one_each)
    _unlink_rows(connection, others - set(ids), ids)
    return removed


def _unlink_lot(connection: sqlite3.Connection, progress: Progress) -> Progress:
    ids = progress.ids
    (begun,) = connection.execute(
        "SELECT begun FROM open_erasures WHERE ids = ?", (joined(ids),)
    ).fetchone() or (0,)
    limit = _RECORDS_PER_TRANSACTION
    found = {seq for each in ids for (seq,) in connection.execute(_SEQS, (each, begun, limit))}
    seqs = sorted(found)[:limit]
    others: set[bytes] = set()
    for seq in seqs:
        others |= _unlink_record(connection, seq, ids)
    _unlink_rows(connection, others, ids)
    finished = len(found) <= limit and all(
        connection.execute(_SEQS, (each, begun, 1)).fetchone() is None for each in ids
    )
    if finished:
        connection.execute("DELETE FROM open_erasures WHERE ids = ?", (joined(ids),))
    return Progress(ids, progress.rows, progress.records + len(seqs), finished=finished)


def _unlink_record(connection: sqlite3.Connection, seq: int, ids: Sequence[bytes]) -> set[bytes]:
    """Rewrite one record and return the others that it named."""
    found = connection.execute(
        "SELECT kind, payload, participants FROM records WHERE seq = ?", (seq,)
    ).fetchone()
    before = set(split(found[2])) if found else set()
    left: frozenset[bytes] = frozenset()
    if found:
        kind = RecordKind(found[0])
        try:
            record = record_of(kind, unlinked(kind, found[1], ids))
        except ValueError:
            # What cannot be read cannot be unlinked.
            connection.execute("DELETE FROM records WHERE seq = ?", (seq,))
        else:
            left = record.participants
            connection.execute(
                "UPDATE records SET payload = ?, participants = ? WHERE seq = ?",
                (record.payload, joined(sorted(left)), seq),
            )
    connection.executemany(
        "DELETE FROM record_participants WHERE id_hash = ? AND seq = ?",
        [(each, seq) for each in (before | set(ids)) - left],
    )
    return before - set(ids)


def _unlink_rows(
    connection: sqlite3.Connection, others: Collection[bytes], ids: Sequence[bytes]
) -> None:
    """Put the token of an erasure in the place of its ids in the rows of others."""
    if not others:
        return
    (token,) = connection.execute(
        "SELECT token FROM open_erasures WHERE ids = ?", (joined(ids),)
    ).fetchone()
    named = sorted(others)
    rows.change(
        connection, {each: (Unlinked(tuple(ids), token),) for each in named}, {}, make_new=False
    )
    connection.executemany(
        "UPDATE participant_rows SET not_from_journal = 1 WHERE id_hash = ?",
        [(each,) for each in named],
    )
    for other, damaged in _DAMAGED.rows(connection, named):
        for each in ids:
            damaged = damaged.replace(each.hex().encode(), token.hex().encode())  # noqa: PLW2901
            damaged = damaged.replace(each[:PREFIX_BYTES], token[:PREFIX_BYTES])  # noqa: PLW2901
        connection.execute("UPDATE damaged_rows SET row = ? WHERE id_hash = ?", (damaged, other))


def _acquainted(connection: sqlite3.Connection, row: bytes) -> set[bytes]:
    """Return those with rows whom a row tells of: records of them may be gone already."""
    try:
        sections = sections_of(row)
        ledger = ledger_of(sections.get(LEDGER))
        prefixes = {*prefixes_of(sections.get(CONTACTS, b""))}
        for name in ("blocks", "blocked_by"):
            prefixes |= {bytes.fromhex(each)[:PREFIX_BYTES] for each in ledger.get(name, ())}
    except ValueError:
        return set()
    rest = HASH_BYTES - PREFIX_BYTES
    return {
        id_hash
        for each in prefixes
        for (id_hash,) in connection.execute(
            "SELECT id_hash FROM participant_rows WHERE id_hash BETWEEN ? AND ?",
            (each + b"\x00" * rest, each + b"\xff" * rest),
        )
    }
