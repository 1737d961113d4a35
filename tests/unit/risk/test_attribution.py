from __future__ import annotations

import math
import re

import lightgbm
import numpy as np
import pytest

from pairguard.risk.attribution import PathAttribution
from pairguard.risk.forest import MISSING_SHIFT, MISSING_ZERO
from pairguard.risk.trees import TreeModel
from tests.unit.risk.trained import booster, mixed_rows, text_of

GROUPS = ("first", "first", "second", "code", "second", "whole")


@pytest.mark.parametrize("objective", ["regression", "binary"])
@pytest.mark.parametrize("majority", [False, True])
def test_root_and_shares_add_up_to_the_raw_score(objective: str, majority: bool) -> None:
    trees = TreeModel(text_of(booster(objective)))
    if majority:
        trees = trees.with_missing_as_majority()
    attribution = PathAttribution(trees.forest, GROUPS)
    rows = mixed_rows(500, seed=31)
    rows[:100] = np.where(np.random.default_rng(32).random((100, 6)) < 0.5, np.nan, rows[:100])
    rows[100:150, 3] = 63.0
    for row in rows:
        parts = attribution.attribute(row)
        total = parts.root + math.fsum(parts.shares.values())
        assert total == pytest.approx(float(trees.raw_score(row)[0]), abs=1e-9)
        assert list(parts.shares) == ["first", "second", "code", "whole"]


def test_zero_as_missing_is_followed_too() -> None:
    rows = mixed_rows(600, seed=33)
    rows[np.random.default_rng(34).random(rows.shape) < 0.2] = 0.0
    labels = np.nan_to_num(rows[:, 0]) + rows[:, 5]
    parameters = {"objective": "regression", "zero_as_missing": True, "verbose": -1}
    model = lightgbm.train(parameters, lightgbm.Dataset(rows, labels), 5)
    trees = TreeModel(text_of(model))
    kinds = {d >> MISSING_SHIFT for tree in trees.forest.trees for d in tree.decision_types}
    assert MISSING_ZERO in kinds
    attribution = PathAttribution(trees.forest, GROUPS)
    for row in rows[:200]:
        parts = attribution.attribute(row)
        total = parts.root + math.fsum(parts.shares.values())
        assert total == pytest.approx(float(trees.raw_score(row)[0]), abs=1e-9)


def test_feature_that_no_split_uses_has_no_share() -> None:
    rows = np.random.default_rng(35).normal(size=(500, 2))
    model = lightgbm.train(
        {"objective": "regression", "verbose": -1},
        lightgbm.Dataset(np.column_stack([rows[:, 0], np.ones(500)]), rows[:, 0]),
        5,
    )
    attribution = PathAttribution(TreeModel(text_of(model)).forest, ("used", "constant"))
    parts = attribution.attribute(np.array([2.0, 1.0]))
    assert parts.shares["constant"] == 0.0
    assert parts.shares["used"] > 0.0


def test_model_of_one_leaf_is_all_root() -> None:
    model = lightgbm.train(
        {"objective": "regression", "verbose": -1},
        lightgbm.Dataset(np.ones((50, 1)), np.full(50, 3.0)),
        1,
    )
    parts = PathAttribution(TreeModel(text_of(model)).forest, ("only",)).attribute(np.zeros(1))
    assert (parts.root, parts.shares["only"]) == (3.0, 0.0)


def test_several_outputs_or_missing_groups_are_refused() -> None:
    message = re.escape("one output")
    with pytest.raises(ValueError, match=message):
        PathAttribution(TreeModel(text_of(booster("multiclass"))).forest, GROUPS)
    with pytest.raises(ValueError, match=message):
        PathAttribution(TreeModel(text_of(booster("binary"))).forest, GROUPS[:5])
