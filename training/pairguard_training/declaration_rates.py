"""The rates of the declaration model, and how a fit may move them.

Owns the shape of what can be learned: the preset's curves, shifted and tilted in log-odds, and how
false claims of an adult age are spread over ages, all held by pseudo-counts. It must not know data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pairguard.age.declaration import DeclarationModel, false_adult_claims
from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.age.tables import AgeTables
from pairguard_training.error_rates import PRESET_PEOPLE

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CHILD_PARAMETERS, MISSTATEMENT, DECAY, UNIFORM_SHARE, PARAMETERS = 4, 4, 5, 6, 7
"""Shift and tilt of two curves, then one shift of each of three numbers: how many adults state
another age, and how false claims of an adult age are spread."""
WIDEST_NATS = 6.0
"""Beyond it a rate is 0 or its most for any purpose."""
_HELD_AGES = slice(8, 17)  # where pseudo-counts hold a curve; 17 is within a year of the line
_TILT_CENTRE_YEARS, _TILT_YEARS = 13.0, 4.0
# The most that the tables allow; a rate moves in the log-odds of its share of that.
_MOST_ADULT_CLAIM, _MOST_OLDER_CLAIM, _MOST_MISSTATEMENT = 0.6, 0.35, 0.9
_MOST_DECAY, _MOST_UNIFORM_SHARE = 5.0, 1.0
_CAUTION_DEVIATIONS = 1.2816  # to the upper end of a one-sided interval of 90 %


@dataclass(frozen=True, slots=True)
class DeclarationRates:
    """The declaration model's rates that are fitted.

    Attributes:
        adult_claim: (101,) share of children who say that they are adults, by true age.
        older_claim: (101,) share of children who say that they are older children.
        misstatement: Share of adults who state another adult age.
        decay: How fast false claims of an adult age get rarer with each year above 18.
        uniform_share: Share of those claims that are any adult age.
    """

    adult_claim: Array
    older_claim: Array
    misstatement: float
    decay: float
    uniform_share: float

    def moved(self, parameters: Array) -> DeclarationRates:
        """Return the rates shifted, and the curves tilted, by parameters."""
        return DeclarationRates(
            _moved(self.adult_claim, _MOST_ADULT_CLAIM, _slope(parameters[0:2])),
            _moved(self.older_claim, _MOST_OLDER_CLAIM, _slope(parameters[2:4])),
            _moved_number(self.misstatement, _MOST_MISSTATEMENT, parameters[MISSTATEMENT]),
            _moved_number(self.decay, _MOST_DECAY, parameters[DECAY]),
            _moved_number(self.uniform_share, _MOST_UNIFORM_SHARE, parameters[UNIFORM_SHARE]),
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
        total += PRESET_PEOPLE * _cross_entropy(one, two)
        mine, theirs = self._claims(), other._claims()
        # Claims of no age under 18 or above 120: 0 log 0 is 0.
        told = mine > 0.0
        surprise = -float((mine[told] * np.log(np.maximum(theirs[told], 1e-300))).sum())
        return float(total + PRESET_PEOPLE * surprise)

    def _claims(self) -> Array:
        return false_adult_claims(self.decay, self.uniform_share)


def preset_rates(tables: AgeTables) -> DeclarationRates:
    """Return the rates that the tables' document has."""
    section = tables.document["self_declared"]
    curves = [
        np.interp(AGE_GRID, section[name]["ages"], section[name]["values"])
        for name in ("adult_claim", "older_claim")
    ]
    numbers = (
        float(section[name]["value"])
        for name in ("adult_misstatement", "adult_claim_decay", "adult_claim_uniform_share")
    )
    return DeclarationRates(*curves, *numbers)


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
            decay=rates.decay,
            uniform_share=rates.uniform_share,
            misstatement=rates.misstatement,
        )

    return model_of


def cautious_rates(
    preset: DeclarationRates, parameters: Array, covariance: Array, free: Mask
) -> DeclarationRates:
    """Return the fitted rates, none kinder to children's claims than the end of its interval.

    No curve falls lower than the upper end of its interval and the preset; nor do claims far above
    18 get rarer than that, which would make such a claim speak for an adult all the more.
    """
    fitted = preset.moved(parameters)
    if free[0]:
        curves = [
            np.maximum(
                curve, np.minimum(before, _upper(before, most, parameters, covariance, place))
            )
            for curve, before, most, place in (
                (fitted.adult_claim, preset.adult_claim, _MOST_ADULT_CLAIM, slice(0, 2)),
                (fitted.older_claim, preset.older_claim, _MOST_OLDER_CLAIM, slice(2, 4)),
            )
        ]
        fitted = replace(fitted, adult_claim=curves[0], older_claim=curves[1])
    if not free[DECAY]:
        return fitted
    away = _CAUTION_DEVIATIONS * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    slowest = _moved_number(preset.decay, _MOST_DECAY, parameters[DECAY] - away[DECAY])
    widest = _moved_number(
        preset.uniform_share,
        _MOST_UNIFORM_SHARE,
        parameters[UNIFORM_SHARE] + away[UNIFORM_SHARE],
    )
    return replace(
        fitted,
        decay=min(fitted.decay, max(preset.decay, slowest)),
        uniform_share=max(fitted.uniform_share, min(preset.uniform_share, widest)),
    )


def _upper(before: Array, most: float, parameters: Array, covariance: Array, place: slice) -> Array:
    """Return (101,) the upper end of a curve's interval."""
    deviation = _deviation(covariance[place, place])
    return _moved(before, most, _slope(parameters[place]) + _CAUTION_DEVIATIONS * deviation)


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


def _moved_number(rate: float, most: float, nats: float) -> float:
    return float(_moved(np.array([rate]), most, np.array([nats]))[0])


def _cross_entropy(rates: Array, others: Array) -> float:
    inside = np.clip(others, 1e-12, 1.0 - 1e-12)
    return -float((rates * np.log(inside) + (1.0 - rates) * np.log1p(-inside)).sum())
