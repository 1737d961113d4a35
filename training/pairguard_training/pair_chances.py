"""How likely pairs of assessed snapshots are of a minor and an adult.

Owns what is kept of a posterior for that, a number for each adult age that may count, and which of
them count for a pair. It must not know what is learned from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.regions import Policy
from pairguard.risk.pool import minor_adult_probabilities
from pairguard_training.assessing import Assessed

Array = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class AgeChances:
    """How likely assessed snapshots are of minors, under each adult age that may count.

    Attributes:
        below: (n,) P(age < years), by every adult age that counts for somebody.
        adult_ages: Sets of adult ages.
        lines: (n,) which of the sets is that of the own region.
    """

    below: dict[int, Array]
    adult_ages: tuple[frozenset[int], ...]
    lines: Places

    def by_adult_ages(
        self, first: Places, second: Places
    ) -> Iterator[tuple[frozenset[int], Places]]:
        """Yield each set of adult ages that counts for pairs, with the places of these pairs."""
        count = len(self.adult_ages)
        both = self.lines[first] * count + self.lines[second]
        for combination in np.unique(both).tolist():
            one, other = divmod(combination, count)
            yield self.adult_ages[one] | self.adult_ages[other], np.flatnonzero(both == combination)

    def of_pairs(self, first: Places, second: Places) -> PairChances:
        """Return how likely pairs are mixed, and both of them minors by the higher adult age."""
        found = PairChances(*np.empty((3, first.size)))
        for ages, where in self.by_adult_ages(first, second):
            a, b = first[where], second[where]
            found.minor_adult[where] = minor_adult_probabilities(self.below.__getitem__, a, b, ages)
            chances = self.below[max(ages)]
            found.minor_first[where], found.minor_second[where] = chances[a], chances[b]
        return found


@dataclass(frozen=True, slots=True)
class PairChances:
    """Chances of pairs, under the adult ages that count for each.

    Attributes:
        minor_adult: (n,) P(exactly one of the two is a minor).
        minor_first: (n,) P(the first is one).
        minor_second: (n,) P(the second is one).
    """

    minor_adult: Array
    minor_first: Array
    minor_second: Array


class GatheredChances:
    """Takes the chances of assessed snapshots, part by part.

    Args:
        policy: Whose adult ages count.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._ages = sorted(
            {
                age
                for lines in (policy.default, *policy.regions.values())
                for age in lines.adult_ages
            }
        )
        self._known: dict[frozenset[int], int] = {}
        self._lines: list[Places] = []
        self._below = [np.empty((len(self._ages), 0))]

    def add(self, part: Assessed) -> None:
        """Take the next snapshots."""
        own = [
            self._policy.for_participant(person.located_region).adult_ages
            for person in part.participants.values()
        ]
        known = self._known
        self._lines.append(
            np.array([known.setdefault(ages, len(known)) for ages in own], dtype=np.intp)
        )
        found = part.assessments.values()
        self._below.append(
            np.array([[each.age.probability_below(age) for each in found] for age in self._ages])
        )

    def chances(self) -> AgeChances:
        """Return what was taken."""
        below = np.concatenate(self._below, axis=1)
        return AgeChances(
            below=dict(zip(self._ages, below, strict=True)),
            adult_ages=tuple(self._known),
            lines=np.concatenate([np.empty(0, dtype=np.intp), *self._lines]),
        )
