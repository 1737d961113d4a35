"""How much is kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pairguard.store.ports import RecordKind, StoreStatistics


def count(connection: sqlite3.Connection, path: Path) -> StoreStatistics:
    """Count what is kept in a database; goes through whole indexes."""

    def one(table: str, condition: str = "") -> int:
        statement = f"SELECT count(*) FROM {table} {condition}"  # noqa: S608 - constants, below
        (number,) = connection.execute(statement).fetchone()
        return int(number)

    records = dict.fromkeys(RecordKind, 0)
    for kind, number in connection.execute("SELECT kind, count(*) FROM records GROUP BY kind"):
        records[RecordKind(kind)] = number
    reconciliations = connection.execute(
        "SELECT reconciliation, count(*) FROM records WHERE reconciliation <> '' "
        "GROUP BY reconciliation"
    ).fetchall()
    files = (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
    return StoreStatistics(
        records=records,
        rows=one("participant_rows"),
        holds=one("holds"),
        answers=one("answers"),
        pending_chats=one("records", "WHERE pending"),
        reconciliations=dict(reconciliations),
        delayed_erasures=one("open_erasures"),
        bytes=sum(file.stat().st_size for file in files if file.exists()),
    )
