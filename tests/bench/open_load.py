"""Calls that come when they come: open-loop load on a gRPC server, from one cheap process.

Owns the schedule and the timing. Calls arrive at a given mean rate with exponential gaps, from a
seed, whatever the server does; a call's latency runs from the moment at which it was due, so that a
server that stalls is charged for everybody who came meanwhile (no coordinated omission).
"""

import gc
import random
import select
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.header_block import request_blocks
from tests.bench.http2_connection import Connection, LoadError

_OK = 0
_DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class OpenResult:
    """What one run saw; latencies in seconds from the moment a call was due."""

    calls: int
    rate: float
    p50: float
    p99: float
    failures: int


def run_open_load(
    address: str,
    *,
    method: str,
    bodies: Sequence[bytes],
    calls_per_second: float,
    seconds: float,
    connections: int = 4,
    seed: int = 0,
) -> OpenResult:
    """Make calls at a mean rate for a time, and wait for all answers.

    Args:
        address: "host:port" of a cleartext gRPC server.
        method: Full method path.
        bodies: Serialized requests, used in turn.
        calls_per_second: Mean rate of arrivals.
        seconds: How long calls arrive.
        connections: Connections, which take turns.
        seed: Of the gaps.

    Raises:
        LoadError: The server stalls, or breaks the protocol.
    """
    host, _, port = address.rpartition(":")
    blocks = request_blocks(method, authority=address, metadata=())
    messages = [b"\0" + len(body).to_bytes(4, "big") + body for body in bodies]
    open_ = [
        Connection[int]((host, int(port)), blocks, timeout_seconds=10.0) for _ in range(connections)
    ]
    by_descriptor = {each.fileno(): each for each in open_}
    due = _arrivals(calls_per_second, seconds, seed)
    latencies: list[int] = []
    statuses: Counter[int] = Counter()
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter_ns()
        made, end = 0, start + int((seconds + _DRAIN_SECONDS) * 1e9)
        while len(latencies) < len(due):
            now = time.perf_counter_ns() - start
            while made < len(due) and due[made] <= now:
                connection = open_[made % connections]
                connection.open_call(messages[made % len(messages)], due[made])
                made += 1
            for each in open_:
                each.flush()
            wait = (due[made] - now) / 1e9 if made < len(due) else 1.0
            # Not epoll: it waits whole milliseconds, and calls would leave late.
            ready, _, _ = select.select(by_descriptor, (), (), max(wait, 0.0))
            for descriptor in ready:
                answered = by_descriptor[descriptor].receive()
                now = time.perf_counter_ns() - start
                for was_due, status in answered:
                    latencies.append(now - was_due)
                    statuses[status] += 1
            if time.perf_counter_ns() > end:
                raise LoadError(f"{len(due) - len(latencies)} calls were never answered")
    finally:
        gc.enable()
        for each in open_:
            each.close()
    latencies.sort()
    return OpenResult(
        calls=len(due),
        rate=len(due) / seconds,
        p50=latencies[len(due) // 2] / 1e9,
        p99=latencies[min(int(0.99 * len(due)), len(due) - 1)] / 1e9,
        failures=len(due) - statuses[_OK],
    )


def _arrivals(calls_per_second: float, seconds: float, seed: int) -> list[int]:
    """Return nanoseconds from the start at which calls are due."""
    draw = random.Random(seed)
    found, at = [], 0.0
    while (at := at + draw.expovariate(calls_per_second)) < seconds:
        found.append(int(at * 1e9))
    return found or [0]
