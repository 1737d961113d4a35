"""``make bench``: what calls cost against a null call, and what an age posterior costs.

Prints ratios of calls per second inside the same run, their spread, and what is in them. It judges
nothing: ``docs/benchmarks.md`` says what to make of the figures.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pairguard.bundle.defaults import default_age_tables
from pairguard.bundle.loading import load_bundle
from tests.bench.compare import WARMUP_CALLS, Comparison, Subject, compare, report
from tests.bench.events import events_report
from tests.bench.floors import floors_report
from tests.bench.judging import judging_report
from tests.bench.known_people import known_requests, record_people
from tests.bench.large_store import participants_report
from tests.bench.latency import latency_report
from tests.bench.peers import peers_report
from tests.bench.pools import pools_report
from tests.bench.posterior import posterior_report
from tests.bench.processes import processes_report
from tests.bench.reload import reload_report
from tests.bench.requests import bare_requests, platform_requests
from tests.bench.server_process import NULL_METHOD, measured_server
from tests.bench.training import training_reports
from tests.redis_server import running_redis

_SCORE_PAIR = "/pairguard.v1.PairRiskService/ScorePair"
_SEED = 20_261_123


def main() -> int:
    """Measure; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("var/bundles"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=2_000, help="timed calls a measurement")
    parser.add_argument("--requests", type=int, default=5_000, help="different requests")
    parser.add_argument("--participants", type=int, default=1_000_000, help="of a large store")
    parser.add_argument("--peer-python", type=Path, help="a Python that has MLServer")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of a fit on ready rows")
    parser.add_argument("--columns", type=int, default=60, help="of these rows")
    parser.add_argument("--worlds", type=int, default=1, help="of a whole fit: 100,000 pairs each")
    parser.add_argument("--pairings", type=int, default=3, help="so many times as many of these")
    parser.add_argument(
        "--worker-threads", type=int, default=4, help="of the server whose latency is measured"
    )
    parser.add_argument("--part", choices=("all", *_PARTS), default="all")
    given = parser.parse_args()
    for name, measure in _PARTS.items():
        if given.part in ("all", name):
            measure(given)
            _say("")
    return 0


def _posterior(given: argparse.Namespace) -> None:
    _say(
        posterior_report(default_age_tables(), participants=1_000, rounds=given.rounds, seed=_SEED)
    )


def _judging(given: argparse.Namespace) -> None:
    _say(judging_report(load_bundle(given.bundle).model, rounds=given.rounds, seed=_SEED))


def _floors(given: argparse.Namespace) -> None:
    _say(
        floors_report(
            given.bundle,
            rounds=max(given.rounds // 3, 3),
            calls=max(given.calls // 2, 100),
            seed=_SEED,
            now=time.time(),
        )
    )


def _server(given: argparse.Namespace) -> None:
    bundle = load_bundle(given.bundle)
    cpus = sorted(os.sched_getaffinity(0))
    server_cpu, load_cpus = (cpus[0], frozenset(cpus[1:])) if len(cpus) > 1 else (None, None)
    _say(f"bundle {bundle.version}, seed {_SEED}, server on processor {server_cpu}")
    _say("on: interceptors, metrics, canonical log (one call in 100); with a store also the record")
    _say("of each decision before its answer, imported by a process on any processor")
    null = Subject("null", NULL_METHOD, [b""])
    lines = []
    for name, kind, store in _stores():
        with (
            tempfile.TemporaryDirectory() as workplace,
            measured_server(
                given.bundle, Path(workplace), server_cpu, store=store(Path(workplace))
            ) as measured,
        ):
            for traffic, bodies in _traffic(given, measured.address, kept=kind != "nothing"):
                before = measured.import_cpu_seconds()
                comparison = compare(
                    measured.address,
                    baseline=null,
                    subject=Subject(f"ScorePair, {traffic}, {name}", _SCORE_PAIR, bodies),
                    rounds=given.rounds,
                    calls=given.calls,
                    load_cpus=load_cpus,
                )
                _say("")
                _say(report(comparison))
                low, high = comparison.interval
                import_us = 1e6 * (measured.import_cpu_seconds() - before) / _calls(comparison)
                lines.append(
                    f"{traffic:22} {name:18} {comparison.median_ratio:.3f} [{low:.3f}, {high:.3f}]"
                    + (f"  import {import_us:.0f} us a decision" if kind != "nothing" else "")
                )
    _say("")
    _say("ScorePair / null call, medians of the rounds with 95 % bootstrap intervals; processor")
    _say("time of the importing process, which has the other processors, beside it:")
    for line in lines:
        _say(line)


def _calls(comparison: Comparison) -> int:
    """Return how many calls of the subject there were, those that warm up among them."""
    return sum(round_.subject.calls + WARMUP_CALLS for round_ in comparison.rounds)


def _stores() -> Iterator[tuple[str, str, Callable[[Path], str | None]]]:
    yield "nothing kept", "nothing", lambda _: None
    yield "SQLite", "sqlite", lambda place: f"sqlite:{place / 'pairguard.sqlite3'}"
    with running_redis() as redis:
        yield "Redis on loopback", "redis", lambda _: redis.url


def _traffic(
    given: argparse.Namespace, address: str, *, kept: bool
) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    yield "two bare ids", bare_requests(given.requests, seed=_SEED)
    if kept:
        people = record_people(address, seed=_SEED)
        yield "ids of known people", known_requests(people, given.requests, seed=_SEED)
    yield "platform traffic", platform_requests(given.requests, seed=_SEED, now=time.time())


def _events(given: argparse.Namespace) -> None:
    for name, _kind, store in _stores():
        if name == "nothing kept":
            continue
        with (
            tempfile.TemporaryDirectory() as workplace,
            measured_server(
                given.bundle, Path(workplace), None, store=store(Path(workplace))
            ) as measured,
        ):
            _say(events_report(measured, name=name, seed=_SEED))


def _pools(given: argparse.Namespace) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    server_cpu = cpus[0] if len(cpus) > 1 else None
    for name, kind, store in _stores():
        with (
            tempfile.TemporaryDirectory() as workplace,
            measured_server(
                given.bundle, Path(workplace), server_cpu, store=store(Path(workplace))
            ) as measured,
        ):
            _say(name)
            _say(pools_report(measured, given.bundle, rounds=given.rounds, seed=_SEED))
            _say("")
        if kind == "sqlite":
            break  # what is kept is read in one trip, so that a store differs by that alone


def _latency(given: argparse.Namespace) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    server_cpu, load_cpus = (cpus[0], frozenset(cpus[1:])) if len(cpus) > 1 else (None, None)
    with tempfile.TemporaryDirectory() as workplace:
        store = f"sqlite:{Path(workplace) / 'pairguard.sqlite3'}"
        with measured_server(
            given.bundle,
            Path(workplace),
            server_cpu,
            store=store,
            worker_threads=given.worker_threads,
        ) as measured:
            _say(
                latency_report(
                    measured,
                    rounds=max(given.rounds // 3, 3),
                    seconds=5.0,
                    seed=_SEED,
                    load_cpus=load_cpus,
                )
            )


def _processes(given: argparse.Namespace) -> None:
    _say(processes_report(given.bundle, rounds=given.rounds, calls=given.calls, seed=_SEED))


def _peers(given: argparse.Namespace) -> None:
    if given.peer_python is None:
        _say("peers: not measured; make bench-peers installs MLServer and measures it")
        return
    with tempfile.TemporaryDirectory() as workplace:
        _say(
            peers_report(
                given.bundle,
                given.peer_python,
                Path(workplace),
                rounds=given.rounds,
                calls=given.calls,
                seed=_SEED,
            )
        )


def _participants(given: argparse.Namespace) -> None:
    for name, _kind, store in _stores():
        if name == "nothing kept":
            continue
        with tempfile.TemporaryDirectory() as workplace:
            _say(
                participants_report(
                    given.bundle,
                    Path(workplace),
                    name=name,
                    store=store(Path(workplace)) or "",
                    count=given.participants,
                    seed=_SEED,
                )
            )


def _reload(given: argparse.Namespace) -> None:
    _say("ScorePair by three callers with pauses, while bundles take turns")
    _say(reload_report(given.bundle, reloads=given.rounds, seed=_SEED))


def _training(given: argparse.Namespace) -> None:
    for text in training_reports(given, _SEED):
        _say(text)
        _say("")


_PARTS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "posterior": _posterior,
    "judging": _judging,
    "floors": _floors,
    "server": _server,
    "events": _events,
    "pools": _pools,
    "latency": _latency,
    "processes": _processes,
    "peers": _peers,
    "participants": _participants,
    "reload": _reload,
    "training": _training,
}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
