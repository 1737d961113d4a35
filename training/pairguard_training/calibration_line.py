"""Calibration slope and intercept: does a probability mean what it says.

Owns one weighted logistic regression of what happened on the log-odds that were claimed. Slope 1
and intercept 0: it does. A slope below 1: the claims are too extreme. It must not know whose
claims they are.

Cox (1958), Two further applications of a model for binary regression, Biometrika 45.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 60
_TOLERANCE = 1e-10
_STEEPEST = 50.0


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """The two numbers; NaN where the data cannot tell (one class only, or perfectly divided)."""

    slope: float
    intercept: float


def calibration_line(probabilities: Array, happened: Array, weights: Array) -> CalibrationLine:
    """Fit the line by Newton's method.

    Args:
        probabilities: (n,) claims, inside (0, 1).
        happened: (n,) 0 or 1.
        weights: (n,) at least 0.
    """
    unknown = CalibrationLine(float("nan"), float("nan"))
    claimed = np.log(probabilities) - np.log1p(-probabilities)
    total = weights.sum()
    if total <= 0.0 or not 0.0 < (weights * happened).sum() < total:
        return unknown
    centre = float((weights * claimed).sum() / total)
    spread = claimed - centre  # decorrelates the two unknowns
    if not (weights * spread**2).sum() > 0.0:
        return unknown
    share = float((weights * happened).sum() / total)
    level, slope = float(np.log(share / (1.0 - share))), 0.0
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(level + slope * spread, -700.0, 700.0)))
        surprise = weights * (happened - chance)
        curvature = weights * chance * (1.0 - chance)
        h0, h1, h2 = curvature.sum(), (curvature * spread).sum(), (curvature * spread**2).sum()
        determinant = h0 * h2 - h1 * h1
        if not determinant > 1e-12 * max(h0 * h2, 1e-300):
            return unknown
        g0, g1 = surprise.sum(), (surprise * spread).sum()
        up, tilt = (h2 * g0 - h1 * g1) / determinant, (h0 * g1 - h1 * g0) / determinant
        damping = min(1.0, 2.0 / max(abs(up), abs(tilt), 1e-300))
        level, slope = level + damping * up, slope + damping * tilt
        if abs(slope) > _STEEPEST:
            return unknown
        if max(abs(up), abs(tilt)) < _TOLERANCE:
            break
    return CalibrationLine(slope=float(slope), intercept=float(level - slope * centre))
