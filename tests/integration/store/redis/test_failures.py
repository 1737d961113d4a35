"""A server that is slow, gone, not there yet, or not what it should be."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.ports import Hold, KeptAnswer
from pairguard.store.redis import RedisStore
from tests.integration.store.redis.conftest import Open
from tests.integration.store.redis.kept_records import TIME, decided, id_of, row_after
from tests.redis_server import RedisServer, free_port

ANSWER = KeptAnswer(b"h" * 16, b"yes", TIME + 60.0)


def test_a_silent_server_costs_the_read_timeout_and_then_nothing(
    own_server: RedisServer, open_store: Open
) -> None:
    store = open_store(own_server.url, read_timeout_seconds=0.05)
    store.append([decided("d1", 1, 2)])
    store.read([[id_of(1)]], now=TIME)
    own_server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Timeout"):
            store.read([[id_of(1)]], now=TIME)
        first = time.monotonic() - began
        began = time.monotonic()
        for _ in range(50):
            with pytest.raises(StoreUnavailable, match="not asked"):
                store.read([[id_of(1)]], now=TIME)
        assert time.monotonic() - began < 0.05
    finally:
        own_server.resume()
    # One attempt: the client library alone would make ten.
    assert 0.05 <= first < 0.5


def test_late_replies_are_never_taken_for_answers_to_something_else(
    own_server: RedisServer, open_store: Open
) -> None:
    store = open_store(own_server.url, read_timeout_seconds=0.05)
    names = {number: decided(f"d{number}", number, 100 + number) for number in range(1, 9)}
    store.append(list(names.values()))
    rows = {number: (row_after(number, record),) for number, record in names.items()}
    store.read([[id_of(1)]], now=TIME)
    for number in range(1, 5):
        own_server.pause()
        with pytest.raises(StoreUnavailable):
            store.read([[id_of(number)]], now=TIME)
        own_server.resume()
        assert eventually_read(store, number + 4) == rows[number + 4]
        assert eventually_read(store, number) == rows[number]


def test_a_server_that_comes_back_is_asked_again_within_the_longest_pause(
    own_server: RedisServer, open_store: Open
) -> None:
    store = open_store(own_server.url)
    store.append([decided("d1", 1, 2)])
    own_server.kill()
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        with pytest.raises(StoreUnavailable):
            store.read([[id_of(1)]], now=TIME)
        time.sleep(0.02)
    own_server.start()
    began = time.monotonic()
    assert eventually_read(store, 1) == (row_after(1, decided("d1", 1, 2)),)
    assert time.monotonic() - began < 1.5


def test_everything_is_unavailable_while_the_server_is_gone(
    own_server: RedisServer, open_store: Open
) -> None:
    store = open_store(own_server.url)
    store.check()
    own_server.kill()
    for call in (
        store.check,
        lambda: store.append([decided("d1", 1, 2)]),
        lambda: store.write_hold([id_of(1)], Hold("REVIEW", TIME)),
        lambda: store.release_holds([id_of(1)], now=TIME, reasons=None),
        lambda: store.keep_answer(b"k", ANSWER, now=TIME),
        lambda: store.find_answer(b"k", now=TIME),
        lambda: store.read_journal("", 1),
        lambda: store.erase([id_of(1)], now=TIME),
        store.statistics,
        store.promises_durability,
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_a_store_opened_before_its_server_works_once_that_is_up(
    open_store: Open, tmp_path: Path
) -> None:
    server = RedisServer()
    try:
        store = open_store(server.url)
        with pytest.raises(StoreUnavailable):
            store.check()
        with pytest.raises(StoreUnavailable):
            _ = store.keys
        server.start()
        store.check()
        assert store.keys.current.check_value
    finally:
        server.remove()


def test_ids_are_hashed_without_the_server_once_there_is_a_key(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    open_store(server.url).check()
    unreachable = open_store(f"redis://127.0.0.1:{free_port()}/0")
    assert unreachable.keys.hash("a") == open_store(server.url).keys.hash("a")


def test_a_full_server_refuses_and_loses_nothing_of_what_it_has(
    own_server: RedisServer, open_store: Open
) -> None:
    store = open_store(own_server.url)
    store.append([decided("d1", 1, 2)])
    client = own_server.client()
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1mb")
    with pytest.raises(StoreUnavailable, match="refuses"):
        store.append([decided("d2", 1, 2)])
    with pytest.raises(StoreUnavailable, match="refuses"):
        store.check()
    assert store.read([[id_of(1)]], now=TIME)[0].rows == (row_after(1, decided("d1", 1, 2)),)
    client.config_set("maxmemory", "0")
    assert store.append([decided("d2", 1, 2)]) == (True,)


def test_a_cell_that_nobody_can_have_written_is_unreadable_and_harms_nobody_else(
    server: RedisServer, store: RedisStore
) -> None:
    store.append([decided("d1", 1, 2), decided("d2", 3, 4)])
    key = f"pg:cell:{{{id_of(1).hex()}}}"
    with server.client() as client:
        client.set(key, client.get(key)[:-5])
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="damaged"):
            store.read([[id_of(1)]], now=TIME)
        assert store.read([[id_of(3)]], now=TIME)[0].rows


def test_a_damaged_row_is_not_overwritten_and_its_records_are_kept(
    server: RedisServer, store: RedisStore
) -> None:
    store.append([decided("d1", 1, 2)])
    key = f"pg:cell:{{{id_of(1).hex()}}}"
    with server.client() as client:
        value = bytearray(client.get(key))
        value[-3] ^= 0xFF
        client.set(key, bytes(value))
    (before,) = store.read([[id_of(1)]], now=TIME)
    assert store.append([decided("d2", 1, 2)]) == (True,)
    assert store.read([[id_of(1)]], now=TIME) == (before,)
    both = row_after(2, decided("d1", 1, 2), decided("d2", 1, 2))
    assert store.read([[id_of(2)]], now=TIME)[0].rows == (both,)
    assert [record.record_id for record in store.read_journal("", 9)] == ["d1", "d2"]


def test_a_closed_store_says_so(store: RedisStore) -> None:
    store.check()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.check()
    with pytest.raises(StoreUnavailable):
        store.read([[id_of(1)]], now=TIME)


FORKER = """
import os, sys
from pathlib import Path
from pairguard.store.redis import RedisStore
from tests.integration.store.redis.kept_records import TIME, id_of
store = RedisStore(sys.argv[1], Path(sys.argv[2]), read_timeout_seconds=5.0)
rows = {number: store.read([[id_of(number)]], now=TIME)[0].rows for number in range(1, 9)}
children = []
for start in range(2):
    child = os.fork()
    if child == 0:
        break
    children.append(child)
else:
    start = 2
for number in list(range(1, 9)) * 50:
    own = (number * (start + 3)) % 8 + 1
    if store.read([[id_of(own)]], now=TIME)[0].rows != rows[own]:
        os._exit(1)
if not children or start < 2:
    os._exit(0)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_forked_workers_do_not_read_each_others_replies(
    server: RedisServer, store: RedisStore, tmp_path: Path
) -> None:
    store.append([decided(f"d{each}", each, 100 + each, time=TIME + each) for each in range(1, 9)])
    arguments = [sys.executable, "-c", FORKER, server.url, str(tmp_path / "identity.key")]
    assert subprocess.run(arguments, timeout=60, check=False).returncode == 0


def test_messages_of_failures_name_no_password(open_store: Open) -> None:
    store = open_store(f"redis://user:unspeakable@127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreUnavailable) as failure:
        store.check()
    assert "unspeakable" not in str(failure.value)


def eventually_read(store: RedisStore, number: int) -> tuple[bytes, ...]:
    deadline = time.monotonic() + 5.0
    while True:
        try:
            return store.read([[id_of(number)]], now=TIME)[0].rows
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.01)
