"""Who does harm to whom: a small model of directed harm that the trees are taught by.

Owns the model and its fit. It must not know trees, nor which pairs may teach.

A report names whom it is about, so each pair that met is two trials: did the first harm the second,
did the second harm the first. A person may be a danger to anybody, and another one to minors:

    P(i harms j) = 1 - (1 - s(a + x_i u)) (1 - s(b + x_i v) p_j (1 - (1 - r) p_i))

with s the logistic function, x the person's signals, p the probability of being a minor and r, from
0 to 1, how far those who seem to be minors are a danger to minors as well; a pair comes to harm
where either harms the other. What is done by minors to whoever else is reported far oftener than
what adults do to minors, and without p_i it would pass for it. r is learned and not served: what
the service computes (``pairguard.risk.danger``) is as dangerous whatever age somebody seems, since
an adult who poses as a minor seems to be one.

The coefficients of a signal with a direction keep its sign; u and v are held near each other and
near 0 by Gaussian priors. Some hundred reports place these few coefficients far better than they
place the leaves of trees, which have to find out by themselves that many weak signs of one person
add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from pairguard.risk.danger import (
    FARTHEST,
    LARGEST_WEIGHT,
    SMALLEST_DEVIATION,
    WIDEST,
    Dangers,
    SignalWeight,
    either,
)
from pairguard.risk.signal import Direction, Signal
from pairguard_training.harm.pairs import MetPairs, subsample
from pairguard_training.harm.settings import HarmSettings

Array = NDArray[np.float64]

MOST_PAIRS = 60_000
"""Pairs that the fit looks at: all that were harmed, and a sample of the others."""

SERVED_MIXED_AT_MOST = 0.5
"""What is served as ``Dangers.mixed_at_most``. More would take what children might do to adults for
what adults do to children; less is refused."""

_LONG_TAILED = 1.5  # a count or a time: it goes beyond a share
_LEAST = 1e-12
_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True, slots=True)
class Scales:
    """How signals are made alike: unknown values stand at the mean.

    Attributes:
        logarithmic: (k,) whether log(1 + value) is taken.
        means: (k,) of what is known.
        deviations: (k,) of what is known; infinite: the signal says nothing.
    """

    logarithmic: NDArray[np.bool_]
    means: Array
    deviations: Array

    @classmethod
    def of(cls, numbers: Array) -> Scales:
        """Measure (m, k) signals."""
        size = numbers.shape[1]
        known = np.sum([(~np.isnan(part)).sum(axis=0) for part in _parts(numbers)], axis=0)
        some = known > 1
        least, most = np.full(size, np.nan), np.full(size, np.nan)
        for part in _parts(numbers):
            least = np.fmin(least, np.fmin.reduce(part, axis=0))
            most = np.fmax(most, np.fmax.reduce(part, axis=0))
        logarithmic = some & (least >= 0.0) & (most > _LONG_TAILED)
        count = np.maximum(known, 1)

        def scaled(part: Array, means: Array) -> Array:
            found = _logged(part, logarithmic) - means
            return np.where(np.isnan(found), 0.0, found)

        means = _sum(scaled(part, np.zeros(size)) for part in _parts(numbers)) / count
        squares = _sum(scaled(part, means) ** 2 for part in _parts(numbers))
        spread = np.sqrt(squares / count)
        says = some & (spread > SMALLEST_DEVIATION)
        return cls(logarithmic, means, np.where(says, spread, np.inf))

    def applied(self, numbers: Array) -> Array:
        """Return (m, k) signals alike in scale; NaN: unknown."""
        scaled = (_logged(numbers, self.logarithmic) - self.means) / self.deviations
        held: Array = np.clip(scaled, -WIDEST, WIDEST)
        return held


@dataclass(frozen=True, slots=True)
class TwoDangers:
    """The fitted model.

    Attributes:
        dangers: What is served of it.
        of_seeming_minors: How far those who seem to be minors are a danger to minors, 0 to 1.
        slope_left: Largest derivative of the loss that a coefficient was still free to follow,
            by pair; close to 0 where the fit converged.
    """

    dangers: Dangers
    of_seeming_minors: float
    slope_left: float

    def probabilities(self, pairs: MetPairs) -> Array:
        """Return (n,) the probability that the pair comes to harm: what the service computes."""
        people = np.concatenate([self.dangers.of_people(part) for part in _parts(pairs.vectors)])
        minors = pairs.minor_first, pairs.minor_second
        sides = people[pairs.first], people[pairs.second]
        return either(*self.dangers.of_pairs(*sides, minors, pairs.mixed))


def fit_two_dangers(
    pairs: MetPairs, signals: Sequence[Signal], settings: HarmSettings, *, seed: int
) -> TwoDangers:
    """Fit the model by penalised maximum likelihood.

    Args:
        pairs: Pairs that met, at least one of them harmed and one not.
        signals: What the leading k columns of a vector are, with their directions.
        settings: Precisions of the Gaussian priors on (u + v) / 2 and on u - v, for coefficients
            by standard deviation of the signal.
        seed: Of the sample of pairs that came to no harm.
    """
    some = subsample(pairs, most=MOST_PAIRS, seed=seed)
    count = len(signals)
    numbers = pairs.vectors[:, :count]
    scales = Scales.of(numbers)
    trials = _Trials.of(some, numbers, scales, settings)
    base = float((trials.weights @ trials.happened) / trials.weights.sum())
    level = np.log(base / (1.0 - base))
    start = np.concatenate([[level, level], np.zeros(2 * count), [0.5]])
    of_signals = [_BOUNDS[signal.direction] for signal in signals] * 2
    bounds = [(None, None), (None, None), *of_signals, (0.0, 1.0)]
    found = minimize(
        trials.loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 2_000, "maxfun": 4_000, "ftol": 1e-12, "gtol": 1e-4},
    )
    slope = trials.loss(found.x)[1]
    # A coefficient at its bound may still be pushed against it.
    held = np.array(
        [
            (low is not None and value <= low and push > 0.0)
            or (high is not None and value >= high and push < 0.0)
            for (low, high), value, push in zip(bounds, found.x, slope, strict=True)
        ]
    )
    weights = found.x[2 : 2 + count], found.x[2 + count : -1]
    return TwoDangers(
        dangers=_dangers(signals, scales, numbers, levels=found.x[:2], weights=weights),
        of_seeming_minors=float(found.x[-1]),
        slope_left=float(np.abs(np.where(held, 0.0, slope)).max() / max(trials.weights.sum(), 1.0)),
    )


def _dangers(
    signals: Sequence[Signal],
    scales: Scales,
    numbers: Array,
    *,
    levels: Array,
    weights: tuple[Array, Array],
) -> Dangers:
    """Return what is served, without the signals that say nothing."""
    unknown = [_of_unknown(scales, numbers, each) for each in weights]
    low, high = (float(np.clip(level, -FARTHEST, FARTHEST)) for level in levels)
    return Dangers(
        signals,
        anybody=low,
        minors=high,
        mixed_at_most=SERVED_MIXED_AT_MOST,
        weights=[
            SignalWeight(
                name=signal.name,
                logarithmic=bool(scales.logarithmic[column]),
                mean=float(scales.means[column]),
                deviation=float(scales.deviations[column]),
                anybody=float(weights[0][column]),
                minors=float(weights[1][column]),
                unknown_anybody=float(unknown[0][column]),
                unknown_minors=float(unknown[1][column]),
            )
            for column, signal in enumerate(signals)
            if np.isfinite(scales.deviations[column])
            and (weights[0][column] != 0.0 or weights[1][column] != 0.0)
        ],
    )


def _of_unknown(scales: Scales, numbers: Array, weights: Array) -> Array:
    """Return (k,) log-odds of a signal that is not known: as harmful as people are on average.

    The log of the mean of what it multiplies the odds by, over whom it is known of. Never less than
    what its mean says, which is 0 (Jensen): whoever does not tell is not the safer for it.
    """

    def factors(part: Array) -> Array:
        alike = scales.applied(part)
        return np.where(np.isnan(alike), 0.0, np.exp(alike * weights))

    known = np.sum([(~np.isnan(scales.applied(part))).sum(axis=0) for part in _parts(numbers)], 0)
    means = _sum(factors(part) for part in _parts(numbers)) / np.maximum(known, 1)
    result: Array = np.maximum(np.log(np.maximum(means, 1.0)), 0.0)
    return result


def _parts(rows: Array) -> Iterator[Array]:
    """Yield rows part by part: what is made of a million people on the way is never there whole."""
    for start in range(0, max(rows.shape[0], 1), _ROWS_AT_ONCE):
        yield rows[start : start + _ROWS_AT_ONCE]


def _sum(parts: Iterator[Array]) -> Array:
    """Return the sum over the rows of all parts, row after row as over one array."""
    total: Array = next(parts).sum(axis=0)
    for part in parts:
        total = np.concatenate([total[np.newaxis], part]).sum(axis=0)
    return total


_BOUNDS: dict[Direction, tuple[float, float]] = {
    Direction.INCREASING: (0.0, LARGEST_WEIGHT),
    Direction.DECREASING: (-LARGEST_WEIGHT, 0.0),
    Direction.NONE: (-LARGEST_WEIGHT, LARGEST_WEIGHT),
}


@dataclass(frozen=True, slots=True)
class _Trials:
    """Each pair twice: once for either side as the one who does it."""

    signals: Array
    minor_own: Array
    minor_other: Array
    happened: Array
    weights: Array
    settings: HarmSettings

    @classmethod
    def of(cls, pairs: MetPairs, numbers: Array, scales: Scales, settings: HarmSettings) -> _Trials:
        people = numbers[np.concatenate([pairs.first, pairs.second])]
        return cls(
            signals=np.nan_to_num(scales.applied(people), nan=0.0),
            minor_own=np.concatenate([pairs.minor_first, pairs.minor_second]),
            minor_other=np.concatenate([pairs.minor_second, pairs.minor_first]),
            happened=np.concatenate([pairs.by_first, pairs.by_second]),
            weights=np.concatenate([pairs.weights, pairs.weights]),
            settings=settings,
        )

    def loss(self, parameters: Array) -> tuple[float, Array]:
        """Return minus the log posterior, and its slope."""
        count = self.signals.shape[1]
        u, v = parameters[2 : 2 + count], parameters[2 + count : -1]
        anybody = expit(parameters[0] + self.signals @ u)
        towards = self.minor_other * (1.0 - (1.0 - parameters[-1]) * self.minor_own)
        minors = expit(parameters[1] + self.signals @ v)
        only = minors * towards
        chance = np.clip(1.0 - (1.0 - anybody) * (1.0 - only), _LEAST, 1.0 - _LEAST)
        mean, difference = 0.5 * (u + v), u - v
        value = -float(
            self.weights
            @ (self.happened * np.log(chance) + (1.0 - self.happened) * np.log1p(-chance))
        )
        value += 0.5 * self.settings.precision_of_mean * float(mean @ mean)
        value += 0.5 * self.settings.precision_of_difference * float(difference @ difference)
        push = -self.weights * (self.happened / chance - (1.0 - self.happened) / (1.0 - chance))
        by_anybody = push * (1.0 - only) * anybody * (1.0 - anybody)
        by_minors = push * (1.0 - anybody) * towards * minors * (1.0 - minors)
        pull = 0.5 * self.settings.precision_of_mean * mean
        apart = self.settings.precision_of_difference * difference
        slope = np.concatenate(
            [
                [by_anybody.sum(), by_minors.sum()],
                self.signals.T @ by_anybody + pull + apart,
                self.signals.T @ by_minors + pull - apart,
                [(push * (1.0 - anybody) * minors) @ (self.minor_own * self.minor_other)],
            ]
        )
        return value, slope


def _logged(numbers: Array, logarithmic: NDArray[np.bool_]) -> Array:
    return np.where(logarithmic, np.log1p(np.where(logarithmic, numbers, 0.0)), numbers)
