"""How uncertain a measure is: the bootstrap by participant.

Owns resampled weights and intervals. Pairs that share a person are not independent: people are
drawn with replacement, and a pair weighs the product of how often its two were drawn (Owen 2007,
The pigeonhole bootstrap, Annals of Applied Statistics 1), which errs towards wide intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure and its interval of 95 % confidence; NaN: cannot be told."""

    value: float
    low: float
    high: float


class Resamples:
    """The same draws of people for every measure, so that differences are paired.

    Attributes:
        count: Number of draws.
        seed: Seed of the draws.
    """

    def __init__(self, groups: Sequence[Sequence[str]], *, count: int, seed: int) -> None:
        """Prepare the draws.

        Args:
            groups: For each side of a row, the (n,) group of its person.
            count: Number of draws.
            seed: Seed of the draws.
        """
        names = sorted({name for side in groups for name in side})
        places = {name: place for place, name in enumerate(names)}
        self._sides = [np.array([places[name] for name in side], dtype=np.intp) for side in groups]
        self._people = len(names)
        self.count = count
        self.seed = seed

    def weights(self, base: Array) -> Iterator[Array]:
        """Yield (n,) weights of each draw."""
        rng = np.random.default_rng(self.seed)
        for _ in range(self.count):
            drawn = rng.multinomial(self._people, np.full(self._people, 1.0 / self._people))
            weights = base
            for side in self._sides:
                weights = weights * drawn[side]
            yield weights

    def estimate(
        self, measure: Callable[[Array], dict[str, float]], base: Array
    ) -> dict[str, Estimate]:
        """Return each named measure with its interval (percentiles of the draws)."""
        values = measure(base)
        drawn: dict[str, list[float]] = {name: [] for name in values}
        if self._people:
            for weights in self.weights(base):
                for name, value in measure(weights).items():
                    drawn[name].append(value)
        return {name: _interval(value, np.array(drawn[name])) for name, value in values.items()}


def with_unseen(estimate: Estimate, *, trials: int) -> Estimate:
    """Return a share of 0 or 1 with the exact interval that a bootstrap cannot see.

    No draw of the data has what the data do not have; that it was not seen does not make it
    impossible (Clopper and Pearson 1934).

    Args:
        estimate: A share.
        trials: Independent trials behind it.
    """
    if estimate.value not in {0.0, 1.0} or trials < 1:
        return estimate
    bound = ((1.0 - CONFIDENCE) / 2.0) ** (1.0 / trials)
    if estimate.value == 0.0:
        return Estimate(0.0, 0.0, 1.0 - bound)
    return Estimate(1.0, bound, 1.0)


def with_unseen_difference(estimate: Estimate, *, trials: int) -> Estimate:
    """Return a difference of two shares that no draw moves with what the trials cannot exclude.

    Two who agreed on all that was seen may differ on what was not, as often as a share of 0 may be
    more than that.

    Args:
        estimate: A difference of shares of the same trials.
        trials: Independent trials behind it.
    """
    if estimate.low != estimate.high or trials < 1:
        return estimate
    unseen = 1.0 - ((1.0 - CONFIDENCE) / 2.0) ** (1.0 / trials)
    low, high = max(estimate.low - unseen, -1.0), min(estimate.high + unseen, 1.0)
    return Estimate(estimate.value, low, high)


def _interval(value: float, drawn: Array) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or known.size < 0.9 * max(drawn.size, 1):
        # Where one draw in ten knows no answer, neither do we know how sure it is.
        return Estimate(value, float("nan"), float("nan"))
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high))
