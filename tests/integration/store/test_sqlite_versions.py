"""A database of the first version is brought up to date while programs of that version use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pairguard.store.identity import IdentityKeys, write_new_key
from pairguard.store.ports import LEGAL_HOLD, Hold
from pairguard.store.sqlite import SqliteStore
from tests.integration.store.meetings import hashed, started

# What the first version made and asked, word for word.
FIRST_TABLES = (
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
FIRST_READ = """
    SELECT id_hash, reason, start_time, expire_time FROM holds
    WHERE id_hash IN (?) AND (expire_time IS NULL OR expire_time > ?)
"""
FIRST_WRITE = """
    INSERT INTO holds (id_hash, reason, start_time, expire_time) VALUES (?, ?, ?, ?)
    ON CONFLICT (id_hash, reason) DO UPDATE SET
        start_time = CASE WHEN holds.expire_time <= excluded.start_time THEN excluded.start_time
            ELSE min(holds.start_time, excluded.start_time) END,
        expire_time = CASE WHEN holds.expire_time IS NULL OR excluded.expire_time IS NULL
            THEN NULL ELSE max(holds.expire_time, excluded.expire_time) END
"""
FIRST_RELEASE = """
    UPDATE holds SET expire_time = :now WHERE id_hash = :id_hash
    AND (expire_time IS NULL OR expire_time > :now) AND (:reason IS NULL OR reason = :reason)
"""
FIRST_PURGE = """
    DELETE FROM holds WHERE (id_hash, reason) IN
    (SELECT id_hash, reason FROM holds WHERE expire_time <= ? LIMIT ?)
"""


class FirstVersion:
    """The program of the first version, as far as it touches the database."""

    def __init__(self, path: Path, keys: IdentityKeys) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.keys = keys

    def create(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        for statement in FIRST_TABLES:
            self.connection.execute(statement)
        self.connection.executemany(
            "INSERT INTO store_metadata VALUES (?, ?)",
            [
                ("schema_version", 1),
                ("oldest_compatible_version", 1),
                ("key_check", self.keys.current.check_value),
            ],
        )
        self.connection.execute("COMMIT")

    def may_use(self) -> bool:
        stored = dict(self.connection.execute("SELECT name, value FROM store_metadata").fetchall())
        version, oldest = int(stored["schema_version"]), int(stored["oldest_compatible_version"])
        check: bytes = stored["key_check"]
        return oldest <= 1 <= version and check == self.keys.current.check_value

    def read(self, id_hash: bytes, now: float) -> list[Hold]:
        found = self.connection.execute(FIRST_READ, (id_hash, now)).fetchall()
        return [Hold(*row[1:]) for row in found]

    def write(self, id_hash: bytes, hold: Hold) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(
            FIRST_WRITE, [(id_hash, hold.reason, hold.start_time, hold.expire_time)]
        )
        self.connection.execute("COMMIT")

    def release(self, id_hash: bytes, now: float, reason: str | None) -> int:
        values = [{"id_hash": id_hash, "now": now, "reason": reason}]
        return self.connection.executemany(FIRST_RELEASE, values).rowcount

    def purge(self, now: float) -> int:
        return self.connection.execute(FIRST_PURGE, (now, 1_000)).rowcount


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def first(path: Path) -> Iterator[FirstVersion]:
    keys = write_new_key(path.with_name(path.name + ".key"))
    program = FirstVersion(path, keys)
    program.create()
    yield program
    program.connection.close()


def test_holds_of_the_first_version_hold_on_and_its_programs_go_on(
    first: FirstVersion, path: Path
) -> None:
    a, b, c = hashed("a"), hashed("b"), hashed("c")
    first.write(a, Hold("REVIEW", 1.0))
    store = SqliteStore(path)
    assert store.read([[a]], now=2.0)[0].holds == (Hold("REVIEW", 1.0),)
    store.append([started("1", ["a"], ["b"])])
    assert store.read([[b]], now=2.0)[0].rows

    assert first.may_use()
    store.write_hold([b], Hold("AGE_BARRED", 2.0, 9.0))
    assert first.read(b, 3.0) == [Hold("AGE_BARRED", 2.0, 9.0)]
    first.write(b, Hold("AGE_BARRED", 3.0, 20.0))
    first.write(c, Hold("REVIEW", 3.0, 5.0))
    assert store.read([[b], [c]], now=4.0)[0].holds == (Hold("AGE_BARRED", 2.0, 20.0),)
    assert first.release(b, 5.0, None) == 1
    assert store.read([[b]], now=5.0)[0].holds == ()
    # A hold that the old program does not know stops a pairing there: more cautious, never less.
    store.write_hold([c], Hold(LEGAL_HOLD, 3.0, 30.0))
    assert store.read([[c]], now=6.0)[0].holds == ()
    assert first.read(c, 6.0) == [Hold(LEGAL_HOLD, 3.0, 30.0)]
    assert first.purge(5.0) == 2
    assert first.read(a, 6.0) == [Hold("REVIEW", 1.0)]
    store.close()


def test_a_new_database_is_like_one_that_was_brought_up_to_date(
    first: FirstVersion, path: Path, tmp_path: Path
) -> None:
    def tables(where: Path) -> set[tuple[str, ...]]:
        store = SqliteStore(where)
        store.check()
        store.close()
        with closing(sqlite3.connect(where)) as connection:
            return set(connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall())

    assert tables(path) == tables(tmp_path / "new.sqlite3")
