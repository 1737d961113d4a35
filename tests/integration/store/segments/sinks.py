"""Two sinks: one in memory, one in SQLite, which other processes can use too."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pairguard.errors import StoreUnavailable
from pairguard.store.segments.importing import RecordSink


class MemorySink:
    """Keeps records in a list, in order."""

    def __init__(self) -> None:
        self.ends: dict[str, int] = {}
        self.stored: list[bytes] = []
        self.durable = True
        self.down = False

    def imported_end(self, segment: str) -> int:
        self._answer()
        return self.ends.get(segment, 0)

    def import_records(
        self, segment: str, start: int, end: int, payloads: tuple[bytes, ...]
    ) -> None:
        self._answer()
        assert start == self.ends.get(segment, 0)
        assert end > start
        self.stored += payloads
        self.ends[segment] = end

    def is_durable(self, segment: str, end: int) -> bool:
        self._answer()
        assert self.ends.get(segment, 0) == end
        return self.durable

    def forget(self, segment: str) -> None:
        self._answer()
        self.ends.pop(segment, None)

    def close(self) -> None:
        pass

    def payloads(self) -> list[bytes]:
        return self.stored

    def _answer(self) -> None:
        if self.down:
            raise StoreUnavailable("the sink is down")


class SqliteSink:
    """Keeps records in a table, with the ends in the same transaction."""

    def __init__(self, path: str | Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._connection.execute(
            "PRAGMA synchronous = OFF"
        )  # processes die in the tests, not disks
        self._connection.execute("CREATE TABLE IF NOT EXISTS records (payload BLOB)")
        self._connection.execute("CREATE TABLE IF NOT EXISTS ends (segment TEXT PRIMARY KEY, e)")

    def imported_end(self, segment: str) -> int:
        row = self._connection.execute("SELECT e FROM ends WHERE segment = ?", (segment,))
        return int((row.fetchone() or (0,))[0])

    def import_records(
        self, segment: str, start: int, end: int, payloads: tuple[bytes, ...]
    ) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self.imported_end(segment) != start:
                raise StoreUnavailable("somebody else imported this segment")
            self._connection.executemany(
                "INSERT INTO records VALUES (?)", [(each,) for each in payloads]
            )
            self._connection.execute("INSERT OR REPLACE INTO ends VALUES (?, ?)", (segment, end))

    def is_durable(self, segment: str, end: int) -> bool:
        return self.imported_end(segment) == end

    def forget(self, segment: str) -> None:
        self._connection.execute("DELETE FROM ends WHERE segment = ?", (segment,))

    def close(self) -> None:
        self._connection.close()

    def payloads(self) -> list[bytes]:
        rows = self._connection.execute("SELECT payload FROM records ORDER BY rowid")
        return [bytes(row[0]) for row in rows]

    def remembered_segments(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM ends").fetchone()
        return int(count)


def _are_sinks(memory: MemorySink, sqlite: SqliteSink) -> tuple[RecordSink, RecordSink]:
    """Hold both to the protocol, in the type check."""
    return memory, sqlite
