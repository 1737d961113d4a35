"""A face error model from estimates with true ages: curves first, then what no curve has.

Owns the estimator. It must not know where the estimates come from nor whether its result is taken.

1. **Skewed curves.** At each age a t distribution of two halves is fitted by weighted maximum
   likelihood to the people around it (a kernel that is 0 beyond a few years), in units of the
   preset in force: how far its centre has to move and both of its sides to be stretched.
   ``PRESET_PEOPLE`` further people who err exactly as the preset says are added at every age, so
   that an age without people keeps the preset. Of minors the curves make high estimates rarer than
   the preset only as far as the minors around that age show, counted with one such estimate more
   than was seen: a face that children are believed not to have speaks for an adult all the more,
   and how adults are estimated says little of how children are.
2. **Shape.** Where the estimates fall within those curves, by share of the distribution below them,
   is smoothed over neighbouring ages, and the curves are corrected by it.
3. **Attractors.** Each estimate is weighted by how much more often it is given than expected, at
   all ages together and then around each age; exact values that are given far more often than
   their neighbours (25.0 rather than 24.9) on their own.

Faces that are not the person's own are known to the posterior as attacks with given rates. So that
they are not learned a second time as long tails, every estimate counts by the probability that it
is honest, computed from the same rates and the model as it stands (the EM algorithm for the honest
part of a mixture with known shares).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from pairguard.age.face import FaceErrorModel, node_widths
from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard_training.face_labels import FaceRows

Array = NDArray[np.float64]
Index = NDArray[np.intp]

PRESET_PEOPLE = 15.0
"""People at each age who err as the preset says (assumed)."""
MIXED_PEOPLE = 3.0
"""People's worth of the preset's own density that is mixed in at each age (assumed)."""

_HIGHEST = 100
_UNIT = 0.2
_UNITS = np.arange(-12.0, 12.01, _UNIT)  # errors in units of the preset's scale
_KNOTS = np.array([0, 4, *range(8, 30, 2), *range(30, 70, 4), 70, 80, 90, 100])
_LEAST_SCALE_YEARS = 0.3
_ROUNDS, _STEPS = 2, 25
_LEAST_UNITS, _MOST_UNITS = 0.2, 5.0
_ONE_MORE_QUANTILE = 0.5
"""Of a share with one more than was seen. An end of an interval would be more cautious still; it
made the slope of P(under 18) 1.2 with three hundred people, where it is 1.1 with and without this:
few people are drawn to the preset anyhow."""
_SHAPE_BINS = 16
_SHAPE_PEOPLE = 60.0
_ATOM_EXCESS = 3.0  # times as often as if it were any tenth of its year
_ATOM_PEOPLE = 5.0
_WHOLE_SHARE = 0.98
_WIDER = 2.0  # attractors are looked for over wider ages than errors
_LEAST = 1e-12
_EVERYBODY = np.ones((1, AGE_COUNT))


@dataclass(frozen=True, slots=True)
class FaceSmoothing:
    """How much is smoothed.

    Attributes:
        reach_years: People this far from an age of 20 or less count for it; further above.
        degrees_of_freedom: Of the t distribution: the fewer, the heavier its tails.
        attractor_people: People whom an estimate must have against it; None: no attractors.
        shape: Whether the shape is corrected.
    """

    reach_years: float
    degrees_of_freedom: float
    attractor_people: float | None = None
    shape: bool = False


@dataclass(frozen=True, slots=True)
class Estimates:
    """The values that a provider tells, as nodes of a density.

    Attributes:
        nodes: (j,) years, rising.
        widths: (j,) years that each stands for.
        atoms: Places of the nodes that are values told far more often than their neighbours.
        resolution_years: 1 if only whole years are told, else 0.1.
    """

    nodes: Array
    widths: Array
    atoms: Index
    resolution_years: float

    @classmethod
    def of(cls, estimates: Array, weights: Array) -> Estimates:
        """Find out what values are told, from (n,) estimates and their weights."""
        whole = np.abs(estimates - np.round(estimates)) < 0.01
        years = np.arange(_HIGHEST + 1.0)
        if weights[whole].sum() >= _WHOLE_SHARE * weights.sum():
            return cls(years, node_widths(years, 1.0), np.empty(0, dtype=np.intp), 1.0)
        of_year = np.clip(np.floor(estimates + 0.5), 0, _HIGHEST).astype(np.intp)
        around = np.bincount(of_year, minlength=_HIGHEST + 1)
        exact = np.bincount(of_year[whole], minlength=_HIGHEST + 1)
        found = (exact >= _ATOM_PEOPLE) & (exact > 0.1 * _ATOM_EXCESS * around)
        found[[0, -1]] = False
        peaks = years[found]
        nodes = np.unique(np.round(np.concatenate([years, peaks - 0.1, peaks + 0.1]), 1))
        return cls(nodes, node_widths(nodes, 0.1), np.searchsorted(nodes, peaks), 0.1)

    def places(self, estimates: Array) -> Index:
        """Return (n,) the node that tells each estimate best: its atom, else its year."""
        year = np.clip(np.floor(estimates + 0.5), 0, _HIGHEST)
        place = np.searchsorted(self.nodes, year)
        peak = np.zeros(self.nodes.size, dtype=np.bool_)
        peak[self.atoms] = True
        beside = peak[place] & (np.abs(estimates - year) > 0.01)
        side = np.where(estimates < year, -1, 1)
        result: Index = np.where(beside, place + side, place)
        return result


def fitted_shares(
    rows: FaceRows,
    measure: PresetMeasure,
    smoothing: FaceSmoothing,
) -> Array:
    """Return (nodes, 101) shares of the nodes by true age; each column sums to 1.

    Args:
        rows: Estimates of one provider with true ages.
        measure: What ages without people keep, on the values that the provider tells.
        smoothing: How much is smoothed.
    """
    told, before = measure.told, measure.shares
    places = told.places(rows.estimates)
    kernel = _kernel(smoothing.reach_years)
    wide = _kernel(smoothing.reach_years * _WIDER)
    honest = np.ones(places.size)
    shares = before
    for _ in range(_ROUNDS):
        weights = _people_weights(rows, kernel)
        people = kernel @ np.bincount(rows.ages, weights * honest, AGE_COUNT)
        shares = measure.fitted(rows, weights * honest, kernel, smoothing.degrees_of_freedom)
        # Where there is nobody the preset stays to the last digit, and its tails stay everywhere.
        kept = people / (people + MIXED_PEOPLE)
        shares = kept * shares + (1.0 - kept) * before
        minors = np.where(rows.ages < measure.line_years, weights * honest, 0.0)
        around = kernel @ np.bincount(rows.ages, minors, AGE_COUNT)
        shares = _cautious(shares, before, around, measure.line_years)
        for _ in range(2):
            if smoothing.shape:
                shares = _shaped(shares, places, rows.ages, weights * honest, kernel)
            if smoothing.attractor_people is not None:
                against = smoothing.attractor_people
                counts = np.zeros(shares.shape)
                np.add.at(counts, (places, rows.ages), weights * honest)
                shares = _attracted(shares, told, counts, _EVERYBODY, against)
                shares = _attracted(shares, told, counts, wide, 2.0 * against)
        honest = _honest(rows, places, shares)
    return shares


@dataclass(frozen=True, slots=True)
class PresetMeasure:
    """The preset as a measure: errors count in its own scale, by age.

    Attributes:
        told: The values that the provider tells.
        shares: (nodes, 101) what the preset makes of them.
        centre: (101,) its median.
        scale: (101,) half of its central 68 %.
        errors: (101, units) share of its own errors in its units.
        line_years: Age below which kinder errors need people to show for them.
    """

    told: Estimates
    shares: Array
    centre: Array
    scale: Array
    errors: Array
    line_years: int

    @classmethod
    def of(cls, preset: FaceErrorModel, told: Estimates, line_years: int) -> PresetMeasure:
        """Measure a preset."""
        density = np.exp([preset.log_density(float(node)) for node in told.nodes])
        shares = density * told.widths[:, np.newaxis]
        fine = np.arange(0.0, 120.5, 0.5)
        at_least = np.stack([preset.probability_at_least(float(years)) for years in fine])
        ages = range(AGE_COUNT)
        low, centre, high = (
            np.array([np.interp(-q, -at_least[:, age], fine) for age in ages])
            for q in (0.84, 0.5, 0.16)
        )
        scale = np.maximum((high - low) / 2.0, _LEAST_SCALE_YEARS)
        edges = np.append(_UNITS - _UNIT / 2.0, _UNITS[-1] + _UNIT / 2.0)
        beyond = np.stack(
            [np.interp(centre[age] + edges * scale[age], fine, at_least[:, age]) for age in ages]
        )
        errors = np.maximum(beyond[:, :-1] - beyond[:, 1:], 0.0)
        return cls(told, shares / shares.sum(axis=0), centre, scale, errors, line_years)

    def fitted(self, rows: FaceRows, weights: Array, kernel: Array, nu: float) -> Array:
        """Return (nodes, 101) shares under two half t distributions by age."""
        error = (rows.estimates - self.centre[rows.ages]) / self.scale[rows.ages]
        place = np.clip(np.round((error - _UNITS[0]) / _UNIT), 0, _UNITS.size - 1)
        counts = np.zeros((AGE_COUNT, _UNITS.size))
        np.add.at(counts, (rows.ages, place.astype(np.intp)), weights)
        mass = product(kernel[_KNOTS], counts) + PRESET_PEOPLE * self.errors[_KNOTS]
        mode, below, above = (np.interp(AGE_GRID, _KNOTS, values) for values in _split_t(mass, nu))
        distance = self.told.nodes[:, np.newaxis] - (self.centre + mode * self.scale)
        side = np.where(distance < 0.0, below, above) * self.scale
        density = (1.0 + (distance / side) ** 2 / nu) ** (-(nu + 1.0) / 2.0)
        shares: Array = density * self.told.widths[:, np.newaxis]
        shares /= shares.sum(axis=0)
        return shares


def _cautious(shares: Array, before: Array, people: Array, line_years: int) -> Array:
    """Return the shares with high estimates of minors no rarer than the people can show.

    P(an estimate at or above x) is at least the smaller of what it was before and of the median of
    what may be believed of it where one more than was seen had such an estimate.

    Args:
        shares: (nodes, 101) as fitted.
        before: (nodes, 101) as they were.
        people: (101,) minors around each age.
        line_years: From this age on nothing is changed.
    """
    young = slice(0, line_years)
    fitted, preset = (
        np.minimum(part[::-1, young].cumsum(axis=0)[::-1], 1.0) for part in (shares, before)
    )
    count = people[young]
    upper = betaincinv(
        count * fitted + 1.0, np.maximum(count * (1.0 - fitted), _LEAST), _ONE_MORE_QUANTILE
    )
    at_least = np.maximum(fitted, np.minimum(preset, upper))
    result = shares.copy()
    result[:, young] = at_least - np.vstack([at_least[1:], np.zeros((1, line_years))])
    np.maximum(result, 0.0, out=result)
    result /= result.sum(axis=0)
    return result


def _split_t(mass: Array, nu: float) -> tuple[Array, Array, Array]:
    """Return (ages,) mode and scales of two half t distributions by weighted likelihood.

    Iteratively reweighted: given the weights of the t distribution, the scales of two half normal
    distributions have a closed form, and the mode is a weighted mean.

    Args:
        mass: (ages, units) weights of the errors ``_UNITS``.
        nu: Degrees of freedom.
    """
    total = mass.sum(axis=1)
    mode = (mass * _UNITS).sum(axis=1) / total
    below = above = np.full(total.size, 1.0)
    for _ in range(_STEPS):
        distance = _UNITS - mode[:, np.newaxis]
        lower = distance < 0.0
        square = distance**2 / np.where(lower, below[:, np.newaxis], above[:, np.newaxis]) ** 2
        weight = mass * (nu + 1.0) / (nu + square)
        spread = weight * distance**2
        # 0.01: the width of a bin is never nothing.
        s_below = np.cbrt((spread * lower).sum(axis=1) + 0.01 * total)
        s_above = np.cbrt((spread * ~lower).sum(axis=1) + 0.01 * total)
        both = np.sqrt((s_below + s_above) / total)
        below = np.clip(s_below * both, _LEAST_UNITS, _MOST_UNITS)
        above = np.clip(s_above * both, _LEAST_UNITS, _MOST_UNITS)
        weight /= np.where(lower, below[:, np.newaxis], above[:, np.newaxis]) ** 2
        mode = (weight * _UNITS).sum(axis=1) / weight.sum(axis=1)
    return mode, below, above


def _shaped(shares: Array, places: Index, ages: Index, weights: Array, kernel: Array) -> Array:
    """Return the shares corrected by where the estimates fall within them."""
    below = np.cumsum(shares, axis=0) - 0.5 * shares
    fall = np.minimum((below[places, ages] * _SHAPE_BINS).astype(np.intp), _SHAPE_BINS - 1)
    counts = np.zeros((AGE_COUNT, _SHAPE_BINS))
    np.add.at(counts, (ages, fall), weights)
    expected = np.zeros((AGE_COUNT, _SHAPE_BINS))
    node_bin = np.minimum((below * _SHAPE_BINS).astype(np.intp), _SHAPE_BINS - 1)
    people = np.bincount(ages, weights, AGE_COUNT)
    np.add.at(
        expected,
        (np.broadcast_to(np.arange(AGE_COUNT), shares.shape), node_bin),
        shares * people,
    )
    even = _SHAPE_PEOPLE / _SHAPE_BINS
    ratio = _smoothed(product(kernel, counts) + even) / _smoothed(product(kernel, expected) + even)
    middle = (np.arange(_SHAPE_BINS) + 0.5) / _SHAPE_BINS
    factor = np.stack(
        [np.interp(below[:, age], middle, ratio[age]) for age in range(AGE_COUNT)], axis=1
    )
    result: Array = shares * factor
    result /= result.sum(axis=0)
    return result


def _smoothed(bins: Array) -> Array:
    padded = np.pad(bins, ((0, 0), (1, 1)), mode="edge")
    result: Array = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    return result


def _attracted(
    shares: Array, told: Estimates, counts: Array, kernel: Array, against: float
) -> Array:
    """Return the shares weighted by how often each node is told against what is expected."""
    people = counts.sum(axis=0)
    expected = shares * people
    seen, due = counts.copy(), expected.copy()
    for atom in told.atoms:  # both sides of a peak are one
        for part in (seen, due):
            part[[atom - 1, atom + 1]] = part[atom - 1] + part[atom + 1]
    factor = (product(seen, kernel.T) + against) / (product(due, kernel.T) + against)
    result: Array = shares * factor
    result /= result.sum(axis=0)
    return result


def _honest(rows: FaceRows, places: Index, shares: Array) -> Array:
    """Return (n,) probability that each estimate is of the person's own face."""
    seen = product(shares, rows.others)[rows.captures, places, rows.ages]
    own = rows.own[rows.captures, rows.ages] * shares[places, rows.ages]
    result: Array = own / np.maximum(seen, _LEAST)
    return result


def _people_weights(rows: FaceRows, kernel: Array) -> Array:
    """Return (n,) weights that sum, around each age, to the people they are worth (Kish)."""
    _, person = np.unique(rows.participants, return_inverse=True)
    together = np.bincount(person, rows.weights)[person]
    total = kernel @ np.bincount(rows.ages, rows.weights, AGE_COUNT)
    square = kernel @ np.bincount(rows.ages, rows.weights * together, AGE_COUNT)
    scale = total / np.maximum(square, _LEAST)
    result: Array = rows.weights * scale[rows.ages]
    return result


def _kernel(reach_years: float) -> Array:
    """Return (101, 101) weight at an age (row) of people of each age (column); 1 at itself."""
    reach = reach_years * (1.0 + 0.05 * np.maximum(AGE_GRID - 20.0, 0.0))
    distance = np.abs(AGE_GRID[:, np.newaxis] - AGE_GRID) / reach[:, np.newaxis]
    result: Array = np.maximum(1.0 - distance**3, 0.0) ** 3
    return result


def product(first: Array, second: Array) -> Array:
    """Return first @ second, of matrices or of one and a stack of them.

    Not by BLAS: on matrices this small its threads cost more than they save, twentyfold on a busy
    machine, and their number must not change a bit of the tables.
    """
    result: Array = np.einsum("ij,...jk->...ik", first, second)
    return result
