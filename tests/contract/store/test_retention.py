"""What is forgotten when, and how much is kept."""

from __future__ import annotations

from pairguard.store.ports import (
    LEGAL_HOLD,
    Hold,
    ParticipantStore,
    PurgeReport,
    RecordKind,
    Retention,
)
from tests.contract.store.told import DAY, chats, decided, held, journal, summary, told_of_age
from tests.integration.store.meetings import NOON, blocked, ended, hashed, reported, started

RETENTION = Retention(
    decisions_seconds=10 * DAY,
    events_seconds=20 * DAY,
    evidence_seconds=30 * DAY,
    rows_seconds=40 * DAY,
)
NOTHING = dict.fromkeys(RecordKind, 0)


def kinds_kept(store: ParticipantStore) -> list[RecordKind]:
    return [record.kind for record in journal(store)]


def purged(store: ParticipantStore, days: float) -> PurgeReport:
    return store.purge(now=NOON + days * DAY, retention=RETENTION)


def test_each_kind_is_kept_for_its_time(store: ParticipantStore) -> None:
    store.append([decided("1", ["a"], ["b"]), started("1", ["a"], ["b"]), told_of_age("1", ["a"])])
    report = purged(store, 9.9)
    assert (dict(report.records), report.rows, report.erasures) == (NOTHING, 0, 0)
    assert dict(purged(store, 10.1).records) == {**NOTHING, RecordKind.DECISION: 1}
    assert kinds_kept(store) == [RecordKind.EVENT, RecordKind.EVIDENCE]
    assert store.find_record(RecordKind.DECISION, "decision-1") is None
    assert dict(purged(store, 20.1).records) == {**NOTHING, RecordKind.EVENT: 1}
    assert kinds_kept(store) == [RecordKind.EVIDENCE]
    assert store.events_of("decision-1") == ()
    assert store.pending_chats(NOON + 99 * DAY, 10) == ()
    # What was counted stays for as long as the row.
    assert chats(store, "a", now=NOON + 3600.0) == 1.0
    assert dict(purged(store, 30.1).records) == {**NOTHING, RecordKind.EVIDENCE: 1}
    assert journal(store) == []


def test_rows_are_kept_for_their_time_after_somebody_was_last_seen(
    store: ParticipantStore,
) -> None:
    store.append([started("1", ["a"], ["b"]), ended("2", ["a"], ["c"], NOON + int(5 * DAY))])
    assert purged(store, 39.0).rows == 0
    # A store may look at whole days.
    assert purged(store, 42.0).rows == 1
    assert summary(store, "b").signals is None
    assert summary(store, "a").signals is not None
    assert purged(store, 47.0).rows == 2
    assert summary(store, "a", "b", "c").signals is None


def test_who_comes_back_after_that_begins_anew(store: ParticipantStore) -> None:
    store.append([started("1", ["a"], ["b"])])
    assert purged(store, 50.0).rows == 2
    later = NOON + int(51 * DAY)
    assert store.append([started("2", ["a"], ["b"], later)]) == (True,)
    assert chats(store, "a", now=later + 1.0) == 1.0


def test_a_record_that_was_forgotten_frees_nobody(store: ParticipantStore) -> None:
    store.write_hold([hashed("a")], Hold("REVIEW", float(NOON)))
    store.append([started("1", ["a"], ["b"])])
    purged(store, 400.0)
    assert held(store, "a", now=NOON + 400 * DAY) == (Hold("REVIEW", float(NOON)),)


def test_who_asked_never_to_meet_somebody_again_asked_for_good(store: ParticipantStore) -> None:
    store.append([blocked("1", ["a"], ["b"]), reported("2", ["a"], ["c"])])
    assert purged(store, 400.0).rows == 1
    assert summary(store, "a").signals is not None
    assert summary(store, "b").signals is not None
    assert summary(store, "c").signals is None


def test_a_legal_hold_keeps_rows_and_records(store: ParticipantStore) -> None:
    store.append([started("1", ["a"], ["b"]), started("2", ["c"], ["d"])])
    store.write_hold([hashed("a")], Hold(LEGAL_HOLD, float(NOON), NOON + 100 * DAY))
    report = purged(store, 60.0)
    assert report.records[RecordKind.EVENT] == 1
    assert report.rows == 3
    assert chats(store, "a", now=NOON + 60.0) == 1.0
    assert [each.record_id for each in journal(store)] == [started("1", ["a"], ["b"]).record_id]
    later = purged(store, 101.0)
    assert (later.records[RecordKind.EVENT], later.rows, later.holds) == (1, 1, 1)
    assert journal(store) == []


def test_thousands_are_forgotten_at_once(store: ParticipantStore) -> None:
    for start in range(0, 2_400, 400):
        store.append([started(f"{n}", [f"p{n}"], ["q"]) for n in range(start, start + 400)])
    recent = started("recent", ["q"], ["r"], NOON + int(30 * DAY))
    store.append([recent])
    report = purged(store, 45.0)
    assert report.records[RecordKind.EVENT] == 2_400
    assert report.rows == 2_400
    assert [each.record_id for each in journal(store)] == [recent.record_id]
    assert purged(store, 45.0).rows == 0


def test_reading_on_goes_on_where_records_were_forgotten(store: ParticipantStore) -> None:
    store.append([started("1", ["a"], ["b"]), started("2", ["a"], ["b"], NOON + int(30 * DAY))])
    first, second = journal(store)
    store.confirm_export("audit", first.cursor)
    purged(store, 45.0)
    assert store.read_journal(store.exported_to("audit"), 5) == (second,)
    assert store.read_journal("", 5) == (second,)


def test_everything_is_counted(store: ParticipantStore) -> None:
    empty = store.statistics()
    assert dict(empty.records) == NOTHING
    assert (empty.rows, empty.holds, empty.answers, empty.delayed_erasures) == (0, 0, 0, 0)
    store.append(
        [
            decided("1", ["a", "phone"], ["b"]),
            started("1", ["a", "phone"], ["b"]),
            started("2", ["a"], ["b"]),
            told_of_age("1", ["a"]),
        ]
    )
    store.write_hold([hashed("a"), hashed("phone")], Hold("REVIEW", 1.0))
    store.write_hold([hashed("b")], Hold(LEGAL_HOLD, 1.0))
    store.erase([hashed("b")], now=2.0)
    found = store.statistics()
    assert dict(found.records) == {
        RecordKind.DECISION: 1,
        RecordKind.EVENT: 2,
        RecordKind.EVIDENCE: 1,
    }
    assert (found.rows, found.holds, found.pending_chats) == (3, 3, 2)
    assert found.delayed_erasures == 1
    assert found.bytes > 0
