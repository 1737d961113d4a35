from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from pairguard.errors import BundleRefused
from pairguard.risk.forest import read_forest
from pairguard.risk.harm import HarmModel
from pairguard.risk.monotonicity import features_out_of_order
from pairguard.risk.trees import TreeModel
from tests.unit.risk.trained import harm_features, harm_model, harm_text, text_of


def _text(slope: float, constraint: int) -> str:
    draw = np.random.default_rng(51)
    rows = draw.normal(size=(600, 2))
    labels = slope * rows[:, 0] + rows[:, 1] + draw.normal(size=600)
    parameters = {
        "objective": "regression",
        "monotone_constraints": [constraint, 0],
        "monotone_constraints_method": "basic",
        "verbose": -1,
    }
    return text_of(lightgbm.train(parameters, lightgbm.Dataset(rows, labels), 10))


@pytest.mark.parametrize("direction", [-1, 1])
def test_constrained_model_is_proven_in_its_direction_only(direction: int) -> None:
    forest = read_forest(_text(2.0 * direction, direction))
    assert features_out_of_order(forest, (direction, 0)) == frozenset()
    assert features_out_of_order(forest, (-direction, 0)) == {0}
    assert features_out_of_order(forest, (direction, 1)) == {1}
    assert features_out_of_order(forest, (0, 0)) == frozenset()


def test_harm_model_of_the_tests_is_proven() -> None:
    constraints = harm_features().monotone_constraints
    assert features_out_of_order(read_forest(harm_text()), constraints) == frozenset()


def test_harm_model_that_breaks_a_constraint_is_refused_with_its_name() -> None:
    text = harm_text()
    values = next(line for line in text.split("\n") if line.startswith("leaf_value="))
    numbers = values.removeprefix("leaf_value=").split(" ")
    turned = "leaf_value=" + " ".join(reversed(numbers))
    assert len(turned) == len(values)  # so that the sizes in the header stay right
    broken = TreeModel(text.replace(values, turned, 1))
    with pytest.raises(BundleRefused, match="not monotone in") as refused:
        HarmModel(broken, harm_model().features, harm_model().calibration)
    assert refused.value.reason == "BUNDLE_INVALID"
    assert "max:history.reports" in str(refused.value) or "minor_adult" in str(refused.value)
