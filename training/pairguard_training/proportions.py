"""Shares that were counted, with the exact interval of a count.

Owns one binomial proportion. It must not know what was counted; whoever counts sees to it that the
trials are independent, one for each person or pair.

Clopper and Pearson (1934), The use of confidence or fiducial limits, Biometrika 26.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from pairguard_training.resampling import CONFIDENCE


@dataclass(frozen=True, slots=True)
class Proportion:
    """So many of so many; the interval of 95 % confidence covers at least that often.

    Attributes:
        count: How many.
        of: Of how many.
        low: Lower end of the interval; NaN: there was nobody.
        high: Upper end.
    """

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share itself; NaN: there was nobody."""
        return self.count / self.of if self.of else float("nan")


def proportion(count: int, of: int) -> Proportion:
    """Return a count with its exact interval.

    Raises:
        ValueError: More were counted than there are.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share")
    if not of:
        return Proportion(0, 0, float("nan"), float("nan"))
    tail = (1.0 - CONFIDENCE) / 2.0
    low = float(betaincinv(count, of - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 1.0 - tail)) if count < of else 1.0
    return Proportion(count, of, low, high)


def share_of(happened: NDArray[np.bool_], among: NDArray[np.bool_]) -> Proportion:
    """Return the share of those for whom something happened ``among`` some, both (n,)."""
    return proportion(int((happened & among).sum()), int(among.sum()))
