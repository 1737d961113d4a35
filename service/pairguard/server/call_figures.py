"""What is counted in every call: how long it took, what was decided, how likely it was.

Owns that a judged pair is counted under one lock; ``prometheus_client`` has one for each number,
and looks for a bucket from the first on. Names, texts and buckets are as ``docs/metrics.md`` has
them. It must not know where anything happens.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from pairguard.risk.pair import PairRisk

_SECONDS: Final = (
    1e-4, 2e-4, 3e-4, 5e-4, 7e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 5.0, inf
)  # fmt: skip
_PROBABILITIES: Final = (1e-4, 1e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9, 1.0, inf)


class _Distribution:
    """How often a number fell into each bucket, and the sum of all."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def write(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Write what there is now."""
        reached, buckets = 0, []
        for bound, count in zip(self._bounds, self._counts, strict=True):
            reached += count
            name: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
            buckets.append((name, float(reached)))
        family.add_metric(labels, buckets, self._sum)


class CallFigures(Collector):
    """Counts calls and judged pairs, for whoever looks at the figures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._durations: dict[tuple[str, str], _Distribution] = {}
        self._decisions: dict[tuple[str, str], int] = {}
        self._mixed = _Distribution(_PROBABILITIES)
        self._harm = _Distribution(_PROBABILITIES)
        self._score = _Distribution(_PROBABILITIES)

    def observe_rpc(self, method: str, code: str, duration_seconds: float) -> None:
        """Count a call of one of pairguard's methods."""
        with self._lock:
            found = self._durations.get((method, code))
            if found is None:
                found = self._durations[method, code] = _Distribution(_SECONDS)
            found.add(duration_seconds)

    def observe_pair(self, decision: str, leading_reason: str, risk: PairRisk) -> None:
        """Count a decision on a pair and its probabilities."""
        with self._lock:
            of = decision, leading_reason
            self._decisions[of] = self._decisions.get(of, 0) + 1
            self._mixed.add(risk.minor_adult_probability)
            self._score.add(risk.risk_score)
            if risk.harm_probability is not None:
                self._harm.add(risk.harm_probability)

    def describe(self) -> Iterator[Metric]:
        """Return the metrics without samples."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Return the metrics with their samples, all of one moment."""
        durations, decisions, probabilities = families = _families()
        with self._lock:
            for labels, distribution in self._durations.items():
                distribution.write(durations, labels)
            for labels, count in self._decisions.items():
                decisions.add_metric(labels, count)
            for part, distribution in (
                ("minor_adult", self._mixed),
                ("harm", self._harm),
                ("risk_score", self._score),
            ):
                distribution.write(probabilities, (part,))
        yield from families


def _families() -> tuple[HistogramMetricFamily, CounterMetricFamily, HistogramMetricFamily]:
    return (
        HistogramMetricFamily(
            "pairguard_rpc_duration_seconds",
            "Time from the start of a call's work to its answer.",
            labels=["method", "code"],
        ),
        CounterMetricFamily(
            "pairguard_decisions",
            "Decisions on proposed pairs.",
            labels=["decision", "leading_reason"],
        ),
        HistogramMetricFamily(
            "pairguard_pair_probability",
            "Probabilities of judged pairs, by part.",
            labels=["part"],
        ),
    )
