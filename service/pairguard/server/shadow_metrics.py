"""The figures of a challenger that judges beside what serves.

Owns names, labels and buckets of them; ``docs/metrics.md`` explains each to people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pairguard.policy.decision import Decision
from pairguard.server.generation import Generation

# The first holds what is the same to the bit.
_DIFFERENCE_BUCKETS: Final = (0.0, 1e-6, 1e-4, 1e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class ShadowMetrics:
    """All metrics of the challenger, in the registry of the server.

    Args:
        registry: Where they are kept.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "pairguard_shadow_decisions",
            "Decisions that a challenger made again, by what was answered and what it would have "
            "been.",
            ("decision", "challenger_decision", "leading_reason"),
            registry=registry,
        )
        difference = Histogram(
            "pairguard_shadow_probability_difference",
            "How far the challenger's probabilities of a pair lie from those answered.",
            ("part",),
            registry=registry,
            buckets=_DIFFERENCE_BUCKETS,
        )
        self._minor_adult = difference.labels("minor_adult")
        self._harm = difference.labels("harm")
        self._risk_score = difference.labels("risk_score")
        self._dropped = Counter(
            "pairguard_shadow_dropped",
            "Decisions that the challenger was to make again and had no time for.",
            registry=registry,
        )
        self._errors = Counter(
            "pairguard_shadow_errors",
            "What the challenger failed at; no answer was touched by it.",
            ("operation",),
            registry=registry,
        )
        self._waiting = Gauge(
            "pairguard_shadow_waiting",
            "Decisions that wait for the challenger.",
            registry=registry,
        )
        self._bundle_info = Gauge(
            "pairguard_shadow_bundle_info",
            "1 for the version of the challenger's bundle; nothing without one.",
            ("version",),
            registry=registry,
        )
        self._policy_info = Gauge(
            "pairguard_shadow_policy_info",
            "1 for the version of the challenger's policy; nothing without one.",
            ("version",),
            registry=registry,
        )
        self._refused = Gauge(
            "pairguard_shadow_refused",
            "1 while the challenger that is wanted does not load, else 0.",
            registry=registry,
        )
        self._children: dict[tuple[int, int, bool], Counter] = {}

    def observe(self, answered: Decision, challenger: Decision) -> None:
        """Count one decision that was made again."""
        same = answered.reasons[0].code is challenger.reasons[0].code
        key = answered.kind, challenger.kind, same
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._decisions.labels(
                answered.kind.name, challenger.kind.name, "same" if same else "other"
            )
        child.inc()
        one, other = answered.risk, challenger.risk
        self._minor_adult.observe(abs(one.minor_adult_probability - other.minor_adult_probability))
        self._risk_score.observe(abs(one.risk_score - other.risk_score))
        if one.harm_probability is not None and other.harm_probability is not None:
            self._harm.observe(abs(one.harm_probability - other.harm_probability))

    def count_dropped(self) -> None:
        """Count one that there was no time for."""
        self._dropped.inc()

    def count_error(self, operation: str) -> None:
        """Count a failure: "load", "judge" or "record"."""
        self._errors.labels(operation).inc()
        if operation == "load":
            self._refused.set(1.0)

    def tell_challenger(self, challenger: Generation | None) -> None:
        """Name what judges beside what serves, and nothing else."""
        self._bundle_info.clear()
        self._policy_info.clear()
        if challenger is not None:
            self._bundle_info.labels(challenger.bundle_version).set(1.0)
            self._policy_info.labels(challenger.policy_version).set(1.0)
            self._refused.set(0.0)

    def watch(self, waiting: Callable[[], int]) -> None:
        """Ask how many wait whenever somebody looks at the figures."""
        self._waiting.set_function(waiting)
