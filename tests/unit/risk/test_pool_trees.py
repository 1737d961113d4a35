"""Pairs of a pool are scored from what each participant rules out, to the bits of LightGBM."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pairguard.risk import pool_harm
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.origins import Part
from pairguard.risk.pool_columns import PoolColumns
from pairguard.risk.pool_harm import PoolHarm
from pairguard.risk.pool_trees import PooledTrees, PoolTrees
from pairguard.risk.trees import TreeModel
from tests.unit.risk.trained import (
    harm_features,
    harm_model,
    harm_text,
    random_values,
    small_catalogue,
)

Array = NDArray[np.float64]

FEATURES = harm_features()
MIXED_SPLIT = 0


def pool_values(people: int, seed: int, missing: float) -> Array:
    """Return vectors as the catalogue makes them: whoever has interests has all of them known."""
    values = random_values(small_catalogue(), people, seed, missing)
    tags = values[:, -3:]
    tags[np.isnan(tags).any(axis=1)] = np.nan
    return values


def with_other_decisions(text: str, seed: int) -> str:
    """Return a model in which unknown values go another way at about half of all splits."""
    draw = np.random.default_rng(seed)

    def turned(line: re.Match[str]) -> str:
        old = [int(each) for each in line[1].split(" ")]
        # 8 and 10 are as long as 08 and 10: the sizes of trees stay what they are.
        new = [each ^ 2 if not each & 1 and draw.random() < 0.5 else each for each in old]
        return "decision_type=" + " ".join(map(str, new))

    text = re.sub(r"decision_type=(.*)", turned, text)
    body = text[text.index("Tree=0") : text.index("end of trees")]
    sizes = [str(len("Tree=" + block)) for block in body.split("Tree=")[1:]]
    return re.sub(r"tree_sizes=.*", "tree_sizes=" + " ".join(sizes), text)


def compared(model: TreeModel, values: Array, seed: int) -> tuple[Array, Array]:
    """Return raw scores of all pairs of a pool by its trees and by LightGBM."""
    draw = np.random.default_rng(seed)
    ready = FEATURES.ready_matrix(values)
    first, second = np.triu_indices(len(values), 1)
    below = np.round(draw.random(len(values)), 1)  # coarse, so that ties happen
    mixed = draw.random(first.size)
    minor, other = FEATURES.pool_sides(ready, first, second, below)
    trees = PoolTrees.of(model.forest, FEATURES.origins)
    assert trees is not None
    columns = PoolColumns(FEATURES, ready)
    found = trees.over(columns.values).raw_scores(
        minor,
        other,
        columns.of(
            minor,
            other,
            chances=(below[minor], below[other]),
            mixed=mixed,
            wanted=trees.pair_columns,
        ),
    )
    rows = FEATURES.pool_rows(
        ready, first, second, probability_minor=below, minor_adult_probability=mixed
    )
    return found, model.raw_scores(rows)[:, 0]


@settings(max_examples=40)
@given(
    people=st.integers(2, 24),
    seed=st.integers(0, 10_000),
    missing=st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    turned=st.booleans(),
)
def test_pool_trees_score_as_lightgbm_whatever_is_unknown_and_wherever_it_goes(
    *, people: int, seed: int, missing: float, turned: bool
) -> None:
    text = with_other_decisions(harm_text(), seed) if turned else harm_text()
    model = TreeModel(text).with_missing_as_majority()

    found, expected = compared(model, pool_values(people, seed, missing), seed)

    assert found.tobytes() == expected.tobytes()


def test_a_value_on_a_threshold_goes_where_lightgbm_sends_it() -> None:
    model = TreeModel(harm_text()).with_missing_as_majority()
    values = pool_values(40, seed=3, missing=0.2)
    columns = len(small_catalogue().number_columns)
    seen = sorted({each for tree in model.forest.trees for each in tree.thresholds})
    on_thresholds = np.random.default_rng(4).choice(seen, (40, columns))
    values[:, :columns] = np.where(np.isnan(values[:, :columns]), np.nan, on_thresholds)

    found, expected = compared(model, values, seed=5)

    assert found.tobytes() == expected.tobytes()


def test_more_pairs_than_are_scored_at_once_are_scored_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pairguard.risk.pool_trees._PAIRS_AT_ONCE", 100)
    model = TreeModel(harm_text()).with_missing_as_majority()
    found, expected = compared(model, pool_values(40, seed=1, missing=0.3), seed=2)
    assert found.size == 780
    assert found.tobytes() == expected.tobytes()


def test_trees_of_one_leaf_and_of_the_most_leaves_are_served() -> None:
    forest = TreeModel(harm_text()).with_missing_as_majority().forest
    alone = replace(
        forest.trees[0],
        split_features=(),
        thresholds=(),
        decision_types=(),
        left=(),
        right=(),
        node_values=(),
        node_counts=(),
        category_sets=(),
        leaf_values=(0.25,),
        leaf_counts=(3.0,),
    )
    trees = PoolTrees.of(replace(forest, trees=(alone, alone)), FEATURES.origins)
    assert trees is not None
    assert trees.pair_columns == []
    places = np.zeros(3, dtype=np.intp)
    scores = trees.over(np.zeros((8, 1))).raw_scores(places, places, {})
    assert scores.tolist() == [0.5, 0.5, 0.5]


def chain(leaves: int) -> dict[str, Any]:
    """Return a tree whose splits on the mixed probability stand in one line."""
    inner = leaves - 1
    return {
        "split_features": (MIXED_SPLIT,) * inner,
        "thresholds": tuple(place / leaves for place in range(1, leaves)),
        "decision_types": (10,) * inner,
        "left": tuple(~place for place in range(inner)),
        "right": (*range(1, inner), ~inner),
        "leaf_values": tuple(float(place) for place in range(leaves)),
        "leaf_counts": (1.0,) * leaves,
    }


@pytest.mark.parametrize("leaves", [2, 31, 32])
def test_every_leaf_of_a_tree_is_reached(leaves: int) -> None:
    forest = TreeModel(harm_text()).forest
    trees = PoolTrees.of(
        replace(forest, trees=(replace(forest.trees[0], **chain(leaves)),)), FEATURES.origins
    )
    assert trees is not None
    places = np.zeros(leaves, dtype=np.intp)
    mixed = (np.arange(leaves) + 0.5) / leaves
    scores = trees.over(np.zeros((8, 1))).raw_scores(places, places, {MIXED_SPLIT: mixed})
    assert scores.tolist() == list(range(leaves))


def test_what_is_not_served_is_left_to_lightgbm() -> None:
    forest = TreeModel(harm_text()).with_missing_as_majority().forest
    tree = forest.trees[0]
    too_large = replace(tree, **chain(33))
    zero_is_missing = replace(tree, **chain(3) | {"decision_types": (10, 6)})
    category_of_a_pair = replace(tree, **chain(3) | {"decision_types": (10, 1)})
    for unknown in (too_large, zero_is_missing, category_of_a_pair):
        assert PoolTrees.of(replace(forest, trees=(tree, unknown)), FEATURES.origins) is None
    assert PoolTrees.of(replace(forest, num_outputs=2), FEATURES.origins) is None


def test_what_two_people_are_together_is_as_in_rows() -> None:
    values = pool_values(30, seed=8, missing=0.2)
    ready = FEATURES.ready_matrix(values)
    first, second = np.triu_indices(30, 1)
    below, mixed = np.linspace(0.0, 1.0, 30), np.linspace(0.0, 1.0, first.size)
    minor, other = FEATURES.pool_sides(ready, first, second, below)
    chances = below[minor], below[other]
    rows = FEATURES.side_rows(ready, minor, other, chances, mixed)
    wanted = [
        place
        for place, origin in enumerate(FEATURES.origins)
        if origin.part not in (Part.MIN, Part.MAX, Part.MINOR, Part.OTHER)
    ]
    columns = PoolColumns(FEATURES, ready).of(
        minor, other, chances=chances, mixed=mixed, wanted=wanted
    )
    assert len(wanted) == 9
    for place, column in columns.items():
        np.testing.assert_array_equal(column, rows[:, place])


class OfValues:
    """As much of an assessment as scoring harm wants."""

    def __init__(self, values: Array) -> None:
        self.values = values


def over_pool(values: Array) -> PoolHarm:
    assessed: Any = [OfValues(each) for each in values]
    found: list[ParticipantAssessment] = assessed
    return PoolHarm(harm_model(), found)


def scored(harm: PoolHarm, people: int) -> tuple[Array, Array]:
    first, second = np.triu_indices(people, 1)
    mixed = np.linspace(0.0, 1.0, first.size)
    below = np.linspace(0.0, 1.0, people)
    minor, other = harm.sides(first, second, below)
    return harm.scored(minor, other, (below[minor], below[other]), mixed)


def test_large_and_small_pools_have_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pool_values(30, seed=9, missing=0.3)
    by_rows = scored(over_pool(values), 30)
    monkeypatch.setattr(pool_harm, "_FEWEST_PAIRS", 1)
    by_trees = over_pool(values)
    for expected, found in zip(by_rows, scored(by_trees, 30), strict=True):
        assert found.tobytes() == expected.tobytes()
    assert by_trees.over_pool


def test_where_the_two_ways_disagree_lightgbm_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pool_values(30, seed=9, missing=0.3)
    by_rows = scored(over_pool(values), 30)
    monkeypatch.setattr(pool_harm, "_FEWEST_PAIRS", 1)
    honest = PooledTrees.raw_scores

    def dishonest(*given: Any) -> Array:
        return np.nextafter(honest(*given), np.inf)

    monkeypatch.setattr(PooledTrees, "raw_scores", dishonest)
    harm = over_pool(values)

    for expected, found in zip(by_rows, scored(harm, 30), strict=True):
        assert found.tobytes() == expected.tobytes()
    assert harm.disagreed
    assert not harm.over_pool
    monkeypatch.setattr(PooledTrees, "raw_scores", None)  # not asked again
    scored(harm, 30)
