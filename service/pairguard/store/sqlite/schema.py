"""The tables of the embedded store: how they are made, recognised and brought up to date.

Owns the schema and its versions, and the agreement between a database and its identity key. It
must not know the queries that are made on the tables.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import IdentityKeys, read_keys, write_new_key
from pairguard.store.sqlite.batches import joined, split

SCHEMA_VERSION = 2

# What version 1 made; a new database is made as one of version 1 and brought up to date.
_FIRST_TABLES = (
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


# Rows stand in a table with row numbers: beside a key of 16 bytes a row of one or two kilobytes
# would take a page of its own in a table without them. `last_day` is written only when it changes,
# so that most changes of a row touch no index. Free pages are used again and not given back: what
# retention frees the journal needs anew, and moving pages would hold up those who write.
_PARTICIPANT_TABLES = (
    """
    CREATE TABLE participant_rows (
        number INTEGER PRIMARY KEY,
        id_hash BLOB NOT NULL UNIQUE CHECK (typeof(id_hash) = 'blob' AND length(id_hash) = 16),
        last_day INTEGER,
        not_from_journal INTEGER NOT NULL DEFAULT 0,
        row BLOB
    )
    """,
    "CREATE INDEX rows_by_day ON participant_rows (last_day) WHERE last_day IS NOT NULL",
    "CREATE TABLE damaged_rows (id_hash BLOB PRIMARY KEY, row BLOB NOT NULL)",
    """
    CREATE TABLE records (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        record_id TEXT NOT NULL,
        time REAL NOT NULL,
        decision_id TEXT NOT NULL,
        pending INTEGER NOT NULL,
        reconciliation TEXT NOT NULL,
        participants BLOB NOT NULL,
        payload BLOB NOT NULL,
        UNIQUE (kind, record_id)
    )
    """,
    "CREATE INDEX records_by_time ON records (kind, time)",
    "CREATE INDEX records_by_decision ON records (decision_id) WHERE decision_id <> ''",
    "CREATE INDEX records_pending ON records (time) WHERE pending",
    "CREATE INDEX records_reconciled ON records (reconciliation) WHERE reconciliation <> ''",
    """
    CREATE TABLE record_participants (
        id_hash BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (id_hash, seq)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE answers (
        key BLOB PRIMARY KEY,
        request_hash BLOB NOT NULL,
        response BLOB NOT NULL,
        expire_time REAL NOT NULL
    )
    """,
    "CREATE TABLE segments (name TEXT PRIMARY KEY, imported_end INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE consumers (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE open_erasures (
        ids BLOB PRIMARY KEY, begun INTEGER, token BLOB NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE TABLE tombstones (id_hash BLOB PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX legal_holds ON holds (id_hash, expire_time) WHERE reason = 'LEGAL_HOLD'",
)

# By the version that a step starts from. A program of version 1 knows holds alone, which stay as
# they were.
MIGRATIONS: Mapping[int, Migration] = {
    1: Migration(_PARTICIPANT_TABLES, oldest_compatible_version=1),
}


def prepare(
    connection: sqlite3.Connection,
    key_path: Path,
    *,
    key_is_ours: bool,
    trace_path: Path,
    may_create: bool,
) -> IdentityKeys:
    """Make or verify the tables and return the keys that their hashes were made with.

    Args:
        connection: In autocommit mode, without an open transaction.
        key_path: Where the key is, or is to be put.
        key_is_ours: The key file is the store's own, beside the database: it is made with the
            database and its presence without one means that the database was lost. Otherwise
            it was handed in and must exist.
        trace_path: Made with a database whose key was handed in: its presence without one means
            the same.
        may_create: An empty database is a new one; False: it was seen before, so it was lost.

    Raises:
        StoreUnavailable: The database is not such a store, comes from a newer program, was lost,
            or its ids were hashed with a key that is not there.
        sqlite3.Error: The database cannot be read or written.
    """
    stored = _metadata(connection)
    if stored is None:
        if not may_create:
            raise StoreUnavailable("the store's database is empty although it was in use")
        _create(connection, key_path, None if key_is_ours else trace_path)
        stored = _metadata(connection) or {}
    migrate(connection, SCHEMA_VERSION, MIGRATIONS)
    if key_is_ours and not key_path.exists():
        _finish_new_key(key_path)
    keys = read_keys(key_path)
    _agree(connection, keys, key_path)
    if not key_is_ours and not trace_path.exists():
        _leave(trace_path)
    return keys


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
        _run_steps(connection, version, migrations)


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


def _create(connection: sqlite3.Connection, key_path: Path, trace_path: Path | None) -> None:
    """Make the tables, and the key too unless it was handed in and leaves a trace instead."""
    # The write lock is held throughout, so that of several processes starting at once one makes
    # the tables and the key, and the others find both.
    with transaction(connection):
        if _metadata(connection) is not None:
            return
        trace = trace_path or key_path
        if trace.exists():
            what = "the identity key" if trace is key_path else "the trace of a store"
            raise StoreUnavailable(
                f"{what} {trace} is there but its database is empty or gone, and with it every "
                f"hold: restore the database, or remove {trace} to start anew"
            )
        keys = read_keys(key_path) if trace_path else write_new_key(_pending(key_path))
        for statement in _FIRST_TABLES:
            connection.execute(statement)
        _set_version(connection, 1, 1)
        _set(connection, "key_check", keys.current.check_value)
        _run_steps(connection, SCHEMA_VERSION, MIGRATIONS)


def require_fit(connection: sqlite3.Connection, key_path: Path) -> None:
    """Refuse a database that this program or these keys do not fit; changes nothing.

    Raises:
        StoreUnavailable: As in ``prepare``.
    """
    if _metadata(connection) is None:
        raise StoreUnavailable("the database is empty")
    _stored_version(connection, SCHEMA_VERSION)
    _require_keys(connection, read_keys(key_path), key_path)


def _run_steps(
    connection: sqlite3.Connection, version: int, migrations: Mapping[int, Migration]
) -> None:
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


def _agree(connection: sqlite3.Connection, keys: IdentityKeys, key_path: Path) -> None:
    """Refuse keys that do not fit what is stored, and remember a new one before it is used."""
    if keys.current.check_value in _require_keys(connection, keys, key_path):
        return
    with transaction(connection):
        known = _require_keys(connection, keys, key_path) | {keys.current.check_value}
        _set(connection, "key_checks", joined(sorted(known)))


def _require_keys(
    connection: sqlite3.Connection, keys: IdentityKeys, key_path: Path
) -> frozenset[bytes]:
    """Return the check values of all keys that were ever used."""
    known = _key_checks(_metadata(connection) or {})
    if not known or not known <= keys.check_values:
        raise StoreUnavailable(
            f"the store's ids were hashed with another key than {key_path} holds; what is kept "
            "would be missed: restore the key that belongs to this database, and leave a retired "
            "key in the file behind the current one"
        )
    return known


def _key_checks(stored: Mapping[str, object]) -> frozenset[bytes]:
    first, later = stored.get("key_check"), stored.get("key_checks", b"")
    if not isinstance(first, bytes) or not isinstance(later, bytes):
        return frozenset()
    return frozenset([first, *split(later)])


def _pending(key_path: Path) -> Path:
    # The key gets its name only after the database that needs it is committed: a crash between
    # the two is repaired at the next start, and a key without a database is always a loss.
    return key_path.with_name(key_path.name + ".new")


def _finish_new_key(key_path: Path) -> None:
    # FileNotFoundError: another process was quicker, or there is no key, which the reader tells.
    with suppress(FileNotFoundError):
        _pending(key_path).rename(key_path)
    _sync_directory(key_path.parent)


def _leave(trace_path: Path) -> None:
    # On a full disk the next connection tries again.
    with suppress(OSError):
        trace_path.touch(mode=0o600)
        _sync_directory(trace_path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
    _set(connection, "schema_version", version)
    _set(connection, "oldest_compatible_version", oldest_compatible)


def _set(connection: sqlite3.Connection, name: str, value: object) -> None:
    connection.execute(
        "INSERT INTO store_metadata VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
