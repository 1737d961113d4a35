"""Weighted sums over decisions that come one after the other, with their uncertainty by people.

Owns the bootstrap in one pass and in memory that does not grow with the decisions: each person has
for each draw a weight that follows from a hash of the person, the draw and the seed, so that nobody
need be remembered; a pair weighs the product of its two (Owen and Eckles 2012, Bootstrapping data
arrays of arbitrary order, Annals of Applied Statistics 6). Weights are Poisson with mean 1: what
drawing people with replacement comes to where they are many. It errs towards wide intervals, as
``pairguard_training.resampling`` does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard_training.resampling import CONFIDENCE, Estimate

Array = NDArray[np.float64]

FEWEST_PEOPLE: Final = 30
"""Below these an interval by people says nothing, and none is told."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MOST_REMEMBERED: Final = 4_096
_KNOWN_SHARE: Final = 0.9
# P(X <= k) of a Poisson variable with mean 1, up to where 53 bits tell no more.
_POISSON: Final = np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(18)])


class StreamedSums:
    """Sums by name, as they are and under each draw of people.

    Args:
        draws: Number of draws of people.
        seed: Of the draws.
    """

    def __init__(self, *, draws: int, seed: int) -> None:
        self.draws = draws
        self.seed = seed
        self._sums: dict[str, Array] = {}
        self._people = PeopleCount()
        self._key = seed.to_bytes(8, "big", signed=True)
        steps = np.arange(1, draws + 1, dtype=np.uint64)
        self._steps = steps * _GOLDEN

    def add(self, people: Sequence[tuple[str, str]], values: Mapping[str, Array]) -> None:
        """Add n decisions.

        Args:
            people: The two people of each.
            values: (n,) what each adds, by name of the sum.
        """
        hashes = self._hashes(people)
        self._people.add(hashes.ravel())
        weights = np.ones((len(people), self.draws + 1))
        for side in (0, 1):
            weights[:, 1:] *= self._weights(hashes[:, side])
        for name, of_each in values.items():
            added = of_each @ weights
            kept = self._sums.get(name)
            if kept is None:
                self._sums[name] = added
            else:
                kept += added

    @property
    def people(self) -> int:
        """How many people were seen; about, where they are more than a few thousand."""
        return self._people.count

    def total(self, name: str) -> float:
        """Return a sum."""
        kept = self._sums.get(name)
        return 0.0 if kept is None else float(kept[0])

    def ratio(self, above: str, below: str) -> Estimate:
        """Return one sum divided by another, with its interval."""
        return self.estimate(lambda sums: sums(above) / sums(below))

    def estimate(self, measure: Callable[[Callable[[str], Array]], Array]) -> Estimate:
        """Return a measure of sums with its interval of 95 %.

        There is no interval with fewer than 30 people, nor where a draw in ten knows no answer.

        Args:
            measure: Makes (1 + draws,) values of a function that gives (1 + draws,) sums by name.
        """
        nothing = np.zeros(self.draws + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = measure(lambda name: self._sums.get(name, nothing))
        value, drawn = float(found[0]), found[1:]
        known = drawn[np.isfinite(drawn)]
        few = self.people < FEWEST_PEOPLE or known.size < _KNOWN_SHARE * max(drawn.size, 1)
        if not math.isfinite(value) or few:
            return Estimate(value if math.isfinite(value) else math.nan, math.nan, math.nan)
        tail = (1.0 - CONFIDENCE) / 2.0
        low, high = np.quantile(known, [tail, 1.0 - tail])
        if low == high:
            # No draw shows what was not seen, or always was; that is no certainty.
            return Estimate(value, math.nan, math.nan)
        return Estimate(value, float(low), float(high))

    def _hashes(self, people: Sequence[tuple[str, str]]) -> NDArray[np.uint64]:
        return np.array(
            [[self._hash(one), self._hash(other)] for one, other in people], dtype=np.uint64
        ).reshape(len(people), 2)

    def _hash(self, person: str) -> int:
        text = person.encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=self._key).digest(), "big")

    def _weights(self, hashes: NDArray[np.uint64]) -> Array:
        """Return (n, draws) weights: SplitMix64 of person and draw, as a Poisson variable."""
        mixed = hashes[:, np.newaxis] + self._steps
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        uniform = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
        weights: Array = np.searchsorted(_POISSON, uniform, side="right").astype(np.float64)
        return weights


class PeopleCount:
    """How many different people there are, by their hashes.

    Exact up to 4,096; beyond that from how close the smallest of as many hashes lie, which is right
    within some 3 % (Bar-Yossef and others 2002, Counting distinct elements in a data stream).
    """

    def __init__(self) -> None:
        self._smallest = np.empty(0, dtype=np.uint64)

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Add people."""
        both = np.unique(np.concatenate([self._smallest, hashes]))
        self._smallest = both[:_MOST_REMEMBERED]

    @property
    def count(self) -> int:
        """Return how many were added."""
        size = self._smallest.size
        if size < _MOST_REMEMBERED:
            return int(size)
        return round((size - 1) / (float(self._smallest[-1]) / 2.0**64))
