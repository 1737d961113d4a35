"""How far behaviour may be believed: the temperature of the behaviour age model.

Owns its estimate, on labelled people that the model was not trained on. It must not know how the
model was trained.

Two estimates, and the smaller one counts. The first makes the likelihood row as a whole fit the
true ages of everybody. The second looks at true ages from 15 to 20 only, where a classifier that
is right about children and grown-ups can still be far too sure: the ages are taken to be known to
lie there, and the row should then tell them apart as well as it claims.

The calibration slope of P(minor) at these true ages is told beside it. It is below 1 even for an
oracle, because the ages are chosen by what is to be predicted; so it is compared, not made 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from pairguard.risk.behaviour import CLIP_NATS
from pairguard_training.age_labels import AgeRows
from pairguard_training.calibration_line import calibration_line

Array = NDArray[np.float64]

LINE_YEARS = (15, 21)
"""Ages around the line: from the first up to below the second."""
ADULT_AGE_YEARS = 18
HIGHEST = 1.0
LOWEST = 0.05
"""Below it behaviour says nothing worth a model."""
FEWEST_PEOPLE = 50
GUESS_DEVIATION = 0.5
"""How far the two estimates are expected to differ (assumed)."""
UNCHECKED = 0.5
"""The temperature where too few people near the line could check it (assumed, cautious)."""


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """The temperature and how it came about.

    Attributes:
        temperature: What counts; 0: the model should not be used.
        over_all_ages: By maximum likelihood over all true ages.
        around_the_line: The same at true ages 15-20; NaN: too few people there.
        slope_around_the_line: Calibration slope of P(minor) at true ages 15-20 with the
            temperature that counts, on the people who chose it; NaN: cannot be told.
        people: Labelled people.
        people_around_the_line: Those of true age 15-20.
    """

    temperature: float
    over_all_ages: float
    around_the_line: float
    slope_around_the_line: float
    people: int
    people_around_the_line: int


def fit_temperature(likelihoods: Array, prior: Array, rows: AgeRows) -> TemperatureFit:
    """Estimate the temperature.

    Args:
        likelihoods: (n, 101) log-likelihoods with temperature 1 and no clipping to speak of, each
            by a model that has not seen the person.
        prior: (101,) over the age grid.
        rows: The n labelled rows.
    """
    ages = rows.ages.astype(np.int64)
    low, high = LINE_YEARS
    near = (ages >= low) & (ages < high)
    near_rows = rows.where(near)
    over_all = _most_likely(likelihoods, prior, ages, rows.weights)
    around = float("nan")
    if near_rows.people >= FEWEST_PEOPLE:
        inside = prior.copy()
        inside[:low] = inside[high:] = 0.0
        around = _most_likely(
            likelihoods[near],
            inside,
            ages[near],
            near_rows.weights,
            # The line decides little, so few people near it tell little: what all ages say counts
            # as one more observation.
            guess=over_all,
            guess_weight=0.5 / (GUESS_DEVIATION**2 * near_rows.effective_people),
        )
    if rows.people < FEWEST_PEOPLE:
        chosen = UNCHECKED
    else:
        chosen = min(over_all, UNCHECKED if np.isnan(around) else around)
    return TemperatureFit(
        temperature=chosen if chosen > LOWEST else 0.0,
        over_all_ages=over_all,
        around_the_line=around,
        slope_around_the_line=_slope(
            _tempered(likelihoods[near], chosen),
            prior,
            ages[near],
            rows.weights[near],
        ),
        people=rows.people,
        people_around_the_line=near_rows.people,
    )


def _tempered(likelihoods: Array, temperature: float) -> Array:
    # The model clips each band and then draws lines between them, here the lines are clipped:
    # they differ only beside a band that is clipped.
    return np.clip(likelihoods * temperature, -CLIP_NATS, CLIP_NATS)


def _most_likely(
    likelihoods: Array,
    prior: Array,
    ages: NDArray[np.int64],
    weights: Array,
    *,
    guess: float = 0.0,
    guess_weight: float = 0.0,
) -> float:
    rows = np.arange(len(ages))

    def loss(temperature: float) -> float:
        tempered = _tempered(likelihoods, temperature)
        total = np.log((np.exp(tempered) * prior).sum(axis=1))
        surprise = float((weights * (total - tempered[rows, ages])).sum() / weights.sum())
        return surprise + guess_weight * (temperature - guess) ** 2

    if not len(ages):
        return float("nan")
    found = minimize_scalar(loss, bounds=(0.0, HIGHEST), method="bounded", options={"xatol": 1e-4})
    # The search never reaches its bounds.
    return float(min((0.0, float(found.x), HIGHEST), key=loss))


def _slope(likelihoods: Array, prior: Array, ages: NDArray[np.int64], weights: Array) -> float:
    posterior = np.exp(likelihoods) * prior
    minor = posterior[:, :ADULT_AGE_YEARS].sum(axis=1) / posterior.sum(axis=1)
    inside = np.clip(minor, 1e-9, 1.0 - 1e-9)
    return calibration_line(inside, (ages < ADULT_AGE_YEARS).astype(np.float64), weights).slope
