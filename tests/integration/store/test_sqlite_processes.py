"""Several processes on one database file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pairguard.history.summary import summarise
from pairguard.store.ports import Hold
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite.verification import verify_rows
from tests.integration.store.meetings import NOON, ended, hashed, started

ROOT = Path(__file__).parents[3]
A, B, C = [hashed("a")], [hashed("b")], [hashed("c")]

WRITER = """
import sys
from pathlib import Path
from pairguard.store.ports import Hold
from pairguard.store.sqlite import SqliteStore
from tests.integration.store.meetings import hashed
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = SqliteStore(path, busy_timeout_seconds=5.0)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for number in range(count):
    ids = [hashed(f"{name}-{number}"), hashed("shared")]
    store.write_hold(ids, Hold("REVIEW", 1.0, 10.0 + number))
    sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
store.close()
"""


def start(path: Path, name: str, count: int, program: str = WRITER) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path), name, str(count)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def say_go(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


def test_processes_that_start_together_share_one_database(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    processes = [start(path, name, 40) for name in ("one", "two", "three")]
    for process in processes:
        say_go(process)
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    store = SqliteStore(path)
    names = [
        [hashed(f"{name}-{number}")] for name in ("one", "two", "three") for number in range(40)
    ]
    assert all(kept.holds for kept in store.read(names, now=2.0))
    (kept,) = store.read([[hashed("shared")]], now=2.0)
    assert kept.holds == (Hold("REVIEW", 1.0, 49.0),)
    store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "state.sqlite3",
        "state.sqlite3.key",
    ]


def test_what_was_acknowledged_survives_the_kill_of_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    process = start(path, "victim", 100_000)
    say_go(process)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(50)]
    process.kill()
    rest = process.stdout.read().split()
    process.communicate(timeout=30)
    acknowledged += [int(number) for number in rest if number.isdigit()]
    store = SqliteStore(path)
    # The last line may be cut by the kill; all others were whole.
    held = store.read([[hashed(f"victim-{number}")] for number in acknowledged[:-1]], now=2.0)
    assert len(held) >= 49
    assert all(kept.holds for kept in held)
    store.close()


def in_child(action: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if action() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_opens_its_own_connection(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.sqlite3")
    store.write_hold(A, Hold("REVIEW", 1.0))

    def child() -> bool:
        inherited = store._connections._local.session.connection
        store.write_hold(B, Hold("REVIEW", 1.0))
        own = store._connections._local.session.connection
        seen = store.read([A, B], now=2.0)
        store.close()
        return own is not inherited and all(kept.holds for kept in seen)

    assert in_child(child)
    store.write_hold(C, Hold("REVIEW", 1.0))
    assert all(kept.holds for kept in store.read([A, B, C], now=2.0))
    store.close()


def test_a_child_forked_while_another_thread_opens_is_not_stuck(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.sqlite3")
    store.check()
    locked, done = threading.Event(), threading.Event()

    def hold_the_lock() -> None:
        with store._connections._lock:
            locked.set()
            done.wait(timeout=30)

    thread = threading.Thread(target=hold_the_lock)
    thread.start()
    locked.wait(timeout=10)
    try:
        assert in_child(lambda: store.read([A], now=2.0)[0].holds == ())
    finally:
        done.set()
        thread.join()
        store.close()


APPENDER = """
import sys
from pathlib import Path
from pairguard.store.sqlite import SqliteStore
from tests.integration.store.meetings import ended, started
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = SqliteStore(path, busy_timeout_seconds=10.0)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for number in range(count):
    chat = f"{name}-{number}"
    store.append([started(chat, ["a", "device"], ["b"]), ended(chat, ["a", "device"], ["b"])])
    store.append([started(f"both-{number}", ["a"], ["b"])])
    sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
store.close()
"""


def recount(path: Path) -> tuple[set[str], float]:
    """Return the ids of all records, and how many chats were counted for one participant."""
    store = SqliteStore(path)
    found = verify_rows(store)
    assert found.agrees
    assert found.not_comparable == 0
    ids: list[str] = []
    after = ""
    while records := store.read_journal(after, 500):
        ids += [record.record_id for record in records]
        after = records[-1].cursor
    (kept,) = store.read([[hashed("b")]], now=float(NOON))
    signals = summarise(kept.rows, NOON + 60.0).signals
    store.close()
    assert len(ids) == len(set(ids))
    assert signals is not None
    return set(ids), signals["history.chats_started_24h"]


def test_processes_that_append_to_one_participant_count_each_chat_once(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    processes = [start(path, name, 30, APPENDER) for name in ("one", "two")]
    for process in processes:
        say_go(process)
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    ids, chats = recount(path)
    # Thirty chats of each, and thirty that both told of.
    assert len(ids) == 150
    assert chats == 90.0


def test_killed_in_the_middle_again_and_again_every_acknowledged_record_counts_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.sqlite3"
    acknowledged: set[str] = set()
    for turn in range(4):
        process = start(path, f"turn{turn}", 100_000, APPENDER)
        say_go(process)
        assert process.stdout is not None
        for _ in range(5 + 3 * turn):
            process.stdout.readline()
        process.kill()
        # The last line may be cut by the kill; all others were whole.
        told = 5 + 3 * turn + len(process.stdout.read().split("\n")) - 1
        process.communicate(timeout=30)
        acknowledged |= {f"turn{turn}-{number}" for number in range(told)}
    ids, chats = recount(path)
    assert {started(name, ["a"], ["b"]).record_id for name in acknowledged} <= ids
    assert {ended(name, ["a"], ["b"]).record_id for name in acknowledged} <= ids
    ends = {
        ended(f"turn{turn}-{number}", ["a"], ["b"]).record_id
        for turn in range(4)
        for number in range(len(ids))
    }
    assert chats == len(ids - ends)
