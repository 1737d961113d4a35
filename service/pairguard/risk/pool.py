"""The risks of many pairs among one pool of participants: the same bits as one by one, for less.

Owns the composition of ``pairguard.risk.pair`` over columns of pairs. It must not know thresholds
nor who may meet whom. A pair is two positions in the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pairguard.age.belief import PROBABILITY_FLOOR
from pairguard.age.parameters import Array
from pairguard.risk.model import ParticipantAssessment, RiskModel
from pairguard.risk.pool_harm import Places, PoolHarm


@dataclass(frozen=True, slots=True, eq=False)
class RiskColumns:
    """The risks of some pairs, each of shape ``(n,)``; see ``PairRisk``.

    Attributes:
        minor_adult: P(the pair is mixed).
        harm: P(harm report); None: no model.
        harm_raw: Log-odds of the harm model before its calibration; None: no model.
        scores: Risk scores.
    """

    minor_adult: Array
    harm: Array | None
    harm_raw: Array | None
    scores: Array

    def of(self, chosen: Places | slice) -> RiskColumns:
        """Return the risks of some of the pairs."""
        harm = None if self.harm is None else self.harm[chosen]
        raw = None if self.harm_raw is None else self.harm_raw[chosen]
        return RiskColumns(self.minor_adult[chosen], harm, raw, self.scores[chosen])

    def with_harm_floor(self, floor: float, below: NDArray[np.bool_]) -> RiskColumns:
        """Return the same risks with a harm part of at least ``floor`` where ``below`` says so."""
        if self.harm is None:
            return self
        low = below & ~(self.harm >= floor)
        if not low.any():
            return self
        return risk_columns(self.minor_adult, np.where(low, floor, self.harm), self.harm_raw)


def risk_columns(minor_adult: Array, harm: Array | None, harm_raw: Array | None) -> RiskColumns:
    """Combine the two parts, as ``pairguard.risk.pair.pair_risk``."""
    if harm is None:
        return RiskColumns(minor_adult, None, None, minor_adult)
    scores = 1.0 - (1.0 - minor_adult) * (1.0 - harm)
    np.maximum(scores, minor_adult, out=scores)
    np.maximum(scores, harm, out=scores)
    return RiskColumns(minor_adult, harm, harm_raw, scores)


class PoolRisk:
    """What the model says of pairs among assessed participants.

    Args:
        model: The model.
        assessed: The participants, each assessed once.

    Attributes:
        harm: How harm is scored; None: there is no model.
    """

    def __init__(self, model: RiskModel, assessed: Sequence[ParticipantAssessment]) -> None:
        self._assessed = assessed
        self._below: dict[int, Array] = {}
        self.harm = None if model.harm is None else PoolHarm(model.harm, assessed)

    @property
    def disagreed(self) -> bool:
        """Whether the trees of the pool were found to have other bits than LightGBM."""
        return self.harm is not None and self.harm.disagreed

    def below(self, years: int) -> Array:
        """Return P(age < years) of each participant."""
        found = self._below.get(years)
        if found is None:
            found = np.array([each.age.probability_below(years) for each in self._assessed])
            self._below[years] = found
        return found

    def pairs(
        self, first: Places, second: Places, adult_ages: Sequence[frozenset[int]], which: Places
    ) -> RiskColumns:
        """Return the risks of pairs under every adult age that counts; see ``assess_pair``.

        Args:
            first: Places of one participant of each pair, shape ``(n,)``.
            second: Places of the other.
            adult_ages: The adult ages that may count for a pair.
            which: Those that do for each, by their place.
        """
        mixed = np.empty(first.size)
        minor, other = np.empty_like(first), np.empty_like(second)
        chances = np.empty(first.size), np.empty(first.size)
        for chosen, place in chosen_by(which):
            ages, one, two = adult_ages[place], first[chosen], second[chosen]
            mixed[chosen] = minor_adult_probabilities(self.below, one, two, ages)
            if self.harm is not None:
                below = self.below(max(ages))
                minor[chosen], other[chosen] = self.harm.sides(one, two, below)
                for chance, places in zip(chances, (minor, other), strict=True):
                    chance[chosen] = below[places[chosen]]
        if self.harm is None:
            return risk_columns(mixed, None, None)
        raw, harm = self.harm.scored(minor, other, chances, mixed)
        return risk_columns(mixed, harm, raw)


def chosen_by(which: Places) -> Iterator[tuple[Places | slice, int]]:
    """Return the places of pairs of each kind, and the kind; all of them where there is one.

    Args:
        which: The kind of each pair, from 0.
    """
    present = np.flatnonzero(np.bincount(which)).tolist()
    for kind in present:
        yield slice(None) if len(present) == 1 else np.flatnonzero(which == kind), kind


def minor_adult_probabilities(
    below: Callable[[int], Array], first: Places, second: Places, adult_ages: Iterable[int]
) -> Array:
    """Return what ``minor_adult_probability`` does of many pairs, operation by operation.

    Args:
        below: P(age < years) of each participant of a pool, by years.
        first: Places of one participant of each pair.
        second: Places of the other.
        adult_ages: Every adult age that counts for these pairs.
    """
    ages = sorted(adult_ages)
    if len(ages) == 1:
        chances = below(ages[0])
        p_a, p_b = chances[first], chances[second]
        probability = p_a * (1.0 - p_b) + p_b * (1.0 - p_a)
    else:
        cells = _cells([below(age) for age in ages])
        probability = np.zeros(first.size)
        for low in range(len(cells)):
            for high in range(low + 1, len(cells)):
                probability += (
                    cells[low][first] * cells[high][second]
                    + cells[low][second] * cells[high][first]
                )
    held = np.minimum(np.maximum(probability, PROBABILITY_FLOOR), 1.0 - PROBABILITY_FLOOR)
    # What is no number counts as its worst.
    return np.where(np.isfinite(held), held, 1.0)


def _cells(chances: Sequence[Array]) -> list[Array]:
    edges = [np.zeros_like(chances[0]), *chances]
    cells = [np.maximum(high - low, 0.0) for low, high in pairwise(edges)]
    return [*cells, np.maximum(1.0 - edges[-1], 0.0)]
