"""Erasure from the embedded store: nothing is left in its files, and a crash undoes none of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.history.summary import blocks as is_blocked_by
from pairguard.history.summary import summarise
from pairguard.store.ports import ErasureStatus, Hold, RecordKind, Retention
from pairguard.store.sqlite import SqliteStore, erasure
from pairguard.store.sqlite.verification import verify_rows
from tests.integration.store.meetings import (
    NOON,
    blocked,
    ended,
    hashed,
    placed,
    reported,
    started,
)

A, B = ["a", "a-device"], ["b"]
NAMES = ("a", "a-device")
IDS = [hashed(each) for each in NAMES]
LATER = NOON + 1_000.0
DAY = 86_400.0
KEEP_ALL = Retention(1e9, 1e9, 1e9, 1e9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


def fill(store: SqliteStore, chats: int = 4) -> None:
    for number in range(chats):
        name = str(number)
        store.append([started(name, A, B), ended(name, A, B), reported(name, A, B)])
    store.append([blocked("x", A, B)])


def traces(path: Path) -> int:
    """Return how often the erased stand in the files, as text, whole or by their first bytes."""
    stored = b"".join(
        file.read_bytes() for file in path.parent.glob(path.name + "*") if file.suffix != ".key"
    )
    return sum(stored.count(each.hex().encode()) + stored.count(each[:8]) for each in IDS)


def tombstones(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM tombstones").fetchone()
    return int(count)


def test_nothing_of_the_erased_is_left_in_the_files(store: SqliteStore, path: Path) -> None:
    fill(store)
    assert traces(path) > 20
    done = store.erase(IDS, now=LATER)
    assert (done.status, done.unlinked_records) == (ErasureStatus.ERASED, 13)
    assert store.read([IDS], now=LATER)[0].rows == ()
    # What is left is the list of the erased itself, for records that are on their way.
    assert traces(path) == tombstones(path) == 2
    store.purge(now=LATER + 9 * DAY, retention=KEEP_ALL)
    assert traces(path) == tombstones(path) == 0


def test_what_others_know_of_the_erased_counts_on_without_leading_to_anybody(
    store: SqliteStore,
) -> None:
    fill(store)
    before = summarise(store.read([[hashed("b")]], now=LATER)[0].rows, LATER).signals
    store.erase(IDS, now=LATER)
    after = summarise(store.read([[hashed("b")]], now=LATER)[0].rows, LATER).signals
    assert before is not None
    assert before["history.reports_received_30d"] == 1.0
    assert after == before


def test_who_blocked_the_erased_never_meets_them_again(store: SqliteStore) -> None:
    store.append([blocked("1", B, A)])
    store.erase(IDS, now=LATER)
    assert is_blocked_by(store.read([[hashed("b")]], now=LATER)[0].rows, IDS)


def test_contacts_whose_records_retention_has_taken_forget_the_erased_too(
    store: SqliteStore, path: Path
) -> None:
    fill(store)
    week = Retention(7 * DAY, 7 * DAY, 7 * DAY, 1e9)
    assert sum(store.purge(now=NOON + 8 * DAY, retention=week).records.values()) == 13
    assert store.erase(IDS, now=NOON + 8 * DAY).status is ErasureStatus.ERASED
    assert traces(path) == 2


def test_rows_in_which_somebody_was_erased_are_not_compared_with_the_journal(
    store: SqliteStore,
) -> None:
    fill(store)
    store.erase(IDS, now=LATER)
    store.append([started("9", B, ["c"], int(LATER) + 5)])
    found = verify_rows(store)
    assert found.agrees
    assert (found.compared, found.not_comparable) == (1, 1)


def test_a_record_that_was_on_its_way_does_not_bring_the_erased_back(
    store: SqliteStore, path: Path
) -> None:
    fill(store)
    store.erase(IDS, now=LATER)
    late = started("late", A, B, int(LATER) - 10)
    assert store.append([late]) == (True,)
    assert store.read([IDS], now=LATER)[0].rows == ()
    assert traces(path) == 2
    (found,) = store.events_of("decision-late")
    assert found.record_id == late.record_id
    # It is one and the same record when it comes again, and whoever comes back later is new.
    assert store.append([late]) == (False,)
    store.append([started("new", A, B, int(LATER) + 10)])
    assert len(store.read([IDS], now=LATER)[0].rows) == 2


def test_a_hold_that_was_on_its_way_is_not_prevented(store: SqliteStore) -> None:
    store.erase(IDS, now=LATER)
    store.append([placed("1", A, legal=False, time=int(LATER) - 10)])
    kept = store.read([IDS], now=LATER)[0]
    assert [hold.reason for hold in kept.holds] == ["PLATFORM_CASE_7"]
    assert kept.rows == ()


def test_a_chat_that_is_reconciled_late_does_not_bring_the_erased_back(
    store: SqliteStore, path: Path
) -> None:
    fill(store)
    pending = store.pending_chats(LATER, 10)
    assert len(pending) == 4
    store.erase(IDS, now=LATER)
    for record in pending:
        store.reconcile(record.record_id, record.payload, "AS_DECIDED")
    assert store.pending_chats(LATER, 10) == ()
    assert len(store.reconciled("AS_DECIDED", 10)) == 4
    assert traces(path) == 2


def test_holds_survive_an_erasure(store: SqliteStore) -> None:
    fill(store)
    hold = Hold("UPHELD_HARM", 1.0, LATER + 50.0)
    store.write_hold(IDS, hold)
    assert store.erase(IDS, now=LATER).kept_holds == 1
    assert store.read([IDS[:1]], now=LATER)[0].holds == (hold,)


def test_an_erasure_waits_for_a_legal_hold_also_over_a_restart(
    store: SqliteStore, path: Path
) -> None:
    fill(store)
    store.append([placed("1", ["a-device"], legal=True, end=int(LATER) + 100)])
    done = store.erase(IDS, now=LATER)
    assert done.status is ErasureStatus.DELAYED_BY_LEGAL_HOLD
    assert store.erase(IDS, now=LATER).status is ErasureStatus.DELAYED_BY_LEGAL_HOLD
    store.close()

    again = SqliteStore(path)
    # What a legal hold keeps is not forgotten by its age either.
    early = Retention(0.0, 0.0, 0.0, 0.0)
    report = again.purge(now=LATER + 99.0, retention=early)
    assert report.erasures == 0
    assert again.statistics().delayed_erasures == 1
    assert again.statistics().records[RecordKind.EVENT] == 14
    assert again.read([IDS], now=LATER)[0].rows
    # A legal hold stops no pairing.
    assert again.read([IDS], now=LATER)[0].holds == ()

    assert again.purge(now=LATER + 100.0, retention=KEEP_ALL).erasures == 1
    assert again.statistics().delayed_erasures == 0
    assert again.read([IDS], now=LATER)[0].rows == ()
    assert again.purge(now=LATER + 101.0, retention=KEEP_ALL).erasures == 0
    again.close()


def test_an_erasure_that_was_cut_short_is_finished_by_the_next_purge(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_RECORDS_PER_TRANSACTION", 3)
    fill(store)
    with monkeypatch.context() as broken:

        def fail(*_arguments: object) -> erasure.Progress:
            raise sqlite3.OperationalError("disk I/O error")

        broken.setattr(erasure, "go_on", fail)
        with pytest.raises(StoreUnavailable):
            store.erase(IDS, now=LATER)
    store.close()

    again = SqliteStore(path)
    assert again.read([IDS], now=LATER)[0].rows == ()
    assert traces(path) > 2
    # Whoever came back in the meantime has a new history, which stays.
    again.append([started("new", A, B, int(LATER) + 10)])
    assert again.purge(now=LATER + 20.0, retention=KEEP_ALL).erasures == 1
    assert len(again.events_of("decision-new")) == 1
    assert len(again.read([IDS], now=LATER)[0].rows) == 2
    for number in range(4):
        for record in again.events_of(f"decision-{number}"):
            assert not any(each.hex().encode() in record.payload for each in IDS)
    again.close()


def test_a_record_that_cannot_be_unlinked_is_deleted(store: SqliteStore, path: Path) -> None:
    fill(store)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE records SET payload = CAST(payload || x'ff' AS BLOB) WHERE seq = 3"
        )
    store.erase(IDS, now=LATER)
    assert store.statistics().records[RecordKind.EVENT] == 12
    assert traces(path) == 2


def test_a_row_that_was_set_aside_forgets_the_erased_too(store: SqliteStore, path: Path) -> None:
    fill(store)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE participant_rows SET row = CAST(x'00000000' || substr(row, 5) AS BLOB) "
            "WHERE id_hash = ?",
            (hashed("b"),),
        )
    store.erase(IDS, now=LATER)
    assert traces(path) == 2
    assert verify_rows(store).damaged == [hashed("b")]


def test_nobody_to_erase(store: SqliteStore) -> None:
    fill(store)
    done = store.erase([hashed("stranger")], now=LATER)
    assert (done.status, done.unlinked_records) == (ErasureStatus.NOTHING_KEPT, 0)
    assert verify_rows(store).compared == 3
