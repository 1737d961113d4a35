"""What a call costs before anybody works on it, and what an asyncio server would change.

Owns the measurement: null calls of bare grpcio servers, synchronous and asyncio, and of a C++
server where this machine can build one; then the very handler of ``ScorePair``, with its metrics,
log and error boundary, behind the synchronous server, behind asyncio in its loop, and behind
asyncio with one thread; then pairguard itself with and without TLS. All servers are on one
processor and the load on the others, where there are several, and all take turns in each round.
"""

import asyncio
import gc
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import grpc.aio

from pairguard.server import composition
from pairguard.server.canonical_log import CanonicalLog
from pairguard.server.interceptors import CallRecorder, ErrorBoundary
from pairguard.server.settings import Settings
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest, ScorePairResponse
from tests.bench.compare import bootstrap_interval
from tests.bench.forgetful_store import ForgetfulStore, NoJournal
from tests.bench.requests import bare_requests, platform_requests
from tests.bench.server_process import NULL_METHOD, measured_server
from tests.bench.turns import Measured, Subject, measured_in_turns
from tests.integration.server.certificates import Authority

_SCORE_PAIR = "/pairguard.v1.PairRiskService/ScorePair"
_BENCH = "pairguard.bench.Null"
_INLINE, _THREAD = f"/{_BENCH}/ScorePairInline", f"/{_BENCH}/ScorePairThread"
_THREADS = 4
_BUILD_SECONDS = 120.0


def floors_report(bundle_path: Path, *, rounds: int, calls: int, seed: int, now: float) -> str:
    """Measure and describe.

    Args:
        bundle_path: What judges.
        rounds: Measurements of each subject.
        calls: Calls a measurement.
        seed: Of the requests.
        now: When the requests are made, seconds since 1970.
    """
    cpus = sorted(os.sched_getaffinity(0))
    server_cpu, load_cpus = (cpus[0], frozenset(cpus[1:])) if len(cpus) > 1 else (None, None)
    lines = []
    with ExitStack() as held:
        workplace = Path(held.enter_context(tempfile.TemporaryDirectory()))
        subjects = []
        bare = bare_requests(5_000, seed=seed)
        full = platform_requests(5_000, seed=seed, now=now)
        for kind in ("sync", "aio"):
            address, process = held.enter_context(_bench_server(kind, bundle_path, server_cpu))
            subjects.append(Subject(f"null call, {kind}", address, process, NULL_METHOD, [b""]))
            for title, method in _handlers(kind):
                for traffic, bodies in (("two bare ids", bare), ("platform traffic", full)):
                    name = f"ScorePair, {traffic}, {title}"
                    subjects.append(Subject(name, address, process, method, bodies))
        why, binary = _built(workplace)
        if binary is None:
            lines.append(f"null call, C++: not measured, {why}")
        else:
            address, process = held.enter_context(_native_server(binary, server_cpu))
            subjects.append(Subject("null call, C++", address, process, NULL_METHOD, [b""]))
        authority = Authority(workplace / "authority", "bench")
        identity = authority.issue_server("server")
        for name, tls in (("", None), (", TLS", (identity.certificate, identity.key))):
            place = workplace / f"pairguard{len(subjects)}"
            place.mkdir()
            measured = held.enter_context(
                measured_server(bundle_path, place, server_cpu, store=None, tls=tls)
            )
            where = (measured.address, measured.process_ids[0])
            ca_file = None if tls is None else authority.certificate
            subjects += [
                Subject(f"null call, pairguard{name}", *where, NULL_METHOD, [b""], ca_file),
                Subject(f"ScorePair, two bare ids, pairguard{name}", *where, _SCORE_PAIR, bare,
                         ca_file),
                Subject(f"ScorePair, platform traffic, pairguard{name}", *where, _SCORE_PAIR,
                         full, ca_file),
            ]  # fmt: skip
        found = measured_in_turns(subjects, rounds=rounds, calls=calls, load_cpus=load_cpus)
    return "\n".join([*_told(found, rounds=rounds, calls=calls), *lines])


def _handlers(kind: str) -> tuple[tuple[str, str], ...]:
    if kind == "sync":
        return ((f"sync, {_THREADS} threads", _THREAD),)
    return (("aio, in its loop", _INLINE), ("aio, one thread", _THREAD))


def _told(found: dict[str, list[Measured]], *, rounds: int, calls: int) -> list[str]:
    floor = [each.load.calls_per_second for each in found["null call, sync"]]
    lines = [
        f"1 connection x 8 calls outstanding, {calls:,} calls a measurement, {rounds} rounds;",
        "medians, ratio to the synchronous null call inside each round with its 95 % bootstrap",
        "interval, microseconds of the server's processor time a call",
        f"{'':44} {'calls/s':>8} {'ratio':>6} {'':16} {'server us':>9} {'p50 us':>7} {'p99 us':>7}",
    ]
    for name, results in found.items():
        rates = [each.load.calls_per_second for each in results]
        ratios = [a / b for a, b in zip(rates, floor, strict=True)]
        low, high = bootstrap_interval(ratios)
        lines.append(
            f"{name:44} {statistics.median(rates):8,.0f} {statistics.median(ratios):6.2f} "
            f"{f'[{low:.2f}, {high:.2f}]':16} "
            f"{statistics.median(each.server_us for each in results):9.0f} "
            f"{statistics.median(each.load.p50_us for each in results):7,.0f} "
            f"{statistics.median(each.load.p99_us for each in results):7,.0f}"
        )
    lines.append("asyncio against the synchronous server, inside each round:")
    for traffic in ("two bare ids", "platform traffic"):
        sync = found[f"ScorePair, {traffic}, sync, {_THREADS} threads"]
        for title, _ in _handlers("aio"):
            both = list(zip(found[f"ScorePair, {traffic}, {title}"], sync, strict=True))
            rates = [a.load.calls_per_second / b.load.calls_per_second for a, b in both]
            costs = [a.server_us / b.server_us for a, b in both]
            lines.append(
                f"  ScorePair, {traffic}, {title}: {_ratio(rates)} times the calls, "
                f"{_ratio(costs)} times the processor time a call"
            )
    busiest = max(each.load.client_busy_share for results in found.values() for each in results)
    lines.append(f"load process: at most {busiest:.0%} of one core")
    return lines


def _ratio(values: Sequence[float]) -> str:
    low, high = bootstrap_interval(values)
    return f"{statistics.median(values):.2f} [{low:.2f}, {high:.2f}]"


@contextmanager
def _bench_server(kind: str, bundle_path: Path, cpu: int | None) -> Iterator[tuple[str, int]]:
    """Serve null calls and the handler of ``ScorePair``; yield address and process id."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, kind, bundle_path, cpu))
    process.start()
    try:
        if not here.poll(60):
            raise TimeoutError("a server to compare with did not begin to serve")
        yield here.recv(), process.pid or 0
    finally:
        here.send("stop")
        process.join(30)
        if process.is_alive():
            process.kill()


def _serve(there: Connection, kind: str, bundle_path: Path, cpu: int | None) -> None:
    with tempfile.TemporaryDirectory() as name, (Path(name) / "calls.log").open("w") as log:
        lines = CanonicalLog(log, one_ok_call_in=100, on_lost_line=lambda: None)
        answer = _score_pair(bundle_path, Path(name), lines)
        gc.collect()
        gc.freeze()
        if cpu is not None:
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setaffinity(int(thread.name), {cpu})
        if kind == "sync":
            _serve_sync(there, answer)
        else:
            asyncio.run(_serve_aio(there, answer))


def _score_pair(
    bundle_path: Path, workplace: Path, log: CanonicalLog
) -> Callable[[Any, Any], ScorePairResponse]:
    """Return what a server calls for ``ScorePair``, with nothing kept: all but the server."""
    settings = Settings(
        bundle_path=bundle_path,
        store=f"sqlite:{workplace / 'unused.sqlite3'}",
        journal_directory=workplace / "journal",
        listen_address="127.0.0.1:0",
        metrics_address=None,
    )
    servicers: list[Any] = []
    add = "add_PairRiskServiceServicer_to_server"
    with mock.patch.object(composition, add, lambda servicer, _server: servicers.append(servicer)):
        application = composition.compose(
            settings,
            log_stream=sys.stdout,
            store=ForgetfulStore(workplace / "unused.sqlite3"),
            journal_file=NoJournal(),
            import_in_child=False,
        )
    application.load()
    handler = grpc.unary_unary_rpc_method_handler(
        servicers[0].ScorePair,
        request_deserializer=ScorePairRequest.FromString,
        response_serializer=ScorePairResponse.SerializeToString,
    )
    method = _SCORE_PAIR.removeprefix("/")
    wrapped = CallRecorder(application.metrics, log).wrap(
        method, ErrorBoundary(log).wrap(method, handler)
    )
    answer: Callable[[Any, Any], ScorePairResponse] = wrapped.unary_unary  # type: ignore[assignment]
    return answer


def _serve_sync(there: Connection, answer: Callable[[Any, Any], ScorePairResponse]) -> None:
    server = grpc.server(ThreadPoolExecutor(_THREADS))
    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(lambda _request, _context: b""),
        "ScorePairThread": _handler(answer),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_BENCH, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    there.send(f"127.0.0.1:{port}")
    there.recv()
    server.stop(1.0).wait()


async def _serve_aio(there: Connection, answer: Callable[[Any, Any], ScorePairResponse]) -> None:
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)

    async def null(_request: bytes, _context: Any) -> bytes:
        return b""

    async def inline(request: Any, context: Any) -> ScorePairResponse:
        return answer(request, context)

    async def in_thread(request: Any, context: Any) -> ScorePairResponse:
        return await loop.run_in_executor(pool, answer, request, context)

    server = grpc.aio.server()
    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(null),
        "ScorePairInline": _handler(inline),
        "ScorePairThread": _handler(in_thread),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_BENCH, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    there.send(f"127.0.0.1:{port}")
    await loop.run_in_executor(None, there.recv)
    await server.stop(1.0)


def _handler(answer: Callable[[Any, Any], Any]) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=ScorePairRequest.FromString,
        response_serializer=ScorePairResponse.SerializeToString,
    )


def _built(workplace: Path) -> tuple[str, Path | None]:
    """Build the C++ server; return why not, or where it is."""
    compiler, packages = shutil.which("g++"), shutil.which("pkg-config")
    if compiler is None or packages is None:
        return "there is no g++ or no pkg-config", None
    flags = subprocess.run(
        [packages, "--cflags", "--libs", "grpc++"], capture_output=True, text=True, check=False
    )
    if flags.returncode:
        return "gRPC's C++ headers are not installed (libgrpc++-dev)", None
    source, target = Path(__file__).with_name("null_server.cpp"), workplace / "null_server"
    command = [compiler, "-O2", "-std=c++17", str(source), "-o", str(target), *flags.stdout.split()]
    try:
        built = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"it was not built within {_BUILD_SECONDS:g} s", None
    if built.returncode:
        return f"it does not build here: {built.stderr.strip().splitlines()[0]}", None
    return "", target


@contextmanager
def _native_server(binary: Path, cpu: int | None) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError("a pipe was asked for")
        port = int(process.stdout.readline())
        if cpu is not None:
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {cpu})
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.communicate()
