"""Starts of chats that wait for their decision, and what was found out about them."""

from __future__ import annotations

import math

import pytest

from pairguard.store.ports import JournalRecord, ParticipantStore, RecordKind
from pairguard.v1 import journal_pb2
from tests.contract.store.told import chats
from tests.integration.store.meetings import NOON, ended, hashed, started


def reconciled(record: JournalRecord) -> bytes:
    """Return a record with an agreement."""
    message = journal_pb2.EventRecord.FromString(record.payload)
    message.reconciliation = journal_pb2.RECONCILIATION_WITHOUT_DECISION
    return message.SerializeToString(deterministic=True)


def names(records: tuple[object, ...]) -> list[str]:
    return [getattr(each, "record_id") for each in records]  # noqa: B009 - of either kind


@pytest.fixture
def told(store: ParticipantStore) -> list[JournalRecord]:
    """Three chats that started, a minute apart, the latest told first."""
    records = [started(f"{n}", ["a"], [f"p{n}"], NOON + 60 * n) for n in range(3)]
    store.append([*reversed(records), ended("0", ["a"], ["p0"])])
    return records


def test_started_chats_wait_the_oldest_first(
    store: ParticipantStore, told: list[JournalRecord]
) -> None:
    found = store.pending_chats(NOON + 1e3, 10)
    assert [each.payload for each in found] == [each.payload for each in told]
    assert names(store.pending_chats(NOON + 60.0, 10)) == [told[0].record_id]
    assert names(store.pending_chats(NOON + 60.5, 10)) == names(tuple(told[:2]))
    assert names(store.pending_chats(NOON + 1e3, 2)) == names(tuple(told[:2]))
    assert store.pending_chats(float(NOON), 10) == ()
    assert store.pending_chats(NOON + 1e3, 0) == ()
    assert store.statistics().pending_chats == 3


def test_what_was_found_out_takes_the_place_of_not_yet(
    store: ParticipantStore, told: list[JournalRecord]
) -> None:
    first, second, third = told
    store.reconcile(second.record_id, reconciled(second), "WITHOUT_DECISION")
    assert names(store.pending_chats(NOON + 1e3, 10)) == [first.record_id, third.record_id]
    (found,) = store.reconciled("WITHOUT_DECISION", 10)
    assert (found.record_id, found.payload) == (second.record_id, reconciled(second))
    assert store.find_record(RecordKind.EVENT, second.record_id) == found
    assert store.reconciled("AS_DECIDED", 10) == ()
    statistics = store.statistics()
    assert dict(statistics.reconciliations) == {"WITHOUT_DECISION": 1}
    assert statistics.pending_chats == 2
    # It was counted before, and stays counted once.
    assert chats(store, "a") == 3.0
    assert store.append([second]) == (False,)
    assert names(store.pending_chats(NOON + 1e3, 10)) == [first.record_id, third.record_id]


def test_the_first_word_on_a_chat_stands(
    store: ParticipantStore, told: list[JournalRecord]
) -> None:
    store.reconcile(told[0].record_id, reconciled(told[0]), "WITHOUT_DECISION")
    store.reconcile(told[0].record_id, told[0].payload, "AS_DECIDED")
    assert names(store.reconciled("WITHOUT_DECISION", 10)) == [told[0].record_id]
    assert store.reconciled("AS_DECIDED", 10) == ()


def test_the_latest_are_told_first_and_no_more_than_asked_for(
    store: ParticipantStore, told: list[JournalRecord]
) -> None:
    for record in told:
        store.reconcile(record.record_id, reconciled(record), "WITHOUT_DECISION")
    in_journal = [each.record_id for each in reversed(store.read_journal("", 10))]
    latest = [name for name in in_journal if name in {each.record_id for each in told}]
    assert names(store.reconciled("WITHOUT_DECISION", 10)) == latest
    assert names(store.reconciled("WITHOUT_DECISION", 2)) == latest[:2]
    assert store.reconciled("WITHOUT_DECISION", 0) == ()


def test_a_chat_that_was_reconciled_when_it_was_told_never_waits(store: ParticipantStore) -> None:
    record = started("1", ["a"], ["b"])
    told = JournalRecord(
        record.kind,
        record.record_id,
        record.time,
        reconciled(record),
        record.participants,
        decision_id=record.decision_id,
        reconciliation="WITHOUT_DECISION",
        changes=record.changes,
    )
    store.append([told])
    assert store.pending_chats(NOON + 1e3, 10) == ()
    assert names(store.reconciled("WITHOUT_DECISION", 10)) == [record.record_id]


def test_what_is_not_kept_cannot_be_reconciled(store: ParticipantStore) -> None:
    record = started("1", ["a"], ["b"])
    store.reconcile(record.record_id, reconciled(record), "WITHOUT_DECISION")
    assert store.reconciled("WITHOUT_DECISION", 10) == ()
    assert store.find_record(RecordKind.EVENT, record.record_id) is None


def test_a_time_that_is_no_time_is_refused(store: ParticipantStore) -> None:
    with pytest.raises(ValueError, match="finite"):
        store.pending_chats(math.nan, 10)


def test_who_was_erased_does_not_come_back_with_what_was_found_out(
    store: ParticipantStore, told: list[JournalRecord]
) -> None:
    store.erase([hashed("a")], now=NOON + 500.0)
    store.reconcile(told[0].record_id, reconciled(told[0]), "WITHOUT_DECISION")
    (found,) = store.reconciled("WITHOUT_DECISION", 10)
    assert hashed("a").hex().encode() not in found.payload
    assert hashed("p0").hex().encode() in found.payload
