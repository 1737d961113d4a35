"""How far behaviour may be believed: the temperature of the behaviour age model.

Owns its estimate, on labelled people scored by models that were not trained on them. It must not
know how the models were trained.

The temperature is the one at which P(minor) tells best on which side of the line people are, which
also brings its calibration slope to 1. It is asked twice: over everybody, and once more within true
ages 15-20, where a model that is right about children and grown-ups can still be far too sure.
There the ages are taken to be known to lie within 15-20; without that even an oracle would seem too
sure (``line_calibration``). Both together decide, unless the people around the line say plainly
that this is too much for them: then they decide alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from pairguard.risk.behaviour import CLIP_NATS
from pairguard_training.age_labels import AgeRows
from pairguard_training.line_calibration import (
    ADULT_AGE_YEARS,
    LINE_YEARS,
    LineCalibration,
    line_calibration,
)
from pairguard_training.manifest_figures import figure

Array = NDArray[np.float64]

HIGHEST = 1.5
"""Training is held back on purpose; people left out may show that it was held back too much."""
LOWEST = 0.05
"""Below it behaviour says nothing worth a model."""
FEWEST_PEOPLE = 50
FEWEST_OF_EITHER_SIDE = 20
"""Minors, and adults, of 15-20 below which nobody could contradict a row that takes all for the
other."""
CONTRADICTION_NATS = 1.92
"""Log-likelihood lost around the line beyond which it decides alone: half the 95 % point of the
chi-squared distribution. The smaller of two estimates would always be too cautious by chance."""
UNCHECKED = 0.5
"""The temperature where too few people near the line could check it (assumed, cautious)."""

_LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """The temperature and how it came about.

    Attributes:
        temperature: What counts; 0: the model should not be used.
        over_all_ages: By maximum likelihood of the side of the line, over all true ages.
        around_the_line: The same within true ages 15-20; NaN: too few people there, or of one side.
        contradicted: Whether the people around the line decided alone.
        calibration: Slopes of the posteriors with the temperature that counts, on the people who
            chose it.
        people: Labelled people.
        people_around_the_line: Those of true age 15-20.
    """

    temperature: float
    over_all_ages: float
    around_the_line: float
    contradicted: bool
    calibration: LineCalibration
    people: int
    people_around_the_line: int

    def to_mapping(self) -> dict[str, Any]:
        """Return the figures for the manifest; None: cannot be told."""
        slopes = self.calibration
        return {
            "temperature_people": self.people,
            "temperature_people_aged_15_to_20": self.people_around_the_line,
            "temperature_over_all_ages": figure(self.over_all_ages),
            "temperature_at_15_to_20": figure(self.around_the_line),
            "temperature": figure(self.temperature),
            "calibration_slope": figure(slopes.over_all),
            "calibration_slope_given_15_to_20": figure(slopes.within_the_line),
            "calibration_slope_at_15_to_20": figure(slopes.at_the_line),
            "calibration_slope_at_15_to_20_if_exact": figure(slopes.at_the_line_if_exact),
        }

    def sentences(self) -> tuple[str, str]:
        """Return what people are told."""
        slopes = self.calibration
        alone = "; the latter counts alone" if self.contradicted else ""
        temperature = (
            f"behaviour temperature {self.over_all_ages:.2f} over all ages, "
            f"{self.around_the_line:.2f} within ages 15-20 ({self.people_around_the_line} "
            f"people): {self.temperature:.2f} counts{alone}"
        )
        calibration = (
            f"behaviour alone, {self.people} people left out of training, who chose the "
            f"temperature: slope of P(under 18) "
            f"{slopes.over_all:.2f}, of P(under 18 | 15-20) {slopes.within_the_line:.2f}, of "
            f"P(under 18) at true ages 15-20 {slopes.at_the_line:.2f} (an exact posterior's would "
            f"be {slopes.at_the_line_if_exact:.2f})"
        )
        return temperature, calibration


def fit_temperature(likelihoods: Array, prior: Array, rows: AgeRows) -> TemperatureFit:
    """Estimate the temperature.

    Args:
        likelihoods: (n, 101) log-likelihoods with temperature 1 and no clipping to speak of, each
            by a model that has not seen the person.
        prior: (101,) over the age grid.
        rows: The n labelled rows.
    """
    low, high = LINE_YEARS
    near = (rows.ages >= low) & (rows.ages < high)
    inside = prior.copy()
    inside[:low] = inside[high:] = 0.0
    everybody = _Told(likelihoods, prior, rows)
    around_line = _Told(likelihoods[near], inside, rows.where(near))
    over_all, around, contradicted = _best(everybody), float("nan"), False
    chosen = over_all
    minor = around_line.rows.ages < ADULT_AGE_YEARS
    sides = [around_line.rows.where(side).people for side in (minor, ~minor)]
    if around_line.rows.people >= FEWEST_PEOPLE and min(sides) >= FEWEST_OF_EITHER_SIDE:
        around = _best(around_line)
        chosen = _best(everybody, around_line)
        lost = around_line.loss(chosen) - around_line.loss(around)
        contradicted = around < chosen and lost > CONTRADICTION_NATS
        chosen = around if contradicted else chosen
    elif rows.people < FEWEST_PEOPLE:
        chosen = UNCHECKED
    else:
        chosen = min(over_all, UNCHECKED)
    useful = chosen > LOWEST and not over_all <= LOWEST
    return TemperatureFit(
        temperature=chosen if useful else 0.0,
        over_all_ages=over_all,
        around_the_line=around,
        contradicted=contradicted,
        calibration=line_calibration(
            _posteriors(likelihoods, prior, chosen), rows.ages, rows.weights
        ),
        people=rows.people,
        people_around_the_line=around_line.rows.people,
    )


def _posteriors(likelihoods: Array, prior: Array, temperature: float) -> Array:
    # The model clips at its knots and then draws lines between them, here the lines are clipped:
    # they differ only beside a knot that is clipped.
    weights = np.exp(np.clip(likelihoods * temperature, -CLIP_NATS, CLIP_NATS)) * prior
    posteriors: Array = weights / weights.sum(axis=1, keepdims=True)
    return posteriors


@dataclass(frozen=True, slots=True)
class _Told:
    """What some people tell of the temperature."""

    likelihoods: Array
    prior: Array
    rows: AgeRows

    def loss(self, temperature: float) -> float:
        """Return the nats by which the sides of the line surprise, for effective people."""
        minor = self.rows.ages < ADULT_AGE_YEARS
        posteriors = _posteriors(self.likelihoods, self.prior, temperature)
        claimed = posteriors[:, :ADULT_AGE_YEARS].sum(axis=1)
        told = np.maximum(np.where(minor, claimed, 1.0 - claimed), _LEAST)
        weights = self.rows.weights
        surprise = -float((weights * np.log(told)).sum() / weights.sum())
        return surprise * self.rows.effective_people


def _best(*told: _Told) -> float:
    if not all(each.rows.participants for each in told):
        return float("nan")

    def loss(temperature: float) -> float:
        return sum(each.loss(temperature) for each in told)

    found = minimize_scalar(loss, bounds=(0.0, HIGHEST), method="bounded", options={"xatol": 1e-4})
    # The search never reaches its bounds.
    return float(min((0.0, float(found.x), HIGHEST), key=loss))
