"""The figures of bundle and policy as they are loaded while the server serves.

Owns names, labels and what may become of a reload; ``docs/metrics.md`` explains each to people.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

RELOAD_RESULTS: Final = ("used", "unchanged", "bundle_refused", "policy_refused", "failed")
"""What may become of a changed bundle or policy."""


class GenerationMetrics:
    """Reloads, when the last was used, and whether what serves is what there is.

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

    def tell_load_time(self, load_time: float) -> None:
        """Tell when what serves was loaded, seconds since 1970."""
        self._load_time.set(load_time)

    def observe_reload(self, result: str, *, stale: bool) -> None:
        """Count what became of a changed bundle or policy: one of ``RELOAD_RESULTS``."""
        self._reloads.labels(result).inc()
        self._stale.set(1.0 if stale else 0.0)
