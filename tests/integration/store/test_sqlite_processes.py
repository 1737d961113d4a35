"""Several processes on one database file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pairguard.store.ports import Hold
from pairguard.store.sqlite import SqliteHoldStore

WRITER = """
import sys
from pathlib import Path
from pairguard.store.ports import Hold
from pairguard.store.sqlite import SqliteHoldStore
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = SqliteHoldStore(path, busy_timeout_seconds=5.0)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for number in range(count):
    store.write_hold([f"{name}-{number}", "shared"], Hold("REVIEW", 1.0, 10.0 + number))
    sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
store.close()
"""


def start(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
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
    path = tmp_path / "holds.sqlite3"
    processes = [start(path, name, 40) for name in ("one", "two", "three")]
    for process in processes:
        say_go(process)
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    store = SqliteHoldStore(path)
    names = [[f"{name}-{number}"] for name in ("one", "two", "three") for number in range(40)]
    assert all(store.read_holds(names, now=2.0))
    assert store.read_holds([["shared"]], now=2.0) == ((Hold("REVIEW", 1.0, 49.0),),)
    store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "holds.sqlite3",
        "holds.sqlite3.key",
    ]


def test_what_was_acknowledged_survives_the_kill_of_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "holds.sqlite3"
    process = start(path, "victim", 100_000)
    say_go(process)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(50)]
    process.kill()
    rest = process.stdout.read().split()
    process.communicate(timeout=30)
    acknowledged += [int(number) for number in rest if number.isdigit()]
    store = SqliteHoldStore(path)
    # The last line may be cut by the kill; all others were whole.
    held = store.read_holds([[f"victim-{number}"] for number in acknowledged[:-1]], now=2.0)
    assert len(held) >= 49
    assert all(held)
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
    store = SqliteHoldStore(tmp_path / "holds.sqlite3")
    store.write_hold(["a"], Hold("REVIEW", 1.0))

    def child() -> bool:
        inherited = store._connections._local.session.connection
        store.write_hold(["b"], Hold("REVIEW", 1.0))
        own = store._connections._local.session.connection
        seen = store.read_holds([["a"], ["b"]], now=2.0)
        store.close()
        return own is not inherited and all(seen)

    assert in_child(child)
    store.write_hold(["c"], Hold("REVIEW", 1.0))
    assert all(store.read_holds([["a"], ["b"], ["c"]], now=2.0))
    store.close()


def test_a_child_forked_while_another_thread_opens_is_not_stuck(tmp_path: Path) -> None:
    store = SqliteHoldStore(tmp_path / "holds.sqlite3")
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
        assert in_child(lambda: store.read_holds([["a"]], now=2.0) == ((),))
    finally:
        done.set()
        thread.join()
        store.close()
