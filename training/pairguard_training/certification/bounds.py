"""How many misses among n may be seen for a rate to be bounded, and the threshold that follows.

Owns the exact one-sided binomial bound. It must not know what is counted; whoever counts sees to it
that the n are independent draws from whom the promise is about.

With k* = max{k : BetaInv(1 - delta; k + 1, n - k) <= alpha} and a threshold below the (k* + 1)-th
smallest of n scores, the chance that more than alpha of all scores lie at or below it is at most
delta, whatever their distribution and whatever ties it has: the share of scores strictly below an
order statistic is at most a Beta(k + 1, n - k) variable. Clopper and Pearson (1934), The use of
confidence or fiducial limits, Biometrika 26; Wilks (1941), Determination of sample sizes for
setting tolerance limits, Annals of Mathematical Statistics 12.
"""

from __future__ import annotations

from math import ceil, floor, log, log1p, log10

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

Array = NDArray[np.float64]

SIGNIFICANT_DIGITS = 2
MOST_THRESHOLDS = 1 << 10
"""More than the thresholds that can come out: 90 for each power of ten from 1e-9 to 1, and none."""
_MARGIN = 1e-9  # relative: scores agree to 1e-12 across machines
_LEAST = 1e-9  # no probability of pairguard lies below


def most_misses(n: int, alpha: float, delta: float) -> int:
    """Return k*, the most misses among n that still bound the rate by alpha; -1: not even none.

    BetaInv(1 - delta; k + 1, n - k) <= alpha says the same as P(Binomial(n, alpha) <= k) <= delta,
    which loses no digits where delta is small.

    Raises:
        ValueError: A share is not inside (0, 1), or n is negative.
    """
    _check(alpha, delta)
    if n < 0:
        raise ValueError(f"n is {n}; it should not be negative")
    low, high = -1, n  # k = n would bound nothing
    while high - low > 1:
        middle = (low + high) // 2
        if bdtr(middle, n, alpha) <= delta:
            low = middle
        else:
            high = middle
    return low


def fewest(alpha: float, delta: float) -> int:
    """Return the smallest n that bounds a rate by alpha where no miss is allowed.

    Raises:
        ValueError: A share is not inside (0, 1).
    """
    _check(alpha, delta)
    n = max(ceil(log(delta) / log1p(-alpha)) - 1, 1)
    while most_misses(n, alpha, delta) < 0:
        n += 1
    return n


def threshold_below(scores: Array, misses: int) -> float:
    """Return a number with at most so many of the scores at or below it.

    Two significant digits, rounded down: at most a tenth stricter than the scores would allow, the
    same on every machine, and it tells little of the people that it comes from
    (``MOST_THRESHOLDS``). 0 where the score in question is the least that there is.

    Args:
        scores: (n,) in [0, 1]; what is no number counts as a miss at any threshold.
        misses: From 0 to n - 1.
    """
    ordered = np.sort(np.nan_to_num(scores, nan=0.0))
    return _rounded_below(float(ordered[misses]))


def _rounded_below(score: float) -> float:
    if not score > _LEAST:
        return 0.0
    exponent = floor(log10(score)) - (SIGNIFICANT_DIGITS - 1)
    digits = floor(score / 10.0**exponent) + 1
    while True:
        number = float(f"{digits}e{exponent}")
        if number < score * (1.0 - _MARGIN):
            return number
        digits -= 1
        if digits < 10 ** (SIGNIFICANT_DIGITS - 1):
            digits, exponent = 10**SIGNIFICANT_DIGITS - 1, exponent - 1


def measured_rate(bound: float, label_error: float) -> float:
    """Return the alpha to certify so that the bound holds although labels err.

    A share q of those whom the promise is about may be labelled otherwise and so never be counted;
    at worst all of them are missed: alpha (1 - q) + q = bound. Negative: no alpha would do.
    """
    return (bound - label_error) / (1.0 - label_error)


def bound_with_unverified(alpha: float, share: float, rate: float) -> float:
    """Return the bound where a share is never verified and missed at another rate."""
    return alpha * (1.0 - share) + min(rate, 1.0) * share


def _check(alpha: float, delta: float) -> None:
    if not (0.0 < alpha < 1.0 and 0.0 < delta < 1.0):
        raise ValueError(f"alpha {alpha} and delta {delta} should lie between 0 and 1")
