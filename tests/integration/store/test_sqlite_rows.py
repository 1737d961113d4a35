"""Rows of the embedded store follow from its journal, whatever happens in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.history.summary import summarise
from pairguard.store.ports import Retention
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite.verification import repair_rows, verify_rows
from tests.integration.store.meetings import NOON, blocked, ended, hashed, reported, started

A, B, C = ["a", "a-device"], ["b"], ["c"]
DAY = 86_400.0
MONTH = Retention(30 * DAY, 30 * DAY, 30 * DAY, 30 * DAY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


def rows_of(store: SqliteStore, *names: str) -> tuple[bytes, ...]:
    (kept,) = store.read([[hashed(each) for each in names]], now=float(NOON))
    return kept.rows


def run(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def fill(store: SqliteStore) -> None:
    store.append([started("1", A, B), ended("1", A, B), reported("1", A, B)])
    store.append([started("2", A, C, NOON + 600), blocked("2", C, A, NOON + 700)])


def test_a_recount_agrees_however_records_were_batched(store: SqliteStore) -> None:
    fill(store)
    found = verify_rows(store)
    assert found.agrees
    assert (found.compared, found.not_comparable) == (4, 0)


def test_a_recount_agrees_where_a_clock_went_backwards(store: SqliteStore) -> None:
    times = [0, 7_200, 60, 90_000, 100, 3_000, 2_700_000, 500, 7_300]
    for number, time in enumerate(times):
        store.append(
            [started(str(number), A, B, NOON + time), ended(str(number), A, B, NOON + time)]
        )
    found = verify_rows(store)
    assert found.agrees
    assert found.compared == 3


def test_a_recount_finds_a_row_that_says_something_else(store: SqliteStore, path: Path) -> None:
    fill(store)
    (row,) = rows_of(store, "c")
    run(path, "UPDATE participant_rows SET row = ? WHERE id_hash = ?", row, hashed("b"))
    run(path, "DELETE FROM participant_rows WHERE id_hash = ?", hashed("a"))
    found = verify_rows(store)
    assert set(found.differing) == {hashed("a"), hashed("b")}
    assert not found.agrees


def test_a_recount_finds_a_record_that_cannot_be_read(store: SqliteStore, path: Path) -> None:
    fill(store)
    run(path, "UPDATE records SET payload = x'ff' WHERE seq = 2")
    found = verify_rows(store)
    assert found.unreadable_records == {2}
    assert (found.compared, found.not_comparable) == (1, 3)


def test_what_retention_has_cut_is_not_compared_and_what_is_new_is(store: SqliteStore) -> None:
    fill(store)
    later = NOON + int(31 * DAY)
    store.append([started("3", C, ["d"], later)])
    report = store.purge(now=float(later), retention=MONTH)
    assert sum(report.records.values()) == 5
    found = verify_rows(store)
    assert found.agrees
    # Of the old rows those stay that have a block, of which one was seen again.
    assert (found.compared, found.not_comparable) == (1, 3)
    assert not rows_of(store, "b")


def test_one_chat_of_many_ids_is_one_chat(store: SqliteStore) -> None:
    fill(store)
    signals = summarise(rows_of(store, *A), NOON + 900.0).signals
    assert signals is not None
    assert signals["history.chats_started_24h"] == 2.0


def damage(path: Path, name: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection, connection:
        (row,) = connection.execute(
            "SELECT row FROM participant_rows WHERE id_hash = ?", (hashed(name),)
        ).fetchone()
        broken = bytes(row[:40]) + b"\xff" + bytes(row[41:])
        connection.execute(
            "UPDATE participant_rows SET row = ? WHERE id_hash = ?", (broken, hashed(name))
        )
    return broken


def test_a_damaged_row_stops_no_record_and_is_never_overwritten(
    store: SqliteStore, path: Path
) -> None:
    fill(store)
    broken = damage(path, "b")
    assert store.append([started("3", B, C, NOON + 900)]) == (True,)
    assert store.append([ended("3", B, C, NOON + 960)]) == (True,)
    # Whoever asks for this participant is told that the state cannot be read, not that it is empty.
    with pytest.raises(StoreUnavailable, match="damaged"):
        rows_of(store, "b")
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.read([[hashed("c")], [hashed("b")]], now=float(NOON))
    assert rows_of(store, "c")
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT id_hash, row FROM damaged_rows").fetchall()
    assert kept == [(hashed("b"), broken)]


@pytest.mark.parametrize("touched", [True, False])
def test_a_damaged_row_is_made_anew_from_the_journal(
    store: SqliteStore, path: Path, touched: bool
) -> None:
    fill(store)
    (intact,) = rows_of(store, "b")
    damage(path, "b")
    if touched:
        store.append([started("3", B, C, NOON + 900)])
    found = verify_rows(store)
    assert found.damaged == [hashed("b")]
    assert repair_rows(store, found.damaged) == ()
    assert verify_rows(store).agrees
    (repaired,) = rows_of(store, "b")
    assert (repaired == intact) is not touched


def test_a_damaged_row_that_the_journal_tells_only_in_part_stays_so_unless_told(
    store: SqliteStore, path: Path
) -> None:
    later = NOON + int(31 * DAY)
    fill(store)
    store.append([started("3", B, C, later)])
    store.purge(now=float(later), retention=MONTH)
    damage(path, "b")
    (damaged,) = verify_rows(store).damaged
    assert repair_rows(store, [damaged]) == (damaged,)
    assert verify_rows(store).damaged == [damaged]
    assert repair_rows(store, [damaged], accept_incomplete=True) == ()
    found = verify_rows(store)
    assert found.agrees
    assert rows_of(store, "b")


def test_rows_with_blocks_outlive_retention_and_are_looked_at_once(
    store: SqliteStore, path: Path
) -> None:
    store.append([blocked("1", A, B), started("2", C, ["d"])])
    later = NOON + 31 * DAY
    assert store.purge(now=later, retention=MONTH).rows == 2
    assert rows_of(store, "a")
    assert rows_of(store, "b")
    with closing(sqlite3.connect(path)) as connection:
        (waiting,) = connection.execute(
            "SELECT count(*) FROM participant_rows WHERE last_day IS NOT NULL"
        ).fetchone()
    assert waiting == 0
    # Seen again, it is looked at again.
    store.append([started("3", A, B, int(later))])
    with closing(sqlite3.connect(path)) as connection:
        (waiting,) = connection.execute(
            "SELECT count(*) FROM participant_rows WHERE last_day IS NOT NULL"
        ).fetchone()
    assert waiting == 3
