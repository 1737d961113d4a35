"""The identity key of a server that several machines share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import write_new_key
from tests.integration.store.redis.conftest import Open
from tests.integration.store.redis.kept_records import TIME, decided, id_of
from tests.redis_server import RedisServer

OPENER = """
import sys
from pathlib import Path
from pairguard.errors import StoreUnavailable
from pairguard.store.redis import RedisStore
store = RedisStore(sys.argv[1], Path(sys.argv[2]), write_timeout_seconds=5.0)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
try:
    store.check()
    print(store.keys.current.check_value.hex())
except StoreUnavailable as error:
    print("refused")
"""


def opened_together(server: RedisServer, key_paths: list[Path]) -> list[str]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, server.url, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for path in key_paths
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    return [process.communicate("go\n", timeout=30)[0].strip() for process in processes]


def test_workers_of_one_machine_that_start_together_make_one_key(
    server: RedisServer, tmp_path: Path
) -> None:
    checks = opened_together(server, [tmp_path / "identity.key"] * 4)
    assert len(set(checks)) == 1
    assert len(checks[0]) == 32
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "identity.key",
        "identity.key.store",
    ]


def test_of_machines_that_start_together_one_makes_the_key_and_no_other_keeps_one(
    server: RedisServer, tmp_path: Path
) -> None:
    paths = [tmp_path / name / "identity.key" for name in ("one", "two", "three")]
    for path in paths:
        path.parent.mkdir()
    answers = opened_together(server, paths)
    assert sorted(len(each) for each in answers) == [7, 7, 32]
    assert len([path for path in paths if path.exists()]) == 1
    assert len([*tmp_path.rglob("*.new")]) == 0


def test_a_machine_that_was_given_the_key_is_let_in(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.key", tmp_path / "second.key"
    open_store(server.url, key_path=first).check()
    with pytest.raises(StoreUnavailable, match="restore it from the backup"):
        open_store(server.url, key_path=second).check()
    shutil.copy(first, second)
    open_store(server.url, key_path=second).check()


def test_another_key_is_refused_and_left_as_it_is(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    other = tmp_path / "other.key"
    write_new_key(other)
    content = other.read_bytes()
    open_store(server.url).check()
    store = open_store(server.url, key_path=other)
    with pytest.raises(StoreUnavailable, match="another key"):
        store.read([[id_of(1)]], now=TIME)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="another key"):
            store.append([decided("d1", 1, 2)])
    assert other.read_bytes() == content
    assert server.client().keys("pg:cell:*") == []


def test_a_key_that_was_handed_in_belongs_to_a_new_store(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    keys = write_new_key(tmp_path / "identity.key")
    store = open_store(server.url)
    store.check()
    assert store.keys.current.check_value == keys.current.check_value


def test_a_key_whose_maker_ended_before_it_had_its_name_is_found_again(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    path = tmp_path / "identity.key"
    open_store(server.url).check()
    path.rename(path.with_name("identity.key.new"))
    open_store(server.url).check()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "identity.key",
        "identity.key.store",
    ]


def test_a_server_that_was_emptied_while_in_use_is_not_taken_for_one_without_holds(
    server: RedisServer, open_store: Open
) -> None:
    store = open_store(server.url)
    store.append([decided("d1", 1, 2)])
    server.client().flushall()
    with pytest.raises(StoreUnavailable, match="empty although it was in use"):
        store.read([[id_of(1)]], now=TIME)
    with pytest.raises(StoreUnavailable):
        store.append([decided("d2", 1, 2)])
    assert server.client().dbsize() == 0


def test_an_emptied_server_is_not_begun_anew_by_whoever_starts_next(
    server: RedisServer, open_store: Open
) -> None:
    open_store(server.url).append([decided("d1", 1, 2)])
    server.client().flushall()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="empty although it was in use"):
            open_store(server.url).check()
    assert server.client().dbsize() == 0


def test_a_machine_that_begins_an_emptied_server_anew_takes_no_other_with_it(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    store = open_store(server.url)
    store.append([decided("d1", 1, 2)])
    server.client().flushall()
    second = tmp_path / "second" / "identity.key"
    second.parent.mkdir()
    shutil.copy(tmp_path / "identity.key", second)
    open_store(server.url, key_path=second).check()
    for each in (store, open_store(server.url)):
        with pytest.raises(StoreUnavailable, match="begun anew"):
            each.check()
        with pytest.raises(StoreUnavailable):
            each.append([decided("d2", 1, 2)])
    (tmp_path / "identity.key.store").unlink()
    open_store(server.url).check()


def test_the_same_store_on_another_server_is_recognised(
    server: RedisServer, open_store: Open
) -> None:
    open_store(server.url).append([decided("d1", 1, 2)])
    client = server.client()
    copy = {key: client.dump(key) for key in client.keys("*")}
    client.flushall()
    for key, content in copy.items():
        client.restore(key, 0, content)
    open_store(server.url).append([decided("d2", 1, 2)])


def test_what_a_newer_program_made_its_own_is_refused(
    server: RedisServer, open_store: Open
) -> None:
    open_store(server.url).check()
    client = server.client()
    key = "pg:{journal}:identity"
    text = client.get(key).replace(
        b'"oldest_compatible_version": 1', b'"oldest_compatible_version": 2'
    )
    client.set(key, text)
    with pytest.raises(StoreUnavailable, match="update it"):
        open_store(server.url).check()


def test_what_a_newer_program_left_compatible_is_used(
    server: RedisServer, open_store: Open
) -> None:
    store = open_store(server.url)
    store.append([decided("d1", 1, 2)])
    client = server.client()
    key = "pg:{journal}:identity"
    client.set(key, client.get(key).replace(b'"schema_version": 1', b'"schema_version": 2'))
    assert store.read([[id_of(1)]], now=TIME)[0].rows
    assert store.append([decided("d2", 1, 2)]) == (True,)
    assert b'"schema_version": 2' in client.get(key)


def test_a_new_key_is_remembered_and_the_retired_one_may_not_leave(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    path = tmp_path / "identity.key"
    open_store(server.url).check()
    first, second = path.read_bytes(), bytes(range(32))
    running = open_store(server.url)
    running.check()
    # Behind the current one on all machines first, then before it.
    path.write_bytes(first + second)
    open_store(server.url).check()
    path.write_bytes(second + first)
    open_store(server.url).check()
    running.check()
    assert len(running.keys.retired) == 1
    path.write_bytes(second)
    with pytest.raises(StoreUnavailable, match="retired"):
        open_store(server.url).check()
    path.write_bytes(first)
    with pytest.raises(StoreUnavailable, match="retired"):
        open_store(server.url).check()
