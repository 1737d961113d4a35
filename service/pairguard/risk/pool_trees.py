"""The trees of a model over one pool, where one participant alone settles most splits of a pair.

Owns a second way to a model's raw scores, for many pairs among few people: the same bits as
LightGBM, for a fraction. It must not know what the rows or the scores mean.

A tree's leaves are numbered so that a row's leaf is the lowest one that no split has ruled out: a
split that sends the row to its second child rules out the leaves of the first, a bit each (after
QuickScorer: Lucchese et al., SIGIR 2015). Which child is the first can be chosen. For the least and
the greatest of two values it is chosen so that to leave it, it is enough that one of the two says
so: the greatest is above a threshold if either is. So what each participant rules out in all trees
is found once for the pool, and a pair takes the union of two sets. Only splits on what neither has
alone, such as a gap, are looked at for each pair. For all others the first child is the one that an
unknown value goes to, so that no comparison with NaN, which is false, rules it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf, nan, nextafter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.features import Origin, Part
from pairguard.risk.forest import CATEGORICAL, DEFAULT_LEFT, MISSING_NAN, MISSING_SHIFT, Forest, Tree

Array = NDArray[np.float64]
Places = NDArray[np.intp]
_Leaves = NDArray[np.uint32]

MOST_LEAVES: Final = 32
_PAIRS_AT_ONCE: Final = 8_192
# 1, 3, 7, ... 2**32 - 1 times this each have a number of their own in the five highest bits.
_SEQUENCE: Final = 0x07C4ACDD
_SHIFT: Final = np.uint32(27)
_EVERY_LEAF: Final = (1 << MOST_LEAVES) - 1


@dataclass(frozen=True, slots=True, eq=False)
class _OwnSplits:
    """Splits of one tree that a participant settles alone.

    Attributes:
        rows: Of the values that are looked at; see ``_Rows``.
        bounds: Leaves are ruled out where the value is at most this, shape ``(n, 1)``.
        leaves: Which, shape ``(n, 1)``.
    """

    rows: Places
    bounds: Array
    leaves: _Leaves

    def ruled_out(self, values: Array) -> _Leaves:
        """Return what the splits rule out for each participant."""
        met = values[self.rows] <= self.bounds
        return np.bitwise_or.reduce(met * self.leaves, axis=0, dtype=np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class _CompiledTree:
    """One tree.

    Attributes:
        either: Splits that either participant settles.
        minor: Splits that the likelier minor settles.
        other: Splits that the other settles.
        pair: Splits of the pair: column, comparison, threshold and leaves that are ruled out.
        unknown: Leaves that are ruled out where the value of neither is known, by its place.
        outputs: Output of each leaf, where a product with ``_SEQUENCE`` puts it.
    """

    either: _OwnSplits
    minor: _OwnSplits
    other: _OwnSplits
    pair: tuple[tuple[int, np.ufunc, np.float64, np.uint32], ...]
    unknown: tuple[tuple[int, np.uint32], ...]
    outputs: Array


class PoolTrees:
    """A model's trees, ready for pools.

    Attributes:
        pair_columns: Columns of a pair's row that are looked at for each pair.
    """

    def __init__(self, trees: Sequence[_CompiledTree], rows: _Rows) -> None:
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
        rows = _Rows(width)
        trees = []
        for tree in forest.trees:
            if len(tree.leaf_values) > MOST_LEAVES or not _is_served(tree, origins):
                return None
            trees.append(_Compilation(tree, origins, rows).compiled())
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
        trees: Sequence[_CompiledTree],
        by_minor: _Leaves,
        by_other: _Leaves,
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
            place: (each[minor] & each[other]) * np.uint32(_EVERY_LEAF)
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
            np.multiply(out, _SEQUENCE, out=out)
            np.right_shift(out, _SHIFT, out=out)
            np.copyto(places, out)
            tree.outputs.take(places, out=outputs, mode="clip")
            np.add(scores, outputs, out=scores)  # in the order of the trees, as LightGBM adds


class _Rows:
    """The rows of values that own splits look at.

    Those of all places, then their opposites, then for each set of categories whether a participant
    has one of them: 0 for yes, 1 for no.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._sets: dict[tuple[int, frozenset[int]], int] = {}

    def opposite(self, place: int) -> int:
        """Return the row of the opposites of the values at a place."""
        return self._width + place

    def category_set(self, place: int, codes: frozenset[int]) -> int:
        """Return the row for a set of codes at a place."""
        return self._sets.setdefault((place, codes), 2 * self._width + len(self._sets))

    def of(self, values: Array) -> Array:
        """Return the rows of a pool."""
        sets = np.ones((len(self._sets), values.shape[1]))
        for row, (place, codes) in zip(sets, self._sets, strict=True):
            # An unknown category is in no set.
            row[np.isin(values[place], np.array(sorted(codes), dtype=np.float64))] = 0.0
        return np.concatenate((values, -values, sets))


class _Compilation:
    """How one tree is laid out."""

    def __init__(self, tree: Tree, origins: Sequence[Origin], rows: _Rows) -> None:
        self._tree = tree
        self._origins = origins
        self._rows = rows
        self._order: list[int] = []
        self._first_leaves: dict[int, int] = {}
        self._own: dict[Part, list[tuple[int, float, int]]] = {
            Part.MIN: [],
            Part.MINOR: [],
            Part.OTHER: [],
        }
        self._pair: list[tuple[int, np.ufunc, np.float64, np.uint32]] = []
        self._unknown: list[tuple[int, np.uint32]] = []

    def compiled(self) -> _CompiledTree:
        tree = self._tree
        self._number_leaves(0 if tree.left else ~0)
        for node, leaves in self._first_leaves.items():
            self._add(node, leaves)
        outputs = np.zeros(MOST_LEAVES)
        for number, leaf in enumerate(self._order):
            ones = (2 << number) - 1
            outputs[(ones * _SEQUENCE & _EVERY_LEAF) >> int(_SHIFT)] = tree.leaf_values[leaf]
        return _CompiledTree(
            either=_own_splits(self._own[Part.MIN]),
            minor=_own_splits(self._own[Part.MINOR]),
            other=_own_splits(self._own[Part.OTHER]),
            pair=tuple(self._pair),
            unknown=tuple(self._unknown),
            outputs=outputs,
        )

    def _number_leaves(self, child: int) -> int:
        """Number the leaves from a child on, and return them as bits."""
        if child < 0:
            self._order.append(~child)
            return 1 << (len(self._order) - 1)
        children = self._tree.left[child], self._tree.right[child]
        first, second = reversed(children) if self._left_is_second(child) else children
        leaves = self._first_leaves[child] = self._number_leaves(first)
        return leaves | self._number_leaves(second)

    def _left_is_second(self, node: int) -> bool:
        """Return whether to go left is what rules out leaves: those to the right."""
        part = self._origins[self._tree.split_features[node]].part
        decision = self._tree.decision_types[node]
        if part in (Part.MIN, Part.MAX):
            return part is Part.MIN  # the least is low enough if either is
        # An unknown category is in no set, and goes right.
        return bool(decision & CATEGORICAL) or not decision & DEFAULT_LEFT

    def _add(self, node: int, leaves: int) -> None:
        tree = self._tree
        column, threshold = tree.split_features[node], tree.thresholds[node]
        decision, to_left = tree.decision_types[node], self._left_is_second(node)
        part, place = self._origins[column].part, self._origins[column].place
        if part in (Part.MIN, Part.MAX):
            self._own[Part.MIN].append((*self._bound(place, threshold, to_left=to_left), leaves))
            if bool(decision & DEFAULT_LEFT) is to_left:
                self._unknown.append((place, np.uint32(leaves)))
        elif part not in (Part.MINOR, Part.OTHER):
            compare: Any = np.less_equal if to_left else np.greater
            self._pair.append((column, compare, np.float64(threshold), np.uint32(leaves)))
        elif decision & CATEGORICAL:
            row = self._rows.category_set(place, tree.category_sets[int(threshold)])
            self._own[part].append((row, 0.0, leaves))
        else:
            self._own[part].append((*self._bound(place, threshold, to_left=to_left), leaves))

    def _bound(self, place: int, threshold: float, *, to_left: bool) -> tuple[int, float]:
        """Return a row and a bound that it is at most where the split rules out leaves."""
        if to_left:
            return place, threshold
        # value > threshold, as -value <= bound; nothing is beyond infinity.
        return self._rows.opposite(place), nan if threshold == inf else -nextafter(threshold, inf)


def _own_splits(splits: Sequence[tuple[int, float, int]]) -> _OwnSplits:
    return _OwnSplits(
        np.array([row for row, _, _ in splits], dtype=np.intp),
        np.array([bound for _, bound, _ in splits], dtype=np.float64)[:, np.newaxis],
        np.array([leaves for _, _, leaves in splits], dtype=np.uint32)[:, np.newaxis],
    )


def _is_served(tree: Tree, origins: Sequence[Origin]) -> bool:
    """Return whether every split is one that is known here."""
    return all(
        origins[column].part in (Part.MINOR, Part.OTHER)
        if decision & CATEGORICAL
        else decision >> MISSING_SHIFT == MISSING_NAN
        for column, decision in zip(tree.split_features, tree.decision_types, strict=True)
    )
