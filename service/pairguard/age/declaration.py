"""The likelihood of a declared age: who says what about themselves at sign-up.

Owns the table P(declared age | true age at the declaration). Children who lie claim an adult age
(Ofcom / Yonder 2022) or an older teenage one; the lie is an offset fixed at sign-up, so the caller
compares with the age *then*. A sign-up gate keeps out every lower claim: behind an 18+ gate all
children have lied, and a declared 18+ says nearly nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID, Array

_DECLARED_COUNT = 121
_ADULT = 18
_FLOOR = 1e-6


def false_adult_claims(decay: float, uniform_share: float) -> Array:
    """Return (121,) how false claims of an adult age are spread over the declared ages; sums to 1.

    Args:
        decay: How fast claims get rarer with each year above 18.
        uniform_share: Share of the claims that are any age from 18 to 60.
    """
    declared = np.arange(_DECLARED_COUNT)
    tail = np.where(declared >= _ADULT, np.exp(-decay * (declared - _ADULT)), 0.0)
    spread = ((declared >= _ADULT) & (declared <= 60)).astype(float)
    result: Array = (1 - uniform_share) * tail / tail.sum() + uniform_share * spread / spread.sum()
    return result


@dataclass(frozen=True, slots=True)
class DeclarationModel:
    """P(declared | true age), with and without a gate.

    Attributes:
        table: (121, 101) probability of each declared whole year (row) by true age (column).
    """

    table: Array
    _gated: dict[int, Array] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_curves(
        cls,
        *,
        adult_claim: Array,
        older_claim: Array,
        older_claim_weight: Array,
        posing_as_minor: Array,
        decay: float,
        uniform_share: float,
        misstatement: float,
    ) -> DeclarationModel:
        """Build the table from (101,) curves of rates by true age and four shapes.

        ``older_claim_weight`` is by the claimed age: how a claim of an older age under 18 is spread
        over the ages above the true one.
        """
        declared = np.arange(_DECLARED_COUNT)
        false_adult = false_adult_claims(decay, uniform_share)
        posed = ((declared >= 10) & (declared < _ADULT)).astype(float)
        posed /= posed.sum()
        weight = np.interp(declared, AGE_GRID, older_claim_weight)
        table = np.full((_DECLARED_COUNT, AGE_COUNT), _FLOOR)
        for age in range(AGE_COUNT):
            older = np.where((declared > age) & (declared < _ADULT), weight, 0.0)
            older_share = older_claim[age] if older.any() else 0.0
            adult_share = adult_claim[age] if age < _ADULT else misstatement
            honest = 1.0 - adult_share - older_share - posing_as_minor[age]
            table[age, age] += honest
            table[:, age] += adult_share * false_adult + posing_as_minor[age] * posed
            if older.any():
                table[:, age] += older_share * older / older.sum()
        table /= table.sum(axis=0)
        table.setflags(write=False)
        return cls(table)

    def likelihood(self, declared_years: float, gate_years: float | None) -> Array:
        """Return (101,) likelihood of a declared age by true age at the declaration.

        Args:
            declared_years: Age as declared, 0-120; its whole years count.
            gate_years: Age that the form demanded; None: none. A declaration below its own gate
                contradicts the gate, which is then not believed.
        """
        row = min(int(declared_years), _DECLARED_COUNT - 1)
        gate = 0 if gate_years is None else int(min(gate_years, 100))
        likelihood: Array = self.table[row]
        if 0 < gate <= row:
            likelihood = likelihood / self._passed(gate)
        return likelihood

    def likelihoods(self, declared_years: NDArray[np.intp], gate_years: float | None) -> Array:
        """Return (n, 101) what ``likelihood`` does of each of (n,) declared whole years."""
        rows = np.minimum(declared_years, _DECLARED_COUNT - 1)
        gate = 0 if gate_years is None else int(min(gate_years, 100))
        likelihoods: Array = self.table[rows]
        if gate > 0:
            passed = rows >= gate
            likelihoods[passed] /= self._passed(gate)
        return likelihoods

    def range_likelihood(self, lower_years: int | None, upper_years: int | None) -> Array:
        """Return (101,) probability that the declared age lies in a range of whole years."""
        low = 0 if lower_years is None else max(lower_years, 0)
        high = _DECLARED_COUNT if upper_years is None else min(upper_years, 120) + 1
        result: Array = self.table[low:high].sum(axis=0)
        return result

    def _passed(self, gate: int) -> Array:
        """Return (101,) P(declared >= gate | age); cached, the gates are few."""
        passed = self._gated.get(gate)
        if passed is None:
            passed = self._gated[gate] = self.table[gate:].sum(axis=0)
        return passed


def year_of_birth_ages(birth_year: int, at_year: int) -> tuple[float, float]:
    """Return the two ages that a birth year allows in a calendar year, each equally likely."""
    older = min(max(at_year - birth_year, 0), int(AGE_GRID[-1]) + 20)
    return float(max(older - 1, 0)), float(older)
