"""The error model of facial age estimators.

Owns the density of an estimate given the true age: Student's t with 4 degrees of freedom around
the true age plus a bias, both bias and scale depending on the true age. Independent tests find
children estimated too old (NIST FATE AEV), and tails heavier than normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard.age.parameters import AGE_GRID, Array

DEGREES_OF_FREEDOM = 4.0
"""Fixed, because the distribution function then has a closed form."""


@dataclass(frozen=True, slots=True)
class FaceErrorModel:
    """Bias and scale by true age.

    Attributes:
        centre_years: (101,) expected estimate at each age of the grid (mid-year + bias).
        scale_years: (101,) scale of the t distribution, not its standard deviation.
    """

    centre_years: Array
    scale_years: Array

    @classmethod
    def from_curves(cls, bias_years: Array, scale_years: Array) -> FaceErrorModel:
        """Build from curves on the age grid; the grid point g stands for g + 1/2."""
        return cls(AGE_GRID + 0.5 + bias_years, scale_years)

    def log_density(self, estimate_years: float) -> Array:
        """Return (101,) log density of the estimate at each true age, up to a constant."""
        standard = (estimate_years - self.centre_years) / self.scale_years
        tail = np.log1p(standard * standard / DEGREES_OF_FREEDOM)
        result: Array = -np.log(self.scale_years) - (DEGREES_OF_FREEDOM + 1.0) / 2.0 * tail
        return result

    def probability_at_least(self, threshold_years: float) -> Array:
        """Return (101,) probability at each true age of an estimate at or above a threshold."""
        standard = (threshold_years - self.centre_years) / self.scale_years
        s = standard / np.sqrt(1.0 + standard * standard / 4.0)
        below: Array = 0.5 + 0.375 * s * (1.0 - s * s / 12.0)
        return 1.0 - below
