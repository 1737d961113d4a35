"""The load generator of the benchmarks against a real grpcio server."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from tests.bench.compare import Subject, compare, report
from tests.bench.http2_load import LoadError, LoadResult, run_load

pytestmark = pytest.mark.timeout(20)

_ECHO, _NULL, _REFUSE = "/load.Probe/Echo", "/load.Probe/Null", "/load.Probe/Refuse"


class _Probe(grpc.GenericRpcHandler):
    """Handlers on raw bytes that remember what arrived."""

    def __init__(self) -> None:
        self.seen: Counter[bytes] = Counter()
        self.deadlines: list[float | None] = []
        self.peers: set[str] = set()
        self._lock = threading.Lock()

    def service(
        self, details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        handlers = {_ECHO: self._echo, _NULL: self._null, _REFUSE: self._refuse}
        handler = handlers.get(details.method)
        return grpc.unary_unary_rpc_method_handler(handler) if handler else None

    def _note(self, body: bytes) -> None:
        with self._lock:
            self.seen[body] += 1

    def _echo(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        self._note(body)
        self.deadlines.append(context.time_remaining())
        self.peers.add(context.peer())
        return body

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every call that notes its body waiting."""
        with self._lock:
            yield

    def _null(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        del body, context
        return b""

    def _refuse(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        self._note(body)
        if body.endswith(b"7"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"body {body!r} ends in 7")
        return b"fine"


@contextmanager
def _serving(*options: tuple[str, int]) -> Iterator[tuple[str, _Probe]]:
    probe = _Probe()
    server = grpc.server(
        ThreadPoolExecutor(max_workers=2),
        handlers=[probe],
        options=[*options, ("grpc.so_reuseport", 0)],
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", probe
    finally:
        server.stop(None).wait()


def _bodies(count: int, *, size_bytes: int = 0) -> list[bytes]:
    return [f"{number:06d}".encode().rjust(size_bytes, b".") for number in range(count)]


def _load(
    address: str,
    method: str,
    bodies: list[bytes],
    *,
    calls: int = 0,
    connections: int = 2,
    outstanding: int = 5,
    warmup_calls: int = 0,
    stall_timeout_seconds: float = 5.0,
) -> LoadResult:
    return run_load(
        address,
        method=method,
        bodies=bodies,
        calls=calls or len(bodies),
        connections=connections,
        outstanding=outstanding,
        warmup_calls=warmup_calls,
        stall_timeout_seconds=stall_timeout_seconds,
    )


def test_every_body_arrives_exactly_once() -> None:
    bodies = _bodies(400)
    with _serving() as (address, probe):
        result = _load(address, _ECHO, bodies)
    assert probe.seen == Counter(bodies)
    assert (result.calls, result.failures, result.statuses) == (400, 0, {0: 400})
    assert 0 < result.p50_us <= result.p99_us < result.seconds * 1e6
    assert result.calls_per_second == pytest.approx(400 / result.seconds)
    assert result.client_cpu_us_per_call > 0


def test_warm_up_calls_are_made_and_not_counted() -> None:
    bodies = _bodies(100)
    with _serving() as (address, probe):
        result = _load(address, _ECHO, bodies, calls=60, warmup_calls=40)
    assert probe.seen == Counter(bodies)
    assert result.calls == 60


def test_an_aborted_call_is_a_failure_with_its_status() -> None:
    bodies = _bodies(300)
    with _serving() as (address, probe):
        result = _load(address, _REFUSE, bodies)
    assert probe.seen == Counter(bodies)
    assert result.failures == 30
    assert result.statuses == {0: 270, grpc.StatusCode.INVALID_ARGUMENT.value[0]: 30}


def test_an_unknown_method_fails_every_call() -> None:
    with _serving() as (address, _):
        result = _load(address, "/load.Probe/Missing", _bodies(50))
    assert result.statuses == {grpc.StatusCode.UNIMPLEMENTED.value[0]: 50}


@pytest.mark.parametrize("size_bytes", [16_379, 16_380, 70_000, 1_000_000])
def test_bodies_beyond_a_frame_and_a_window_arrive_whole(size_bytes: int) -> None:
    bodies = _bodies(12, size_bytes=size_bytes)
    with _serving() as (address, probe):
        result = _load(address, _ECHO, bodies, outstanding=4)
    assert result.failures == 0
    assert probe.seen == Counter(bodies)


def test_calls_move_to_a_new_connection_when_the_server_ages_one_out() -> None:
    bodies = _bodies(4_000)
    with _serving(("grpc.max_connection_age_ms", 50)) as (address, probe):
        result = _load(address, _ECHO, bodies)
    assert len(probe.peers) > 2, "no connection was replaced"
    assert result.failures == 0
    assert probe.seen == Counter(bodies)


def test_metadata_reaches_the_server_with_every_call() -> None:
    with _serving() as (address, probe):
        run_load(
            address,
            method=_ECHO,
            bodies=_bodies(20),
            calls=20,
            connections=1,
            outstanding=3,
            warmup_calls=0,
            metadata=[("grpc-timeout", "5S")],
        )
    assert len(probe.deadlines) == 20
    assert all(remaining is not None and 0 < remaining <= 5 for remaining in probe.deadlines)


def test_a_port_nobody_listens_on_ends_the_load_with_an_error() -> None:
    with _serving() as (address, _):
        pass
    with pytest.raises(LoadError, match="no connection"):
        _load(address, _NULL, [b""])


def test_a_server_that_stops_answering_ends_the_load_with_an_error() -> None:
    with _serving() as (address, probe), probe.held(), pytest.raises(LoadError, match="no answer"):
        _load(address, _ECHO, [b""], stall_timeout_seconds=0.2)


def test_more_outstanding_calls_than_the_server_allows_are_refused() -> None:
    with (
        _serving(("grpc.max_concurrent_streams", 3)) as (address, _),
        pytest.raises(LoadError, match="allows 3 calls"),
    ):
        _load(address, _NULL, [b""], outstanding=4)


def test_a_comparison_measures_both_methods_in_every_round() -> None:
    with _serving() as (address, probe):
        comparison = compare(
            address,
            baseline=Subject("null", _NULL, [b""]),
            subject=Subject("echo", _ECHO, _bodies(50)),
            rounds=3,
            calls=200,
            warmup_calls=50,
            load_cpus=frozenset(os.sched_getaffinity(0)),
        )
    assert probe.seen.total() == 3 * 250
    low, high = comparison.interval
    assert min(comparison.ratios) <= low <= comparison.median_ratio <= high
    assert high <= max(comparison.ratios)
    text = report(comparison)
    assert f"echo / null: median {comparison.median_ratio:.3f}" in text
    assert "not included: a network" in text


def test_a_comparison_with_failing_calls_is_refused() -> None:
    with (
        _serving() as (address, _),
        pytest.raises(LoadError, match=r"refuse: 1 of 10 calls failed.*\{0: 9, 3: 1\}"),
    ):
        compare(
            address,
            baseline=Subject("null", _NULL, [b""]),
            subject=Subject("refuse", _REFUSE, _bodies(10)),
            rounds=1,
            calls=10,
            warmup_calls=0,
        )
