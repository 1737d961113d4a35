"""What more processes bring and cost: the command itself, started as operations do.

Owns the measurement: start to SERVING, memory of a worker, and calls a second of two workers
against one, in turns. The load shares the machine's processors with the workers, and says how many
there are: on two processors two workers and their load cannot be twice as fast.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.compare import bootstrap_interval
from tests.bench.http2_load import run_load
from tests.bench.requests import bare_requests
from tests.e2e.server_process import ServerProcess, environment, started
from tests.process_facts import children_of, resident_bytes

_SCORE_PAIR = "/pairguard.v1.PairRiskService/ScorePair"
_MIB = 1024 * 1024
_STARTS = 5


def processes_report(bundle_path: Path, *, rounds: int, calls: int, seed: int) -> str:
    """Measure and describe.

    Args:
        bundle_path: What is served.
        rounds: Measurements of each number of workers.
        calls: Calls a measurement.
        seed: Of the requests.
    """
    lines = [_starts(bundle_path)]
    bodies = bare_requests(calls, seed=seed)
    with _serving(bundle_path, 1) as one, _serving(bundle_path, 2) as two:
        servers = {1: one, 2: two}
        rates: dict[int, list[float]] = {1: [], 2: []}
        for number in range(rounds):
            for count in (1, 2) if number % 2 else (2, 1):
                result = run_load(
                    servers[count].address,
                    method=_SCORE_PAIR,
                    bodies=bodies,
                    calls=calls,
                    connections=8,
                    outstanding=2,
                    warmup_calls=calls // 4,
                )
                rates[count].append(result.calls_per_second)
        memory = [resident_bytes(each) / _MIB for each in sorted(children_of(two.process.pid))]
        supervisor = resident_bytes(two.process.pid) / _MIB
    ratios = [b / a for a, b in zip(rates[1], rates[2], strict=True)]
    low, high = bootstrap_interval(ratios)
    fast, slow = (f"{statistics.median(rates[count]):,.0f}" for count in (2, 1))
    lines.append(
        "two workers against one, ScorePair of two bare ids, SQLite, 8 connections, on "
        f"{len(os.sched_getaffinity(0))} processors that the load shares: {fast} / {slow} calls/s "
        f"= {statistics.median(ratios):.2f} [{low:.2f}, {high:.2f}], {rounds} rounds"
    )
    lines.append(
        f"resident after that: workers {', '.join(f'{each:.0f}' for each in memory)} MiB, "
        f"supervisor {supervisor:.0f} MiB"
    )
    return "\n".join(lines)


def _starts(bundle_path: Path) -> str:
    seconds, memory = [], []
    for _ in range(_STARTS):
        with tempfile.TemporaryDirectory() as directory:
            began = time.monotonic()
            with _started(Path(directory), bundle_path, 1) as server:
                server.wait_for("serves")
                seconds.append(time.monotonic() - began)
                memory.append(resident_bytes(server.process.pid) / _MIB)
    return (
        f"start to SERVING, {_STARTS} times: median {statistics.median(seconds):.2f} s, most "
        f"{max(seconds):.2f} s; resident then {statistics.median(memory):.0f} MiB"
    )


@contextmanager
def _serving(bundle_path: Path, workers: int) -> Iterator[ServerProcess]:
    with (
        tempfile.TemporaryDirectory() as directory,
        _started(Path(directory), bundle_path, workers) as server,
    ):
        probe = [sys.executable, "-m", "pairguard.server.probe", server.address]
        subprocess.run(probe, check=True, capture_output=True)
        time.sleep(3.0)  # the second worker serves, too
        yield server


@contextmanager
def _started(directory: Path, bundle_path: Path, workers: int) -> Iterator[ServerProcess]:
    environ = environment(
        directory,
        bundle_path.absolute(),
        worker_processes=str(workers),
        log_one_ok_call_in="1000",
    )
    with started(directory, environ) as server:
        yield server
