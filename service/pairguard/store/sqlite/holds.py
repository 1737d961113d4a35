"""Holds in their table.

Owns how a hold begins, is extended, ends and is forgotten. It must not know what a hold does to a
decision. Everything here runs within the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Final

from pairguard.store.ports import LEGAL_HOLD, Hold, HoldChange
from pairguard.store.sqlite import rows
from pairguard.store.sqlite.batches import Selection

_WRITE: Final = """
    INSERT INTO holds (id_hash, reason, start_time, expire_time) VALUES (?, ?, ?, ?)
    ON CONFLICT (id_hash, reason) DO UPDATE SET
        start_time = CASE WHEN holds.expire_time <= excluded.start_time THEN excluded.start_time
            ELSE min(holds.start_time, excluded.start_time) END,
        expire_time = CASE WHEN holds.expire_time IS NULL OR excluded.expire_time IS NULL
            THEN NULL ELSE max(holds.expire_time, excluded.expire_time) END
"""
_RELEASE: Final = """
    UPDATE holds SET expire_time = :now WHERE id_hash = :id_hash
    AND (expire_time IS NULL OR expire_time > :now)
"""
_RELEASE_REASON: Final = _RELEASE + "AND reason = :reason"
_RELEASE_ALL: Final = _RELEASE + f"AND reason <> '{LEGAL_HOLD}'"
_PURGE: Final = """
    DELETE FROM holds WHERE (id_hash, reason) IN
    (SELECT id_hash, reason FROM holds WHERE expire_time <= ? LIMIT ?)
"""
_ACTIVE: Final = Selection(
    f"""
    SELECT reason, start_time, expire_time FROM holds
    WHERE (expire_time IS NULL OR expire_time > ?1)
        AND reason <> '{LEGAL_HOLD}' AND id_hash IN ({{}})
    """,  # noqa: S608 - a constant
    others=1,
)
_LEGAL: Final = Selection(
    f"""
    SELECT id_hash FROM holds INDEXED BY legal_holds
    WHERE reason = '{LEGAL_HOLD}' AND (expire_time IS NULL OR expire_time > ?1)
        AND id_hash IN ({{}})
    """,  # noqa: S608 - a constant
    others=1,
)


def write(connection: sqlite3.Connection, ids: Collection[bytes], hold: Hold) -> None:
    """Put a hold on ids, or extend the one of its reason."""
    start_time = float(hold.start_time)
    expire_time = None if hold.expire_time is None else float(hold.expire_time)
    written = [(each, hold.reason, start_time, expire_time) for each in ids]
    connection.executemany(_WRITE, written)


def release(
    connection: sqlite3.Connection, ids: Iterable[bytes], now: float, reasons: frozenset[str] | None
) -> int:
    """End holds on ids and return how many; without reasons all but legal ones."""
    each_once = sorted(set(ids))
    if reasons is None:
        whole = [{"id_hash": each, "now": now} for each in each_once]
        return connection.executemany(_RELEASE_ALL, whole).rowcount
    named = [
        {"id_hash": each, "now": now, "reason": reason}
        for each in each_once
        for reason in sorted(reasons)
    ]
    return connection.executemany(_RELEASE_REASON, named).rowcount if named else 0


def apply(connection: sqlite3.Connection, change: HoldChange, time: float) -> None:
    """Do what a record of this time says."""
    if change.hold is not None:
        write(connection, change.ids, change.hold)
    else:
        ids: Collection[bytes] = change.ids
        if change.unless_upheld:
            ids = rows.without_upheld_harm(connection, ids, time)
        release(connection, ids, time, change.ended_reasons)


def active(connection: sqlite3.Connection, ids: Collection[bytes], now: float) -> frozenset[Hold]:
    """Return the distinct holds that stop pairing."""
    return frozenset(Hold(*row) for row in _ACTIVE.rows(connection, list(ids), now))


def legally_held(
    connection: sqlite3.Connection, ids: Collection[bytes], now: float
) -> frozenset[bytes]:
    """Return those ids that a legal hold keeps from being erased."""
    if not ids or not connection.execute(_ANY_LEGAL).fetchone()[0]:
        return frozenset()
    return frozenset(each for (each,) in _LEGAL.rows(connection, list(ids), now))


_ANY_LEGAL: Final = (
    f"SELECT EXISTS (SELECT 1 FROM holds INDEXED BY legal_holds WHERE reason = '{LEGAL_HOLD}')"  # noqa: S608
)


def purge(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Forget ended holds and return how many, at most ``limit``."""
    return connection.execute(_PURGE, (now, limit)).rowcount
