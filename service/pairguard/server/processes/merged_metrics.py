"""One metrics endpoint for all workers: each series as its worker tells it, with a label more.

Owns the figures of the supervisor itself and the merging. Series are not added up: a worker that
begins again begins at 0, which whoever reads a series can tell from a fall of a sum only if it is
told which series that was. So sum after ``rate``, as for several machines.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

LABEL: Final = "worker"
_TIMEOUT_SECONDS: Final = 2.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SupervisorMetrics:
    """What the supervisor counts, and behind it what the workers do.

    Args:
        addresses: Returns, by number of each worker that serves, where its figures are.
    """

    def __init__(self, addresses: Callable[[], Mapping[int, str]]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._serving = Gauge(
            "pairguard_workers_serving", "Workers that serve now.", registry=self.registry
        )
        self._wanted = Gauge(
            "pairguard_workers_wanted", "Workers that should serve.", registry=self.registry
        )
        self._ends = Counter(
            "pairguard_worker_ends",
            "Workers that ended, by why.",
            ("why",),
            registry=self.registry,
        )
        for why in ("told", "failed", "silent"):
            self._ends.labels(why)
        self._changes = Counter(
            "pairguard_workers_changes",
            "Changes of bundle or policy of all workers, by what became of each.",
            ("result",),
            registry=self.registry,
        )
        for result in ("switched", "refused", "again"):
            self._changes.labels(result)
        self.registry.register(_Workers(addresses))

    def tell_workers(self, *, serving: int, wanted: int) -> None:
        """Note how many serve and how many should."""
        self._serving.set(serving)
        self._wanted.set(wanted)

    def count_end(self, why: str) -> None:
        """Count a worker that ended: told, failed, or silent and killed."""
        self._ends.labels(why).inc()

    def count_change(self, result: str) -> None:
        """Count a change of bundle or policy: switched, refused, or to be tried again."""
        self._changes.labels(result).inc()


class _Workers(Collector):
    """The figures of all workers, asked for when somebody asks."""

    def __init__(self, addresses: Callable[[], Mapping[int, str]]) -> None:
        self._addresses = addresses

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before a worker was asked."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Ask each worker that serves; one that does not answer in time is left out and told."""
        silent = Metric(
            "pairguard_worker_metrics_missing",
            "1 for a worker that serves and did not tell its figures, else 0.",
            "gauge",
        )
        families: dict[str, Metric] = {}
        for number, address in sorted(self._addresses().items()):
            worker = str(number)
            try:
                found = _families(address)
            except (OSError, ValueError):
                silent.add_sample(silent.name, {LABEL: worker}, 1.0)
                continue
            silent.add_sample(silent.name, {LABEL: worker}, 0.0)
            for family in found:
                merged = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = {**sample.labels, LABEL: worker}
                    merged.add_sample(sample.name, labels, sample.value)
        return (silent, *families.values())


def _families(address: str) -> list[Metric]:
    with _NO_PROXY.open(f"http://{address}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
        return list(text_string_to_metric_families(answer.read().decode("utf-8")))
