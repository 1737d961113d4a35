"""Whatever ends in between, each record is in each of its rows once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.history.summary import summarise
from pairguard.store.ports import Hold, HoldChange, JournalRecord, Retention
from pairguard.store.redis import RedisStore
from tests.integration.store.redis.conftest import Open
from tests.integration.store.redis.interruption import interrupt, sever
from tests.integration.store.redis.kept_records import (
    TIME,
    chat_started,
    decided,
    id_of,
    row_after,
)
from tests.redis_server import RedisServer

FOREVER = Retention(1e12, 1e12, 1e12, 1e12)
PEOPLE = range(1, 7)

WRITER = """
import sys, random
from pathlib import Path
from pairguard.errors import StoreUnavailable
from pairguard.store.redis import RedisStore
from tests.integration.store.redis.interruption import interrupt, sever
from tests.integration.store.redis.kept_records import decided
url, key, seed, first, count = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
draw = random.Random(seed)
store = RedisStore(url, key, write_timeout_seconds=5.0)
def tell(text):
    sys.stdout.write(text + "\\n"); sys.stdout.flush()
tell("ready")
sys.stdin.readline()
number = first
while number < first + count:
    names = [f"d{each}" for each in range(number, number + draw.randint(1, 5))]
    # Who takes part follows from the name: another worker that sends it says the same.
    records = []
    for name in names:
        a, b = random.Random(name).sample(range(1, 7), 2)
        records.append(decided(name, a, b))
    try:
        store.append(records)
    except StoreUnavailable:
        continue
    tell(" ".join(names))
    number += len(names)
"""


def start_writer(
    server: RedisServer, key_path: Path, *, seed: int, first: int, count: int
) -> subprocess.Popen[str]:
    arguments = [server.url, str(key_path), str(seed), str(first), str(count)]
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def say_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def acknowledged_by(process: subprocess.Popen[str]) -> set[str]:
    """Return what a writer was promised; a line that a kill cut off does not count."""
    told, _ = process.communicate(timeout=60)
    whole = told.rpartition("\n")[0]
    return set(whole.split())


def recount(store: RedisStore) -> tuple[set[str], Counter[int]]:
    """Return the records of the journal, and in how many of them everybody is."""
    found: set[str] = set()
    counts: Counter[int] = Counter()
    cursor = ""
    while records := store.read_journal(cursor, 500):
        cursor = records[-1].cursor
        for record in records:
            assert record.record_id not in found
            found.add(record.record_id)
            counts.update(random.Random(record.record_id).sample(PEOPLE, 2))
    return found, counts


def counted_in_rows(store: RedisStore) -> Counter[int]:
    kept = store.read([[id_of(number)] for number in PEOPLE], now=TIME + 1.0)
    return Counter(
        {
            number: round(summarise(each.rows, TIME + 1.0).decisions_24h)
            for number, each in zip(PEOPLE, kept, strict=True)
        }
    )


def batch() -> list[JournalRecord]:
    hold = HoldChange((id_of(1),), Hold("REVIEW", TIME))
    first = decided("d1", 1, 2)
    return [
        JournalRecord(
            kind=first.kind,
            record_id=first.record_id,
            time=first.time,
            payload=first.payload,
            participants=first.participants,
            changes=first.changes,
        ),
        decided("d2", 2, 3),
        chat_started(7, 1, 3, decision_id="d1"),
        JournalRecord(
            kind=first.kind,
            record_id="d3",
            time=TIME,
            payload=decided("d3", 1, 3).payload,
            participants=decided("d3", 1, 3).participants,
            changes=decided("d3", 1, 3).changes,
            holds=(hold,),
        ),
    ]


@pytest.mark.parametrize("reply_is_lost", [False, True])
@pytest.mark.parametrize("place", range(5))
def test_an_append_that_breaks_off_anywhere_is_completed_by_sending_it_again(
    server: RedisServer, open_store: Open, place: int, reply_is_lost: bool
) -> None:
    victim, survivor = open_store(server.url), open_store(server.url)
    victim.check()
    sever(victim, place, reply_is_lost=reply_is_lost)
    records = batch()
    try:
        victim.append(records)
    except StoreUnavailable:
        assert place < 4
    assert survivor.append(records) in ((True,) * 4, (False,) * 4)
    assert survivor.append(records) == (False,) * 4
    kept = survivor.read([[id_of(number)] for number in (1, 2, 3)], now=TIME)
    for number, each in zip((1, 2, 3), kept, strict=True):
        touching = [record for record in records if id_of(number) in record.changes]
        assert each.rows == (row_after(number, *touching),)
    assert kept[0].holds == (Hold("REVIEW", TIME),)
    assert [record.record_id for record in survivor.read_journal("", 9)] == [
        record.record_id for record in records
    ]
    assert len(survivor.events_of("d1")) == 1


@pytest.mark.parametrize("place", range(1, 4))
def test_what_a_worker_left_unfinished_is_completed_without_being_sent_again(
    server: RedisServer, open_store: Open, place: int
) -> None:
    victim, survivor = open_store(server.url), open_store(server.url)
    victim.check()
    sever(victim, place, reply_is_lost=True)
    records = batch()[:3]
    with pytest.raises(StoreUnavailable):
        victim.append(records)
    survivor.purge(now=TIME, retention=FOREVER)
    for number in (1, 2, 3):
        (each,) = survivor.read([[id_of(number)]], now=TIME)
        touching = [record for record in records if id_of(number) in record.changes]
        assert each.rows == (row_after(number, *touching),)
    assert not server.client().zcard("pg:{journal}:unfinished")


@pytest.mark.parametrize("place", range(1, 4))
def test_a_slow_worker_whose_work_was_done_by_another_doubles_nothing(
    server: RedisServer, open_store: Open, place: int
) -> None:
    slow, quick = open_store(server.url), open_store(server.url)
    slow.check()
    interrupt(slow, place, lambda: quick.purge(now=TIME, retention=FOREVER))
    records = batch()[:3]
    assert slow.append(records) == (True,) * 3
    quick.append([decided("d9", 5, 6)])
    for number in (1, 2, 3):
        (each,) = slow.read([[id_of(number)]], now=TIME)
        touching = [record for record in records if id_of(number) in record.changes]
        assert each.rows == (row_after(number, *touching),)


def test_the_next_append_of_anybody_completes_what_was_left_long_ago(
    server: RedisServer, open_store: Open
) -> None:
    victim, survivor = open_store(server.url), open_store(server.url)
    victim.check()
    sever(victim, 1, reply_is_lost=True)
    with pytest.raises(StoreUnavailable):
        victim.append([decided("d1", 1, 2)])
    survivor.append([decided("d2", 4, 5)])
    assert survivor.read([[id_of(1)]], now=TIME)[0].rows == ()
    time.sleep(2.1)
    survivor.append([decided("d3", 4, 5)])
    assert survivor.read([[id_of(1)]], now=TIME)[0].rows == (row_after(1, decided("d1", 1, 2)),)


def test_threads_that_touch_the_same_rows_count_everything_once(store: RedisStore) -> None:
    def write(thread: int) -> None:
        for number in range(40):
            # Every second record is sent by two threads.
            name = f"d{thread // (1 + number % 2)}-{number}"
            a, b = random.Random(name).sample(PEOPLE, 2)
            store.append([decided(name, a, b)])

    store.check()
    threads = [threading.Thread(target=write, args=(each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, counts = recount(store)
    assert len(found) == 4 * 20 + 2 * 20
    assert counted_in_rows(store) == counts


def test_killed_workers_lose_and_double_nothing_that_was_acknowledged(
    server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    store = open_store(server.url)
    store.check()
    key_path = tmp_path / "identity.key"
    acknowledged: set[str] = set()
    # Two at a time send the same decisions; one of them is killed at some moment.
    for turn in range(3):
        pair = [
            start_writer(server, key_path, seed=2 * turn + each, first=1000 * turn, count=150)
            for each in range(2)
        ]
        for process in pair:
            say_go(process)
        time.sleep(0.15 + 0.1 * turn)
        pair[0].kill()
        for process in pair:
            acknowledged |= acknowledged_by(process)
    store.purge(now=TIME, retention=FOREVER)
    found, counts = recount(store)
    assert len(acknowledged) >= 450
    assert acknowledged <= found
    assert counted_in_rows(store) == counts


def test_a_killed_server_keeps_and_counts_once_what_was_acknowledged(
    own_server: RedisServer, open_store: Open, tmp_path: Path
) -> None:
    store = open_store(own_server.url)
    store.check()
    assert store.promises_durability()
    key_path = tmp_path / "identity.key"
    writers = [
        start_writer(own_server, key_path, seed=each, first=1000 * each, count=200)
        for each in range(2)
    ]
    for process in writers:
        say_go(process)
    for _ in range(3):
        time.sleep(0.25)
        own_server.kill()
        own_server.start()
    acknowledged: set[str] = set()
    for process in writers:
        acknowledged |= acknowledged_by(process)
        assert process.returncode == 0
    store.purge(now=TIME, retention=FOREVER)
    found, counts = recount(store)
    assert len(acknowledged) >= 400
    assert acknowledged <= found
    assert counted_in_rows(store) == counts
