"""The trees of a model over one pool, where one participant alone settles most splits of a pair.

Owns a second way to a model's raw scores, for many pairs among few people: the same bits as
LightGBM, for a fraction. What each participant rules out in every tree is found once for the pool,
and a pair takes the union of two sets (``pairguard.risk.pool_splits``). It must not know what the
rows or the scores mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.forest import Forest
from pairguard.risk.origins import Origin
from pairguard.risk.pool_splits import (
    EVERY_LEAF,
    SEQUENCE,
    SHIFT,
    Leaves,
    PoolTree,
    RowPlaces,
    is_served,
    pool_tree,
)

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_PAIRS_AT_ONCE: Final = 8_192
"""What is worked on for so many fits into a core's own cache, and the calls are few for each."""


class PoolTrees:
    """A model's trees, ready for pools.

    Attributes:
        pair_columns: Columns of a pair's row that are looked at for each pair.
    """

    def __init__(self, trees: Sequence[PoolTree], rows: RowPlaces) -> None:
        self._trees = trees
        self._rows = rows
        self._unknown = sorted({place for tree in trees for place, _ in tree.unknown})
        self.pair_columns = sorted({split[0] for tree in trees for split in tree.pair})

    @classmethod
    def of(cls, forest: Forest, origins: Sequence[Origin]) -> PoolTrees | None:
        """Return the trees of a forest; None: it has splits or sizes that are not served here.

        Args:
            forest: The trees; of one output.
            origins: Where each column of a row comes from.
        """
        width = 1 + max((origin.place for origin in origins), default=-1)
        rows = RowPlaces(width)
        trees = []
        for tree in forest.trees:
            if not is_served(tree, origins):
                return None
            trees.append(pool_tree(tree, origins, rows))
        return cls(trees, rows) if forest.num_outputs == 1 else None

    def over(self, values: Array) -> PooledTrees:
        """Return the trees over the participants of a pool.

        Args:
            values: Of each place of a column's origin and each participant, shape ``(places, n)``.
        """
        rows = self._rows.of(values)
        either = [tree.either.ruled_out(rows) for tree in self._trees]
        minor = [tree.minor.ruled_out(rows) for tree in self._trees]
        other = [tree.other.ruled_out(rows) for tree in self._trees]
        return PooledTrees(
            self._trees,
            np.bitwise_or(either, minor),
            np.bitwise_or(either, other),
            {place: np.isnan(values[place]) for place in self._unknown},
        )


class PooledTrees:
    """A model's trees over the participants of one pool; see ``PoolTrees.over``."""

    def __init__(
        self,
        trees: Sequence[PoolTree],
        by_minor: Leaves,
        by_other: Leaves,
        unknown: Mapping[int, NDArray[np.bool_]],
    ) -> None:
        self._trees = trees
        self._by_minor = by_minor
        self._by_other = by_other
        self._unknown = unknown

    def raw_scores(self, minor: Places, other: Places, columns: Mapping[int, Array]) -> Array:
        """Return the raw scores of pairs.

        Args:
            minor: Positions in the pool of the likelier minors, shape ``(n,)``.
            other: Positions of the others.
            columns: Values of ``PoolTrees.pair_columns``, each of shape ``(n,)``.

        Returns:
            Shape ``(n,)``.
        """
        scores = np.zeros(minor.size)
        for start in range(0, minor.size, _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            here = {column: values[part] for column, values in columns.items()}
            self._add_scores(scores[part], minor[part], other[part], here)
        return scores

    def _add_scores(
        self, scores: Array, minor: Places, other: Places, columns: Mapping[int, Array]
    ) -> None:
        unknown = {
            place: (each[minor] & each[other]) * np.uint32(EVERY_LEAF)
            for place, each in self._unknown.items()
        }
        out, more = np.empty((2, minor.size), dtype=np.uint32)
        met, outputs = np.empty(minor.size, dtype=np.bool_), np.empty(minor.size)
        places = np.empty(minor.size, dtype=np.intp)
        for tree, by_minor, by_other in zip(
            self._trees, self._by_minor, self._by_other, strict=True
        ):
            by_minor.take(minor, out=out, mode="clip")
            by_other.take(other, out=more, mode="clip")
            np.bitwise_or(out, more, out=out)
            for column, compare, threshold, leaves in tree.pair:
                compare(columns[column], threshold, out=met)
                np.multiply(met, leaves, out=more)
                np.bitwise_or(out, more, out=out)
            for place, leaves in tree.unknown:
                np.bitwise_and(unknown[place], leaves, out=more)
                np.bitwise_or(out, more, out=out)
            # All ones, up to the lowest bit that was not set.
            np.add(out, 1, out=more)
            np.bitwise_xor(out, more, out=out)
            np.multiply(out, SEQUENCE, out=out)
            np.right_shift(out, SHIFT, out=out)
            np.copyto(places, out)
            tree.outputs.take(places, out=outputs, mode="clip")
            np.add(scores, outputs, out=scores)  # in the order of the trees, as LightGBM adds
