"""How fast something grows: a least-squares line with an interval.

Owns the statistics. It must not know what was measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import t as student

_COVERAGE = 0.95


@dataclass(frozen=True, slots=True)
class Growth:
    """A slope and its 95 % interval, in the unit of the values a minute.

    Attributes:
        slope: The estimate.
        low: Lower end.
        high: Upper end.
        blocks: Means that it was taken from.
    """

    slope: float
    low: float
    high: float
    blocks: int


def growth_a_minute(
    seconds: Sequence[float], values: Sequence[float], *, block_seconds: float
) -> Growth:
    """Return how fast values grow, by ordinary least squares on means of blocks of time.

    Samples that follow each other closely are alike, so that a line through all of them would claim
    to know more than it does; means of longer blocks are less so. The interval is Student's, with
    two degrees of freedom less than there are blocks.

    Args:
        seconds: When each value was taken, growing.
        values: What was measured.
        block_seconds: How long a block is.

    Raises:
        ValueError: There are fewer than four blocks.
    """
    blocks: dict[int, list[tuple[float, float]]] = {}
    for at, value in zip(seconds, values, strict=True):
        blocks.setdefault(int((at - seconds[0]) // block_seconds), []).append((at, value))
    if len(blocks) < 4:
        raise ValueError(f"{len(blocks)} blocks say nothing of a slope: four and more do")
    x = [statistics.fmean(at for at, _ in each) / 60.0 for each in blocks.values()]
    y = [statistics.fmean(value for _, value in each) for each in blocks.values()]
    slope, intercept = statistics.linear_regression(x, y)
    errors = [b - intercept - slope * a for a, b in zip(x, y, strict=True)]
    degrees, mean = len(x) - 2, statistics.fmean(x)
    spread = math.fsum((a - mean) ** 2 for a in x)
    deviation = math.sqrt(math.fsum(each * each for each in errors) / degrees / spread)
    half = float(student.ppf(0.5 + _COVERAGE / 2.0, degrees)) * deviation
    return Growth(slope, slope - half, slope + half, len(x))
