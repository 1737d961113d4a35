"""A cluster of three nodes: every step that must be one lies in one slot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.ports import (
    ErasureStatus,
    Hold,
    KeptAnswer,
    RecordKind,
    Retention,
)
from pairguard.store.redis import RedisStore
from tests.integration.store.redis.kept_records import (
    DAY,
    TIME,
    chat_started,
    decided,
    id_of,
    row_after,
)
from tests.redis_server import RedisServer, running_cluster


@pytest.fixture(scope="module")
def nodes() -> Iterator[Sequence[RedisServer]]:
    with running_cluster() as running:
        yield running


@pytest.fixture
def store(nodes: Sequence[RedisServer], tmp_path: Path) -> Iterator[RedisStore]:
    for node in nodes:
        node.client().flushall()
    opened = RedisStore(
        f"redis+cluster://127.0.0.1:{nodes[1].port}",
        tmp_path / "identity.key",
        connect_timeout_seconds=1.0,
        read_timeout_seconds=1.0,
        write_timeout_seconds=5.0,
    )
    yield opened
    opened.close()


def test_every_call_works_over_all_nodes(store: RedisStore, nodes: Sequence[RedisServer]) -> None:
    people = range(1, 31)
    records = [decided(f"d{each}", each, each + 1) for each in people]
    records += [chat_started(each, each, each + 1, decision_id=f"d{each}") for each in people]
    store.check()
    assert store.promises_durability()
    assert all(store.append(records))
    assert not any(store.append(records))
    assert all(node.client().dbsize() > 5 for node in nodes)

    kept = store.read([[id_of(each)] for each in people], now=TIME)
    for number, each in zip(people, kept, strict=True):
        touching = [record for record in records if id_of(number) in record.changes]
        assert each.rows == (row_after(number, *touching),)

    ids = [id_of(each) for each in range(1, 6)]
    store.write_hold(ids, Hold("REVIEW", TIME))
    assert store.read([ids], now=TIME)[0].holds == (Hold("REVIEW", TIME),)
    assert store.release_holds(ids, now=TIME + 1.0, reasons=None) == 5

    answer = KeptAnswer(b"h" * 16, b"yes", TIME + 60.0)
    assert store.keep_answer(b"k", answer, now=TIME) == answer
    assert store.find_answer(b"k", now=TIME) == answer

    assert len(store.read_journal("", 100)) == 60
    store.confirm_export("exporter", store.read_journal("", 7)[-1].cursor)
    assert len(store.read_journal(store.exported_to("exporter"), 100)) == 53
    assert len(store.events_of("d3")) == 1
    (pending, *_) = store.pending_chats(TIME + 1.0, 50)
    store.reconcile(pending.record_id, pending.payload, "AS_DECIDED")
    assert [each.record_id for each in store.reconciled("AS_DECIDED", 9)] == [pending.record_id]

    erasure = store.erase([id_of(3)], now=TIME + 2.0)
    assert erasure.status is ErasureStatus.ERASED
    assert erasure.unlinked_records == 4
    statistics = store.statistics()
    assert statistics.rows == 30
    assert statistics.records[RecordKind.EVENT] == 30
    report = store.purge(
        now=TIME + 30.0 * DAY, retention=Retention(DAY, 400.0 * DAY, DAY, 400.0 * DAY)
    )
    assert report.records[RecordKind.DECISION] == 30
    assert report.records[RecordKind.EVENT] == 0


def test_slots_that_move_to_another_node_are_followed(
    store: RedisStore, nodes: Sequence[RedisServer]
) -> None:
    store.append([decided("d1", 1, 2)])
    slot = int(nodes[0].client().execute_command("CLUSTER KEYSLOT", f"{{{id_of(1).hex()}}}"))
    owner = next(
        node for node in nodes if node.client().execute_command("CLUSTER COUNTKEYSINSLOT", slot)
    )
    taker = next(node for node in nodes if node is not owner)
    names = {
        node.port: node.client().execute_command("CLUSTER MYID").decode() for node in (owner, taker)
    }
    taker.client().execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[owner.port])
    owner.client().execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[taker.port])
    for key in owner.client().execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
        owner.client().execute_command("MIGRATE", "127.0.0.1", taker.port, key, 0, 5000)
    # On the way: the old owner points to the new one for each key that it has not got.
    assert store.read([[id_of(1)]], now=TIME)[0].rows == (row_after(1, decided("d1", 1, 2)),)
    assert store.append([decided("d2", 1, 2)]) == (True,)
    for node in (taker, owner):
        node.client().execute_command("CLUSTER SETSLOT", slot, "NODE", names[taker.port])
    both = row_after(1, decided("d1", 1, 2), decided("d2", 1, 2))
    assert store.read([[id_of(1)]], now=TIME)[0].rows == (both,)
    assert store.append([decided("d3", 1, 2)]) == (True,)


def test_a_cluster_that_lost_a_node_is_unavailable_and_not_empty(
    store: RedisStore, nodes: Sequence[RedisServer]
) -> None:
    store.append([decided(f"d{each}", each, each + 1) for each in range(1, 30)])
    nodes[2].pause()
    try:
        with pytest.raises(StoreUnavailable):
            store.read([[id_of(each)] for each in range(1, 30)], now=TIME)
    finally:
        nodes[2].resume()
