"""The harm of many pairs among one pool: the same bits as one by one, by whichever way is cheaper.

Owns that choice, and that the faster way is checked against LightGBM each time. It must not know
thresholds nor who may meet whom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import Array
from pairguard.risk.harm import HarmModel
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.pool_columns import PoolColumns
from pairguard.risk.pool_trees import PooledTrees

Places = NDArray[np.intp]
"""Positions in a pool, shape ``(n,)``."""

_ROWS_AT_ONCE: Final = 1_024  # of some 170 numbers each: what a core's own cache holds
_CHECKED: Final = 8
_FEWEST_PAIRS: Final = 1_000
"""Below that the calls of a tree cost more than LightGBM takes."""
_PAIRS_A_PERSON: Final = 3
"""To look at one person in all trees costs as much as LightGBM takes for so many pairs."""


class PoolHarm:
    """Scores pairs of one pool.

    Args:
        model: The harm model.
        assessed: The participants, each assessed once.

    Attributes:
        disagreed: Whether the trees of the pool once had other bits than LightGBM. Since then
            LightGBM alone scores this pool.
    """

    def __init__(self, model: HarmModel, assessed: Sequence[ParticipantAssessment]) -> None:
        self.disagreed = False
        self._model = model
        self._assessed = assessed
        self._over_pool: tuple[PoolColumns, PooledTrees] | None = None
        self._ready = model.features.ready_matrix(np.array([each.values for each in assessed]))

    @property
    def over_pool(self) -> bool:
        """Whether the trees have been laid over the pool, and score it."""
        return self._over_pool is not None and not self.disagreed

    def sides(self, first: Places, second: Places, below: Array) -> tuple[Places, Places]:
        """Return the likelier minor and the other of each pair.

        Args:
            first: Places of one participant of each pair, shape ``(n,)``.
            second: Places of the other.
            below: Probability of each participant of the pool of being a minor.
        """
        return self._model.features.pool_sides(self._ready, first, second, below)

    def scored(
        self, minor: Places, other: Places, chances: tuple[Array, Array], mixed: Array
    ) -> tuple[Array, Array]:
        """Return the raw scores of pairs, in log-odds, and their harm probabilities.

        Args:
            minor: Places of the likelier minors, shape ``(n,)``.
            other: Places of the others.
            chances: Probability that the likelier minor of each pair is one, and that the other is.
            mixed: ``minor_adult_probability`` of each pair.
        """
        raw = self._by_pool_trees(minor, other, chances, mixed) if self._many(minor.size) else None
        if raw is None:
            raw = self._by_rows(minor, other, chances, mixed)
        return raw, self._model.calibration.probabilities(raw)

    def _many(self, pairs: int) -> bool:
        if self.disagreed or pairs < _FEWEST_PAIRS:
            return False
        return self._over_pool is not None or pairs >= _PAIRS_A_PERSON * len(self._assessed)

    def _by_rows(
        self, minor: Places, other: Places, chances: tuple[Array, Array], mixed: Array
    ) -> Array:
        raw = np.empty(minor.size)
        for part in _parts(minor.size):
            rows = self._model.features.side_rows(
                self._ready, minor[part], other[part], _of(chances, part), mixed[part]
            )
            raw[part] = self._model.raw_scores(rows)
        return raw

    def _by_pool_trees(
        self, minor: Places, other: Places, chances: tuple[Array, Array], mixed: Array
    ) -> Array | None:
        """Return raw scores; None: they are not those of LightGBM, or the trees are not served."""
        trees = self._model.pool_trees
        if trees is None:
            return None
        if self._over_pool is None:
            columns = PoolColumns(self._model.features, self._ready)
            self._over_pool = columns, trees.over(columns.values)
        columns, pooled = self._over_pool
        raw = pooled.raw_scores(
            minor,
            other,
            columns.of(minor, other, chances=chances, mixed=mixed, wanted=trees.pair_columns),
        )
        checked = np.linspace(0, minor.size - 1, _CHECKED).astype(np.intp)
        expected = self._by_rows(
            minor[checked], other[checked], _of(chances, checked), mixed[checked]
        )
        self.disagreed = raw[checked].tobytes() != expected.tobytes()
        return None if self.disagreed else raw


def _of(chances: tuple[Array, Array], chosen: slice | Places) -> tuple[Array, Array]:
    return chances[0][chosen], chances[1][chosen]


def _parts(size: int) -> Iterator[slice]:
    for start in range(0, size, _ROWS_AT_ONCE):
        yield slice(start, start + _ROWS_AT_ONCE)
