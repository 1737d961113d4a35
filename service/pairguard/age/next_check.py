"""Which age check to ask for next.

Owns the prediction of what a check would settle. The *expected* posterior after a check is always
the present one, so a check is judged by the probability that its result ends outside the uncertain
zone. It must not know the partner: what is asked of one participant never depends on the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.age.attack import with_attacks
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
)
from pairguard.age.observation import observation_model, probability_over
from pairguard.age.parameters import Array
from pairguard.age.posterior import AgeAssessment
from pairguard.age.tables import AgeTables

_ANY_YEAR = 2000  # checks against a threshold know no years of birth


@dataclass(frozen=True, slots=True)
class CheckOption:
    """One check that the platform can ask for.

    Attributes:
        method: How it checks.
        threshold_years: The age it compares with.
        cost: What it costs platform and participant together, in any one unit.
        document_free: Whether it needs no identity document.
    """

    method: CheckMethod
    threshold_years: float
    cost: float
    document_free: bool


@dataclass(frozen=True, slots=True)
class CheckForecast:
    """What one check is predicted to do.

    Attributes:
        option: The check.
        probability_settled: Predictive probability that it ends outside the uncertain zone.
    """

    option: CheckOption
    probability_settled: float


@dataclass(frozen=True, slots=True)
class UncertainZone:
    """Where a participant is neither admitted as an adult nor known as a minor.

    Attributes:
        adult_age: The adult age in years.
        max_probability_minor: At or below it: an adult.
        max_probability_adult: At or below it: a minor.
    """

    adult_age: int
    max_probability_minor: float
    max_probability_adult: float


class CheckForecaster:
    """Forecast a fixed set of checks for any participant.

    A check is taken to be live-bound, made now, and under an attack indicator of its own. Checks
    come cheapest first.
    """

    def __init__(self, tables: AgeTables, options: Sequence[CheckOption]) -> None:
        self.options = tuple(sorted(options, key=lambda o: (o.cost, o.method.value)))
        rows = [
            _result_probability(tables, option, result)
            for result in (CheckResult.OVER, CheckResult.UNDER)
            for option in self.options
        ]
        self._results: Array = np.array(rows).reshape(2 * len(self.options), -1)

    def sufficient(
        self, assessment: AgeAssessment, *, zone: UncertainZone, min_probability_settled: float
    ) -> tuple[CheckForecast, ...]:
        """Return the checks that would settle the age often enough, cheapest first; none: empty.

        Args:
            assessment: What is believed now.
            zone: The uncertain zone.
            min_probability_settled: The policy's number, in (0, 1].
        """
        if not self.options:
            return ()
        joint = self._results * assessment.probabilities
        probability = joint.sum(axis=1).tolist()
        below = joint[:, : zone.adult_age].sum(axis=1).tolist()
        # A dozen numbers: plain floats are the same ones, and faster than arrays.
        settled = [
            chance
            if minor <= zone.max_probability_minor * chance
            or chance - minor <= zone.max_probability_adult * chance
            else 0.0
            for chance, minor in zip(probability, below, strict=True)
        ]
        count = len(self.options)
        totals = [min(settled[i] + settled[count + i], 1.0) for i in range(count)]
        return tuple(
            CheckForecast(option, total)
            for option, total in zip(self.options, totals, strict=True)
            if total >= min_probability_settled
        )


def _result_probability(tables: AgeTables, option: CheckOption, result: CheckResult) -> Array:
    """Return (101,) P(result | age), attacks included."""
    check = AgeCheck(option.method, option.threshold_years, result, Liveness.PASSED)
    model = observation_model(
        tables, AgeEvidence(check, binding=Binding.LIVE_PERSON), year=_ANY_YEAR
    )
    if model is None:
        raise ValueError("a result other than INCONCLUSIVE always says something")
    over = probability_over(tables, option.method, option.threshold_years)
    chance = over if result is CheckResult.OVER else 1.0 - over
    return with_attacks(tables, chance, attack=model.attack, posing=model.posing)
