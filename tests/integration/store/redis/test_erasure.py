"""Erasing somebody while others write, and erasing that breaks off."""

from __future__ import annotations

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.ports import ErasureStatus, Retention
from pairguard.store.redis import RedisStore
from tests.integration.store.redis.conftest import Open
from tests.integration.store.redis.interruption import interrupt, sever
from tests.integration.store.redis.kept_records import (
    DAY,
    TIME,
    chat_started,
    decided,
    id_of,
)
from tests.redis_server import RedisServer

FOREVER = Retention(1e12, 1e12, 1e12, 1e12)
LATER = TIME + 10.0


def everything(server: RedisServer) -> bytes:
    """Return all that the server keeps but for the names of the cells and references."""
    client = server.client()
    parts: list[bytes] = []
    for key in client.scan_iter():
        if key.startswith((b"pg:cell:", b"pg:references:")):
            parts += [client.get(key) or b""] if key.startswith(b"pg:cell:") else []
        else:
            parts += [key, client.dump(key)]
            if client.type(key) == b"string":
                parts.append(client.get(key))
    return b"\n".join(parts)


def is_nowhere(server: RedisServer, number: int) -> bool:
    kept = everything(server)
    return id_of(number) not in kept and id_of(number).hex().encode() not in kept


@pytest.mark.parametrize("reply_is_lost", [False, True])
@pytest.mark.parametrize("place", range(16))
def test_an_erasure_that_breaks_off_anywhere_is_completed_by_the_purge(
    server: RedisServer, open_store: Open, place: int, reply_is_lost: bool
) -> None:
    victim, survivor = open_store(server.url), open_store(server.url)
    victim.append([decided("d1", 1, 2), chat_started(7, 1, 3), decided("d2", 2, 3)])
    sever(victim, place, reply_is_lost=reply_is_lost)
    try:
        victim.erase([id_of(1)], now=LATER)
    except StoreUnavailable:
        survivor.purge(now=LATER, retention=FOREVER)
        if place < 2:
            # Nothing was written down yet; whoever asked was told, and asks again.
            survivor.erase([id_of(1)], now=LATER)
    assert survivor.read([[id_of(1)]], now=LATER)[0].rows == ()
    assert is_nowhere(server, 1)
    assert not is_nowhere(server, 2)
    assert len(survivor.read_journal("", 9)) == 3
    assert survivor.statistics().delayed_erasures == 0


@pytest.mark.parametrize("place", range(4))
def test_who_is_erased_during_an_append_stays_erased(
    server: RedisServer, open_store: Open, place: int
) -> None:
    writer, eraser = open_store(server.url), open_store(server.url)
    writer.append([decided("d1", 1, 2)])
    interrupt(writer, place, lambda: eraser.erase([id_of(1)], now=LATER))
    writer.append([chat_started(7, 1, 3), decided("d2", 1, 2)])
    assert writer.read([[id_of(1)]], now=LATER)[0].rows == ()
    assert is_nowhere(server, 1)
    assert len(writer.read_journal("", 9)) == 3
    # What is not about the erased one is counted all the same.
    assert writer.read([[id_of(3)]], now=LATER)[0].rows


def test_who_is_erased_while_a_chat_is_reconciled_does_not_come_back(
    server: RedisServer, open_store: Open
) -> None:
    store, eraser = open_store(server.url), open_store(server.url)
    for place in range(4):
        a, b, chat = 10 * place + 1, 10 * place + 2, 700 + place
        store.append([chat_started(chat, a, b)])
        (pending,) = store.pending_chats(LATER, 9)
        other = open_store(server.url)
        other.check()
        erase = lambda a=a: eraser.erase([id_of(a)], now=LATER)  # noqa: E731 - by its place
        interrupt(other, place, erase)
        other.reconcile(pending.record_id, pending.payload, "AS_DECIDED")
        assert is_nowhere(server, a)
        assert store.pending_chats(LATER, 9) == ()
    assert len(store.reconciled("AS_DECIDED", 9)) == 4


def test_whom_only_a_row_remembers_is_taken_out_of_it(
    server: RedisServer, store: RedisStore
) -> None:
    store.append([chat_started(7, 1, 2)])
    store.purge(now=TIME + 5.0, retention=Retention(1.0, 1.0, 1.0, 400.0 * DAY))
    assert store.read_journal("", 9) == ()
    assert id_of(1).hex().encode() in everything(server)
    outcome = store.erase([id_of(1)], now=LATER)
    assert outcome.status is ErasureStatus.ERASED
    assert outcome.unlinked_records == 0
    assert is_nowhere(server, 1)


def test_who_comes_back_is_remembered_anew(store: RedisStore) -> None:
    store.append([decided("d1", 1, 2)])
    store.erase([id_of(1)], now=LATER)
    store.append([decided("d2", 1, 2, time=LATER), decided("d3", 1, 2, time=LATER - 1.0)])
    (kept,) = store.read([[id_of(1)]], now=LATER)
    assert len(kept.rows) == 1
    assert store.erase([id_of(1)], now=LATER + 5.0).unlinked_records == 1


def test_traces_of_an_erasure_go_once_nothing_can_be_on_its_way(
    server: RedisServer, store: RedisStore
) -> None:
    store.append([decided("d1", 1, 2)])
    store.erase([id_of(1)], now=LATER)
    key = f"pg:cell:{{{id_of(1).hex()}}}"
    store.purge(now=LATER + 7.0 * DAY, retention=FOREVER)
    assert server.client().exists(key)
    store.purge(now=LATER + 8.0 * DAY, retention=FOREVER)
    assert not server.client().exists(key)
