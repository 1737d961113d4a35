"""Proof that a tree model keeps its monotone constraints.

Owns the check on the trees themselves, because what a model was trained with is only a promise:
LightGBM's ``advanced`` and ``intermediate`` methods break it where values are missing
(https://github.com/lightgbm-org/LightGBM/issues/6155); its ``basic`` method keeps it. It must not
know what the features mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from pairguard.risk.forest import CATEGORICAL, Forest, Tree

_ROUNDING = 1e-12
"""Leaves that were clipped to one bound may differ in the last bit, in either order."""


def features_out_of_order(forest: Forest, constraints: Sequence[int]) -> frozenset[int]:
    """Return the constrained features for which the trees do not prove their constraint.

    The proof: at every split on a feature that is constrained upwards, no leaf on the left gives
    more than any leaf on the right (downwards: less). Then raising the feature alone, from one
    known value to another, can lower no tree by more than rounding. A categorical split proves
    nothing.

    Args:
        forest: A checked model.
        constraints: -1, 0 or 1 per feature.
    """
    return frozenset().union(*(_out_of_order(tree, constraints) for tree in forest.trees))


def _out_of_order(tree: Tree, constraints: Sequence[int]) -> set[int]:
    least, most = list(tree.leaf_values), list(tree.leaf_values)
    # Leaves as negative indices, last leaf first: ~leaf is then an index into the reversed lists.
    least.reverse()
    most.reverse()
    inner = len(tree.split_features)
    least, most = [0.0] * inner + least, [0.0] * inner + most
    found = set()
    for node in range(inner - 1, -1, -1):  # children stand after their parents
        left, right = tree.left[node], tree.right[node]
        feature = tree.split_features[node]
        direction = constraints[feature]
        proven = (
            not tree.decision_types[node] & CATEGORICAL
            and (direction < 0 or most[left] <= least[right] + _ROUNDING)
            and (direction > 0 or least[left] >= most[right] - _ROUNDING)
        )
        if direction and not proven:
            found.add(feature)
        least[node] = min(least[left], least[right])
        most[node] = max(most[left], most[right])
    return found
