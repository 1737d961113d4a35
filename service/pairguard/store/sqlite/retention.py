"""Retention: what is past its time is forgotten, a little at a time.

Owns what may go when. Each function does one lot in a transaction of its own and says how to go
on, so that decisions are never held up for long. It must not know how often it is asked.

A record that names somebody under a legal hold stays. So does a row that holds personal blocks:
who asked never to meet somebody again asked for good.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from pairguard.history.blocks import any_block
from pairguard.history.sections import DAMAGE, LEDGER, TIMES, Times, ledger_of, sections_of
from pairguard.store.ports import RecordKind
from pairguard.store.sqlite import holds, rows
from pairguard.store.sqlite.batches import split
from pairguard.store.sqlite.schema import transaction

ROWS_PER_TRANSACTION: Final = 500

_OLD_RECORDS: Final = """
    SELECT seq, time, participants FROM records
    WHERE kind = ? AND time <= ? AND (time, seq) > (?, ?) ORDER BY time, seq LIMIT ?
"""
_OLD_ROWS: Final = """
    SELECT number, last_day, id_hash, row FROM participant_rows
    WHERE last_day <= ? AND (last_day, number) > (?, ?) ORDER BY last_day, number LIMIT ?
"""
_FORGOTTEN_BEFORE: Final = "forgotten_before"

Place = tuple[float, int]
"""Time, or day, and number of what a lot ended with."""
START: Final[Place] = (float("-inf"), 0)


@dataclass(frozen=True, slots=True)
class Lot:
    """What one lot did.

    Attributes:
        gone: How many went.
        place: Where the next lot begins; None: this was the last.
    """

    gone: int
    place: Place | None


def purge_records(
    connection: sqlite3.Connection,
    kind: RecordKind,
    *,
    now: float,
    before: float,
    place: Place,
) -> Lot:
    """Forget records of one kind of before a time."""
    with transaction(connection):
        found = connection.execute(
            _OLD_RECORDS, (str(kind), before, *place, ROWS_PER_TRANSACTION)
        ).fetchall()
        named = {each for _, _, participants in found for each in split(participants)}
        kept = holds.legally_held(connection, named, now)
        gone = [
            (seq, split(participants))
            for seq, _, participants in found
            if kept.isdisjoint(split(participants))
        ]
        connection.executemany("DELETE FROM records WHERE seq = ?", [(seq,) for seq, _ in gone])
        connection.executemany(
            "DELETE FROM record_participants WHERE id_hash = ? AND seq = ?",
            [(each, seq) for seq, participants in gone for each in participants],
        )
        if gone:
            _forgotten(connection, before)
    last = (found[-1][1], found[-1][0]) if len(found) == ROWS_PER_TRANSACTION else None
    return Lot(len(gone), last)


def purge_rows(connection: sqlite3.Connection, *, now: float, before: float, place: Place) -> Lot:
    """Forget rows that nothing was recorded for since a time."""
    with transaction(connection):
        found = connection.execute(
            _OLD_ROWS, (rows.day_of(before), *place, ROWS_PER_TRANSACTION)
        ).fetchall()
        kept = holds.legally_held(connection, [id_hash for _, _, id_hash, _ in found], now)
        gone: list[tuple[int]] = []
        for_good: list[tuple[int]] = []
        for number, _, id_hash, row in found:
            if row is None or id_hash in kept:
                continue
            try:
                sections = sections_of(row)
                last_seen = Times(sections.get(TIMES)).last_seen
                has_blocks = any_block(ledger_of(sections.get(LEDGER)))
            except DAMAGE:
                continue
            if last_seen <= before:
                (for_good if has_blocks else gone).append((number,))
        connection.executemany("DELETE FROM participant_rows WHERE number = ?", gone)
        # Not looked at again until something is recorded.
        connection.executemany(
            "UPDATE participant_rows SET last_day = NULL WHERE number = ?", for_good
        )
        if gone:
            _forgotten(connection, before)
    last = (found[-1][1], found[-1][0]) if len(found) == ROWS_PER_TRANSACTION else None
    return Lot(len(gone), last)


def forgotten_before(connection: sqlite3.Connection) -> float:
    """Return the time before which something may have been forgotten; -inf: nothing was."""
    found = connection.execute(
        "SELECT value FROM store_metadata WHERE name = ?", (_FORGOTTEN_BEFORE,)
    ).fetchone()
    return float(found[0]) if found else float("-inf")


def _forgotten(connection: sqlite3.Connection, before: float) -> None:
    connection.execute(
        "INSERT INTO store_metadata VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (_FORGOTTEN_BEFORE, before),
    )
