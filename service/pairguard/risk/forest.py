"""The trees of a LightGBM model, read from its text and checked before native code sees it.

Owns the meaning of the text: one that is cut off, altered in shape or of a kind that is not
served is refused here, because LightGBM itself can crash on it. It must not know what a model
predicts.

Format: https://github.com/lightgbm-org/LightGBM (``src/io/tree.cpp``, ``gbdt_model_text.cpp``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from pairguard.risk.forest_text import (
    END,
    TREE_KEYS,
    WORD_BITS,
    divide,
    fields_of,
    numbers,
    refused,
    whole_numbers,
)

CATEGORICAL = 1
DEFAULT_LEFT = 2
MISSING_SHIFT = 2
MISSING_NONE = 0  # no value was missing in training: LightGBM reads a missing one as 0
MISSING_ZERO = 1
MISSING_NAN = 2


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree: inner nodes 0..n-1 (0 is the root), leaves as ``~leaf`` in the child lists.

    Attributes:
        split_features: Feature of each inner node.
        thresholds: Numeric threshold (left where value <= threshold; infinite where known and
            missing values part), or index of a category set.
        decision_types: Bits: categorical, default left, then two of how missing is treated.
        left: Left child of each inner node.
        right: Right child of each inner node.
        node_values: Mean output at each inner node, to six digits; empty in a tree of one leaf.
        node_counts: Training rows that came through each inner node.
        leaf_values: Output of each leaf.
        leaf_counts: Training rows of each leaf.
        category_sets: Category codes that go left.
    """

    split_features: tuple[int, ...]
    thresholds: tuple[float, ...]
    decision_types: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    node_values: tuple[float, ...]
    node_counts: tuple[float, ...]
    leaf_values: tuple[float, ...]
    leaf_counts: tuple[float, ...]
    category_sets: tuple[frozenset[int], ...]

    def value(self, child: int) -> float:
        """Return the mean output at an inner node, or the output of a leaf."""
        return self.node_values[child] if child >= 0 else self.leaf_values[~child]

    def count(self, child: int) -> float:
        """Return the training rows of an inner node or a leaf."""
        return self.node_counts[child] if child >= 0 else self.leaf_counts[~child]


@dataclass(frozen=True, slots=True)
class Forest:
    """A checked model text.

    Attributes:
        num_features: Length of a row.
        num_outputs: Raw scores per row; tree ``t`` adds to output ``t % num_outputs``.
        trees: In boosting order.
        zero_for_missing: Features with a split at which a missing value would be read as 0.
    """

    num_features: int
    num_outputs: int
    trees: tuple[Tree, ...]
    zero_for_missing: frozenset[int]


def read_forest(text: str) -> Forest:
    """Read a model text.

    Raises:
        BundleRefused: With reason ``BUNDLE_INVALID`` where the text is not a whole, consistent
            LightGBM model of plain trees.
    """
    header, blocks = divide(text)
    try:
        num_features = int(header["max_feature_idx"]) + 1
        num_outputs = int(header["num_tree_per_iteration"])
        named = [len(header[key].split(" ")) for key in ("feature_names", "feature_infos")]
        contradiction = named != [num_features] * 2 or int(header["num_class"]) != num_outputs
        if contradiction or not header["version"]:
            raise refused("its header contradicts itself")
        trees = tuple(_tree(fields_of(block), num_features) for block in blocks)
    except KeyError as error:
        raise refused(f"{error} is missing") from error
    except ValueError as error:
        raise refused(str(error)) from error
    if num_outputs < 1 or not trees or len(trees) % num_outputs:
        raise refused(f"{len(trees)} trees do not serve {num_outputs} outputs")
    zero_for_missing = frozenset(
        feature
        for tree in trees
        for feature, decision in zip(tree.split_features, tree.decision_types, strict=True)
        if _reads_missing_as_zero(decision)
    )
    return Forest(num_features, num_outputs, trees, zero_for_missing)


def send_missing_to_majority(text: str) -> str:
    """Return the model with missing values following the majority wherever they would read as 0.

    LightGBM reads a missing value as 0 at every split on a feature that was never missing in
    training. Here such a value goes to the child that more training rows went to instead. Rows
    without such values keep their scores to the bit.

    Raises:
        BundleRefused: As ``read_forest``.
    """
    forest = read_forest(text)
    _, blocks = divide(text)
    written = []
    for tree, block in zip(forest.trees, blocks, strict=True):
        decisions = [_followed_by_majority(tree, node) for node in range(len(tree.left))]
        line = "decision_type=" + " ".join(map(str, decisions))
        lines = [line if old.startswith("decision_type=") else old for old in block.split("\n")]
        written.append("\n".join(lines))
    head, _, rest = text.partition("\ntree_sizes=")
    sizes = " ".join(str(len(block)) for block in written)
    tail = text[text.index(END) :]
    blank = rest[rest.index("\n") : rest.index("Tree=0")]
    return f"{head}\ntree_sizes={sizes}{blank}{''.join(written)}{tail}"


def _followed_by_majority(tree: Tree, node: int) -> int:
    decision = tree.decision_types[node]
    if not _reads_missing_as_zero(decision):
        return decision
    to_left = tree.count(tree.left[node]) >= tree.count(tree.right[node])
    return (MISSING_NAN << MISSING_SHIFT) | (DEFAULT_LEFT if to_left else 0)


def _reads_missing_as_zero(decision: int) -> bool:
    return not decision & CATEGORICAL and decision >> MISSING_SHIFT == MISSING_NONE


def _tree(fields: Mapping[str, str], num_features: int) -> Tree:
    if not TREE_KEYS.issuperset(fields) or fields.get("is_linear", "0") != "0":
        raise refused("a tree has linear leaves or fields that are not known")
    (leaves,) = whole_numbers(fields["num_leaves"], 1)
    (num_cat,) = whole_numbers(fields["num_cat"], 1)
    if leaves < 1 or num_cat < 0:
        raise refused("a tree has no leaf")
    inner = leaves - 1
    # Not used here, but LightGBM reads them, and ends the process where they are malformed.
    lengths = {
        "split_gain": inner,
        "leaf_weight": leaves if inner else 0,
        "internal_weight": inner,
        "shrinkage": 1,
    }
    for key, length in lengths.items():
        numbers(fields[key], length, infinite=True)
    tree = Tree(
        split_features=whole_numbers(fields["split_feature"], inner),
        thresholds=numbers(fields["threshold"], inner, infinite=True),
        decision_types=whole_numbers(fields["decision_type"], inner),
        left=whole_numbers(fields["left_child"], inner),
        right=whole_numbers(fields["right_child"], inner),
        node_values=numbers(fields["internal_value"], inner),
        node_counts=numbers(fields["internal_count"], inner),
        leaf_values=numbers(fields["leaf_value"], leaves),
        leaf_counts=numbers(fields["leaf_count"], leaves if inner else None),
        category_sets=_category_sets(fields, num_cat) if num_cat else (),
    )
    # Every node but the root has one parent, and (in _check_node) stands after it: one tree.
    expected = [*range(-leaves, 0), *range(1, inner)] if inner else []
    if sorted(tree.left + tree.right) != expected:
        raise refused("a tree's nodes do not form a tree")
    for node in range(inner):
        _check_node(tree, node, num_features)
    return tree


def _check_node(tree: Tree, node: int, num_features: int) -> None:
    decision = tree.decision_types[node]
    if not 0 <= decision <= 11 or not 0 <= tree.split_features[node] < num_features:
        raise refused("a split has no meaning")
    if 0 <= tree.right[node] <= node or 0 <= tree.left[node] <= node:
        raise refused("a tree's nodes do not form a tree")
    threshold = tree.thresholds[node]
    if decision & CATEGORICAL and threshold not in range(len(tree.category_sets)):
        raise refused("a split names no category set")


def _category_sets(fields: Mapping[str, str], num_cat: int) -> tuple[frozenset[int], ...]:
    bounds = whole_numbers(fields["cat_boundaries"], num_cat + 1)
    words = whole_numbers(fields["cat_threshold"], None)
    if bounds[0] != 0 or bounds[-1] != len(words) or list(bounds) != sorted(bounds):
        raise refused("category sets do not add up")
    if any(not 0 <= word < 1 << WORD_BITS for word in words):
        raise refused("a category set is not made of 32-bit words")
    return tuple(
        frozenset(
            WORD_BITS * place + bit
            for place, word in enumerate(words[low:high])
            for bit in range(WORD_BITS)
            if word >> bit & 1
        )
        for low, high in pairwise(bounds)
    )
