"""What a threshold costs and what it lets through, at many thresholds.

Owns the thresholds that are shown and both shares at each. It must not know what is predicted: a
pair whose probability is above the threshold is stopped, as the policy's thresholds stop it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard_training.resampling import Estimate, with_unseen

Array = NDArray[np.float64]

_STOPPED = (
    0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05,
    0.06, 0.07, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.225, 0.25, 0.275, 0.3, 0.35, 0.4, 0.45,
    0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99,
)  # fmt: skip
"""Shares of the good pairs that the shown thresholds stop, about."""
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class TradeOffPoint:
    """One threshold.

    Attributes:
        threshold: Highest probability that is allowed.
        good_stopped: Share of the negatives above it.
        positives_allowed: Share of the positives at or below it.
    """

    threshold: float
    good_stopped: Estimate
    positives_allowed: Estimate


class TradeOff:
    """Both shares at the same thresholds under many weights."""

    def __init__(
        self, probabilities: Array, labels: Array, weights: Array, *, further: Sequence[float] = ()
    ) -> None:
        """Choose the thresholds and sort once.

        Args:
            probabilities: (n,) within [0, 1].
            labels: (n,) within [0, 1].
            weights: (n,) that the thresholds are chosen by, each at least 0.
            further: Thresholds to show as well, within [0, 1].
        """
        self._order = np.argsort(probabilities, kind="stable")
        ordered = probabilities[self._order]
        self._labels = labels[self._order]
        good = np.cumsum(weights[self._order] * (1.0 - self._labels))
        chosen = {round_up(threshold) for threshold in further}
        if good.size and good[-1] > 0.0:
            wanted = (1.0 - np.array(_STOPPED)) * good[-1]
            places = np.minimum(np.searchsorted(good, wanted), good.size - 1)
            chosen |= {round_up(float(value)) for value in ordered[places]}
        self._thresholds = sorted(chosen)
        self._ends = np.searchsorted(ordered, np.array(self._thresholds), side="right")

    def shares(self, weights: Array) -> dict[str, float]:
        """Return both shares at each threshold by name, NaN where there is nothing to share."""
        drawn = weights[self._order]
        values: dict[str, float] = {}
        bad = drawn * self._labels
        for name, counted in (("good", drawn - bad), ("bad", bad)):
            below = np.concatenate([[0.0], np.cumsum(counted)])
            total = below[-1]
            for index, end in enumerate(self._ends):
                allowed = float(below[end] / total) if total > 0.0 else float("nan")
                values[_key(name, index)] = 1.0 - allowed if name == "good" else allowed
        return values

    def points(
        self, found: Mapping[str, Estimate], *, positives: int, negatives: int
    ) -> list[TradeOffPoint]:
        """Return the thresholds, rising, with what ``shares`` was estimated to be.

        Args:
            found: Estimates by the names that ``shares`` gives.
            positives: Independent positives, for shares that no draw moves.
            negatives: Independent negatives.
        """
        return [
            TradeOffPoint(
                threshold,
                with_unseen(found[_key("good", index)], trials=negatives),
                with_unseen(found[_key("bad", index)], trials=positives),
            )
            for index, threshold in enumerate(self._thresholds)
        ]


def round_up(value: float) -> float:
    """Return a threshold with few digits that allows what this one allows."""
    rounded = float(f"{value:.{_DIGITS}g}")
    if rounded < value:
        rounded = float(f"{value * (1.0 + 10.0 ** (1 - _DIGITS)):.{_DIGITS}g}")
    return min(rounded, 1.0)


def _key(name: str, index: int) -> str:
    return f"trade-off/{name}/{index}"
