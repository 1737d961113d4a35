"""How far the training data of one bundle lies from that of another, signal by signal.

Owns the two distances between what two ``reference.json`` say: the population stability index, by
the quantiles of the first, and the first Wasserstein distance, in interquartile ranges of the
first; of categories the index and the total variation. What is unknown is a bin of its own. It must
not know live traffic.

Both are computed from quantiles and shares alone. Where equal values hide how many lie at a value,
the two are taken to be as alike as what is known allows: a drift is at least what is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Array = NDArray[np.float64]

MODERATE, LARGE = 0.1, 0.25
"""Index from which on a drift is usually called moderate, and large."""
_TAIL = 0.02
_LEAST_SHARE = 1e-4  # an empty bin counts as this, so that the index is finite
_SCORES = ("probability_minor", "minor_adult_probability", "harm_probability")


@dataclass(frozen=True, slots=True)
class SignalDrift:
    """One signal or score.

    Attributes:
        name: Of it.
        stability: Population stability index, at least 0.
        by_chance: What that stays below in 95 of 100 samples of this size without any drift.
        distance: Wasserstein distance in interquartile ranges, or total variation of categories,
            of the known values; None: cannot be told.
        unknown_before: Share of unknown values then.
        unknown_now: And now.
    """

    name: str
    stability: float
    by_chance: float
    distance: float | None
    unknown_before: float
    unknown_now: float

    @property
    def size(self) -> str:
        """What such an index is usually called."""
        if self.stability <= max(self.by_chance, 0.01):
            return "none seen"
        if self.stability < MODERATE:
            return "small"
        return "moderate" if self.stability < LARGE else "large"


@dataclass(frozen=True, slots=True)
class Drift:
    """All signals and scores that both know, the one that moved most first.

    Attributes:
        scores: Of the models' outputs.
        signals: Of the inputs.
        only_before: Signals that only the earlier bundle knows.
        only_now: Signals that only this one knows.
    """

    scores: list[SignalDrift]
    signals: list[SignalDrift]
    only_before: list[str]
    only_now: list[str]


def compare_references(before: Mapping[str, Any], now: Mapping[str, Any]) -> Drift:
    """Compare two reference documents; what either does not tell is left out."""
    old, new = before.get("columns", {}), now.get("columns", {})
    sizes = _size(before, "snapshots"), _size(now, "snapshots")
    pairs = _size(before, "pairs"), _size(now, "pairs")
    levels = before.get("quantile_levels", []), now.get("quantile_levels", [])
    signals = [
        found
        for name in sorted(old.keys() & new.keys())
        if (found := _drift(name, old[name], new[name], levels, sizes)) is not None
    ]
    scores = [
        found
        for name in _SCORES
        if (
            found := _drift(
                name,
                before.get(name),
                now.get(name),
                levels,
                sizes if name == "probability_minor" else pairs,
            )
        )
        is not None
    ]
    return Drift(
        scores=scores,
        signals=sorted(signals, key=lambda each: (-each.stability, each.name)),
        only_before=sorted(old.keys() - new.keys()),
        only_now=sorted(new.keys() - old.keys()),
    )


def _drift(
    name: str,
    before: Any,
    now: Any,
    levels: tuple[Sequence[float], Sequence[float]],
    sizes: tuple[int, int],
) -> SignalDrift | None:
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return None
    unknown = float(before.get("unknown_share", 0.0)), float(now.get("unknown_share", 0.0))
    if "shares" in before and "shares" in now:
        known = _category_shares(before["shares"], now["shares"])
        distance = None if known is None else 0.5 * float(np.abs(known[0] - known[1]).sum())
    elif before.get("quantiles") and now.get("quantiles"):
        old, new = np.array(before["quantiles"], float), np.array(now["quantiles"], float)
        if (len(old), len(new)) != (len(levels[0]), len(levels[1])):
            return None
        at = np.array(levels[0], float), np.array(levels[1], float)
        if np.isin(old, (0.0, 1.0)).all() and np.isin(new, (0.0, 1.0)).all():
            ones = float(before["mean"]), float(now["mean"])
            known = np.array([1.0 - ones[0], ones[0]]), np.array([1.0 - ones[1], ones[1]])
            distance = abs(ones[0] - ones[1])
        else:
            known = _bin_shares(old, at[0], new, at[1])
            distance = _wasserstein(old, at[0], new, at[1])
    else:
        known, distance = None, None
    if known is None:
        if unknown[0] < 1.0 and unknown[1] < 1.0:
            return None
        known = np.ones(1), np.ones(1)
    first = np.append(known[0] * (1.0 - unknown[0]), unknown[0])
    second = np.append(known[1] * (1.0 - unknown[1]), unknown[1])
    return SignalDrift(
        name=name,
        stability=stability_index(first, second),
        by_chance=_index_by_chance(first, second, sizes),
        distance=distance,
        unknown_before=unknown[0],
        unknown_now=unknown[1],
    )


def stability_index(before: Array, now: Array) -> float:
    """Return sum (q - p) ln(q / p) over (k,) shares of the same bins; 0: alike, always >= 0."""
    p, q = np.maximum(before, _LEAST_SHARE), np.maximum(now, _LEAST_SHARE)
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def _index_by_chance(before: Array, now: Array, sizes: tuple[int, int]) -> float:
    """Return the index that two samples of one population stay below in 95 of 100 cases.

    The index of two samples is about (1/n + 1/m) times a chi-squared figure with one degree of
    freedom less than there are bins (Yurdakul 2018, Statistical properties of population
    stability index).
    """
    bins = int(((before > 0.0) | (now > 0.0)).sum())
    if bins < 2 or min(sizes) < 1:
        return 0.0
    return float((1.0 / sizes[0] + 1.0 / sizes[1]) * chi2.ppf(0.95, bins - 1))


def _category_shares(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[Array, Array] | None:
    names = sorted({*before, *now})
    values = [[shares.get(name, 0.0) for name in names] for shares in (before, now)]
    if any(share is None for shares in values for share in shares):
        return None  # nobody was known
    first, second = (np.array(shares, float) for shares in values)
    return first, second


def _bin_shares(
    old: Array, old_levels: Array, new: Array, new_levels: Array
) -> tuple[Array, Array]:
    """Return both shares between the first one's quantiles; equal quantiles make one bin.

    In the outer hundredths a straight line between quantiles is too far from the truth.
    """
    edges = np.unique(old[(old_levels >= _TAIL) & (old_levels <= 1.0 - _TAIL)])
    least, most = _at_or_below(old, old_levels, edges)
    least_now, most_now = _at_or_below(new, new_levels, edges)
    # As near to each other as both ranges allow.
    first = np.clip(least_now, least, most)
    second = np.clip(first, least_now, most_now)
    first, second = (
        np.maximum(np.diff(np.concatenate([[0.0], below, [1.0]])), 0.0) for below in (first, second)
    )
    return first, second


def _at_or_below(values: Array, levels: Array, edges: Array) -> tuple[Array, Array]:
    """Return the least and the highest share of values that may lie at or below each edge.

    Between two quantiles it is interpolated, unless some quantiles are equal: then the values are
    counts or the like, and how many lie between two quantiles is not told.
    """
    distinct, last = np.unique(values[::-1], return_index=True)
    highest = levels[::-1][last]  # of equal quantiles the highest level counts
    if distinct.size == values.size:
        below = np.interp(edges, distinct, highest, left=0.0, right=1.0)
        return below, below
    following = np.searchsorted(distinct, edges, side="right")
    lowest = levels[np.searchsorted(values, distinct, side="left")]
    least = np.concatenate([[0.0], highest])[following]
    most = np.concatenate([lowest, [1.0]])[following]
    return least, most


def _wasserstein(old: Array, old_levels: Array, new: Array, new_levels: Array) -> float | None:
    """Return the mean distance between quantiles of the same level, in interquartile ranges."""
    levels = np.unique(np.concatenate([old_levels, new_levels]))
    gap = np.abs(np.interp(levels, old_levels, old) - np.interp(levels, new_levels, new))
    quartiles = np.interp([0.25, 0.75], old_levels, old)
    scale = float(quartiles[1] - quartiles[0])
    distance = float(np.trapezoid(gap, levels))
    if distance == 0.0:
        return 0.0
    return distance / scale if scale > 0.0 else None


def _size(document: Mapping[str, Any], name: str) -> int:
    size = document.get(name)
    return size if isinstance(size, int) else 0
