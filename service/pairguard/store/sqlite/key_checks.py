"""Which keys a database asks for, changed when one is taken out of use.

Owns that a database asks for a key until it is told that nothing is looked for under it any more.
It must not know the keys, only their check values (``pairguard.store.identity``).
"""

from __future__ import annotations

import sqlite3
from typing import Final

from pairguard.store.sqlite.batches import joined, split
from pairguard.store.sqlite.connections import Session
from pairguard.store.sqlite.schema import transaction
from pairguard.store.sqlite.store import SqliteStore

_FIRST: Final = "key_check"
_ALL: Final = "key_checks"


def known_checks(store: SqliteStore) -> frozenset[bytes]:
    """Return the check values of all keys that have been the current one.

    Raises:
        StoreUnavailable: The database could not be read.
    """
    return store.connections.run(lambda session: frozenset(_known(session.connection)))


def forget_check(store: SqliteStore, check: bytes, *, current: bytes) -> None:
    """Ask no more for a key, and for the current one in its place; durable when this returns.

    Args:
        store: Whose database it is.
        check: Check value of the key that goes.
        current: Check value of the key that stays.

    Raises:
        StoreUnavailable: The database could not be written.
    """
    if check == current:
        raise ValueError("the current key is not taken out of use")

    def forget(session: Session) -> None:
        connection = session.connection
        with transaction(connection):
            left = (_known(connection) - {check}) | {current}
            _set(connection, _FIRST, current)
            _set(connection, _ALL, joined(sorted(left)))

    store.connections.run_alone(forget)


def _known(connection: sqlite3.Connection) -> set[bytes]:
    stored = dict(
        connection.execute(
            "SELECT name, value FROM store_metadata WHERE name IN (?, ?)", (_FIRST, _ALL)
        ).fetchall()
    )
    return {stored[_FIRST], *split(stored.get(_ALL, b""))}


def _set(connection: sqlite3.Connection, name: str, value: bytes) -> None:
    connection.execute(
        "INSERT INTO store_metadata VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
