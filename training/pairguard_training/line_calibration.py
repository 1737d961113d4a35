"""Whether P(minor) means what it says: over all ages, and around the line.

Owns four calibration slopes of one set of posteriors. It must not know whose they are.

Around the line there are two questions. People of true age 15-20 can be picked out and their
P(minor) be looked at. But they are picked by what is to be predicted: of all who look like
children, those who really are of 15-20 are seldom 13, and so the slope is below 1 for an oracle
as well. How far below follows from the posteriors themselves, and is told beside it. The sound
question gives the posterior the same knowledge: among ages 15-20, is P(< 18 | 15-20) right? There
an exact posterior has slope 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard_training.calibration_line import calibration_line

Array = NDArray[np.float64]

ADULT_AGE_YEARS = 18
LINE_YEARS = (15, 21)
"""Ages around the line: from the first up to below the second."""

_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class LineCalibration:
    """Slopes; NaN where the people cannot tell.

    Attributes:
        over_all: Of P(minor), everybody.
        at_the_line: Of P(minor), true ages 15-20.
        at_the_line_if_exact: What ``at_the_line`` would be if the posteriors were exact.
        within_the_line: Of P(minor | age 15-20), true ages 15-20.
    """

    over_all: float
    at_the_line: float
    at_the_line_if_exact: float
    within_the_line: float


def line_calibration(posteriors: Array, ages: Array, weights: Array) -> LineCalibration:
    """Measure the slopes.

    Args:
        posteriors: (n, 101) over the age grid, each sums to 1.
        ages: (n,) true ages in years.
        weights: (n,) at least 0.
    """
    low, high = LINE_YEARS
    minor = _inside(posteriors[:, :ADULT_AGE_YEARS].sum(axis=1))
    in_line = np.maximum(posteriors[:, low:high].sum(axis=1), _EDGE)
    within = _inside(posteriors[:, low:ADULT_AGE_YEARS].sum(axis=1) / in_line)
    truth = (ages < ADULT_AGE_YEARS).astype(np.float64)
    near = (ages >= low) & (ages < high)
    return LineCalibration(
        over_all=calibration_line(minor, truth, weights).slope,
        at_the_line=calibration_line(minor[near], truth[near], weights[near]).slope,
        at_the_line_if_exact=calibration_line(minor, within, weights * in_line).slope,
        within_the_line=calibration_line(within[near], truth[near], weights[near]).slope,
    )


def _inside(probabilities: Array) -> Array:
    return np.clip(probabilities, _EDGE, 1.0 - _EDGE)
