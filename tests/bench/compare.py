"""Two methods of one server under the same load, round by round.

Owns the order of the rounds and the statistics of their ratios. Must not know what the methods do
or how a server is started.

A machine's speed drifts while a benchmark runs, so the two methods take turns, the order changes
from round to round, and the ratio is taken inside each round. Many short rounds say more than a
few long ones: the drift has less time within each, and the median more to choose from. The load
runs in a process of its own, started afresh (never forked), so that it shares no interpreter with
anything measured.
"""

import multiprocessing
import os
import random
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.bench.http2_load import LoadError, LoadResult, run_load

WARMUP_CALLS = 300
_RESAMPLES = 5_000
_COVERAGE = 0.95
_BUSY_CLIENT = 0.5

INCLUDED = (
    "HTTP/2 over loopback, grpcio's server side, request parsing, the handler, response encoding"
)
NOT_INCLUDED = (
    "a network, TLS, the client's own work, connecting and the warm-up calls; client and server "
    "share the machine's cores"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A method to be measured and what to call it with."""

    name: str
    method: str
    """Full method path, "/package.Service/Method"."""
    bodies: Sequence[bytes]
    """Serialized requests, used in turn."""


@dataclass(frozen=True, slots=True)
class Round:
    """Both methods measured one after the other."""

    baseline: LoadResult
    subject: LoadResult

    @property
    def ratio(self) -> float:
        """Throughput of the subject as a multiple of the baseline's."""
        return self.subject.calls_per_second / self.baseline.calls_per_second


@dataclass(frozen=True, slots=True)
class Comparison:
    """What all rounds say about `subject` against `baseline`."""

    baseline: Subject
    subject: Subject
    rounds: tuple[Round, ...]
    connections: int
    outstanding: int

    @property
    def ratios(self) -> tuple[float, ...]:
        """Subject to baseline, calls per second, one per round."""
        return tuple(round_.ratio for round_ in self.rounds)

    @property
    def median_ratio(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """Bootstrap interval of the median ratio, 95 %."""
        return bootstrap_interval(self.ratios)


def compare(
    address: str,
    *,
    baseline: Subject,
    subject: Subject,
    rounds: int = 25,
    calls: int = 2_000,
    warmup_calls: int = WARMUP_CALLS,
    connections: int = 1,
    outstanding: int = 8,
    metadata: Sequence[tuple[str, str]] = (),
    load_cpus: frozenset[int] | None = None,
) -> Comparison:
    """Measure two methods of the server at `address` in turns.

    Args:
        address: "host:port" of a cleartext gRPC server that is ready.
        baseline: What is divided by.
        subject: What is divided.
        rounds: Measurements of each method, at least 1.
        calls: Timed calls in each measurement.
        warmup_calls: Calls before each measurement that are not timed.
        connections: Connections of the load. One gives a null call its highest rate, and so the
            strictest ratio.
        outstanding: Calls in flight on each connection; four and more in all keep a server of
            two threads busy.
        metadata: Further request headers, the same for both methods.
        load_cpus: Processors that the load process may use, best others than the server's: where
            both move between processors, the rounds spread more. None leaves it to the system.

    Raises:
        LoadError: The load could not be driven, or a timed call was not answered OK: the speed of
            failing is not comparable.
        ValueError: An argument is out of range.
    """
    if rounds < 1:
        raise ValueError(f"at least one round is needed, not {rounds}")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        max_workers=1, mp_context=spawn, initializer=confine, initargs=(load_cpus,)
    ) as load_process:

        def measure(measured: Subject) -> LoadResult:
            result = load_process.submit(
                run_load,
                address,
                method=measured.method,
                bodies=measured.bodies,
                calls=calls,
                connections=connections,
                outstanding=outstanding,
                warmup_calls=warmup_calls,
                metadata=metadata,
            ).result()
            if result.failures:
                raise LoadError(
                    f"{measured.name}: {result.failures} of {result.calls} calls failed, "
                    f"calls by gRPC status: {dict(result.statuses)}"
                )
            return result

        measured_rounds = []
        for number in range(rounds):
            if number % 2:
                subject_result = measure(subject)
                measured_rounds.append(Round(measure(baseline), subject_result))
            else:
                baseline_result = measure(baseline)
                measured_rounds.append(Round(baseline_result, measure(subject)))
    return Comparison(baseline, subject, tuple(measured_rounds), connections, outstanding)


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the median (Efron 1979), seeded.

    It speaks of the spread between rounds of one run on one machine, of nothing else.
    """
    draw = random.Random(0)
    medians = sorted(
        statistics.median(draw.choices(values, k=len(values))) for _ in range(_RESAMPLES)
    )
    tail = int((1 - _COVERAGE) / 2 * _RESAMPLES)
    return medians[tail], medians[-1 - tail]


def report(comparison: Comparison) -> str:
    """Describe a comparison: each round, both methods, the ratio's spread, and what it covers."""
    pair = f"{comparison.subject.name} / {comparison.baseline.name}"
    lines = [
        (
            f"{pair}, calls per second, {comparison.connections} connections x "
            f"{comparison.outstanding} calls outstanding, "
            f"{comparison.rounds[0].subject.calls:,} calls a measurement, "
            f"{len(set(comparison.subject.bodies)):,} different request bodies"
        )
    ]
    for number, round_ in enumerate(comparison.rounds, start=1):
        before, after = round_.baseline.calls_per_second, round_.subject.calls_per_second
        lines.append(f"round {number:2}: {after:7,.0f} / {before:7,.0f} = {round_.ratio:.3f}")
    lines.append(_summary(comparison.baseline.name, [item.baseline for item in comparison.rounds]))
    lines.append(_summary(comparison.subject.name, [item.subject for item in comparison.rounds]))
    low, high = comparison.interval
    lines += [
        (
            f"{pair}: median {comparison.median_ratio:.3f}, "
            f"min {min(comparison.ratios):.3f}, max {max(comparison.ratios):.3f}, "
            f"95 % bootstrap interval of the median [{low:.3f}, {high:.3f}], "
            f"{len(comparison.rounds)} rounds"
        ),
        f"included: {INCLUDED}",
        f"not included: {NOT_INCLUDED}",
    ]
    busiest = max(
        result.client_busy_share
        for round_ in comparison.rounds
        for result in (round_.baseline, round_.subject)
    )
    lines.append(f"load process: at most {busiest:.0%} of one core")
    if busiest > _BUSY_CLIENT:
        lines.append("WARNING: the load process may itself have been the limit")
    return "\n".join(lines)


def confine(cpus: frozenset[int] | None) -> None:
    """Keep this process to some processors; None: to none in particular."""
    if cpus is not None:
        os.sched_setaffinity(0, cpus)


def _summary(name: str, results: Sequence[LoadResult]) -> str:
    calls_per_second = statistics.median(result.calls_per_second for result in results)
    p50_us = statistics.median(result.p50_us for result in results)
    p99_us = statistics.median(result.p99_us for result in results)
    client_cpu_us = statistics.median(result.client_cpu_us_per_call for result in results)
    return (
        f"{name}, medians of the rounds: {calls_per_second:,.0f} calls/s, p50 {p50_us:,.0f} us, "
        f"p99 {p99_us:,.0f} us, client_cpu_us_per_call {client_cpu_us:.1f}"
    )
