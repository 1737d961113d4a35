"""Load on a gRPC server: unary calls with ever another body, from one cheap process.

Owns the schedule of calls and their timing. Must not know what the calls mean.

The load is closed: each of C connections keeps K calls outstanding and opens the next one when an
answer arrives, so throughput and latency are those of C x K callers without pauses. Calls that
become due together leave in one write. A call's latency runs from the write that carries it to the
read that brings its trailers, the time in queues included.
"""

import gc
import math
import select
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.header_block import request_blocks
from tests.bench.http2_connection import Connection, LoadError

__all__ = ["LoadError", "LoadResult", "run_load"]

_OK = 0
_Call = tuple[int, int]  # index of the body, time of the first attempt in nanoseconds


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one run of load has measured; warm-up calls are in none of the figures."""

    calls: int
    """Calls answered, whatever the status."""
    seconds: float
    """From the first write to the last answer."""
    calls_per_second: float
    p50_us: float
    """Median latency in microseconds."""
    p99_us: float
    failures: int
    """Calls answered with another status than OK."""
    client_cpu_us_per_call: float
    """User and system time of the load process per call, in microseconds. Its reciprocal is the
    rate that this process could drive at most."""
    statuses: Mapping[int, int]
    """Calls by gRPC status number."""

    @property
    def client_busy_share(self) -> float:
        """Share of one core that the load process used, in [0, 1]."""
        return self.client_cpu_us_per_call * self.calls_per_second / 1e6

    def __str__(self) -> str:
        """Return the figures on one line."""
        return (
            f"{self.calls_per_second:,.0f} calls/s, p50 {self.p50_us:,.0f} us, "
            f"p99 {self.p99_us:,.0f} us, {self.failures} of {self.calls} failed, "
            f"client_cpu_us_per_call {self.client_cpu_us_per_call:.1f} "
            f"({self.client_busy_share:.0%} of a core)"
        )


def run_load(
    address: str,
    *,
    method: str,
    bodies: Sequence[bytes],
    calls: int,
    connections: int,
    outstanding: int,
    warmup_calls: int,
    metadata: Sequence[tuple[str, str]] = (),
    stall_timeout_seconds: float = 10.0,
    ca_file: Path | None = None,
) -> LoadResult:
    """Make `warmup_calls`, then time `calls`, and return the figures of the latter.

    Run it in a process of its own: it occupies the interpreter until it is done.

    Args:
        address: "host:port" of a gRPC server.
        method: Full method path, "/package.Service/Method".
        bodies: Serialized requests, used in turn: call n carries body n modulo their number, the
            warm-up calls counted first.
        calls: Calls to time, at least 1.
        connections: Connections, at least 1.
        outstanding: Calls in flight on each connection, at least 1.
        warmup_calls: Calls made before the clock starts, on the same connections; 0 for none.
        metadata: Further request headers, the same for each call.
        stall_timeout_seconds: Longest time without any answer.
        ca_file: Whose certificate the server must have; None: cleartext.

    Raises:
        ValueError: An argument is out of range.
        LoadError: There is no such server, it stalls, it closes a connection with calls in flight,
            or it breaks the protocol. A call that merely fails is counted instead.
    """
    if not bodies or min(calls, connections, outstanding) < 1 or warmup_calls < 0:
        raise ValueError(
            "bodies, calls, connections and outstanding must be at least one, "
            "warmup_calls at least zero"
        )
    messages = [b"\0" + len(body).to_bytes(4, "big") + body for body in bodies]
    load = _Load(
        _host_and_port(address),
        request_blocks(method, authority=address, metadata=metadata),
        messages,
        outstanding=outstanding,
        stall_timeout_seconds=stall_timeout_seconds,
        ca_file=ca_file,
    )
    try:
        load.connect(connections)
        if warmup_calls:
            load.drive(0, warmup_calls)
        # A collection in the middle would be seen as latency of the server.
        gc.collect()
        gc.disable()
        cpu_before = time.process_time_ns()
        before = time.perf_counter_ns()
        latencies_ns, statuses = load.drive(warmup_calls, calls)
        elapsed_ns = time.perf_counter_ns() - before
        cpu_ns = time.process_time_ns() - cpu_before
    finally:
        gc.enable()
        load.close()
    latencies_ns.sort()
    return LoadResult(
        calls=calls,
        seconds=elapsed_ns / 1e9,
        calls_per_second=calls / elapsed_ns * 1e9,
        p50_us=_quantile(latencies_ns, 0.50) / 1e3,
        p99_us=_quantile(latencies_ns, 0.99) / 1e3,
        failures=calls - statuses[_OK],
        client_cpu_us_per_call=cpu_ns / calls / 1e3,
        statuses=dict(statuses),
    )


class _Load:
    """The connections of a run and the calls that wait for one."""

    def __init__(
        self,
        address: tuple[str, int],
        blocks: tuple[bytes, bytes],
        messages: Sequence[bytes],
        *,
        outstanding: int,
        stall_timeout_seconds: float,
        ca_file: Path | None,
    ) -> None:
        self._address = address
        self._ca_file = ca_file
        self._blocks = blocks
        self._messages = messages
        self._outstanding = outstanding
        self._stall_timeout_seconds = stall_timeout_seconds
        self._epoll = select.epoll()
        self._connections: dict[int, Connection[_Call]] = {}
        self._blocked: set[int] = set()
        self._again: deque[_Call] = deque()
        self._next = 0
        self._end = 0

    def connect(self, connections: int) -> None:
        """Open `connections` more connections."""
        for _ in range(connections):
            connection = Connection[_Call](
                self._address,
                self._blocks,
                timeout_seconds=self._stall_timeout_seconds,
                ca_file=self._ca_file,
            )
            self._connections[connection.fileno()] = connection
            self._epoll.register(connection.fileno(), select.EPOLLIN)
            if connection.max_streams < self._outstanding:
                raise LoadError(
                    f"the server allows {connection.max_streams} calls in flight on a connection, "
                    f"{self._outstanding} were asked for"
                )

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._epoll.close()

    def drive(self, first: int, calls: int) -> tuple[list[int], Counter[int]]:
        """Make the calls numbered from `first`; return latencies in nanoseconds and statuses."""
        self._next, self._end = first, first + calls
        latencies_ns: list[int] = []
        statuses: Counter[int] = Counter()
        for connection in list(self._connections.values()):
            self._refill(connection)
        while len(latencies_ns) < calls:
            events = self._epoll.poll(self._stall_timeout_seconds)
            if not events:
                raise LoadError(
                    f"no answer for {self._stall_timeout_seconds} s, "
                    f"{calls - len(latencies_ns)} calls are missing"
                )
            for descriptor, event in events:
                connection = self._connections[descriptor]
                if event & ~select.EPOLLOUT:
                    answered = connection.receive()
                    now = time.perf_counter_ns()
                    for (_, started), status in answered:
                        latencies_ns.append(now - started)
                        statuses[status] += 1
                self._refill(connection)
        return latencies_ns, statuses

    def _refill(self, connection: Connection[_Call]) -> None:
        if connection.is_draining:
            self._again.extend(connection.returned)
            connection.returned.clear()
            if not connection.in_flight:
                connection = self._replace(connection)
        if not connection.is_draining:
            messages, again = self._messages, self._again
            now = time.perf_counter_ns()
            for _ in range(self._outstanding - len(connection.in_flight)):
                if again:
                    call = again.popleft()
                elif self._next < self._end:
                    call = (self._next % len(messages), now)
                    self._next += 1
                else:
                    break
                connection.open_call(messages[call[0]], call)
        all_sent = connection.flush()
        descriptor = connection.fileno()
        if all_sent == (descriptor in self._blocked):
            self._blocked ^= {descriptor}
            writable = 0 if all_sent else select.EPOLLOUT
            self._epoll.modify(descriptor, select.EPOLLIN | writable)

    def _replace(self, connection: Connection[_Call]) -> Connection[_Call]:
        """Open a connection in the place of one that the server wants to be rid of."""
        self._epoll.unregister(connection.fileno())
        self._blocked.discard(connection.fileno())
        del self._connections[connection.fileno()]
        connection.close()
        self.connect(1)
        return next(reversed(self._connections.values()))


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f'an address is "host:port", not {address!r}')
    return host.strip("[]"), int(port)


def _quantile(ordered: Sequence[int], share: float) -> int:
    """Return the smallest value that at least `share` of the values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
