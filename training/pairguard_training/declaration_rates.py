"""The rates of the declaration model, and how a fit may move them.

Owns the shape of what can be learned: the preset's curves, shifted and tilted in log-odds, held by
pseudo-counts at each year of age. It must not know data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.age.declaration import DeclarationModel
from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.age.tables import AgeTables
from pairguard_training.error_rates import PRESET_PEOPLE

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CHILD_PARAMETERS, PARAMETERS = 4, 5
"""Shift and tilt of two curves, and then one shift of the adults' number."""
WIDEST_NATS = 6.0
"""Beyond it a rate is 0 or its most for any purpose."""
_HELD_AGES = slice(8, 17)  # where pseudo-counts hold a curve; 17 is within a year of the line
_TILT_CENTRE_YEARS, _TILT_YEARS = 13.0, 4.0
# The most that the tables allow; a rate moves in the log-odds of its share of that.
_MOST_ADULT_CLAIM, _MOST_OLDER_CLAIM, _MOST_MISSTATEMENT = 0.6, 0.35, 0.9
_CAUTION_DEVIATIONS = 1.2816  # to the upper end of a one-sided interval of 90 %


@dataclass(frozen=True, slots=True)
class DeclarationRates:
    """The declaration model's rates that are fitted.

    Attributes:
        adult_claim: (101,) share of children who say that they are adults, by true age.
        older_claim: (101,) share of children who say that they are older children.
        misstatement: Share of adults who state another adult age.
    """

    adult_claim: Array
    older_claim: Array
    misstatement: float

    def moved(self, parameters: Array) -> DeclarationRates:
        """Return the rates shifted, and the curves tilted, by parameters."""
        return DeclarationRates(
            _moved(self.adult_claim, _MOST_ADULT_CLAIM, _slope(parameters[0:2])),
            _moved(self.older_claim, _MOST_OLDER_CLAIM, _slope(parameters[2:4])),
            float(_moved(np.array(self.misstatement), _MOST_MISSTATEMENT, parameters[4:5])[0]),
        )

    def surprise_at(self, other: DeclarationRates) -> float:
        """Return minus the log-probability of the pseudo-counts of these rates under others."""
        each = PRESET_PEOPLE / (_HELD_AGES.stop - _HELD_AGES.start)
        curves = (
            (self.adult_claim[_HELD_AGES], other.adult_claim[_HELD_AGES]),
            (self.older_claim[_HELD_AGES], other.older_claim[_HELD_AGES]),
        )
        total = sum(each * _cross_entropy(mine, theirs) for mine, theirs in curves)
        one, two = np.array([self.misstatement]), np.array([other.misstatement])
        return float(total + PRESET_PEOPLE * _cross_entropy(one, two))


def preset_rates(tables: AgeTables) -> DeclarationRates:
    """Return the rates that the tables' document has."""
    section = tables.document["self_declared"]
    curves = [
        np.interp(AGE_GRID, section[name]["ages"], section[name]["values"])
        for name in ("adult_claim", "older_claim")
    ]
    return DeclarationRates(curves[0], curves[1], float(section["adult_misstatement"]["value"]))


def model_of_rates(tables: AgeTables) -> Callable[[DeclarationRates], DeclarationModel]:
    """Return what makes a declaration model of rates; all else stays as the tables have it."""
    section = tables.document["self_declared"]
    posing = section["posing_as_minor"]
    posing_as_minor = np.interp(AGE_GRID, posing["ages"], posing["values"])
    weight = section["older_claim_weight"]
    older_claim_weight = np.interp(AGE_GRID, weight["ages"], weight["values"])

    def model_of(rates: DeclarationRates) -> DeclarationModel:
        return DeclarationModel.from_curves(
            adult_claim=rates.adult_claim,
            older_claim=rates.older_claim,
            older_claim_weight=older_claim_weight,
            posing_as_minor=posing_as_minor,
            decay=float(section["adult_claim_decay"]["value"]),
            uniform_share=float(section["adult_claim_uniform_share"]["value"]),
            misstatement=rates.misstatement,
        )

    return model_of


def cautious_rates(
    preset: DeclarationRates, parameters: Array, covariance: Array, free: Mask
) -> DeclarationRates:
    """Return the fitted rates, no curve lower than the upper end of its interval and the preset."""
    fitted = preset.moved(parameters)
    if not free[0]:
        return fitted
    upper = [
        _moved(
            curve,
            most,
            _slope(parameters[place]) + _CAUTION_DEVIATIONS * _deviation(covariance[place, place]),
        )
        for curve, most, place in (
            (preset.adult_claim, _MOST_ADULT_CLAIM, slice(0, 2)),
            (preset.older_claim, _MOST_OLDER_CLAIM, slice(2, 4)),
        )
    ]
    return DeclarationRates(
        np.maximum(fitted.adult_claim, np.minimum(preset.adult_claim, upper[0])),
        np.maximum(fitted.older_claim, np.minimum(preset.older_claim, upper[1])),
        fitted.misstatement,
    )


def _tilts() -> Array:
    """Return (101,) what a tilt of 1 adds at each age: flat outside of the ages seen."""
    ages = np.clip(AGE_GRID, _HELD_AGES.start, _HELD_AGES.stop)
    tilts: Array = (ages - _TILT_CENTRE_YEARS) / _TILT_YEARS
    return tilts


def _slope(shift_and_tilt: Array) -> Array:
    result: Array = shift_and_tilt[0] + shift_and_tilt[1] * _tilts()
    return result


def _deviation(covariance: Array) -> Array:
    """Return (101,) the standard deviation of shift and tilt together, by age."""
    design = np.stack([np.ones(AGE_COUNT), _tilts()], axis=1)
    variance = np.einsum("ai,ij,aj->a", design, covariance, design)
    result: Array = np.sqrt(np.maximum(variance, 0.0))
    return result


def _moved(rate: Array, most: float, nats: Array) -> Array:
    """Return rates moved in the log-odds of their share of the most; 0 stays 0."""
    share = np.minimum(rate / most, 1.0)
    odds = np.exp(np.clip(nats, -WIDEST_NATS * 3.0, WIDEST_NATS * 3.0))
    result: Array = most * share * odds / (1.0 - share + share * odds)
    return result


def _cross_entropy(rates: Array, others: Array) -> float:
    inside = np.clip(others, 1e-12, 1.0 - 1e-12)
    return -float((rates * np.log(inside) + (1.0 - rates) * np.log1p(-inside)).sum())
