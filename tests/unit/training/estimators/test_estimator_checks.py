"""scikit-learn's own checks of estimators, on ours.

The checks bring a few rows of any numbers. Where an estimator wants ages of many people, or one
column of scores, what the checks bring is turned into that; all else is the estimator's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import _check_sample_weight, validate_data

from pairguard_training import behaviour_fit
from pairguard_training.estimators import (
    AgeBehaviourRegressor,
    HarmClassifier,
    RareEventCalibrator,
)

ROWS = 160


class OfManyColumns(RareEventCalibrator):
    """Calibrates one score of all columns, within what log-odds are."""

    def fit(self, X: Any, y: Any) -> OfManyColumns:
        X, y = validate_data(self, X, y, dtype=np.float64)
        columns = self.n_features_in_
        super().fit(np.tanh(X / 100.0).sum(axis=1), y)
        self.n_features_in_ = columns
        return self

    def predict_proba(self, X: Any) -> Any:
        if not hasattr(self, "calibration_"):
            return super().predict_proba(X)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return super().predict_proba(np.tanh(X / 100.0).sum(axis=1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = False, True
        tags.classifier_tags.poor_score = True  # a sum of columns is no model
        return tags


class OfAnyNumbers(AgeBehaviourRegressor):
    """Repeats rows until they are some dozens, and takes numbers for ages from 10 to 40."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> OfAnyNumbers:  # type: ignore[override]
        X, y = validate_data(
            self,
            X,
            y,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            ensure_min_samples=2,
            y_numeric=True,
        )
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        low, high = y.min(), y.max()
        ages = 10.0 + 30.0 * (y - low) / max(high - low, 1e-9)
        times = -(-ROWS // len(ages))
        super().fit(np.tile(X, (times, 1)), np.tile(ages, times), np.tile(weights, times))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # the numbers are not what they were
        tags.target_tags.positive_only = False
        return tags


@pytest.fixture(autouse=True)
def _small_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for fewer people and train for a few rounds: the checks are about manners."""
    for name in ("FEWEST_PEOPLE", "FEWEST_OF_EITHER_SIDE", "FEWEST_PEOPLE_AT_KNOT"):
        monkeypatch.setattr(behaviour_fit, name, 1)
    monkeypatch.setattr(behaviour_fit, "FOLDS", 2)
    monkeypatch.setattr(behaviour_fit, "MOST_TREES", 25)


def expected_failures(estimator: Any) -> dict[str, str]:
    if isinstance(estimator, AgeBehaviourRegressor):
        return {
            "check_sample_weight_equivalence_on_dense_data": (
                "a weight says for how many people a row stands; folds are of rows, and the least "
                "number of rows in a leaf too, so that a row of weight 2 is not two rows"
            )
        }
    return {}


@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [HarmClassifier(fewest_positives=1), OfManyColumns(), OfAnyNumbers()],
    expected_failed_checks=expected_failures,
)
def test_estimators_keep_the_conventions(estimator: Any, check: Any) -> None:
    check(estimator)
