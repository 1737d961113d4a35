"""The figures of bundle and policy as they are loaded while the server serves.

Owns names, labels and what may become of a reload; ``docs/metrics.md`` explains each to people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

RELOAD_RESULTS: Final = (
    "used",
    "unchanged",
    "bundle_refused",
    "policy_refused",
    "failed",
    "withdrawn",
)
"""What may become of a changed bundle or policy."""


class GenerationMetrics:
    """Reloads, when the last was used, whether what serves is what there is, and its promises.

    Args:
        registry: Of the server.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reloads = Counter(
            "pairguard_generation_reloads",
            "Times that a changed bundle or policy was read, by what became of it.",
            ("result",),
            registry=registry,
        )
        for result in RELOAD_RESULTS:
            self._reloads.labels(result)
        self._load_time = Gauge(
            "pairguard_generation_load_time_seconds",
            "When what serves was loaded, seconds since 1970.",
            registry=registry,
        )
        self._stale = Gauge(
            "pairguard_generation_stale",
            "1 while bundle or policy as they stand cannot be used and earlier ones serve, else 0.",
            registry=registry,
        )
        self._prepared = Gauge(
            "pairguard_generation_prepared",
            "1 while a worker holds what it is to switch to with the others, else 0.",
            registry=registry,
        )
        self._unkept_promises = Gauge(
            "pairguard_promises_unkept",
            "Promises of the policy, over all regions, that no certificate keeps now; 0: none.",
            registry=registry,
        )
        self._promises_expire_time = Gauge(
            "pairguard_promises_expire_time_seconds",
            "Until when the model's certificate may be used, seconds since 1970; 0: none is.",
            registry=registry,
        )

    def watch_promises(
        self, unkept: Callable[[], int], expire_time: Callable[[], float | None]
    ) -> None:
        """Ask for what is kept, and until when, whenever figures are read: no call tells of it."""
        self._unkept_promises.set_function(lambda: float(unkept()))
        self._promises_expire_time.set_function(lambda: expire_time() or 0.0)

    def tell_prepared(self, *, prepared: bool) -> None:
        """Tell whether something that was loaded waits for the other workers."""
        self._prepared.set(1.0 if prepared else 0.0)

    def tell_load_time(self, load_time: float) -> None:
        """Tell when what serves was loaded, seconds since 1970."""
        self._load_time.set(load_time)

    def observe_reload(self, result: str, *, stale: bool) -> None:
        """Count what became of a changed bundle or policy: one of ``RELOAD_RESULTS``."""
        self._reloads.labels(result).inc()
        self.tell_stale(stale=stale)

    def tell_stale(self, *, stale: bool) -> None:
        """Tell whether bundle or policy as they stand cannot be used."""
        self._stale.set(1.0 if stale else 0.0)
