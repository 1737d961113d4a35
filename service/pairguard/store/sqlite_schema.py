"""The tables of the embedded store: how they are made, recognised and brought up to date.

Owns the schema and its versions, and the agreement between a database and its identity key. It
must not know the queries that are made on the tables (``pairguard.store.sqlite``).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import IdentityKey, read_key, write_new_key

SCHEMA_VERSION = 1

_TABLES = (
    "CREATE TABLE store_metadata (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE holds (
        id_hash BLOB NOT NULL CHECK (typeof(id_hash) = 'blob' AND length(id_hash) = 16),
        reason TEXT NOT NULL CHECK (typeof(reason) = 'text'),
        start_time REAL NOT NULL CHECK (typeof(start_time) = 'real'),
        expire_time REAL CHECK (typeof(expire_time) IN ('real', 'null')),
        PRIMARY KEY (id_hash, reason)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX holds_by_expiry ON holds (expire_time) WHERE expire_time IS NOT NULL",
)


@dataclass(frozen=True, slots=True)
class Migration:
    """The step from one schema version to the next.

    Attributes:
        statements: What to run, in one transaction with all other steps.
        oldest_compatible_version: The oldest program that may go on using the result, so that
            old and new processes can run side by side during a rolling update.
    """

    statements: Sequence[str]
    oldest_compatible_version: int


# By the version that a step starts from.
MIGRATIONS: Mapping[int, Migration] = {}


def prepare(
    connection: sqlite3.Connection, key_path: Path, *, key_is_ours: bool, may_create: bool
) -> IdentityKey:
    """Make or verify the tables and return the key that their hashes were made with.

    Args:
        connection: In autocommit mode, without an open transaction.
        key_path: Where the key is, or is to be put.
        key_is_ours: The key file is the store's own, beside the database: it is made with the
            database and its presence without one means that the database was lost. Otherwise
            it was handed in and must exist.
        may_create: An empty database is a new one; False: it was seen before, so it was lost.

    Raises:
        StoreUnavailable: The database is not such a store, comes from a newer program, was lost,
            or belongs to another key.
        sqlite3.Error: The database cannot be read or written.
    """
    stored = _metadata(connection)
    if stored is None:
        if not may_create:
            raise StoreUnavailable("the store's database is empty although it was in use")
        _create(connection, key_path, key_is_ours=key_is_ours)
        stored = _metadata(connection) or {}
    migrate(connection, SCHEMA_VERSION, MIGRATIONS)
    if key_is_ours and not key_path.exists():
        _finish_new_key(key_path)
    key = read_key(key_path)
    if stored.get("key_check") != key.check_value:
        raise StoreUnavailable(
            f"the store's ids were hashed with another key than {key_path}; its holds would be "
            "missed: restore the key that belongs to this database"
        )
    return key


def migrate(
    connection: sqlite3.Connection, version: int, migrations: Mapping[int, Migration]
) -> None:
    """Bring the tables to a version, all steps or none; do nothing where they are there already.

    Raises:
        StoreUnavailable: The tables are newer than this program can use, or too old for it.
        sqlite3.Error: A step failed; nothing was changed.
    """
    if _stored_version(connection, version) >= version:
        return
    with transaction(connection):
        # Another process may have done it while this one waited for the lock.
        for start in range(_stored_version(connection, version), version):
            step = migrations.get(start)
            if step is None:
                raise StoreUnavailable(
                    f"the store has schema version {start} and there is no step from it to "
                    f"{version}: update through the versions between"
                )
            for statement in step.statements:
                connection.execute(statement)
            _set_version(connection, start + 1, step.oldest_compatible_version)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the write lock, then commit what the block did, or nothing of it when it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _create(connection: sqlite3.Connection, key_path: Path, *, key_is_ours: bool) -> None:
    # The write lock is held throughout, so that of several processes starting at once one makes
    # the tables and the key, and the others find both.
    with transaction(connection):
        if _metadata(connection) is not None:
            return
        if not key_is_ours:
            key = read_key(key_path)
        elif key_path.exists():
            raise StoreUnavailable(
                f"the identity key {key_path} is there but its database is empty or gone, and "
                "with it every hold: restore the database, or remove the key to start anew"
            )
        else:
            key = write_new_key(_pending(key_path))
        for statement in _TABLES:
            connection.execute(statement)
        _set_version(connection, SCHEMA_VERSION, SCHEMA_VERSION)
        connection.execute("INSERT INTO store_metadata VALUES ('key_check', ?)", (key.check_value,))


def _pending(key_path: Path) -> Path:
    # The key gets its name only after the database that needs it is committed: a crash between
    # the two is repaired at the next start, and a key without a database is always a loss.
    return key_path.with_name(key_path.name + ".new")


def _finish_new_key(key_path: Path) -> None:
    # FileNotFoundError: another process was quicker, or there is no key, which the reader tells.
    with suppress(FileNotFoundError):
        _pending(key_path).rename(key_path)
    descriptor = os.open(key_path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _metadata(connection: sqlite3.Connection) -> dict[str, object] | None:
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    if not names:
        return None
    if "store_metadata" not in names:
        raise StoreUnavailable("the store's file is a database of something else")
    return dict(connection.execute("SELECT name, value FROM store_metadata").fetchall())


def _stored_version(connection: sqlite3.Connection, supported: int) -> int:
    stored = _metadata(connection) or {}
    version, oldest = stored.get("schema_version"), stored.get("oldest_compatible_version")
    if not isinstance(version, int) or not isinstance(oldest, int):
        raise StoreUnavailable("the store does not tell its schema version")
    if oldest > supported:
        raise StoreUnavailable(
            f"the store has schema version {version}, made for programs that know version "
            f"{oldest}; this one knows {supported}: update it"
        )
    return version


def _set_version(connection: sqlite3.Connection, version: int, oldest_compatible: int) -> None:
    connection.executemany(
        "INSERT INTO store_metadata VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (("schema_version", version), ("oldest_compatible_version", oldest_compatible)),
    )
