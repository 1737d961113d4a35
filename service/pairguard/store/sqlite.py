"""Holds in one embedded SQLite file, shared by the worker processes of one machine.

Owns the queries. It must not know how connections come and go
(``pairguard.store.sqlite_connections``), nor what a hold does to a decision.

Write-ahead logging with ``synchronous=FULL``: a commit is on the disk before a write returns, and
readers never wait for writers. Writers of one process queue for a lock of their own, since SQLite's
waiting is by polling and unfair. The busy timeout is short: a database that another process keeps
locked is an unavailable one, which the caller answers cautiously.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pairguard.store.ports import Hold
from pairguard.store.sqlite_connections import Session, SqliteConnections
from pairguard.store.sqlite_schema import transaction

# Ids in one SELECT. Shorter lists are filled up to a power of two by repeating an id, so that the
# statement cache of a connection holds ten statements and not hundreds.
_IDS_PER_READ = 512
_ROWS_PER_PURGE = 1_000

_READ = """
    SELECT id_hash, reason, start_time, expire_time FROM holds
    WHERE id_hash IN ({}) AND (expire_time IS NULL OR expire_time > ?)
"""
_READS = {
    1 << power: _READ.format(",".join("?" * (1 << power)))
    for power in range(_IDS_PER_READ.bit_length())
}
_WRITE = """
    INSERT INTO holds (id_hash, reason, start_time, expire_time) VALUES (?, ?, ?, ?)
    ON CONFLICT (id_hash, reason) DO UPDATE SET
        start_time = CASE WHEN holds.expire_time <= excluded.start_time THEN excluded.start_time
            ELSE min(holds.start_time, excluded.start_time) END,
        expire_time = CASE WHEN holds.expire_time IS NULL OR excluded.expire_time IS NULL
            THEN NULL ELSE max(holds.expire_time, excluded.expire_time) END
"""
_RELEASE = """
    UPDATE holds SET expire_time = :now WHERE id_hash = :id_hash
    AND (expire_time IS NULL OR expire_time > :now) AND (:reason IS NULL OR reason = :reason)
"""
_PURGE = """
    DELETE FROM holds WHERE (id_hash, reason) IN
    (SELECT id_hash, reason FROM holds WHERE expire_time <= ? LIMIT ?)
"""


class SqliteHoldStore:
    """The embedded adapter of ``HoldStore``.

    Nothing is opened by the constructor: ``check`` tells whether the store can be used.

    Args:
        path: The database; it is made at first use, its directory must be there.
        key_path: The file with the identity key. None: the store's own, beside the database with
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

    def read_holds(
        self, participants: Sequence[Sequence[str]], *, now: float
    ) -> tuple[tuple[Hold, ...], ...]:
        """Return the active holds of each participant; see ``HoldStore.read_holds``."""
        _require_time(now)
        for ids in participants:
            _require_ids(ids)

        def read(session: Session) -> tuple[tuple[Hold, ...], ...]:
            hash_id = session.key.hash
            hashes = [[hash_id(raw_id) for raw_id in ids] for ids in participants]
            found = _select(session.connection, [h for each in hashes for h in each], now)
            if not found:
                return ((),) * len(hashes)
            return tuple(
                tuple(sorted({hold for h in each for hold in found.get(h, ())}, key=_order))
                for each in hashes
            )

        return self._connections.run(read)

    def write_hold(self, ids: Sequence[str], hold: Hold) -> None:
        """Put a hold on all of these ids, durably; see ``HoldStore.write_hold``."""
        _require_ids(ids)

        def write(session: Session) -> None:
            rows = [
                (session.key.hash(raw_id), hold.reason, float(hold.start_time), hold.expire_time)
                for raw_id in ids
            ]
            with transaction(session.connection):
                session.connection.executemany(_WRITE, rows)

        self._connections.run_alone(write)

    def release_holds(self, ids: Sequence[str], *, now: float, reason: str | None) -> int:
        """End active holds on these ids, durably; see ``HoldStore.release_holds``."""
        _require_ids(ids)
        _require_time(now)

        def release(session: Session) -> int:
            hashes = {session.key.hash(raw_id) for raw_id in ids}
            rows = [{"id_hash": h, "now": float(now), "reason": reason} for h in sorted(hashes)]
            with transaction(session.connection):
                return session.connection.executemany(_RELEASE, rows).rowcount

        return self._connections.run_alone(release)

    def purge_expired(self, now: float) -> int:
        """Forget ended holds, in small transactions that let other writers in between."""
        _require_time(now)
        purged = 0
        while True:
            count = self._connections.run(
                lambda session: session.connection.execute(_PURGE, (now, _ROWS_PER_PURGE)).rowcount
            )
            purged += count
            if count < _ROWS_PER_PURGE:
                return purged

    def check(self) -> None:
        """Take the write lock, read, and give it back: nothing is written."""

        def probe(session: Session) -> None:
            connection = session.connection
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT reason FROM holds LIMIT 1").fetchall()
            connection.execute("ROLLBACK")

        self._connections.run(probe)

    def close(self) -> None:
        """Close the connections of all threads; see ``HoldStore.close``."""
        self._connections.close()


def _select(
    connection: sqlite3.Connection, hashes: Sequence[bytes], now: float
) -> dict[bytes, list[Hold]]:
    found: dict[bytes, list[Hold]] = {}
    for start in range(0, len(hashes), _IDS_PER_READ):
        chunk = hashes[start : start + _IDS_PER_READ]
        size = 1 << (len(chunk) - 1).bit_length()
        values = [*chunk, *[chunk[0]] * (size - len(chunk)), now]
        for id_hash, reason, start_time, expire_time in connection.execute(_READS[size], values):
            found.setdefault(id_hash, []).append(Hold(reason, start_time, expire_time))
    return found


def _order(hold: Hold) -> tuple[str, float, float]:
    return hold.reason, hold.start_time, math.inf if hold.expire_time is None else hold.expire_time


def _require_ids(ids: Sequence[str]) -> None:
    if isinstance(ids, str) or not ids:
        raise ValueError("a participant has at least one id, in a sequence")


def _require_time(now: float) -> None:
    # SQLite reads NaN as NULL, with which no hold would be active.
    if not math.isfinite(now):
        raise ValueError("now must be finite")
