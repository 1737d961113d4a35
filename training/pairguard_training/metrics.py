"""How good probabilities are, for events that may be rare, with weights.

Owns the measures. It must not know whose probabilities they are nor how uncertain a measure is
(``resampling``).

Labels may be soft: a pair with label 0.3 counts as 0.3 of a positive and 0.7 of a negative, which
is its expectation where the chance itself is known, as in a simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STOPPED_SHARES = (0.01, 0.05)
"""Shares of good pairs stopped at which missed pairs are counted."""
BLOCK_BUDGETS = (0.01, 0.05)
"""Shares of all pairs that may be stopped, at which caught pairs are counted."""

_LEAST = 1e-12
_BIN_EDGES: Array = 10.0 ** np.arange(-4.0, 0.25, 0.5)


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one set of probabilities; NaN where there is nothing to measure.

    Attributes:
        roc_auc: P(a positive scores above a negative), ties half.
        pr_auc: Average precision; compare it with ``base_rate``.
        base_rate: Share of positives.
        missed_at_1_percent: Share of positives below the score at which 1 % of the negatives are
            stopped.
        missed_at_5_percent: The same at 5 %.
        recall_at_budget_1_percent: Share of positives among the 1 % of all pairs that score
            highest; at most 0.01 / ``base_rate``.
        recall_at_budget_5_percent: The same of the highest 5 %.
        brier_skill: 1 - Brier score / that of the base rate; 0: no better, 1: perfect.
        log_loss: Mean negative log-likelihood in nats.
    """

    roc_auc: float
    pr_auc: float
    base_rate: float
    missed_at_1_percent: float
    missed_at_5_percent: float
    recall_at_budget_1_percent: float
    recall_at_budget_5_percent: float
    brier_skill: float
    log_loss: float


class RankedScores:
    """Probabilities and labels, sorted once and measured under many weights."""

    def __init__(self, probabilities: Array, labels: Array) -> None:
        """Sort.

        Args:
            probabilities: (n,) within [0, 1].
            labels: (n,) within [0, 1].
        """
        self._order = np.argsort(-probabilities, kind="stable")
        sorted_scores = probabilities[self._order]
        # Last place of each run of equal scores: nothing is known within a run.
        self._ends = np.flatnonzero(
            np.append(np.diff(sorted_scores) != 0.0, np.ones(1, dtype=bool))
        )
        self._labels = labels[self._order]
        inside = np.clip(sorted_scores, _LEAST, 1.0 - _LEAST)
        self._brier = self._labels * (1.0 - sorted_scores) ** 2
        self._brier += (1.0 - self._labels) * sorted_scores**2
        self._loss = -self._labels * np.log(inside) - (1.0 - self._labels) * np.log1p(-inside)

    def measure(self, weights: Array) -> Measures:
        """Measure with (n,) weights, each at least 0."""
        ordered = weights[self._order]
        total = float(ordered.sum())
        caught = np.cumsum(ordered * self._labels)[self._ends]
        stopped = np.cumsum(ordered * (1.0 - self._labels))[self._ends]
        positives, negatives = float(caught[-1]), float(stopped[-1])
        if not (positives > 0.0 and negatives > 0.0):
            nan = float("nan")
            return Measures(nan, nan, positives / total if total else nan, *(nan,) * 6)
        base = positives / total
        new_caught = np.diff(caught, prepend=0.0)
        new_stopped = np.diff(stopped, prepend=0.0)
        above = caught - 0.5 * new_caught
        precision = caught / np.maximum(caught + stopped, 1e-300)
        recall = np.concatenate([[0.0], caught / positives])
        false_alarms = np.concatenate([[0.0], stopped / negatives])
        missed = [1.0 - float(np.interp(s, false_alarms, recall)) for s in STOPPED_SHARES]
        spent = np.concatenate([[0.0], (caught + stopped) / total])
        found = [float(np.interp(budget, spent, recall)) for budget in BLOCK_BUDGETS]
        return Measures(
            roc_auc=float((new_stopped * above).sum() / (positives * negatives)),
            pr_auc=float((precision * new_caught).sum() / positives),
            base_rate=base,
            missed_at_1_percent=missed[0],
            missed_at_5_percent=missed[1],
            recall_at_budget_1_percent=found[0],
            recall_at_budget_5_percent=found[1],
            brier_skill=1.0 - float((ordered * self._brier).sum()) / (total * base * (1.0 - base)),
            log_loss=float((ordered * self._loss).sum()) / total,
        )


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pairs whose predictions lie in one half of a decade.

    Attributes:
        low: Lowest prediction of the bin.
        high: Highest.
        pairs: Number of pairs.
        predicted: Mean prediction.
        observed: Mean label.
        observed_low: Lower end of its interval of 95 % confidence; NaN: not told.
        observed_high: Upper end.
    """

    low: float
    high: float
    pairs: int
    predicted: float
    observed: float
    observed_low: float = float("nan")
    observed_high: float = float("nan")


def reliability_places(probabilities: Array) -> NDArray[np.intp]:
    """Return (n,) the bin of each prediction, of equal width in log10 from 1e-4 on.

    Bins of equal counts would hide rare events among the many that are certain.
    """
    return np.searchsorted(_BIN_EDGES, probabilities, side="right")


def reliability(probabilities: Array, labels: Array, weights: Array) -> list[ReliabilityBin]:
    """Return predicted and observed shares in the bins of ``reliability_places`` with pairs."""
    edges = _BIN_EDGES
    place = reliability_places(probabilities)
    bins = []
    for index in range(len(edges) + 1):
        inside = place == index
        mass = float(weights[inside].sum())
        if mass <= 0.0:
            continue
        bins.append(
            ReliabilityBin(
                low=0.0 if index == 0 else float(edges[index - 1]),
                high=float(edges[index]) if index < len(edges) else 1.0,
                pairs=int(inside.sum()),
                predicted=float((weights * probabilities)[inside].sum()) / mass,
                observed=float((weights * labels)[inside].sum()) / mass,
            )
        )
    return bins
