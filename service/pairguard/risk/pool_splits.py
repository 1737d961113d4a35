"""One tree as sets of leaves that splits rule out.

Owns the numbering of leaves and the meaning of splits. It must not know where values come from.

A tree's leaves are numbered so that a row's leaf is the lowest one that no split has ruled out: a
split that sends the row to its second child rules out the leaves of the first, a bit each (after
QuickScorer: Lucchese et al., SIGIR 2015). Which child is the first can be chosen. For the least and
the greatest of two values it is chosen so that to leave it, it is enough that one of the two says
so: the greatest is above a threshold if either is. So one participant alone settles it, and what a
pair rules out is the union of what both do. Only splits on what neither has alone, such as a gap,
are the pair's. For all others the first child is the one that an unknown value goes to, so that no
comparison with NaN, which is false, rules it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, nextafter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.forest import CATEGORICAL, DEFAULT_LEFT, MISSING_NAN, MISSING_SHIFT, Tree
from pairguard.risk.origins import Origin, Part

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Leaves = NDArray[np.uint32]
"""Sets of leaves, a bit each."""

MOST_LEAVES: Final = 32
EVERY_LEAF: Final = (1 << MOST_LEAVES) - 1
SEQUENCE: Final = 0x07C4ACDD
"""1, 3, 7, ... 2**32 - 1 times this each have a number of their own in the five highest bits."""
SHIFT: Final = np.uint32(27)


@dataclass(frozen=True, slots=True, eq=False)
class OwnSplits:
    """Splits of one tree that a participant settles alone.

    Attributes:
        rows: Of the values that are looked at; see ``RowPlaces``.
        bounds: Leaves are ruled out where the value is at most this, shape ``(n, 1)``.
        leaves: Which, shape ``(n, 1)``.
    """

    rows: Places
    bounds: Array
    leaves: Leaves

    def ruled_out(self, values: Array) -> Leaves:
        """Return what the splits rule out for each participant."""
        met = values[self.rows] <= self.bounds
        found: Leaves = np.bitwise_or.reduce(met * self.leaves, axis=0, dtype=np.uint32)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class PoolTree:
    """One tree.

    Attributes:
        either: Splits that either participant settles.
        minor: Splits that the likelier minor settles.
        other: Splits that the other settles.
        pair: Splits of the pair: column, comparison, threshold and leaves that are ruled out.
        unknown: Leaves that are ruled out where the value of neither is known, by its place.
        outputs: Output of each leaf, where a product with ``SEQUENCE`` puts it.
    """

    either: OwnSplits
    minor: OwnSplits
    other: OwnSplits
    pair: tuple[tuple[int, np.ufunc, np.float64, np.uint32], ...]
    unknown: tuple[tuple[int, np.uint32], ...]
    outputs: Array


class RowPlaces:
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


def pool_tree(tree: Tree, origins: Sequence[Origin], rows: RowPlaces) -> PoolTree:
    """Lay out a tree that is served.

    Args:
        tree: The tree.
        origins: Where each column of a row comes from.
        rows: Where its own splits find values; sets of categories are added.
    """
    return _Layout(tree, origins, rows).pool_tree()


def is_served(tree: Tree, origins: Sequence[Origin]) -> bool:
    """Return whether a tree is small enough, and every split one that is known here."""
    return len(tree.leaf_values) <= MOST_LEAVES and all(
        origins[column].part in (Part.MINOR, Part.OTHER)
        if decision & CATEGORICAL
        else decision >> MISSING_SHIFT == MISSING_NAN
        for column, decision in zip(tree.split_features, tree.decision_types, strict=True)
    )


class _Layout:
    """How one tree is laid out."""

    def __init__(self, tree: Tree, origins: Sequence[Origin], rows: RowPlaces) -> None:
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

    def pool_tree(self) -> PoolTree:
        tree = self._tree
        self._number_leaves(0 if tree.left else ~0)
        for node, leaves in self._first_leaves.items():
            self._add(node, leaves)
        outputs = np.zeros(MOST_LEAVES)
        for number, leaf in enumerate(self._order):
            ones = (2 << number) - 1
            outputs[(ones * SEQUENCE & EVERY_LEAF) >> int(SHIFT)] = tree.leaf_values[leaf]
        return PoolTree(
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


def _own_splits(splits: Sequence[tuple[int, float, int]]) -> OwnSplits:
    return OwnSplits(
        np.array([row for row, _, _ in splits], dtype=np.intp),
        np.array([bound for _, bound, _ in splits], dtype=np.float64)[:, np.newaxis],
        np.array([leaves for _, _, leaves in splits], dtype=np.uint32)[:, np.newaxis],
    )
