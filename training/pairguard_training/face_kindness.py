"""Whether a face error model is kinder than verified minors show.

Owns one exact test of a model that was not fitted to them. It must not know what is done about it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.age.face import FaceErrorModel
from pairguard_training.face_labels import FaceRows

Array = NDArray[np.float64]

SURPRISE = 0.05
"""Probability of so many minors estimated as adults below which a model is called too kind."""


@dataclass(frozen=True, slots=True)
class SeenMinors:
    """Verified minors with an estimate, each counted once whatever they stand for.

    Attributes:
        people: How many.
        over: Those who were estimated at the line or over it.
        expected: How many would have been under the model, made-up faces included.
        chance: Probability of as many or more under the model; 1 where there is nobody.
    """

    people: int
    over: int
    expected: float
    chance: float

    @property
    def too_kind(self) -> bool:
        """Whether the model makes so many hard to believe."""
        return self.chance < SURPRISE


def seen_minors(model: FaceErrorModel, rows: FaceRows, line_years: int) -> SeenMinors:
    """Compare the minors' first estimates with a model that has not seen them.

    That one of them is estimated at the line or over it has a chance that depends on the age and
    on the capture; the number of those who are has a Poisson binomial distribution.

    Args:
        model: Errors of honest estimates.
        rows: Estimates of one provider, a person's earlier ones first.
        line_years: Who is younger is a minor.
    """
    _, first = np.unique(rows.participants, return_index=True)
    first = first[rows.ages[first] < line_years]
    over = model.probability_at_least(float(line_years))
    by_capture = np.stack([over @ others for others in rows.others])
    chances = by_capture[rows.captures[first], rows.ages[first]]
    count = int((rows.estimates[first] >= line_years).sum())
    return SeenMinors(
        people=first.size,
        over=count,
        expected=float(chances.sum()),
        chance=_at_least(count, chances),
    )


def _at_least(count: int, chances: Array) -> float:
    """Return P(at least so many of independent trials happen)."""
    if count <= 0:
        return 1.0
    # Of each number below the count; the last holds all that have reached it.
    numbers = np.zeros(count + 1)
    numbers[0] = 1.0
    for chance in chances.tolist():
        reached = numbers[-1] + chance * numbers[-2]
        numbers[1:-1] = (1.0 - chance) * numbers[1:-1] + chance * numbers[:-2]
        numbers[0] *= 1.0 - chance
        numbers[-1] = reached
    return float(min(numbers[-1], 1.0))
