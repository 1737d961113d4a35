"""Answers that repeats of their requests get again.

Owns their table. An answer is worth two minutes: it survives its process and not a power cut.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from pairguard.store.ports import KeptAnswer

_KEEP: Final = """
    INSERT INTO answers (key, request_hash, response, expire_time)
    VALUES (:key, :hash, :response, :end)
    ON CONFLICT (key) DO UPDATE SET
        request_hash = excluded.request_hash,
        response = excluded.response,
        expire_time = excluded.expire_time
    WHERE answers.expire_time <= :now
"""
_FIND: Final = """
    SELECT request_hash, response, expire_time FROM answers WHERE key = ? AND expire_time > ?
"""
# Answers expire nearly in the order in which they came: no index by expiry is worth its writes.
_PURGE: Final = """
    DELETE FROM answers WHERE rowid IN
    (SELECT rowid FROM answers WHERE expire_time <= ? ORDER BY rowid LIMIT ?)
"""


def keep(connection: sqlite3.Connection, key: bytes, answer: KeptAnswer, now: float) -> bool:
    """Keep an answer and return whether it is the kept one, not one before it."""
    values = {
        "key": key,
        "hash": answer.request_hash,
        "response": answer.response,
        "end": float(answer.expire_time),
        "now": now,
    }
    return connection.execute(_KEEP, values).rowcount == 1


def find(connection: sqlite3.Connection, key: bytes, now: float) -> KeptAnswer | None:
    """Return the kept answer."""
    found = connection.execute(_FIND, (key, now)).fetchall()
    return KeptAnswer(*found[0]) if found else None


def purge(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Forget expired answers and return how many, at most ``limit``."""
    return connection.execute(_PURGE, (now, limit)).rowcount
