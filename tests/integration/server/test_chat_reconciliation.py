"""Chats that started beside their decisions: a bypass is counted, told and found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pairguard.server.journal_reading import JournalReading
from pairguard.store.opening import sqlite_path
from pairguard.store.sqlite import SqliteStore
from pairguard.v1.journal_pb2 import EventRecord
from tests.domain import NOW
from tests.integration.server.platform_calls import (
    Clock,
    allowed,
    bare,
    decide,
    happened,
    import_decisions,
    pair,
    record,
    started,
    statuses,
)
from tests.integration.server.running_server import Running, lenient_policy, serving, until

NAMES = ("AS_DECIDED", "WITHOUT_DECISION", "AGAINST_DECISION", "AFTER_EXPIRY")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server(
    bundle: Path, tmp_path_factory: pytest.TempPathFactory, clock: Clock
) -> Iterator[Running]:
    with serving(
        bundle, tmp_path_factory.mktemp("chats"), policy=lenient_policy(), clock=clock
    ) as running:
        yield running


def counts(server: Running) -> dict[str, float]:
    """Return how many chats were counted by how they agree, the zeros left out."""
    found = {
        name: server.metric("pairguard_chats_started_total", reconciliation=name) for name in NAMES
    }
    return {name: count for name, count in found.items() if count}


def counted(server: Running, name: str, before: dict[str, float]) -> bool:
    """Return whether exactly one chat more is counted, under this name."""
    return counts(server) == before | {name: before.get(name, 0) + 1}


def store_of(server: Running) -> SqliteStore:
    path = sqlite_path(server.settings.store)
    assert path is not None
    return SqliteStore(path)


def test_a_chat_as_it_was_decided(server: Running) -> None:
    decision, before = allowed(server, "a1", "a2"), counts(server)
    # The two may be told in the other order.
    start = started("a", "a2", "a1", decision=decision)

    happened(server, start)
    assert statuses(record(server, start)) == ["DUPLICATE"]

    assert counted(server, "AS_DECIDED", before)


def test_a_chat_under_a_linked_id_of_its_decision(server: Running) -> None:
    request = pair("l1", "l2")
    request.participant_a.linked_ids.append("l1-phone")
    before, decision = counts(server), decide(server, request).decision_id
    start = started("l", "l1-other", "l2", decision=decision)
    start.chat_started.participant_a.linked_ids.append("l1-phone")

    happened(server, start)

    assert counted(server, "AS_DECIDED", before)


def test_a_chat_without_a_decision(server: Running) -> None:
    before = counts(server)
    happened(server, started("w", "w1", "w2"))
    assert counted(server, "WITHOUT_DECISION", before)


def test_a_chat_although_its_decision_was_no_allow(server: Running) -> None:
    answer, before = decide(server, pair(bare("n1"), bare("n2"))), counts(server)
    happened(server, started("n", "n1", "n2", decision=answer.decision_id))
    assert counted(server, "AGAINST_DECISION", before)


@pytest.mark.parametrize("other", ["o3", "o1"])
def test_a_chat_of_others_than_its_decision_was_for(server: Running, other: str) -> None:
    decision, before = allowed(server, "o1", "o2"), counts(server)
    happened(server, started(f"o-{other}", other, "o4", decision=decision))
    assert counted(server, "AGAINST_DECISION", before)


def test_a_chat_after_its_decision_had_expired(server: Running, clock: Clock) -> None:
    for chat, late, told, name in (
        ("e1", 59.0, None, "AS_DECIDED"),
        ("e2", 61.0, None, "AFTER_EXPIRY"),
        # What counts is when it started, also where that is told late.
        ("e3", 300.0, 30.0, "AS_DECIDED"),
        ("e4", 300.0, 90.0, "AFTER_EXPIRY"),
    ):
        decision, before, time = allowed(server, chat, f"{chat}x"), counts(server), clock.now
        clock.now += late
        happened(
            server,
            started(
                chat,
                chat,
                f"{chat}x",
                decision=decision,
                time=None if told is None else time + told,
            ),
        )
        assert counted(server, name, before), chat


def reading_of(running: Running, store: SqliteStore, *, is_imported: bool = True) -> JournalReading:
    return JournalReading(store, running.application.metrics, flush=lambda _: is_imported)


def test_a_chat_waits_for_a_decision_that_is_on_its_way(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        store = store_of(server)
        never = "f" * 32
        happened(
            server,
            started("never", "a", "c", decision=never),
            started("other-form", "a", "d", decision="platform-decision-7"),
        )
        assert counts(server) == {}
        reading = reading_of(server, store)

        assert reading.reconcile_pending(clock.now + 59) == 0
        # Nobody is called a bypass while decisions cannot be imported here.
        assert reading_of(server, store, is_imported=False).reconcile_pending(NOW + 3_600) == 0
        assert counts(server) == {}
        assert reading.reconcile_pending(clock.now + 61) == 2
        assert reading.reconcile_pending(clock.now + 61) == 0
        assert counts(server) == {"WITHOUT_DECISION": 2}

        found = [
            EventRecord.FromString(each.payload)
            for each in store.reconciled("WITHOUT_DECISION", 10)
        ]
        assert {each.event.decision_id for each in found} >= {never}
        assert reading.last_chat_time() == NOW
        store.close()


def test_a_chat_is_compared_with_a_decision_that_came_late(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        store = store_of(server)
        decision = allowed(server, "a", "b")
        import_decisions(server)
        # Its record is on its way from another machine.
        happened(server, started("c", "a", "b", decision="e" * 32))
        path = sqlite_path(server.settings.store)
        assert path is not None
        with sqlite3.connect(path) as connection:
            connection.execute(
                "UPDATE records SET record_id = ? WHERE record_id = ?", ("e" * 32, decision)
            )
        connection.close()

        assert reading_of(server, store).reconcile_pending(NOW + 61) == 1

        assert counts(server) == {"AS_DECIDED": 1}
        store.close()


def test_a_server_looks_again_for_decisions_that_were_not_found(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        happened(server, started("c", "a", "b", decision="e" * 32))
        assert counts(server) == {}
    clock.now += 61
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        assert until(lambda: counts(server) == {"WITHOUT_DECISION": 1})
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        assert statuses(record(server, started("c2", "a", "b"))) == ["RECORDED"]
        assert counts(server) == {"WITHOUT_DECISION": 1}
