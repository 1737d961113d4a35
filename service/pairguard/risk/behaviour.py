"""What behaviour and interests say about an age, as one likelihood over the age grid.

Owns the step from the scores of a tree model to a smooth, bounded likelihood. It must not know how
the posterior combines it with other evidence, nor how the model was trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import sub
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.errors import BundleRefused
from pairguard.risk.trees import TreeModel

Array = NDArray[np.float64]

CLIP_NATS = 4.0
"""Most that behaviour may move the log-likelihood of an age from that of the whole population."""

_KEYS = ("columns", "knots_years", "knot_shares", "temperature", "clip_nats")


def ramps(knots_years: Sequence[float]) -> Array:
    """Return (101, knots - 1): how far each age is from one knot to the next, from 0 to 1.

    The grid point g stands for the age g + 0.5.
    """
    middles = AGE_GRID + 0.5
    steps = [(middles - low) / (high - low) for low, high in pairwise(knots_years)]
    return np.clip(np.stack(steps, axis=1), 0.0, 1.0)


class BehaviourAgeModel:
    """A tree model over signals, read as a likelihood that is a broken line in age.

    Each raw score is how much the log-likelihood rises from one knot to the next; beyond the outer
    knots it stays as it is. So the line between minors and adults is a slope and not a step. The
    rises are multiplied by the temperature and summed; the values at the knots are taken relative
    to the population's likelihood and clipped.
    """

    def __init__(
        self,
        trees: TreeModel,
        *,
        columns: Sequence[int],
        knots_years: Sequence[float],
        knot_shares: Sequence[float] | Array,
        temperature: float,
        clip_nats: float = CLIP_NATS,
    ) -> None:
        """Bind a tree model to its parameters.

        Args:
            trees: One raw score for each step from a knot to the next.
            columns: Indices into the catalogue's vector, in the order of the model's features.
            knots_years: Ages at which the line may bend, rising, within the age grid.
            knot_shares: Share of the population for which each knot stands; normalised here.
            temperature: Factor > 0 on the log-likelihood; below 1 where the model is too sure.
            clip_nats: Bound on the log-likelihood at a knot, > 0.

        Raises:
            BundleRefused: With reason ``BUNDLE_INVALID`` where the parts do not fit together.
        """
        self.columns = tuple(columns)
        self.knots_years = tuple(float(knot) for knot in knots_years)
        self.temperature = float(temperature)
        self.clip_nats = float(clip_nats)
        self.knot_shares: Array = np.array(knot_shares, dtype=np.float64)
        problems = self._problems(trees)
        if problems:
            raise BundleRefused(
                f"behaviour age model: {'; '.join(problems)}", reason="BUNDLE_INVALID"
            )
        self._shares = self.knot_shares / self.knot_shares.sum()
        self._trees = trees.with_missing_as_majority()
        self._picked = np.array(self.columns, dtype=np.intp)
        places = np.arange(len(self.knots_years), dtype=np.float64)
        place = np.interp(AGE_GRID + 0.5, self.knots_years, places)
        self._left = np.minimum(place.astype(np.intp), len(places) - 2)
        self._weight = place - self._left

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], trees: TreeModel) -> BehaviourAgeModel:
        """Read the parameters, the constructor's keyword arguments by their names.

        Raises:
            BundleRefused: Where one is missing, unknown or does not fit.
        """
        wrong = sorted(set(mapping).symmetric_difference(_KEYS) - {"clip_nats"})
        if wrong:
            raise BundleRefused(
                f"behaviour age model: missing or unknown {', '.join(wrong)}",
                reason="BUNDLE_INVALID",
            )
        try:
            return cls(trees, **mapping)
        except (TypeError, ValueError) as error:
            raise BundleRefused(f"behaviour age model: {error}", reason="BUNDLE_INVALID") from error

    def to_mapping(self) -> dict[str, Any]:
        """Return the parameters that ``from_mapping`` reads."""
        return {
            "columns": list(self.columns),
            "knots_years": list(self.knots_years),
            "knot_shares": self.knot_shares.tolist(),
            "temperature": self.temperature,
            "clip_nats": self.clip_nats,
        }

    def log_likelihood(self, values: Array) -> Array | None:
        """Return the log-likelihood of one participant's behaviour at each age.

        Args:
            values: The catalogue's vector; NaN: unknown.

        Returns:
            Shape ``(101,)``, within +-clip_nats; None where every input is unknown, which says
            nothing about the age.
        """
        row = values.take(self._picked)
        if math.isnan(np.fmax.reduce(row)):  # the greatest of those that are known
            return None
        return self._over_ages_of_one(self._trees.raw_score(row))

    def log_likelihoods(self, values: Array) -> Array:
        """Return the log-likelihoods of many participants, the same bits as one by one.

        Args:
            values: Shape ``(n, columns of the catalogue)``.

        Returns:
            Shape ``(n, 101)``; zeros where every input is unknown.
        """
        likelihoods, known = self.known_log_likelihoods(values)
        likelihoods[~known] = 0.0
        return likelihoods

    def known_log_likelihoods(self, values: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return the same, worth nothing where nothing is known, and of whom anything is."""
        rows = values[:, self._picked]
        known: NDArray[np.bool_] = np.logical_not(np.isnan(rows).all(axis=1))
        return self._over_ages(self._trees.raw_scores(rows)), known

    def _over_ages_of_one(self, scores: Array) -> Array:
        # The arithmetic of ``_over_ages`` in plain floats, but for what NumPy rounds its own way.
        at, level = 0.0, [0.0]
        for score in scores.tolist():
            at += score
            level.append(at * self.temperature)
        highest = max(level)
        if not math.isfinite(highest):
            return self._over_ages(scores)  # no sound model says so
        level = [height - highest for height in level]
        total = 0.0
        for part in (np.exp(level) * self._shares).tolist():
            total += part
        whole = float(np.log(total))
        clip = self.clip_nats
        level = [min(max(height - whole, -clip), clip) for height in level]
        lines = np.array((level, [*map(sub, level[1:], level), 0.0])).take(self._left, axis=-1)
        over_ages: Array = lines[1]
        over_ages *= self._weight
        over_ages += lines[0]
        return over_ages

    def _over_ages(self, scores: Array) -> Array:
        # Element-wise, and summed knot after knot: one participant and a batch agree to the bit.
        level = np.zeros((*scores.shape[:-1], len(self.knots_years)))
        np.cumsum(scores, axis=-1, out=level[..., 1:])
        level *= self.temperature
        level -= np.maximum.reduce(level, axis=-1, keepdims=True)
        total = np.exp(level)
        total *= self._shares
        level -= np.log(np.ascontiguousarray(total.cumsum(axis=-1)[..., -1:]))
        np.maximum(level, -self.clip_nats, out=level)
        np.minimum(level, self.clip_nats, out=level)
        rise = level[..., 1:] - level[..., :-1]
        over_ages: Array = rise.take(self._left, axis=-1)
        over_ages *= self._weight
        over_ages += level.take(self._left, axis=-1)
        return over_ages

    def _problems(self, trees: TreeModel) -> list[str]:
        knots, shares = self.knots_years, self.knot_shares
        checks = [
            (len(knots) < 2, "knots_years must be two or more"),
            (not all(low < high for low, high in pairwise(knots)), "knots_years must rise"),
            (
                not all(0.0 <= knot <= AGE_COUNT for knot in knots),
                f"knots_years must lie within 0 and {AGE_COUNT}",
            ),
            (shares.shape != (len(knots),), "knot_shares must have one number a knot"),
            (
                not (np.isfinite(shares).all() and (shares > 0.0).all()),
                "knot_shares must be above 0",
            ),
            (not 0.0 < self.temperature < math.inf, "temperature must be above 0"),
            (not 0.0 < self.clip_nats < math.inf, "clip_nats must be above 0"),
            (min(self.columns, default=-1) < 0, "columns must be indices"),
            (len(set(self.columns)) != len(self.columns), "columns must differ"),
            (trees.num_features != len(self.columns), "the trees have another number of features"),
            (trees.num_outputs != len(knots) - 1, "the trees have another number of steps"),
        ]
        return [text for wrong, text in checks if wrong]
