"""How far two counted distributions are apart, and how far chance alone would put them.

Owns the two measures of size, PSI and W1, and what both are expected to be where nothing has
changed. No p-value: with enough traffic every difference is significant, so that what counts is how
large it is; chance only says from which size on a figure means anything. It must not know what was
counted.

Sources. PSI is the symmetric Kullback-Leibler divergence (Jeffreys, 1946); under no change
PSI / (1/n + 1/m) tends to chi-square with B - 1 degrees of freedom (Yurdakul and Naranjo, 2020,
"Statistical properties of the population stability index"). W1 on the line is the area between the
two cumulative distributions (Vallender, 1974). The bound of W1 is the concentration of a supremum
of a Gaussian process around its median (Borell, 1975; Tsirelson, Ibragimov and Sudakov, 1976),
which is at most its mean (Kwapien, 1994); the supremum is over functions of slope at most 1, none
of which varies more than the value itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST_EXPECTED = 5.0
"""Of how many in a cell on either side the chi-square approximation is good enough."""
_HALF = 0.5


def psi(reference: Array, live: Array) -> float:
    """Return the population stability index of counts over the same cells, at least 0.

    Each cell is given half a count more (Jeffreys' prior), so that an empty one is not infinitely
    far from any other; cells that are empty on both sides say nothing and are left out.

    Args:
        reference: (cells,) counts.
        live: (cells,) counts.
    """
    return float(psi_parts(reference, live).sum())


def psi_parts(reference: Array, live: Array) -> Array:
    """Return (cells,) what each cell adds to ``psi``, none of it negative."""
    taken = (reference > 0.0) | (live > 0.0)
    before = np.where(taken, reference + _HALF, 1.0)
    after = np.where(taken, live + _HALF, 1.0)
    before, after = before / before[taken].sum(), after / after[taken].sum()
    parts: Array = np.where(taken, (after - before) * np.log(after / before), 0.0)
    return parts


def pooled_shares(reference: Array, live: Array, reference_size: float, live_size: float) -> Array:
    """Return (cells,) the shares of both sides together, each weighted by what it is worth."""
    weight = reference_size / (reference_size + live_size)
    shares: Array = weight * reference / reference.sum() + (1.0 - weight) * live / live.sum()
    return shares


def pearson(reference: Array, live: Array, pooled: Array) -> float:
    """Return Pearson's difference of two countings, sum of (p - q)^2 / pooled share.

    It has the distribution of PSI where nothing has changed and cells are full. In sparse cells it
    keeps to it for longer: a logarithm of few makes PSI large by chance.
    """
    taken = pooled > 0.0
    gap = (live / live.sum() - reference / reference.sum())[taken]
    return float((gap**2 / pooled[taken]).sum())


def used_cells(reference: Array, live: Array) -> int:
    """Return how many cells are not empty on both sides."""
    return int(((reference > 0.0) | (live > 0.0)).sum())


def rate(reference_size: float, live_size: float) -> float:
    """Return 1/n + 1/m; infinite where there is nobody on one side."""
    if reference_size <= 0.0 or live_size <= 0.0:
        return float("inf")
    return 1.0 / reference_size + 1.0 / live_size


def psi_expected(cells: int, size_rate: float) -> float:
    """Return the mean of PSI where nothing has changed: (B - 1)(1/n + 1/m).

    Args:
        cells: B, that are not empty on both sides.
        size_rate: ``rate`` of the two sizes.
    """
    return (cells - 1) * size_rate if cells > 1 else 0.0


def psi_bound(cells: int, size_rate: float, *, exceeded: float) -> float:
    """Return what PSI exceeds with a given probability where nothing has changed.

    Of one cell as of two: others may only have been too sparse to be told apart.
    """
    return chi_square_quantile(max(cells - 1, 1), exceeded=exceeded) * size_rate


def chi_square_quantile(degrees: int, *, exceeded: float) -> float:
    """Return what chi-square exceeds with a given probability (Wilson and Hilferty, 1931).

    Within 1 % from 3 degrees on; with fewer, and small probabilities, up to 8 % too high.
    """
    spread = 2.0 / (9.0 * degrees)
    normal = NormalDist().inv_cdf(1.0 - exceeded)
    return float(degrees * (1.0 - spread + normal * sqrt(spread)) ** 3)


def distance(reference: Array, live: Array, centres: Array) -> float:
    """Return W1 between two countings, each value taken as the centre of its cell.

    Args:
        reference: (cells,) counts, not all 0.
        live: (cells,) counts, not all 0.
        centres: (cells,) ascending.

    Returns:
        In the unit of the centres.
    """
    between = np.abs(np.cumsum(reference / reference.sum() - live / live.sum())[:-1])
    return float((between * np.diff(centres)).sum())


def distance_expected(shares: Array, centres: Array, size_rate: float) -> float:
    """Return about the mean of W1 where nothing has changed, in the unit of the centres.

    The difference of two empirical cumulative shares at a point is about normal with variance
    F (1 - F)(1/n + 1/m); its mean size is sqrt(2 / pi) of its deviation.

    Args:
        shares: (cells,) what both sides have in common.
        centres: (cells,) ascending.
        size_rate: ``rate`` of the two sizes.
    """
    below = np.cumsum(shares)[:-1]
    spread = np.sqrt(np.clip(below * (1.0 - below), 0.0, None) * size_rate)
    return float((spread * np.diff(centres)).sum()) * sqrt(2.0 / pi)


def distance_bound(shares: Array, centres: Array, size_rate: float, *, exceeded: float) -> float:
    """Return what W1 exceeds with at most a given probability where nothing has changed."""
    mean = float((shares * centres).sum())
    deviation = sqrt(float((shares * (centres - mean) ** 2).sum()) * size_rate)
    normal = NormalDist().inv_cdf(1.0 - exceeded)
    return distance_expected(shares, centres, size_rate) + normal * deviation


def effective_size(counts: Sequence[int]) -> float:
    """Return how many independent values counts of repeated ones are worth, at the least (Kish).

    (sum c)^2 / sum c^2: as if all values of one participant were the same.

    Args:
        counts: How often each participant stands among the values.
    """
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / squares if squares else 0.0


def pooled_cells(
    reference: Array, live: Array, *, ordered: bool, fewest: float = FEWEST_EXPECTED
) -> tuple[Array, Array]:
    """Return the counts with cells too sparse for chi-square put together.

    A cell is sparse where both sides, scaled to the smaller of the two, have fewer than ``fewest``
    there; one that was empty and is not any more is not. Ordered cells join their neighbours. Of
    others the sparse ones become one, except the last, which holds what was not listed.
    """
    before, after = float(reference.sum()), float(live.sum())
    if not before or not after:
        return reference, live
    smaller = min(before, after)
    held = np.maximum(reference * (smaller / before), live * (smaller / after))
    if ordered:
        starts = _starts(held, fewest)
        return np.add.reduceat(reference, starts), np.add.reduceat(live, starts)
    sparse = held < fewest
    sparse[-1] = False
    if sparse.sum() < 2:
        return reference, live
    return _joined(reference, sparse), _joined(live, sparse)


def _starts(held: Array, fewest: float) -> list[int]:
    """Return where each run of neighbours begins that together holds enough."""
    starts, together = [0], 0.0
    for place, count in enumerate(held.tolist()):
        if together >= fewest:
            starts.append(place)
            together = 0.0
        together += count
    if together < fewest and len(starts) > 1:
        starts.pop()
    return starts


def _joined(counts: Array, sparse: NDArray[np.bool_]) -> Array:
    return np.concatenate(([counts[sparse].sum()], counts[~sparse]))
