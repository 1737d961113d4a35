"""Decisions that a process wrote down itself and that are imported later."""

from __future__ import annotations

import threading

from pairguard.store.ports import ParticipantStore
from tests.contract.store.adapters import Harness, opened
from tests.contract.store.told import decided, journal, summary


def decisions(store: ParticipantStore) -> float:
    return summary(store, "a").decisions_24h


def test_a_segment_is_imported_part_by_part(harness: Harness, store: ParticipantStore) -> None:
    assert store.imported_end("one") == 0
    store.import_records("one", 64, 200, [decided("1", ["a"], ["b"]), decided("2", ["a"], ["b"])])
    assert store.imported_end("one") == 200
    assert decisions(store) == 2.0
    store.import_records("one", 200, 300, [decided("3", ["a"], ["c"])])
    other = opened(harness.location)
    assert other.imported_end("one") == 300
    assert other.imported_end("two") == 0
    assert decisions(other) == 3.0
    other.close()


def test_a_part_that_comes_again_changes_nothing(store: ParticipantStore) -> None:
    part = [decided("1", ["a"], ["b"])]
    store.import_records("one", 64, 200, part)
    store.import_records("one", 64, 200, part)
    store.import_records("one", 64, 150, [decided("2", ["a"], ["b"])])
    assert store.imported_end("one") == 200
    assert decisions(store) == 1.0
    assert len(journal(store)) == 1


def test_a_decision_that_came_another_way_counts_once(store: ParticipantStore) -> None:
    store.append([decided("1", ["a"], ["b"])])
    store.import_records("one", 64, 200, [decided("1", ["a"], ["b"]), decided("2", ["a"], ["b"])])
    assert store.imported_end("one") == 200
    assert decisions(store) == 2.0


def test_a_part_without_records_is_imported_too(store: ParticipantStore) -> None:
    store.import_records("one", 64, 128, [])
    assert store.imported_end("one") == 128
    assert journal(store) == []


def test_segments_are_told_apart_and_forgotten(store: ParticipantStore) -> None:
    store.import_records("one", 64, 200, [decided("1", ["a"], ["b"])])
    store.import_records("two", 64, 300, [decided("2", ["a"], ["b"])])
    store.forget_segment("one")
    store.forget_segment("never there")
    assert store.imported_end("one") == 0
    assert store.imported_end("two") == 300
    assert decisions(store) == 2.0


def test_importers_that_race_count_each_decision_once(store: ParticipantStore) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(3)

    def work() -> None:
        try:
            barrier.wait(timeout=10)
            for number in range(15):
                part = [decided(f"{number}", ["a"], [f"p{number}"])]
                store.import_records("one", number * 10, number * 10 + 10, part)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures
    assert store.imported_end("one") == 150
    assert decisions(store) == 15.0
    assert len(journal(store)) == 15
