"""Drift as figures for Prometheus.

Owns names and labels of the metrics of drift. Labels come from the reference of the bundle, never
from a request. It must not know how anything is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pairguard.drift.comparison import Finding, Verdict
from pairguard.server.drift_view import STATES, DriftView

LABELS: Final = {
    "pairguard_drift_psi": ("window", "group", "variable", "of"),
    "pairguard_drift_psi_noise": ("window", "group", "variable", "of"),
    "pairguard_drift_distance": ("window", "group", "variable"),
    "pairguard_drift_distance_noise": ("window", "group", "variable"),
    "pairguard_drift_unlisted_share": ("window", "group", "variable"),
    "pairguard_drift_variables": ("window", "verdict"),
    "pairguard_drift_counted": ("window", "unit"),
    "pairguard_drift_reference": ("state",),
    "pairguard_drift_same_policy": (),
    "pairguard_drift_start_time_seconds": (),
    "pairguard_drift_errors": (),
}
_TEXTS: Final = {
    "pairguard_drift_psi": "Population stability index against the training data.",
    "pairguard_drift_psi_noise": "What the index hardly ever exceeds by chance alone.",
    "pairguard_drift_distance": (
        "W1 distance of numbers, in deviations of the training data, of face_mean_years in years."
    ),
    "pairguard_drift_distance_noise": "What the distance hardly ever exceeds by chance alone.",
    "pairguard_drift_unlisted_share": (
        "Share of words or names that are seldom or never in the training data, above what it was "
        "there."
    ),
    "pairguard_drift_variables": "Comparisons by how large the difference is.",
    "pairguard_drift_counted": "Participants and pairs that a window counts, each once.",
    "pairguard_drift_reference": "1 for what there is to compare with.",
    "pairguard_drift_same_policy": "1 if decisions are compared: the reference has this policy.",
    "pairguard_drift_start_time_seconds": (
        "Since when the present bundle and policy are counted, seconds since 1970."
    ),
    "pairguard_drift_errors": "Judged pairs that could not be counted for drift.",
}
VERDICTS: Final = {verdict: verdict.name.lower() for verdict in Verdict}


class DriftFigures(Collector):
    """Asks for drift whenever somebody looks at the figures; nothing until there is whom to ask."""

    def __init__(self) -> None:
        self._view: Callable[[], DriftView] | None = None

    def watch(self, view: Callable[[], DriftView]) -> None:
        """Set whom to ask."""
        self._view = view

    def describe(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Return the metrics without samples, so that registering computes nothing."""
        yield from _families().values()

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Return the metrics with their samples."""
        families = _families()
        if self._view is not None:
            _fill(families, self._view())
        yield from families.values()


def _families() -> dict[str, GaugeMetricFamily | CounterMetricFamily]:
    return {
        name: (CounterMetricFamily if name.endswith("_errors") else GaugeMetricFamily)(
            name, _TEXTS[name], labels=labels
        )
        for name, labels in LABELS.items()
    }


def _fill(families: dict[str, GaugeMetricFamily | CounterMetricFamily], view: DriftView) -> None:
    for state in STATES:
        families["pairguard_drift_reference"].add_metric([state], float(state == view.state))
    families["pairguard_drift_same_policy"].add_metric([], float(view.same_policy))
    families["pairguard_drift_start_time_seconds"].add_metric([], view.since)
    families["pairguard_drift_errors"].add_metric([], float(view.errors))
    for window in view.windows:
        counted = families["pairguard_drift_counted"]
        counted.add_metric([window.name, "participant"], window.participants)
        counted.add_metric([window.name, "pair"], window.pairs)
        verdicts = Counter(each.verdict for each in window.findings)
        for verdict, name in VERDICTS.items():
            families["pairguard_drift_variables"].add_metric([window.name, name], verdicts[verdict])
        for finding in window.findings:
            # Of few people nothing is told: neither is it known, nor are they many.
            if finding.verdict is not Verdict.TOO_FEW:
                _add(families, window.name, finding)


def _add(
    families: dict[str, GaugeMetricFamily | CounterMetricFamily], window: str, finding: Finding
) -> None:
    variable = finding.variable
    labels = [window, variable.group.value, variable.name]
    of = [*labels, "unknown" if finding.of_unknown else "values"]
    families["pairguard_drift_psi"].add_metric(of, finding.psi.value)
    families["pairguard_drift_psi_noise"].add_metric(of, finding.psi.bound)
    if finding.distance is not None:
        families["pairguard_drift_distance"].add_metric(labels, finding.distance.value)
        families["pairguard_drift_distance_noise"].add_metric(labels, finding.distance.bound)
    if finding.counts_unlisted:
        families["pairguard_drift_unlisted_share"].add_metric(labels, finding.unlisted_share)
