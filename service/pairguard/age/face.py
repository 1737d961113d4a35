"""The error models of facial age estimators.

Owns the density of an estimate given the true age, in two forms: curves (a Student t with 4 degrees
of freedom around the true age plus a bias, its scale by age and, if it is skewed, by side), which
the presets are, and a table of shares, which training fits. Independent tests find children
estimated too old (NIST FATE AEV), and tails heavier than normal; verified people show what no
curve has, such as round ages that an estimator prefers. It must not know attacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pairguard.age.parameters import AGE_COUNT, AGE_GRID, Array, ParameterReader

DEGREES_OF_FREEDOM = 4.0
"""Fixed, because the distribution function then has a closed form."""

HIGHEST_ESTIMATE_YEARS = 120.0
RESOLUTIONS_YEARS = (0.1, 1.0)
"""The steps in which estimates are told: tenths of a year, or whole years."""

_LOG_CONSTANT = float(np.log(0.375))  # of the t density with 4 degrees of freedom
_LEAST_PROBABILITY = 1e-9
_FLOOR_SHARE = 1e-4  # of a table, spread evenly: no estimate makes an age impossible
_LEAST_SCALE_YEARS = 0.1


class FaceErrorModel(Protocol):
    """What an estimator says of a face of each age."""

    def log_density(self, estimate_years: float) -> Array:
        """Return (101,) log density of an estimate at each true age, per year, finite."""
        ...

    def probability_at_least(self, threshold_years: float) -> Array:
        """Return (101,) probability at each true age of an estimate at or above a threshold."""
        ...


@dataclass(frozen=True, slots=True)
class FaceErrorCurves:
    """A t distribution, or two halves of different width joined at the most likely estimate.

    Attributes:
        centre_years: (101,) most likely estimate at each age of the grid (mid-year + bias).
        scale_below_years: (101,) scale of the half below it, not its standard deviation.
        scale_above_years: (101,) scale of the half above; the same: no skew.
    """

    centre_years: Array
    scale_below_years: Array
    scale_above_years: Array

    @classmethod
    def from_curves(
        cls, bias_years: Array, scale_years: Array, scale_above_years: Array | None = None
    ) -> FaceErrorCurves:
        """Build from curves on the age grid; the grid point g stands for g + 1/2.

        Args:
            bias_years: (101,) most likely estimate minus true age.
            scale_years: (101,) above 0; of the lower half, if the upper has its own.
            scale_above_years: (101,) above 0; None: as below.
        """
        above = scale_years if scale_above_years is None else scale_above_years
        return cls(AGE_GRID + 0.5 + bias_years, scale_years, above)

    def log_density(self, estimate_years: float) -> Array:
        """Return (101,) log density of the estimate at each true age, per year."""
        standard = self._standard(estimate_years)
        tail = np.log1p(standard * standard / DEGREES_OF_FREEDOM)
        mean_scale = (self.scale_below_years + self.scale_above_years) / 2.0
        result: Array = _LOG_CONSTANT - np.log(mean_scale) - (DEGREES_OF_FREEDOM + 1.0) / 2.0 * tail
        return result

    def probability_at_least(self, threshold_years: float) -> Array:
        """Return (101,) probability at each true age of an estimate at or above a threshold."""
        standard = self._standard(threshold_years)
        s = standard / np.sqrt(1.0 + standard * standard / 4.0)
        below = 0.5 + 0.375 * s * (1.0 - s * s / 12.0)
        both = self.scale_below_years + self.scale_above_years
        result: Array = np.where(
            standard < 0.0,
            1.0 - 2.0 * self.scale_below_years / both * below,
            2.0 * self.scale_above_years / both * (1.0 - below),
        )
        return np.maximum(result, _LEAST_PROBABILITY)

    def _standard(self, years: float) -> Array:
        distance = years - self.centre_years
        scale = np.where(distance < 0.0, self.scale_below_years, self.scale_above_years)
        result: Array = distance / scale
        return result


@dataclass(frozen=True, slots=True)
class FaceErrorTable:
    """Shares of the estimates that can be told, by true age.

    Attributes:
        lowest_years: The first estimate of the table.
        resolution_years: Distance of its estimates.
        shares: (estimates, 101) probability of each at each true age; a column sums to 1.
        shares_at_least: (estimates, 101) probability of each or a higher one.
    """

    lowest_years: float
    resolution_years: float
    shares: Array
    shares_at_least: Array

    @classmethod
    def from_nodes(
        cls, estimates_years: Array, node_shares: Array, resolution_years: float
    ) -> FaceErrorTable:
        """Build from shares at nodes, between which the density is linear.

        A node stands for half the distance to either neighbour, so that an estimate that people
        are often given exactly has its own narrow peak between two close neighbours.

        Args:
            estimates_years: (nodes,) rising multiples of the resolution, at least two.
            node_shares: (nodes, 101) share of each node by true age, at least 0.
            resolution_years: Step in which estimates are told.
        """
        step = np.diff(estimates_years)
        density = node_shares / node_widths(estimates_years, resolution_years)[:, np.newaxis]
        first = float(estimates_years[0])
        count = round((float(estimates_years[-1]) - first) / resolution_years) + 1
        told = first + resolution_years * np.arange(count)
        place = np.searchsorted(estimates_years, told + 1e-6, side="right") - 1
        place = np.clip(place, 0, estimates_years.size - 2)
        part = np.clip((told - estimates_years[place]) / step[place], 0.0, 1.0)[:, np.newaxis]
        shares = density[place] * (1.0 - part) + density[place + 1] * part
        shares /= shares.sum(axis=0)
        shares = (1.0 - _FLOOR_SHARE) * shares + _FLOOR_SHARE / count
        at_least = shares[::-1].cumsum(axis=0)[::-1]
        shares.setflags(write=False)
        at_least.setflags(write=False)
        return cls(first, resolution_years, shares, at_least)

    def log_density(self, estimate_years: float) -> Array:
        """Return (101,) log density of the estimate at each true age, per year.

        Between the estimates of the table it is linear; beyond its ends as at the ends.
        """
        last = self.shares.shape[0] - 1
        place = (estimate_years - self.lowest_years) / self.resolution_years
        place = min(max(place, 0.0), float(last))
        lower = min(int(place + 1e-6), last)
        part = place - lower
        shares: Array = self.shares[lower]
        if part > 1e-6:
            shares = (1.0 - part) * shares + part * self.shares[lower + 1]
        result: Array = np.log(shares / self.resolution_years)
        return result

    def probability_at_least(self, threshold_years: float) -> Array:
        """Return (101,) probability at each true age of an estimate at or above a threshold."""
        place = (threshold_years - self.lowest_years) / self.resolution_years
        first = int(np.ceil(min(max(place, -1.0), 1e6) - 1e-6))
        if first <= 0:
            return np.ones(AGE_COUNT)
        if first >= self.shares.shape[0]:
            return np.full(AGE_COUNT, _LEAST_PROBABILITY)
        result: Array = self.shares_at_least[first]
        return result


def node_widths(estimates_years: Array, resolution_years: float) -> Array:
    """Return (nodes,) years that each node of a density stands for.

    Half the distance to either neighbour, and at the ends half a step of what can be told.
    """
    step = np.append(np.append(resolution_years, np.diff(estimates_years)), resolution_years)
    result: Array = (step[:-1] + step[1:]) / 2.0
    return result


def read_face_error_model(read: ParameterReader, path: str) -> FaceErrorModel:
    """Return the model at a dotted path in whichever form it has; problems stay in the reader.

    The forms are ``{"bias_years", "scale_years"}``, ``{"bias_years", "scale_below_years",
    "scale_above_years"}`` (curves), and ``{"resolution_years", "distribution"}``.
    """
    section = read.section(path)
    if "distribution" not in section:
        sides = ("below", "above") if "scale_below_years" in section else ("",)
        scales = [
            np.maximum(
                read.curve(f"{path}.scale_{side}_years".replace("__", "_"), 0.1, 30),
                _LEAST_SCALE_YEARS,
            )
            for side in sides
        ]
        return FaceErrorCurves.from_curves(read.curve(f"{path}.bias_years", -20, 20), *scales)
    for name in sorted(set(section) - {"distribution", "resolution_years"}):
        read.problem(f"{path}.{name}", "must not stand beside a distribution")
    resolution = read.number(f"{path}.resolution_years", RESOLUTIONS_YEARS[0], 1.0)
    if resolution not in RESOLUTIONS_YEARS:
        read.problem(f"{path}.resolution_years.value", "must be 0.1 or 1")
        resolution = 1.0
    estimates, shares = read.distribution(f"{path}.distribution", 0.0, HIGHEST_ESTIMATE_YEARS)
    steps = estimates / resolution
    if np.any(np.abs(steps - np.round(steps)) > 1e-6):
        read.problem(f"{path}.distribution.outcomes", f"must be multiples of {resolution:g}")
    return FaceErrorTable.from_nodes(estimates, shares, resolution)
