"""Copies of the embedded store, and stores from copies."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import write_new_key
from pairguard.store.ports import Hold
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite.backup import CopyRefused, backup, restore
from pairguard.store.sqlite.verification import verify_rows
from tests.integration.store.meetings import NOON, ended, hashed, started

A = [hashed("a")]
HOLD = Hold("REVIEW", 1.0)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    opened.append([started("1", ["a"], ["b"]), ended("1", ["a"], ["b"])])
    opened.write_hold(A, HOLD)
    yield opened
    opened.close()


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def test_a_store_in_use_is_copied_and_the_copy_is_a_store(
    store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies" / "monday"
    backup(store, copy)
    store.append([started("2", ["a"], ["b"])])
    assert names(copy.parent) == ["monday", "monday.key"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in copy.parent.iterdir()} == {0o600}

    (tmp_path / "new").mkdir()
    target = tmp_path / "new" / "state.sqlite3"
    restore(copy, target)
    assert names(target.parent) == ["state.sqlite3", "state.sqlite3.key"]
    restored = SqliteStore(target)
    assert restored.keys.current.check_value == store.keys.current.check_value
    (kept,) = restored.read([A], now=2.0)
    assert kept.holds == (HOLD,)
    assert len(restored.read_journal("", 10)) == 2
    assert verify_rows(restored).compared == 2
    # What was recorded after the copy was made is sent again, and what is in it counts once.
    records = [started("1", ["a"], ["b"]), started("2", ["a"], ["b"])]
    assert restored.append(records) == (False, True)
    restored.close()


def test_a_copy_is_one_state_while_records_arrive(store: SqliteStore, tmp_path: Path) -> None:
    stopped = threading.Event()

    def write() -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            name = f"w{number}"
            store.append([started(name, ["a"], ["b"], NOON + number), ended(name, ["a"], ["b"])])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        copies = [tmp_path / f"copy{number}" for number in range(3)]
        for copy in copies:
            backup(store, copy)
    finally:
        stopped.set()
        thread.join(timeout=30)
    for number, copy in enumerate(copies):
        target = tmp_path / f"restored{number}"
        restore(copy, target)
        restored = SqliteStore(target)
        assert verify_rows(restored).agrees
        assert len(restored.read_journal("", 10_000)) % 2 == 0
        restored.close()


def test_nothing_is_overwritten_unless_told(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    backup(store, copy)
    with pytest.raises(CopyRefused, match="there already"):
        backup(store, copy)
    store.close()
    before = path.read_bytes()
    with pytest.raises(CopyRefused, match="there already"):
        restore(copy, path)
    path.rename(tmp_path / "aside")
    with pytest.raises(CopyRefused, match="there already"):
        restore(copy, path)  # the key is there still
    (tmp_path / "aside").rename(path)
    assert path.read_bytes() == before
    restore(copy, path, replace=True)
    reopened = SqliteStore(path)
    assert reopened.read([A], now=2.0)[0].holds == (HOLD,)
    reopened.close()


IDLE = """
import sys
from pathlib import Path
from pairguard.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.check()
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
"""


def test_a_store_that_another_process_has_open_is_never_replaced(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    backup(store, copy)
    store.close()
    with subprocess.Popen(
        [sys.executable, "-c", IDLE, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(CopyRefused, match="in use"):
            restore(copy, path, replace=True)
        process.stdin.close()
        process.wait(timeout=30)
    restore(copy, path, replace=True)


def test_a_damaged_store_is_replaced_when_told(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    backup(store, copy)
    store.write_hold([hashed("c")], HOLD)
    log = path.with_name(path.name + "-wal")
    left_behind = log.read_bytes()
    store.close()
    path.write_bytes(b"no database" * 1_000)
    log.write_bytes(left_behind)
    restore(copy, path, replace=True)
    reopened = SqliteStore(path)
    assert reopened.read([A], now=2.0)[0].holds == (HOLD,)
    # The log of the replaced one was not taken for that of the copy.
    assert reopened.read([[hashed("c")]], now=2.0)[0].holds == ()
    reopened.close()


def test_a_copy_that_is_damaged_or_has_another_key_is_refused(
    store: SqliteStore, tmp_path: Path
) -> None:
    copy, target = tmp_path / "copy", tmp_path / "target"
    backup(store, copy)
    intact = copy.read_bytes()

    copy.write_bytes(intact[:8_192] + b"\xff" * 4_096 + intact[12_288:])
    with pytest.raises(CopyRefused, match=r"damaged|not fit"):
        restore(copy, target)
    copy.write_bytes(b"")
    with pytest.raises(CopyRefused, match="empty"):
        restore(copy, target)
    copy.write_bytes(intact)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(
            "UPDATE store_metadata SET value = 99 WHERE name IN "
            "('schema_version', 'oldest_compatible_version')"
        )
    with pytest.raises(CopyRefused, match="update it"):
        restore(copy, target)
    copy.write_bytes(intact)
    write_new_key(tmp_path / "copy.key")
    with pytest.raises(CopyRefused, match="another key"):
        restore(copy, target)
    (tmp_path / "copy.key").unlink()
    with pytest.raises(CopyRefused, match="cannot be read"):
        restore(copy, target)
    assert not target.exists()
    assert not target.with_name("target.partial").exists()


def test_a_key_that_was_handed_in_is_not_copied(tmp_path: Path) -> None:
    key_path = tmp_path / "mounted.key"
    write_new_key(key_path)
    store = SqliteStore(tmp_path / "state.sqlite3", key_path=key_path)
    store.write_hold(A, HOLD)
    backup(store, tmp_path / "copy")
    store.close()
    assert not (tmp_path / "copy.key").exists()
    restore(tmp_path / "copy", tmp_path / "state.sqlite3", key_path=key_path, replace=True)
    reopened = SqliteStore(tmp_path / "state.sqlite3", key_path=key_path)
    assert reopened.read([A], now=2.0)[0].holds == (HOLD,)
    reopened.close()


def test_a_copy_that_cannot_be_written_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        backup(store, tmp_path / "nowhere" / "copy")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CopyRefused, match="there already"):
        backup(store, tmp_path / "fifo")
    assert not (tmp_path / "copy.partial").exists()
    assert store.read([A], now=2.0)[0].holds == (HOLD,)
