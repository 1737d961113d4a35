"""What can happen to the files of the embedded store, and that nobody is freed by it."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import KEY_BYTES, IdentityKey, write_new_key
from pairguard.store.ports import Hold
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite.schema import SCHEMA_VERSION, Migration, migrate
from tests.integration.store.meetings import NOON, ended, hashed, started

HOLD = Hold("REVIEW", 1.0)
A, B = [hashed("a")], [hashed("b")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def key_path(path: Path) -> Path:
    return path.with_name(path.name + ".key")


@pytest.fixture
def open_store(path: Path) -> Iterator[Callable[..., SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_one(where: Path = path, *, key_path: Path | None = None) -> SqliteStore:
        store = SqliteStore(where, key_path=key_path, first_open_timeout_seconds=0.5)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


Open = Callable[..., SqliteStore]


@pytest.fixture
def filled(path: Path, open_store: Open) -> Path:
    """A database with one hold, closed."""
    store = open_store()
    store.write_hold(A, HOLD)
    store.close()
    return path


def is_held(store: SqliteStore) -> bool:
    (kept,) = store.read([A], now=2.0)
    return kept.holds == (HOLD,)


def test_nothing_is_made_before_the_first_use(path: Path, open_store: Open) -> None:
    store = open_store()
    assert not path.exists()
    store.check()
    assert path.exists()


def test_files_are_readable_by_their_owner_alone(
    path: Path, key_path: Path, open_store: Open
) -> None:
    store = open_store()
    store.write_hold(A, HOLD)
    files = sorted(path.parent.iterdir())
    assert len(files) == 4  # database, log, index of the log, key
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 4
    assert key_path.stat().st_size == KEY_BYTES


def test_commits_are_synchronous_and_logged_ahead(open_store: Open) -> None:
    store = open_store()
    pragmas = store._connections.run(
        lambda session: [
            session.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "busy_timeout")
        ]
    )
    assert pragmas == [2, "wal", 250]
    assert store.promises_durability()


def test_answers_do_not_wait_for_the_disk(open_store: Open) -> None:
    store = open_store()
    level = store._connections.run(
        lambda session: session.connection.execute("PRAGMA synchronous").fetchone()[0],
        power_safe=False,
    )
    assert level == 1


def test_a_database_of_another_key_is_refused(
    filled: Path, tmp_path: Path, open_store: Open
) -> None:
    other = tmp_path / "other.key"
    write_new_key(other)
    with pytest.raises(StoreUnavailable, match="another key"):
        open_store(key_path=other).check()


def test_a_database_without_its_key_is_refused_and_no_key_is_made(
    filled: Path, key_path: Path, open_store: Open
) -> None:
    key_path.unlink()
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        open_store().check()
    assert not key_path.exists()


def test_a_key_that_is_put_back_makes_the_store_usable_again(
    filled: Path, key_path: Path, open_store: Open
) -> None:
    key = key_path.read_bytes()
    key_path.unlink()
    store = open_store()
    with pytest.raises(StoreUnavailable):
        store.check()
    key_path.touch(mode=0o600)
    key_path.write_bytes(key)
    assert is_held(store)


def test_a_lost_database_is_not_quietly_replaced_by_an_empty_one(
    filled: Path, key_path: Path, open_store: Open
) -> None:
    filled.unlink()
    with pytest.raises(StoreUnavailable, match="empty or gone"):
        open_store().check()
    key_path.unlink()
    open_store().check()


def test_a_lost_database_whose_key_was_handed_in_is_not_replaced_either(tmp_path: Path) -> None:
    write_new_key(tmp_path / "given.key")
    path = tmp_path / "state" / "pairguard.sqlite3"
    path.parent.mkdir()

    def checked() -> None:
        store = SqliteStore(path, key_path=tmp_path / "given.key")
        try:
            store.check()
        finally:
            store.close()

    checked()
    path.unlink()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="empty or gone"):
            checked()
    path.unlink()
    path.with_name("pairguard.sqlite3.begun").unlink()
    checked()


def test_an_emptied_database_is_refused(filled: Path, open_store: Open) -> None:
    os.truncate(filled, 0)
    with pytest.raises(StoreUnavailable, match="empty or gone"):
        open_store().check()


def test_a_key_that_was_handed_in_is_used_and_must_exist(tmp_path: Path, open_store: Open) -> None:
    key_path = tmp_path / "mounted.key"
    store = open_store(key_path=key_path)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        store.check()
    write_new_key(key_path)
    store.write_hold(A, HOLD)
    assert is_held(store)


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o644])
def test_a_key_that_is_open_to_others_is_refused(
    filled: Path, key_path: Path, open_store: Open, mode: int
) -> None:
    key_path.chmod(mode)
    with pytest.raises(StoreUnavailable, match=f"mode {mode:04o}"):
        open_store().check()


@pytest.mark.parametrize("size", [0, KEY_BYTES - 1, KEY_BYTES + 1])
def test_a_key_of_another_length_is_refused(
    filled: Path, key_path: Path, open_store: Open, size: int
) -> None:
    key_path.write_bytes(b"k" * size)
    with pytest.raises(StoreUnavailable, match="exactly 32 bytes"):
        open_store().check()


def test_a_crash_before_the_key_got_its_name_is_repaired(
    filled: Path, key_path: Path, open_store: Open
) -> None:
    key_path.rename(key_path.with_name(key_path.name + ".new"))
    assert is_held(open_store())
    assert key_path.exists()


def test_a_crash_before_the_database_was_committed_is_repaired(
    path: Path, key_path: Path, open_store: Open
) -> None:
    path.touch()
    write_new_key(key_path.with_name(key_path.name + ".new"))
    store = open_store()
    store.write_hold(A, HOLD)
    assert is_held(store)


def test_hashes_depend_on_key_and_id_and_hide_both() -> None:
    first, second = IdentityKey(b"1" * KEY_BYTES), IdentityKey(b"2" * KEY_BYTES)
    hashes = {first.hash("a"), first.hash("b"), second.hash("a"), first.hash("")}
    assert len(hashes) == 4
    assert {len(each) for each in hashes} == {16}
    assert first.hash("a") == IdentityKey(b"1" * KEY_BYTES).hash("a")
    assert first.check_value != second.check_value
    assert first.check_value not in hashes


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_has_one_length(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        IdentityKey(b"k" * size)


def test_garbage_is_refused_and_left_as_it_is(path: Path, open_store: Open) -> None:
    path.write_bytes(b"this was a database once" * 400)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store().check()
    assert path.read_bytes() == before


def test_a_damaged_page_is_an_unread_state(filled: Path, open_store: Open) -> None:
    intact = filled.read_bytes()
    page = 4096
    assert len(intact) >= 3 * page
    with filled.open("r+b") as file:
        file.seek(page)
        file.write(b"\xff" * (len(intact) - page))
    store = open_store()
    with pytest.raises(StoreUnavailable):
        store.read([A], now=2.0)
    filled.write_bytes(intact)
    assert is_held(store)


def test_a_database_of_something_else_is_refused(path: Path, open_store: Open) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.commit()
    other.close()
    with pytest.raises(StoreUnavailable, match="something else"):
        open_store().check()


def test_a_row_that_makes_no_sense_is_an_unread_state(filled: Path, open_store: Open) -> None:
    with_nonsense = sqlite3.connect(filled)
    with_nonsense.execute("UPDATE holds SET reason = 'not a reason'")
    with_nonsense.commit()
    with_nonsense.close()
    with pytest.raises(StoreUnavailable):
        open_store().read([A], now=2.0)


def test_a_locked_database_is_unavailable_at_once_and_usable_afterwards(
    filled: Path, open_store: Open
) -> None:
    store = open_store()
    assert is_held(store)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.write_hold(B, HOLD)
    with pytest.raises(StoreUnavailable, match="locked"):
        store.check()
    assert is_held(store)  # readers do not wait for writers
    other.execute("ROLLBACK")
    other.close()
    store.write_hold(B, HOLD)


def test_a_missing_directory_is_unavailable(tmp_path: Path, open_store: Open) -> None:
    with pytest.raises(StoreUnavailable):
        open_store(tmp_path / "nowhere" / "state.sqlite3").check()


def test_a_path_below_a_file_is_unavailable(filled: Path, open_store: Open) -> None:
    with pytest.raises(StoreUnavailable):
        open_store(filled / "state.sqlite3").check()


def _as_nobody(action: Callable[[], None]) -> int:
    """Run in a child without privileges, because the superuser may write anywhere."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            action()
        except StoreUnavailable:
            os._exit(7)
        except BaseException:  # noqa: BLE001 - the exit code is all that leaves the child
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_read_only_directory_is_unavailable() -> None:
    directory = Path(tempfile.mkdtemp())
    try:
        directory.chmod(0o555)
        store = SqliteStore(directory / "state.sqlite3")
        assert _as_nobody(store.check) == 7
        assert list(directory.iterdir()) == []
        directory.chmod(0o777)
        assert _as_nobody(store.check) == 0
    finally:
        directory.chmod(0o755)
        shutil.rmtree(directory)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process grow: every write beyond byte 0 fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_hold_that_does_not_fit_is_not_promised(filled: Path, open_store: Open) -> None:
    store = open_store()
    assert is_held(store)
    problem: Exception | None = None
    with full_disk():
        try:
            store.write_hold(B, HOLD)
        except StoreUnavailable as error:
            problem = error
    assert problem is not None
    assert store.read([B], now=2.0)[0].holds == ()
    store.write_hold(B, HOLD)
    assert store.read([B], now=2.0)[0].holds == (HOLD,)


def test_records_that_do_not_fit_are_not_promised_and_can_be_sent_again(
    filled: Path, open_store: Open
) -> None:
    store = open_store()
    records = [started("1", ["a"], ["b"]), ended("1", ["a"], ["b"])]
    assert is_held(store)
    failed = 0
    readable = False
    with full_disk():
        for _ in range(2):
            try:
                store.append(records)
            except StoreUnavailable:
                failed += 1
            # What is kept can be read on.
            readable = is_held(store)
    assert failed == 2
    assert readable
    assert store.read([B], now=2.0)[0].rows == ()
    assert store.read_journal("", 10) == ()
    assert store.append(records) == (True, True)
    assert store.append(records) == (False, False)


def test_a_new_key_in_front_is_remembered_and_the_old_one_is_needed_on(
    filled: Path, key_path: Path, open_store: Open
) -> None:
    old = key_path.read_bytes()
    new = b"n" * KEY_BYTES
    key_path.write_bytes(new + old)
    rotated = open_store()
    assert rotated.keys.current.check_value == IdentityKey(new).check_value
    assert is_held(rotated)
    rotated.close()
    for lost in (old, new):
        key_path.write_bytes(lost)
        with pytest.raises(StoreUnavailable, match="another key"):
            open_store().check()
    key_path.write_bytes(old + new)
    assert is_held(open_store())


def test_records_of_a_clock_that_went_backwards_are_kept_in_their_order(open_store: Open) -> None:
    store = open_store()
    for number, time in enumerate((NOON, NOON - 86_400, NOON - 5)):
        store.append([started(str(number), ["a"], ["b"], time)])
    cursors = [record.cursor for record in store.read_journal("", 10)]
    assert cursors == sorted(cursors)
    assert len(set(cursors)) == 3


def test_a_full_disk_at_the_first_start_leaves_a_store_that_can_start_later(
    path: Path, open_store: Open
) -> None:
    store = open_store()
    failed = False
    with full_disk():
        try:
            store.check()
        except StoreUnavailable:
            failed = True
    assert failed
    store.write_hold(A, HOLD)
    assert is_held(store)


def test_a_database_that_is_removed_in_use_takes_no_more_holds(
    filled: Path, open_store: Open
) -> None:
    store = open_store()
    assert is_held(store)
    kept = filled.read_bytes()
    for file in filled.parent.glob("state.sqlite3*"):
        if file.suffix != ".key":
            file.unlink()
    with pytest.raises(StoreUnavailable):
        store.write_hold(B, HOLD)
    assert not filled.exists()
    filled.write_bytes(kept)
    assert is_held(store)


def test_a_database_that_is_swapped_for_an_empty_one_in_use_is_refused(
    filled: Path, open_store: Open
) -> None:
    store = open_store()
    assert is_held(store)
    filled.rename(filled.with_name("aside"))
    filled.touch()
    with pytest.raises(StoreUnavailable):
        store.read([A], now=2.0)


def test_a_lost_database_is_refused_in_use_where_the_key_is_kept_elsewhere(
    path: Path, tmp_path: Path, open_store: Open
) -> None:
    key_path = tmp_path / "mounted.key"
    write_new_key(key_path)
    store = open_store(key_path=key_path)
    store.write_hold(A, HOLD)
    path.rename(path.with_name("aside"))
    path.touch()
    with pytest.raises(StoreUnavailable, match="was in use"):
        store.read([A], now=2.0)


def set_metadata(path: Path, **values: int) -> None:
    connection = sqlite3.connect(path)
    for name, value in values.items():
        connection.execute("UPDATE store_metadata SET value = ? WHERE name = ?", (value, name))
    connection.commit()
    connection.close()


def test_a_future_schema_is_refused(filled: Path, open_store: Open) -> None:
    future = SCHEMA_VERSION + 1
    set_metadata(filled, schema_version=future, oldest_compatible_version=future)
    with pytest.raises(StoreUnavailable, match="update"):
        open_store().check()


def test_a_future_schema_that_this_version_can_use_is_used(filled: Path, open_store: Open) -> None:
    set_metadata(filled, schema_version=SCHEMA_VERSION + 1)
    assert is_held(open_store())


def test_an_old_schema_is_brought_up_to_date_in_one_transaction(filled: Path) -> None:
    connection = sqlite3.connect(filled, isolation_level=None)
    version = SCHEMA_VERSION
    step = Migration(["ALTER TABLE holds ADD COLUMN origin TEXT"], oldest_compatible_version=1)
    broken = Migration(["ALTER TABLE missing ADD COLUMN origin TEXT"], oldest_compatible_version=1)

    def columns() -> list[str]:
        return [row[1] for row in connection.execute("PRAGMA table_info (holds)")]

    with pytest.raises(sqlite3.Error):
        migrate(connection, version + 2, {version: step, version + 1: broken})
    assert "origin" not in columns()
    migrate(connection, version + 1, {version: step})
    migrate(connection, version + 1, {version: step})
    assert "origin" in columns()
    with pytest.raises(StoreUnavailable, match="versions between"):
        migrate(connection, version + 3, {version + 2: step})
    connection.close()


def test_a_program_of_the_version_before_goes_on_after_an_additive_step(
    filled: Path, open_store: Open
) -> None:
    old = open_store()
    assert is_held(old)
    connection = sqlite3.connect(filled, isolation_level=None)
    step = Migration(["ALTER TABLE holds ADD COLUMN origin TEXT"], oldest_compatible_version=1)
    migrate(connection, SCHEMA_VERSION + 1, {SCHEMA_VERSION: step})
    connection.close()
    old.write_hold(B, HOLD)
    assert is_held(old)
    assert is_held(open_store())


def test_no_connection_outlives_its_thread_for_long(open_store: Open) -> None:
    store = open_store()
    for _ in range(5):
        thread = threading.Thread(target=store.check)
        thread.start()
        thread.join()
    assert len(store._connections._sessions) == 1
