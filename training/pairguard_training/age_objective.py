"""What the trees of the behaviour age model are trained to do: fit the age itself.

Owns the loss, its slope and its curvature. It must not know what the rows are nor when to stop.

The scores r_k are how much the log-likelihood rises between the ages of knots (``ramps``), so that

    p(age | scores) ~ prior(age) * exp(sum_k r_k ramp_k(age))

and the loss is -log p(true age) - log p(on which side of the line the true age lies). The prior is
part of the loss and not of the scores: what the scores learn is a likelihood, and rows that tell
nothing score 0. A classifier over age bands learns hard borders and has to be divided by the
bands' shares afterwards; here the line is as smooth in training as when it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_GRID
from pairguard.risk.behaviour import ramps

Array = NDArray[np.float64]

LINE_YEARS = 18
"""The side of this age counts once more: it is what decides."""

_CHUNK = 1 << 10  # of 31 numbers each: what a core's own cache holds
_LEAST_CURVATURE = 1e-3


@dataclass(frozen=True, slots=True)
class AgeObjective:
    """The loss over ages that no ramp tells apart taken together.

    Attributes:
        ramps: (cells, scores) by cell of the age grid.
        prior: (cells,) population's share of each cell.
        minor: (cells,) whether the cell lies below the line.
        cells: (101,) cell of each age.
    """

    ramps: Array
    prior: Array
    minor: NDArray[np.bool_]
    cells: NDArray[np.intp]

    @classmethod
    def over(cls, knots_years: Sequence[float], prior: Array) -> AgeObjective:
        """Prepare the loss.

        Args:
            knots_years: Ages at which the likelihood may bend.
            prior: (101,) above 0, of the people to be learned from.
        """
        grid = np.column_stack([ramps(knots_years), AGE_GRID < LINE_YEARS])
        cells, inverse = np.unique(grid, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1).astype(np.intp)
        return cls(
            ramps=np.ascontiguousarray(cells[:, :-1]),
            prior=np.bincount(inverse, weights=prior, minlength=len(cells)).astype(np.float64),
            minor=cells[:, -1] == 1.0,
            cells=inverse,
        )

    def losses(self, scores: Array, ages: NDArray[np.int64]) -> Array:
        """Return (n,) the loss of each row, less that of the prior alone.

        Args:
            scores: (n, scores).
            ages: (n,) true ages in whole years.
        """
        found = np.empty(len(ages))
        for chunk in _chunks(len(ages)):
            cell = self.cells[ages[chunk]]
            p = self._posterior(scores[chunk])
            same_side = np.where(self.minor[cell, np.newaxis], self.minor, ~self.minor)
            side = np.maximum((p * same_side).sum(axis=1), 1e-300)
            age = np.maximum(p[np.arange(len(cell)), cell], 1e-300)
            before = np.log(self.prior[cell]) + np.log(same_side @ self.prior)
            found[chunk] = before - np.log(age) - np.log(side)
        return found

    def gradients(self, scores: Array, ages: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return slope and curvature of the loss, each (n, scores).

        The curvature is an upper bound, E(1 - E) for each score: ramps lie within 0 and 1.
        """
        slope, curvature = np.empty_like(scores), np.empty_like(scores)
        for chunk in _chunks(len(ages)):
            cell = self.cells[ages[chunk]]
            p = self._posterior(scores[chunk])
            expected = p @ self.ramps
            same_side = np.where(self.minor[cell, np.newaxis], self.minor, ~self.minor)
            p *= same_side
            p /= np.maximum(p.sum(axis=1, keepdims=True), 1e-300)
            slope[chunk] = 2.0 * expected - self.ramps[cell] - p @ self.ramps
            curvature[chunk] = 2.0 * np.maximum(expected * (1.0 - expected), _LEAST_CURVATURE)
        return slope, curvature

    def for_boosting(
        self, ages: NDArray[np.int64], weights: Array
    ) -> Callable[[Array, Any], tuple[Array, Array]]:
        """Return the objective as LightGBM calls it; it does not apply weights by itself."""
        shape = (len(ages), self.ramps.shape[1])

        def objective(scores: Array, _: Any) -> tuple[Array, Array]:
            rows = scores if scores.ndim == 2 else scores.reshape(shape, order="F")
            slope, curvature = self.gradients(np.asarray(rows, dtype=np.float64), ages)
            slope *= weights[:, np.newaxis]
            curvature *= weights[:, np.newaxis]
            if scores.ndim == 2:
                return slope, curvature
            return slope.ravel(order="F"), curvature.ravel(order="F")

        return objective

    def _posterior(self, scores: Array) -> Array:
        log = scores @ self.ramps.T + np.log(self.prior)
        log -= log.max(axis=1, keepdims=True)
        p: Array = np.exp(log)
        p /= p.sum(axis=1, keepdims=True)
        return p


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]
