"""A store that cannot answer says so, and one that is damaged never says less than it knows."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.history.summary import summarise
from pairguard.store.ports import Hold, KeptAnswer, ParticipantStore, RecordKind, Retention
from tests.contract.store.adapters import Harness, opened
from tests.contract.store.told import chats, decided, held, summary
from tests.integration.store.meetings import NOON, hashed, started

A, B = [hashed("a")], [hashed("b")]
KEY = bytes(16)
CURSORS = {"sqlite": "0" * 20, "redis": "0" * 16}
CALLS: dict[str, Callable[[ParticipantStore], object]] = {
    "read": lambda store: store.read([A, B], now=0.0),
    "write_hold": lambda store: store.write_hold(A, Hold("REVIEW", 0.0)),
    "release_holds": lambda store: store.release_holds(A, now=0.0, reasons=None),
    "append": lambda store: store.append([started("new", ["c"], ["d"])]),
    "keep_answer": lambda store: store.keep_answer(KEY, KeptAnswer(KEY, b"", 9.0), now=0.0),
    "find_answer": lambda store: store.find_answer(KEY, now=0.0),
    "find_record": lambda store: store.find_record(RecordKind.EVENT, "x"),
    "find_records": lambda store: store.find_records(RecordKind.EVENT, ["x"]),
    "events_of": lambda store: store.events_of("x"),
    "read_journal": lambda store: store.read_journal("", 1),
    "exported_to": lambda store: store.exported_to("audit"),
    "pending_chats": lambda store: store.pending_chats(0.0, 1),
    "reconcile": lambda store: store.reconcile("x", started("1", ["a"], ["b"]).payload, "X"),
    "reconciled": lambda store: store.reconciled("X", 1),
    "erase": lambda store: store.erase([hashed("e")], now=0.0),
    "imported_end": lambda store: store.imported_end("one"),
    "import_records": lambda store: store.import_records("one", 0, 9, [decided("d", ["c"], ["d"])]),
    "forget_segment": lambda store: store.forget_segment("one"),
    "purge": lambda store: store.purge(now=0.0, retention=Retention(1e9, 1e9, 1e9, 1e9)),
    "statistics": lambda store: store.statistics(),
    "check": lambda store: store.check(),
    "promises_durability": lambda store: store.promises_durability(),
}


def test_every_call_of_the_port_is_tried() -> None:
    # What is left out has no argument that is right for every store.
    port = {name for name in vars(ParticipantStore) if not name.startswith("_")}
    assert port - set(CALLS) == {"keys", "close", "confirm_export"}


def test_the_stores_of_this_suite_promise_durability(store: ParticipantStore) -> None:
    assert store.promises_durability()


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_store_is_unavailable(store: ParticipantStore, call: str) -> None:
    store.check()
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable):
        CALLS[call](store)


@pytest.mark.parametrize("call", CALLS)
def test_a_broken_store_is_unavailable_until_it_recovers(
    harness: Harness, store: ParticipantStore, call: str
) -> None:
    store.append([started("1", ["a"], ["b"])])
    store.write_hold([hashed("held")], Hold("REVIEW", 1.0))
    harness.break_down()
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as caught:
                CALLS[call](store)
            assert caught.value.reason == "STORE_UNAVAILABLE"
    finally:
        harness.recover()
    deadline = time.monotonic() + 10.0
    while True:
        try:
            CALLS[call](store)
            break
        except StoreUnavailable:
            # It may pause for a moment before it asks again.
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert held(store, "held") == (Hold("REVIEW", 1.0),)
    assert chats(store, "b") == 1.0


def test_what_could_not_be_appended_can_be_sent_again(
    harness: Harness, store: ParticipantStore
) -> None:
    records = [started(f"{number}", ["a"], ["b"]) for number in range(5)]
    store.append(records[:2])
    harness.break_down()
    try:
        with pytest.raises(StoreUnavailable):
            store.append(records)
    finally:
        harness.recover()
    again = opened(harness.location)
    assert again.append(records) == (False, False, True, True, True)
    assert chats(again, "a") == 5.0
    again.close()


def test_keys_are_the_same_for_every_handle(harness: Harness, store: ParticipantStore) -> None:
    other = opened(harness.location)
    assert store.keys.hashes(["x"]) == other.keys.hashes(["x"])
    other.close()


def unreadable(store: ParticipantStore, *ids: bytes) -> bool:
    """Return whether nobody can take what is kept for the whole of it."""
    try:
        (kept,) = store.read([ids], now=NOON + 60.0)
        summarise(kept.rows, NOON + 60.0)
    except (StoreUnavailable, ValueError):
        return True
    return False


def test_a_damaged_row_is_never_taken_for_an_empty_one(
    harness: Harness, store: ParticipantStore
) -> None:
    store.append([started("1", ["a", "phone"], ["b"])])
    assert not unreadable(store, *A)
    store.close()
    harness.damage_row(hashed("a"))
    again = opened(harness.location)
    assert unreadable(again, *A)
    assert unreadable(again, hashed("fresh session"), *A)
    # Neither is anybody else's.
    assert chats(again, "phone") == chats(again, "b") == 1.0
    again.close()


def test_records_go_on_where_a_row_is_damaged(harness: Harness, store: ParticipantStore) -> None:
    store.append([started("1", ["a"], ["b"])])
    store.close()
    harness.damage_row(hashed("a"))
    again = opened(harness.location)
    assert again.append([started("2", ["a"], ["b"]), started("3", ["b"], ["c"])]) == (True, True)
    assert (chats(again, "b"), chats(again, "c")) == (3.0, 1.0)
    assert unreadable(again, *A)
    again.close()


def test_holds_on_a_damaged_row_can_be_written_and_it_can_be_erased(
    harness: Harness, store: ParticipantStore
) -> None:
    store.append([started("1", ["a"], ["b"])])
    store.close()
    harness.damage_row(hashed("a"))
    again = opened(harness.location)
    again.write_hold(A, Hold("REVIEW", float(NOON)))
    again.erase(A, now=NOON + 60.0)
    assert held(again, "a", now=NOON + 60.0) == (Hold("REVIEW", float(NOON)),)
    assert summary(again, "a").signals is None
    again.close()
