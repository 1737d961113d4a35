"""The rising broken line of log-odds under which labels are likeliest.

Owns its estimate: Newton's method within bounds, on rows in the order of their scores, so that all
rows of a piece lie together and a step needs one exponential of each and a few sums. It must not
know where the knots come from nor what is done with the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import lsq_linear

Array = NDArray[np.float64]

_STEPS = 100
_TOLERANCE = 1e-13
"""Of what a step may still gain, of the loss."""
_HALVINGS = 40
_RIDGE = 1e-10
"""Of the mean curvature: keeps a step finite where the rows of a piece tell nothing."""
_ROWS_AT_ONCE = 1 << 13
"""What a core's own cache holds, and few enough that no library sums them with several threads,
whose number would be in the last bits."""


@dataclass(frozen=True, slots=True)
class SortedRows:
    """Scores with labels, rising.

    Attributes:
        scores: (n,) rising.
        happened: (n,) 0 or 1.
        weights: (n,) what each stands for, above 0.
    """

    scores: Array
    happened: Array
    weights: Array


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """Log-odds as a line that goes on beyond the outer knots.

    Attributes:
        level: Log-odds at the first knot.
        slopes: (pieces,) log-odds per score of each piece.
    """

    level: float
    slopes: Array


def fit_broken_line(
    rows: SortedRows, knots: Array, *, slope_bounds: tuple[float, float], bending: float
) -> BrokenLine:
    """Return the line of least log loss.

    Args:
        rows: What happened at which score.
        knots: (pieces + 1,) strictly rising.
        slope_bounds: Least and greatest slope of a piece, above 0.
        bending: What a squared difference of neighbouring slopes costs.
    """
    problem = _Problem(rows, knots, bending)
    low = np.array([-np.inf, *[slope_bounds[0]] * (knots.size - 1)])
    high = np.array([np.inf, *[slope_bounds[1]] * (knots.size - 1)])
    at = np.concatenate([[float(knots[0])], np.clip(np.ones(knots.size - 1), low[1:], high[1:])])
    found = problem.expansion(at)
    for _ in range(_STEPS):
        step = _bounded_step(found, low - at, high - at)
        gain = -float(found.slope @ step)
        if gain <= _TOLERANCE * max(abs(found.value), 1.0):
            break
        share = 1.0
        for _ in range(_HALVINGS):
            there = problem.expansion(at + share * step)
            if there.value <= found.value - 1e-4 * share * gain:
                break
            share *= 0.5
        else:
            break  # nothing that doubles can tell is gained any more
        at, found = at + share * step, there
    return BrokenLine(float(at[0]), np.clip(at[1:], *slope_bounds))


@dataclass(frozen=True, slots=True)
class _Expansion:
    """A loss around one place: its value, slope and curvature."""

    value: float
    slope: Array
    curvature: Array


class _Problem:
    """The loss of a broken line, by its level and slopes.

    Within piece p log-odds are v + s x, with x the distance from its start; v is the level and what
    the pieces before rise. So the rows of a piece count through two parameters, and its sums are
    carried over to all by ``_carriers``.
    """

    def __init__(self, rows: SortedRows, knots: Array, bending: float) -> None:
        pieces = knots.size - 1
        self._widths = np.diff(knots)
        self._bending = bending
        self._happened, self._weights = rows.happened, rows.weights
        edges = np.searchsorted(rows.scores, knots[1:-1], side="left")
        self._edges = np.concatenate([[0], edges, [rows.scores.size]])
        self._distances = rows.scores - np.repeat(knots[:-1], np.diff(self._edges))
        self._carriers = np.zeros((pieces, 2, pieces + 1))
        for piece in range(pieces):
            self._carriers[piece, 0, 0] = 1.0
            self._carriers[piece, 0, 1 : piece + 1] = self._widths[:piece]
            self._carriers[piece, 1, piece + 1] = 1.0
        differences = np.diff(np.eye(pieces), axis=0)
        self._stiffness = np.zeros((pieces + 1, pieces + 1))
        self._stiffness[1:, 1:] = 2.0 * bending * differences.T @ differences

    def expansion(self, at: Array) -> _Expansion:
        """Return the loss and its derivatives at a level and slopes."""
        curved = self._stiffness @ at
        value, slope, curvature = 0.5 * float(at @ curved), curved, self._stiffness.copy()
        for piece, carrier in enumerate(self._carriers):
            start, rise = carrier @ at
            for rows in self._chunks(piece):
                found = self._of_rows(rows, float(start), float(rise))
                value += found.value
                slope = slope + carrier.T @ found.slope
                curvature += carrier.T @ found.curvature @ carrier
        return _Expansion(value, slope, curvature)

    def _chunks(self, piece: int) -> Iterator[slice]:
        end = int(self._edges[piece + 1])
        for start in range(int(self._edges[piece]), end, _ROWS_AT_ONCE):
            yield slice(start, min(start + _ROWS_AT_ONCE, end))

    def _of_rows(self, rows: slice, start: float, rise: float) -> _Expansion:
        """Return the loss of rows of one piece, by v and s."""
        x, weights, happened = self._distances[rows], self._weights[rows], self._happened[rows]
        log_odds = start + rise * x
        small = np.exp(-np.abs(log_odds))
        inverse = 1.0 / (1.0 + small)
        # log(1 + e^z) = max(z, 0) - log(1 / (1 + e^-|z|)), and the logistic function of both signs.
        loss = np.maximum(log_odds, 0.0) - np.log(inverse) - happened * log_odds
        chance = np.where(log_odds >= 0.0, 1.0, small) * inverse
        surprise = weights * (chance - happened)
        bend = weights * small * inverse * inverse
        bend_x = bend * x
        tilted = float(bend_x.sum())
        return _Expansion(
            float(weights @ loss),
            np.array([surprise.sum(), surprise @ x]),
            np.array([[bend.sum(), tilted], [tilted, bend_x @ x]]),
        )


def _bounded_step(found: _Expansion, low: Array, high: Array) -> Array:
    """Return the step to the least of the parabola within bounds."""
    curvature = found.curvature + _RIDGE * float(np.diag(found.curvature).mean()) * np.eye(
        found.slope.size
    )
    root = cholesky(curvature, lower=True)
    free = -solve_triangular(root, found.slope, lower=True)
    step: Array = lsq_linear(root.T, free, bounds=(low, high), method="bvls", tol=1e-14).x
    return step
