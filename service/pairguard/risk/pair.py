"""The risk of a pair, from what is believed about the two.

Owns the composition of the parts. The parts of persons are composed, not learned from pairs:
``minor_adult_probability`` follows from the two posteriors alone. It must not know thresholds
(``pairguard.policy``) nor models (``pairguard.risk.model``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from pairguard.age.belief import PROBABILITY_FLOOR
from pairguard.age.posterior import AgeAssessment


@dataclass(frozen=True, slots=True)
class PairRisk:
    """The risk of one proposed pair; swapping the two changes no bit.

    Attributes:
        minor_adult_probability: P(one is under and one at or over an adult age that counts).
        harm_probability: P(harm report within the window | the pair meets); None: no model.
        risk_score: 1 - (1 - minor_adult)(1 - harm), in [0, 1]; without harm its first part.
        harm_raw_score: Log-odds of the harm model before its calibration; None: no model.
    """

    minor_adult_probability: float
    harm_probability: float | None
    risk_score: float
    harm_raw_score: float | None = None

    def with_harm_floor(self, floor: float) -> PairRisk:
        """Return the same risk with a harm part of at least ``floor``."""
        if self.harm_probability is None or self.harm_probability >= floor:
            return self
        return pair_risk(self.minor_adult_probability, floor, self.harm_raw_score)


def pair_risk(
    minor_adult_probability: float,
    harm_probability: float | None,
    harm_raw_score: float | None = None,
) -> PairRisk:
    """Combine the two parts into one risk; what is no number counts as its worst."""
    if not isfinite(minor_adult_probability):
        minor_adult_probability = 1.0
    if harm_probability is not None and not isfinite(harm_probability):
        harm_probability = None
    if harm_probability is None:
        return PairRisk(minor_adult_probability, None, minor_adult_probability)
    score = 1.0 - (1.0 - minor_adult_probability) * (1.0 - harm_probability)
    # Rounding must not put the score below either part.
    score = max(score, minor_adult_probability, harm_probability)
    return PairRisk(minor_adult_probability, harm_probability, score, harm_raw_score)


def minor_adult_probability(a: AgeAssessment, b: AgeAssessment, adult_ages: Iterable[int]) -> float:
    """Return P(the pair is mixed under any of the adult ages), within [1e-9, 1 - 1e-9].

    The ages between two neighbouring adult ages form a cell; the pair is mixed if its two cells
    differ. With one adult age this is p_a (1 - p_b) + p_b (1 - p_a).
    """
    ages = sorted(adult_ages)
    if len(ages) == 1:
        p_a, p_b = a.probability_below(ages[0]), b.probability_below(ages[0])
        probability = p_a * (1.0 - p_b) + p_b * (1.0 - p_a)
    else:
        cells_a, cells_b = _cells(a, ages), _cells(b, ages)
        probability = 0.0
        for low in range(len(cells_a)):
            for high in range(low + 1, len(cells_a)):
                probability += cells_a[low] * cells_b[high] + cells_b[low] * cells_a[high]
    return min(max(probability, PROBABILITY_FLOOR), 1.0 - PROBABILITY_FLOOR)


def _cells(assessment: AgeAssessment, ages: list[int]) -> list[float]:
    cells, low = [], 0.0
    for age in ages:
        high = assessment.probability_below(age)
        cells.append(max(high - low, 0.0))
        low = high
    cells.append(max(1.0 - low, 0.0))
    return cells
