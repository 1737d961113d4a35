"""Fitting the map from a harm model's raw scores to probabilities, on people it has not seen.

Owns the choice of the map by the number of positives, and its estimate. It must not know which
model made the scores.

- fewer than 20 positives: a shift of the log-odds alone, to where the sums agree;
- fewer than 1,000: beta calibration (Kull, Silva Filho, Flach 2017), a and b >= 0;
- more: a piecewise linear map of log-odds, each piece rising.

Each makes the sum of the predictions that of the labels. Isotonic regression is not used: it makes
steps and zeros out of rare events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pairguard.risk.calibration import Calibration
from pairguard_training.calibration_spline import SortedRows, fit_broken_line

Array = NDArray[np.float64]

FEWEST_FOR_BETA = 20
FEWEST_FOR_SPLINE = 1_000

_SPLINE_PIECES = 8
_FLATTEST = 0.05  # slope of a piece, log-odds per log-odds
_STEEPEST = 5.0
_BENDING = 1e-3  # weight of the squared difference of neighbouring slopes, per positive
_SLOPE_DIGITS = 12
_MOST_LEVELS = 200
_LEVEL_DIGITS = 1e-15
_WIDEST_OF_NO_SCORES = 1e-9  # scores so alike tell nothing apart, and no slope can be found


def fit_calibration(
    raw_scores: Array, labels: NDArray[np.bool_], weights: Array | None = None
) -> Calibration:
    """Fit the map; with no positives, or nothing else, the scores themselves.

    Args:
        raw_scores: (n,) log-odds as the model says them.
        labels: (n,) what happened.
        weights: (n,) what each stands for, above 0; None: itself.
    """
    positives = int(labels.sum())
    if positives in {0, labels.size}:
        return Calibration.from_mapping({"kind": "identity"})
    outcomes = _Outcomes(
        labels.astype(np.float64), np.ones(labels.size) if weights is None else weights
    )
    if positives < FEWEST_FOR_BETA or np.ptp(raw_scores) < _WIDEST_OF_NO_SCORES:
        mapping = _shift(raw_scores, outcomes)
    elif positives < FEWEST_FOR_SPLINE:
        mapping = _beta(raw_scores, outcomes)
    else:
        mapping = _spline(raw_scores, outcomes)
    return Calibration.from_mapping(mapping)


def kind_of(calibration: Calibration) -> str:
    """Return what was fitted: "spline", "beta", or "shift", which moves the level alone."""
    mapping = calibration.to_mapping()
    if mapping["kind"] == "beta" and mapping["a"] == mapping["b"] == 1.0:
        return "shift"
    return str(mapping["kind"])


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """What happened, (n,) 0 or 1, and what each stands for."""

    happened: Array
    weights: Array


def _shift(raw: Array, outcomes: _Outcomes) -> dict[str, Any]:
    return {"kind": "beta", "a": 1.0, "b": 1.0, "c": _level(raw, outcomes)}


def _beta(raw: Array, outcomes: _Outcomes) -> dict[str, Any]:
    tail = np.log1p(np.exp(-np.abs(raw)))
    low, high = np.minimum(raw, 0.0) - tail, np.maximum(raw, 0.0) + tail  # log p, -log(1 - p)
    kept = [low, high]
    slopes = _slopes(kept, outcomes)
    if min(slopes) < 0.0:
        # The better of the two maps with one slope: the other is at its bound of 0.
        kept = [low] if slopes[1] < slopes[0] else [high]
        (slope,) = _slopes(kept, outcomes)
        if slope <= 0.0:
            # The scores tell nothing, or the wrong way round: at their own slope they would seem
            # to tell much.
            slope = _FLATTEST
        slopes = [slope, 0.0] if kept[0] is low else [0.0, slope]
    a, b = (round(slope, _SLOPE_DIGITS) for slope in slopes)
    if a + b <= 0.0:  # so flat that the scores tell nothing
        return _shift(raw, outcomes)
    return {"kind": "beta", "a": a, "b": b, "c": _level(a * low + b * high, outcomes)}


def _slopes(columns: list[Array], outcomes: _Outcomes) -> list[float]:
    # At a base rate of 1e-4 the usual solver and tolerance stop far from the optimum.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-9, max_iter=1_000)
    model.fit(np.column_stack(columns), outcomes.happened, sample_weight=outcomes.weights)
    return [float(slope) for slope in model.coef_[0]]


def _spline(raw: Array, outcomes: _Outcomes) -> dict[str, Any]:
    order = np.argsort(raw, kind="stable")
    rows = SortedRows(raw[order], outcomes.happened[order], outcomes.weights[order])
    knots = _knots(rows)
    if knots.size < 2:
        return _shift(raw, outcomes)
    line = fit_broken_line(
        rows,
        knots,
        slope_bounds=(_FLATTEST, _STEEPEST),
        bending=_BENDING * _dot(rows.weights, rows.happened),
    )
    slopes = np.round(line.slopes, _SLOPE_DIGITS)
    rises = np.concatenate([[0.0], np.cumsum(slopes * np.diff(knots))])
    # The first and the last piece are open.
    piece = np.searchsorted(knots[1:-1], raw, side="right")
    log_odds = rises[piece] + slopes[piece] * (raw - knots[piece])
    values = _level(log_odds, outcomes, near=line.level) + rises
    return {"kind": "logit_spline", "knots": knots.tolist(), "values": values.tolist()}


def _knots(rows: SortedRows) -> Array:
    """Return knots where positives and negatives both are: quantiles of the two mixed evenly."""
    happened, weights = rows.happened, rows.weights
    positive = _dot(weights, happened)
    position = np.cumsum(
        weights * np.where(happened > 0.0, 1.0 / positive, 1.0 / (float(weights.sum()) - positive))
    )
    wanted = np.linspace(0.02, 0.98, _SPLINE_PIECES + 1) * position[-1]
    at = rows.scores[np.minimum(np.searchsorted(position, wanted), rows.scores.size - 1)]
    distinct = np.unique(at)
    # Pieces narrower than this would be steps.
    kept = [float(distinct[0])]
    for knot in distinct[1:]:
        if knot - kept[-1] >= 0.05:
            kept.append(float(knot))
    return np.array(kept)


def _level(log_odds: Array, outcomes: _Outcomes, *, near: float = 0.0) -> float:
    """Return the shift of log-odds at which the sum of the predictions is that of the labels.

    The sum rises with the shift, so Newton's method is held between a shift that is too low and one
    that is too high.
    """
    weights = outcomes.weights
    total = _dot(weights, outcomes.happened)
    middle = float(np.log(total / (float(weights.sum()) - total)))
    low = middle - float(log_odds.max()) - 1.0
    high = middle - float(log_odds.min()) + 1.0
    level = min(max(near, low), high)
    for _ in range(_MOST_LEVELS):
        excess, rise = _excess(log_odds + level, weights)
        excess -= total
        low, high = (low, level) if excess > 0.0 else (level, high)
        following = level - excess / rise if rise > 0.0 else low
        if not low <= following <= high:
            following = 0.5 * (low + high)
        moved = abs(following - level)
        level = following
        if moved <= _LEVEL_DIGITS * max(abs(level), 1.0):
            break
    return level


def _excess(log_odds: Array, weights: Array) -> tuple[float, float]:
    """Return the sum of what is predicted, and how fast it rises with the log-odds."""
    small = np.exp(-np.minimum(np.abs(log_odds), 700.0))
    inverse = 1.0 / (1.0 + small)
    chances = np.where(log_odds >= 0.0, inverse, small * inverse)
    return _dot(weights, chances), _dot(weights, small * inverse * inverse)


def _dot(one: Array, other: Array) -> float:
    """Return the sum of products, in one order on any number of processors."""
    return float((one * other).sum())
