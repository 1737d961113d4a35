"""What people of known age had declared.

Owns what a declaration leaves open: two ages for a year of birth, and the label's own rounding. It
must not know what is learned from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from pairguard.age.declaration import year_of_birth_ages
from pairguard.age.evidence import SelfDeclared, VerificationMethod
from pairguard.age.parameters import AGE_COUNT
from pairguard.age.tables import AgeTables
from pairguard_training.error_rates import EXCLUDED_YEARS
from pairguard_training.verified_evidence import VerifiedItem, effective_people, shared_weights

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ADULT_YEARS = 18
"""The line that the declaration model knows."""


@dataclass(frozen=True, slots=True)
class DeclaredAges:
    """Declarations (n,) of people away from the line.

    Attributes:
        people: Whose they are.
        keys: What was said: the two whole years that it leaves, and the gate.
        key: (n,) index into ``keys``.
        spread: (n, 101) P(true age at the declaration | label), by whole year.
        ages: (n,) age at the declaration in years.
        weights: (n,) how many participants each stands for.
    """

    people: list[str]
    keys: list[tuple[float, float, float | None]]
    key: NDArray[np.intp]
    spread: Array
    ages: Array
    weights: Array

    def among(self, mask: Mask) -> tuple[int, float]:
        """Return number and effective number of people of a mask."""
        chosen = [self.people[i] for i in np.flatnonzero(mask)]
        return len(set(chosen)), effective_people(chosen, self.weights[mask])

    @property
    def open_children(self) -> Mask:
        """Children whose form let them say that they are children."""
        gates = np.array([gate or 0.0 for _, _, gate in self.keys])[self.key]
        return (self.ages < ADULT_YEARS) & (gates < ADULT_YEARS)

    @property
    def false_adults(self) -> Mask:
        """Children who said that they are adults, whatever their form demanded."""
        adult = np.array([younger >= ADULT_YEARS for younger, _, _ in self.keys], dtype=np.bool_)
        return (self.ages < ADULT_YEARS) & adult[self.key]

    def adult_share(self, age: int) -> float | None:
        """Return the weighted share of children within a year and a half who said: an adult.

        Only of children whose form let them say otherwise; None: there are none.
        """
        near = self.open_children & (np.abs(self.ages - (age + 0.5)) <= 1.5)
        if not near.any():
            return None
        adult = np.array([younger >= ADULT_YEARS for younger, _, _ in self.keys])[self.key]
        return float((self.weights * (near & adult)).sum() / self.weights[near].sum())


def declared_ages(tables: AgeTables, items: Sequence[VerifiedItem]) -> DeclaredAges:
    """Return the declarations of people whose age was away from the line when they declared it."""
    chosen = [
        (item, item.evidence.observation)
        for item in items
        if isinstance(item.evidence.observation, SelfDeclared)
        and abs(item.age_years - ADULT_YEARS) >= EXCLUDED_YEARS
    ]
    stated = [_stated(declared, item.stated_seconds) for item, declared in chosen]
    keys = sorted(set(stated), key=lambda key: (key[0], key[1], key[2] or 0.0))
    places = {key: place for place, key in enumerate(keys)}
    people = [item.participant for item, _ in chosen]
    return DeclaredAges(
        people=people,
        keys=keys,
        key=np.array([places[key] for key in stated], dtype=np.intp),
        spread=np.array([_spread(tables, item) for item, _ in chosen]).reshape(-1, AGE_COUNT),
        ages=np.array([item.age_years for item, _ in chosen]),
        weights=shared_weights(people, [item.weight for item, _ in chosen]),
    )


def _stated(declared: SelfDeclared, seconds: float) -> tuple[float, float, float | None]:
    gate = None if declared.gate_years is None else float(int(declared.gate_years))
    if declared.birth_year is not None:
        year = datetime.fromtimestamp(max(seconds, 0.0), UTC).year
        return (*year_of_birth_ages(declared.birth_year, year), gate)
    years = float(int(declared.age_years or 0.0))
    return years, years, gate


def _spread(tables: AgeTables, item: VerifiedItem) -> Array:
    """Return (101,) P(age in whole years | label): labels are rounded, and off by one at times."""
    result = np.zeros(AGE_COUNT + 2)  # one year more at both ends
    if item.whole_years:
        younger = max(item.age_years - 0.5, 0.0)
        part = younger % 1.0
        result[int(younger) + 1] += 1.0 - part
        result[int(younger) + 2] += part
    else:
        result[int(item.age_years) + 1] = 1.0
    off = tables.verified_neighbour[item.method or VerificationMethod.ID_DOCUMENT]
    blurred = (1.0 - off) * result
    blurred[1:] += 0.5 * off * result[:-1]
    blurred[:-1] += 0.5 * off * result[1:]
    return blurred[1:-1]
