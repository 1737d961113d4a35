"""A record whose value in Redis is not as it was written is named and in nobody's way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pairguard.store.ports import ErasureStatus, RecordKind, Retention
from pairguard.store.records import record_of
from pairguard.store.redis import RedisStore
from pairguard.store.redis.entries import UNREADABLE, cursor_of
from tests.integration.store.redis.kept_records import DAY, TIME, chat_started, decided, id_of
from tests.redis_server import RedisServer

KEY = b"pg:{journal}:decision:d2"
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "number": lambda value: b"?" + value[1:],
    "lengths": lambda value: value[:24] + b"\xff\xff\xff" + value[27:],
    "time": lambda value: value[:16] + b"\xff" * 8 + value[24:],
    "cut off": lambda value: value[:20],
    "empty": lambda _: b"",
}


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, server: RedisServer, store: RedisStore) -> RedisStore:
    """Keep three decisions and an event, and damage the second decision."""
    store.append([decided("d1", 1, 2), decided("d2", 1, 3), decided("d3", 1, 4)])
    store.append([chat_started(1, 1, 2, decision_id="d2")])
    with server.client() as client:
        client.set(KEY, DAMAGES[request.param](client.get(KEY)))
    return store


def test_who_reads_the_journal_finds_it_in_its_place_and_goes_on(damaged: RedisStore) -> None:
    found = damaged.read_journal("", 10)
    assert [each.record_id for each in found[:3]] == ["d1", "d2", "d3"]
    assert [each.cursor for each in found] == [cursor_of(number) for number in range(1, 5)]
    assert found[1].payload == UNREADABLE
    with pytest.raises(ValueError, match="no record"):
        record_of(RecordKind.DECISION, found[1].payload)
    assert record_of(RecordKind.DECISION, found[2].payload).record_id == "d3"
    # From one to the next, as an export that is done in parts.
    assert damaged.read_journal(found[0].cursor, 1) == (found[1],)
    assert damaged.read_journal(found[1].cursor, 1) == (found[2],)


def test_it_is_told_apart_from_one_that_is_not_kept(damaged: RedisStore) -> None:
    found = damaged.find_records(RecordKind.DECISION, ["d1", "d2", "gone"])
    assert set(found) == {"d1", "d2"}
    assert found["d2"].payload == UNREADABLE
    assert found["d1"].payload != UNREADABLE


def test_told_again_it_is_a_repetition_and_refuses_nobody_else(damaged: RedisStore) -> None:
    again = [decided("d2", 1, 3), decided("d5", 1, 5), decided("d5", 1, 5)]
    assert damaged.append(again) == (False, True, False)


def test_retention_forgets_it_with_the_others(damaged: RedisStore) -> None:
    days = Retention(DAY, DAY, DAY, DAY)
    report = damaged.purge(now=TIME + 2 * DAY, retention=days)
    assert report.records[RecordKind.DECISION] == 3
    assert damaged.read_journal("", 10) == ()


def test_whoever_it_speaks_of_can_be_erased(damaged: RedisStore) -> None:
    assert damaged.erase([id_of(3)], now=TIME + 1.0).status is ErasureStatus.ERASED
    # What cannot be read cannot be unlinked, and is not kept.
    assert damaged.find_record(RecordKind.DECISION, "d2") is None
    assert [each.record_id for each in damaged.read_journal("", 2)] == ["d1", "d3"]
