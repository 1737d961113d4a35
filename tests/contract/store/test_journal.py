"""Records: each kept once, applied once, and found again."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pairguard.store.ports import JournalRecord, ParticipantStore, RecordKind
from pairguard.store.records import decision_record
from pairguard.v1 import journal_pb2
from tests.contract.store.adapters import Harness, opened
from tests.contract.store.told import chats, decided, journal, summary, told_of_age
from tests.integration.store.meetings import NOON, blocked, ended, hashed, reported, started

ROOT = Path(__file__).parents[3]
APPENDER = """
import sys
from tests.contract.store.adapters import opened
from tests.integration.store.meetings import ended, started
location, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = opened(location)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
new = 0
for number in range(count):
    chat = f"{name}-{number}"
    store.append([started(chat, ["a", "device"], ["b"]), ended(chat, ["a", "device"], ["b"])])
    new += sum(store.append([started(f"both-{number}", ["a"], ["b"])]))
store.close()
print(new)
"""


def story(*, time: int = NOON) -> list[JournalRecord]:
    """Return a little of everything between a, b and c."""
    a, b, c = ["a", "phone"], ["b"], ["c"]
    return [
        decided("1", a, b, time),
        started("1", a, b, time + 1),
        ended("1", a, b, time + 61),
        reported("1", b, a, time + 62),
        told_of_age("1", a, time + 63),
        decided("2", a, c, time + 64),
        started("2", c, a, time + 65),
        blocked("2", c, a, time + 66),
    ]


def test_a_record_of_nobody_is_kept_and_changes_nothing(store: ParticipantStore) -> None:
    shadow = journal_pb2.DecisionRecord(decision_id="s1")
    shadow.decision_time.seconds = NOON
    shadow.shadow.decisions.add(decision_id="d1")
    record = decision_record(shadow)

    assert store.append([record, record]) == (True, False)
    store.import_records("one.segment", 0, 10, [record])

    (kept,) = store.read_journal("", 10)
    assert kept.payload == record.payload
    assert (kept.kind, kept.record_id) == (RecordKind.DECISION, "s1")
    assert store.statistics().rows == 0


def test_an_empty_store_has_no_records(store: ParticipantStore) -> None:
    assert store.append([]) == ()
    assert store.read_journal("", 10) == ()
    assert store.find_record(RecordKind.EVENT, "x") is None
    assert dict(store.find_records(RecordKind.EVENT, ["x", "y"])) == {}
    assert dict(store.find_records(RecordKind.EVENT, [])) == {}
    assert store.events_of("decision-1") == ()
    assert store.exported_to("somebody") == ""


def test_records_are_kept_and_applied_for_every_handle(
    harness: Harness, store: ParticipantStore
) -> None:
    other = opened(harness.location)
    assert store.append(story()) == (True,) * 8
    for handle in (store, other):
        assert chats(handle, "a") == chats(handle, "phone") == chats(handle, "a", "phone") == 2.0
        assert chats(handle, "b") == chats(handle, "c") == 1.0
        assert summary(handle, "a").decisions_24h == 2.0
        assert summary(handle, "a", "phone").reporters_30d == 1.0
        assert len(summary(handle, "phone").evidence) == 1
        assert summary(handle, "b").evidence == ()
    other.close()


def test_records_outlive_the_handle_that_wrote_them(
    harness: Harness, store: ParticipantStore
) -> None:
    store.append(story())
    store.close()
    reopened = opened(harness.location)
    assert chats(reopened, "a") == 2.0
    assert [record.payload for record in journal(reopened)] == [each.payload for each in story()]
    reopened.close()


def test_a_record_counts_once_however_often_it_comes(store: ParticipantStore) -> None:
    records = story()
    assert store.append(records[:3]) == (True,) * 3
    before = summary(store, "a", "phone")
    assert store.append(records[:3]) == (False,) * 3
    assert summary(store, "a", "phone") == before
    assert store.append([records[1], records[3], records[2]]) == (False, True, False)
    assert len(journal(store)) == 4


def test_a_record_that_stands_in_a_batch_twice_counts_once(store: ParticipantStore) -> None:
    chat, other = started("1", ["a"], ["b"]), started("2", ["a"], ["b"])
    assert store.append([chat, other, chat, other]) == (True, True, False, False)
    assert chats(store, "a") == 2.0
    assert len(journal(store)) == 2


def test_ids_are_told_apart_by_kind(store: ParticipantStore) -> None:
    first, second = decided("1", ["a"], ["b"]), told_of_age("1", ["a"])
    same_id = JournalRecord(
        kind=second.kind,
        record_id=first.record_id,
        time=second.time,
        payload=second.payload,
        participants=second.participants,
        changes=second.changes,
    )
    assert store.append([first, same_id]) == (True, True)
    found = store.find_record(RecordKind.EVIDENCE, first.record_id)
    assert found is not None
    assert found.payload == second.payload


def test_batches_of_any_size_say_the_same(store: ParticipantStore) -> None:
    numbers = random.Random(4)
    records = [
        record
        for number in range(150)
        for record in (
            decided(f"{number}", ["a", "phone"], [f"p{number % 7}"], NOON + number),
            started(f"{number}", ["a", "phone"], [f"p{number % 7}"], NOON + number),
            ended(f"{number}", ["a", "phone"], [f"p{number % 7}"], NOON + number),
        )
    ]
    place = 0
    while place < len(records):
        size = numbers.choice([1, 2, 5, 40, 300])
        part = records[place : place + size]
        assert store.append(part) == (True,) * len(part)
        place += size
    said = summary(store, "a", "phone", now=NOON + 200.0)
    assert (said.decisions_24h, said.chats_started_24h, said.partners_30d) == (150.0, 150.0, 7.0)
    assert [record.record_id for record in journal(store, step=100)] == [
        record.record_id for record in records
    ]


def test_a_thousand_records_at_once(store: ParticipantStore) -> None:
    records = [started(f"{n}", ["a", f"session {n}"], [f"p{n}"]) for n in range(1_000)]
    assert store.append(records) == (True,) * 1_000
    assert chats(store, "a") == 1_000.0
    assert chats(store, "p999") == chats(store, "session 500") == 1.0


def test_records_that_change_no_row_are_kept(store: ParticipantStore) -> None:
    ids = frozenset({hashed("a")})
    record = JournalRecord(RecordKind.DECISION, "d", float(NOON), b"", ids)
    assert store.append([record]) == (True,)
    assert store.find_record(RecordKind.DECISION, "d") is not None


def test_one_record_is_found_by_its_id(store: ParticipantStore) -> None:
    records = story()
    store.append(records)
    for record in records:
        found = store.find_record(record.kind, record.record_id)
        assert found is not None
        assert (found.kind, found.record_id) == (record.kind, record.record_id)
        assert found.payload == record.payload
    events = {record.record_id: record for record in records if record.kind is RecordKind.EVENT}
    found_ones = store.find_records(RecordKind.EVENT, [*events, "unknown", *events])
    assert {name: each.payload for name, each in found_ones.items()} == {
        name: each.payload for name, each in events.items()
    }
    assert store.find_record(RecordKind.EVIDENCE, records[0].record_id) is None


def test_events_are_found_by_their_decision(store: ParticipantStore) -> None:
    records = story()
    store.append(records)
    assert [each.payload for each in store.events_of("decision-1")] == [
        record.payload for record in records[1:4]
    ]
    assert store.events_of("decision-3") == ()
    assert store.events_of("") == ()


def test_of_very_many_events_of_a_decision_the_oldest_thousand_are_told(
    store: ParticipantStore,
) -> None:
    def event(number: int) -> JournalRecord:
        record = reported(f"{number}", ["a"], ["b"])
        return JournalRecord(
            RecordKind.EVENT,
            record.record_id,
            record.time,
            record.payload,
            record.participants,
            decision_id="decision",
        )

    events = [event(number) for number in range(1_003)]
    store.append(events)
    found = store.events_of("decision")
    assert [each.record_id for each in found] == [each.record_id for each in events[:1_000]]


def test_the_journal_is_read_on_in_the_order_in_which_it_was_kept(store: ParticipantStore) -> None:
    late_ones = story(time=NOON + 500)
    records = [*late_ones[:2], *story(time=NOON)[3:]]
    for record in records:
        store.append([record])
    found = journal(store)
    assert [each.record_id for each in found] == [record.record_id for record in records]
    cursors = [each.cursor for each in found]
    assert cursors == sorted(set(cursors))
    assert all(cursors)
    assert [each.cursor for each in store.read_journal(cursors[2], 2)] == cursors[3:5]
    assert store.read_journal(cursors[-1], 5) == ()
    assert store.read_journal("", 0) == ()


def test_the_journal_is_read_by_kinds(store: ParticipantStore) -> None:
    records = story()
    store.append(records)
    for kinds in (
        frozenset({RecordKind.EVIDENCE}),
        frozenset({RecordKind.DECISION, RecordKind.EVIDENCE}),
        frozenset(RecordKind),
    ):
        expected = [record.record_id for record in records if record.kind in kinds]
        for step in (1, 2, 50):
            assert [each.record_id for each in journal(store, kinds, step=step)] == expected


def test_each_consumer_goes_on_where_it_was_and_never_back(
    harness: Harness, store: ParticipantStore
) -> None:
    store.append(story())
    cursors = [each.cursor for each in journal(store)]
    store.confirm_export("warehouse", cursors[3])
    store.confirm_export("audit", cursors[5])
    other = opened(harness.location)
    assert other.exported_to("warehouse") == cursors[3]
    assert other.exported_to("audit") == cursors[5]
    other.confirm_export("audit", cursors[1])
    other.confirm_export("audit", "")
    assert store.exported_to("audit") == cursors[5]
    assert store.exported_to("nobody") == ""
    (next_one,) = store.read_journal(store.exported_to("warehouse"), 1)
    assert next_one.cursor == cursors[4]
    other.close()


@pytest.mark.parametrize("cursor", ["x", "-1", "1 OR 1=1", "١"])
def test_a_cursor_of_somebody_else_is_refused(store: ParticipantStore, cursor: str) -> None:
    store.append(story())
    with pytest.raises(ValueError, match="cursor"):
        store.read_journal(cursor, 1)
    with pytest.raises(ValueError, match="cursor"):
        store.confirm_export("audit", cursor)


def test_threads_that_tell_the_same_count_it_once(store: ParticipantStore) -> None:
    failures: list[BaseException] = []
    new: list[int] = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        try:
            barrier.wait(timeout=10)
            for turn in range(15):
                chat = started(f"shared {turn}", ["a"], ["b"])
                own = started(f"own {number} {turn}", ["a"], ["c", f"d{number}"])
                first, second = store.append([chat, own])
                assert second
                new.append(first)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    assert not failures
    assert sum(new) == 15
    assert chats(store, "a") == 75.0
    assert chats(store, "b") == 15.0
    assert chats(store, "c") == 60.0
    assert chats(store, "d2") == 15.0
    assert len(journal(store, step=40)) == 75


def test_processes_that_tell_the_same_count_it_once(
    harness: Harness, store: ParticipantStore
) -> None:
    store.check()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, harness.location, name, "20"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two", "three")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    new = 0
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        new += int(output)
    assert new == 20
    assert chats(store, "a") == chats(store, "b") == 80.0
    assert chats(store, "device") == 60.0
    assert len(journal(store, step=50)) == 140
