"""Why a tree model scored a row as it did: its path through the trees, summed by group.

Owns the walk over a checked forest. It must not know what the groups mean. The shares and the
root add up to the raw score; each share is the change in mean output at the splits on the
features of its group (Saabas 2014, "Interpreting random forests"). It takes some hundred
microseconds and is meant for answers that are explained, not for every pair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.forest import (
    CATEGORICAL,
    DEFAULT_LEFT,
    MISSING_NONE,
    MISSING_SHIFT,
    MISSING_ZERO,
    Forest,
    Tree,
)

_ZERO = 1e-35  # LightGBM's kZeroThreshold

_Split = tuple[int, float, frozenset[int] | None, int, bool, tuple[int, float], tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Attribution:
    """A raw score taken apart.

    Attributes:
        root: Mean raw score in training, before anything is known of the row.
        shares: Change of the raw score by group, in the order of the groups' first feature.
    """

    root: float
    shares: Mapping[str, float]


def shared_out(
    shares: Mapping[str, float], name: str, parts: Mapping[str, float]
) -> dict[str, float]:
    """Return shares in which what one group has is told of others: the sum stays.

    Args:
        shares: By group.
        name: The group that is shared out; it keeps what nothing of its sign explains.
        parts: What speaks for it, or against it where below 0, by group.
    """
    whole = shares[name]
    wanted = {group: part for group, part in parts.items() if part * whole > 0.0}
    total = math.fsum(wanted.values())
    if not total:
        return dict(shares)
    found = {group: share for group, share in shares.items() if group != name}
    for group, part in wanted.items():
        found[group] = found.get(group, 0.0) + whole * (part / total)
    return found


class PathAttribution:
    """Path attribution for a model with one output."""

    def __init__(self, forest: Forest, groups: Sequence[str]) -> None:
        """Prepare the walk.

        Args:
            forest: A model with one output.
            groups: Name of the group of each feature.

        Raises:
            ValueError: Where the model has several outputs or another number of features.
        """
        if forest.num_outputs != 1 or forest.num_features != len(groups):
            raise ValueError("a model with one output and one group per feature is wanted")
        self._names = tuple(dict.fromkeys(groups))
        place = {name: index for index, name in enumerate(self._names)}
        self._group_of = [place[group] for group in groups]
        self._root = math.fsum(_root(tree) for tree in forest.trees)
        self._trees = [
            (tree.node_values[0], _splits(tree)) for tree in forest.trees if tree.node_values
        ]

    def attribute(self, row: NDArray[np.float64]) -> Attribution:
        """Take the raw score of one row apart.

        Args:
            row: Shape ``(num_features,)``; NaN: missing.
        """
        values: list[float] = row.tolist()
        shares = [0.0] * len(self._names)
        group_of = self._group_of
        for root, splits in self._trees:
            node, at = 0, root
            while node >= 0:
                feature, threshold, categories, missing, to_left, left, right = splits[node]
                value = values[feature]
                if categories is not None:
                    goes_left = value == value and int(value) in categories  # noqa: PLR0124
                else:
                    goes_left = _goes_left(value, threshold, missing, to_left=to_left)
                node, mean = left if goes_left else right
                shares[group_of[feature]] += mean - at
                at = mean
        return Attribution(self._root, dict(zip(self._names, shares, strict=True)))


def _goes_left(value: float, threshold: float, missing: int, *, to_left: bool) -> bool:
    if value != value:  # noqa: PLR0124 - true for NaN alone
        if missing != MISSING_NONE:
            return to_left
        return threshold >= 0.0
    if missing == MISSING_ZERO and -_ZERO <= value <= _ZERO:
        return to_left
    return value <= threshold


def _root(tree: Tree) -> float:
    return tree.node_values[0] if tree.node_values else tree.leaf_values[0]


def _splits(tree: Tree) -> list[_Split]:
    splits: list[_Split] = []
    for node, feature in enumerate(tree.split_features):
        decision = tree.decision_types[node]
        threshold = tree.thresholds[node]
        splits.append(
            (
                feature,
                threshold,
                tree.category_sets[int(threshold)] if decision & CATEGORICAL else None,
                decision >> MISSING_SHIFT,
                bool(decision & DEFAULT_LEFT),
                (tree.left[node], tree.value(tree.left[node])),
                (tree.right[node], tree.value(tree.right[node])),
            )
        )
    return splits
