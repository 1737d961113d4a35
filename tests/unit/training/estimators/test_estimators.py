"""The estimators are handles on what a fit itself calls."""

from __future__ import annotations

import doctest
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from pairguard.risk.calibration import Calibration
from pairguard_training import calibration_fit
from pairguard_training.boosting import Compute
from pairguard_training.calibration_fit import fit_calibration
from pairguard_training.estimators import (
    AgeBehaviourRegressor,
    HarmClassifier,
    RareEventCalibrator,
)
from pairguard_training.harm.any_rows import RowsFit, fit_rows
from tests.unit.training.test_any_rows import FEATURES, pairs

Array = NDArray[np.float64]


@pytest.mark.parametrize("name", ["age", "calibrator", "harm"])
def test_the_examples_run(name: str) -> None:
    results = doctest.testmod(import_module(f"pairguard_training.estimators.{name}"))
    assert results.attempted > 3
    assert not results.failed


def events(count: int, *, seed: int) -> tuple[Array, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    features = rng.normal(0.0, 1.0, (count, 4))
    features[:, 3] = rng.integers(0, 3, count)
    log_odds = 1.5 * features[:, 0] + np.array([0.0, 1.0, -1.0])[features[:, 3].astype(int)] - 4.0
    return features, rng.random(count) < 1.0 / (1.0 + np.exp(-log_odds))


def test_the_classifier_is_what_a_fit_learns_from_reports_alone() -> None:
    rows = pairs(3_000, 450)
    model = HarmClassifier(
        monotone_constraints=FEATURES.monotone_constraints,
        categorical_columns=FEATURES.categorical_columns,
    ).fit(rows.table, rows.harmed, groups=rows.groups_first)
    again = clone(model).fit(rows.table, rows.harmed, groups=rows.groups_first)
    assert again.model_text_ == model.model_text_
    alone = np.unique(rows.groups_first.astype(str), return_inverse=True)[1]
    served = fit_rows(
        replace(rows, groups_first=alone, groups_second=alone), compute=Compute(threads=1, seed=1)
    )
    assert isinstance(served, RowsFit)
    assert served.text == model.model_text_
    assert served.calibration.to_mapping() == model.calibration_.to_mapping()


def test_probabilities_of_strangers_sum_to_what_happens_and_rise_with_danger() -> None:
    X, y = events(12_000, seed=1)
    model = HarmClassifier(monotone_constraints=(1, 0, 0, 0), categorical_columns=(3,)).fit(X, y)
    others, happened = events(20_000, seed=2)
    chances = model.predict_proba(others)[:, 1]
    assert chances.sum() == pytest.approx(happened.sum(), rel=0.15)
    assert roc_auc_score(happened, chances) > 0.85
    assert set(model.classes_) == {False, True}
    higher = others[:500].copy()
    higher[:, 0] += 1.0
    assert (model.predict_proba(higher)[:, 1] >= chances[:500]).all()
    assert np.array_equal(model.predict(others), chances >= 0.5)


def test_who_belongs_together_is_left_out_together() -> None:
    X, y = events(3_000, seed=1)
    groups = np.arange(3_000) // 2
    ours = HarmClassifier().fit(X, y, groups=groups)
    alone = HarmClassifier().fit(X, y)
    assert ours.calibration_.to_mapping() != alone.calibration_.to_mapping()
    with pytest.raises(ValueError, match="2 groups for 3000 rows"):
        HarmClassifier().fit(X, y, groups=["a", "b"])


def test_too_few_events_are_refused_in_the_words_of_a_fit() -> None:
    X, y = events(3_000, seed=1)
    y[np.flatnonzero(y)[5:]] = False
    with pytest.raises(ValueError, match="came to harm; 20 are needed"):
        HarmClassifier().fit(X, y)


@pytest.mark.parametrize("count", [200, 4_000, 40_000])  # shift, beta, spline
def test_the_calibrator_is_that_of_a_fit_and_strictly_rises(count: int) -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(-3.0, 1.0, count)
    happened = rng.random(count) < 1.0 / (1.0 + np.exp(-scores))
    calibrator = RareEventCalibrator().fit(scores[:, np.newaxis], happened)
    expected: Calibration = fit_calibration(scores, happened)
    assert calibrator.calibration_.to_mapping() == expected.to_mapping()
    rising = calibrator.predict_proba(np.linspace(-8.0, 3.0, 400))[:, 1]
    assert (np.diff(rising) > 0.0).all()
    assert calibrator.predict_proba(scores)[:, 1].sum() == pytest.approx(happened.sum(), abs=1e-6)


def test_scores_that_tell_nothing_are_calibrated_to_the_base_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened = np.repeat([True, False], 200)
    alike = np.tile([1e-13, 2e-13], 200)
    chances = RareEventCalibrator().fit(alike, happened).predict_proba(alike)[:, 1]
    assert chances == pytest.approx(0.5)
    # Slopes so small that they are rounded to nothing.
    monkeypatch.setattr(calibration_fit, "_slopes", lambda *_: [1e-14, 0.0])
    scores = np.tile([-1.0, 1.0], 200)
    assert RareEventCalibrator().fit(scores, happened).predict_proba(scores)[:, 1].mean() == (
        pytest.approx(0.5)
    )


def test_ages_are_told_from_behaviour_of_strangers_and_smoothly() -> None:
    rng = np.random.default_rng(1)
    ages = rng.uniform(11.0, 45.0, 1_500)
    X = np.column_stack(
        [np.log(ages) + rng.normal(0.0, 0.2, 1_500), rng.integers(0, 3, 1_500), ages * 0.0]
    )
    model = AgeBehaviourRegressor(categorical_columns=(1,)).fit(X[:1_000], ages[:1_000])
    assert model.score(X[1_000:], ages[1_000:]) > 0.4
    posterior = model.predict_ages(X[1_000:])
    assert posterior.sum(axis=1) == pytest.approx(1.0)
    minor = model.probability_below(X[1_000:], 18)
    assert roc_auc_score(ages[1_000:] < 18.0, minor) > 0.9
    log = model.predict_log_likelihood(X[1_000:])
    assert np.abs(log).max() <= 4.0
    assert np.abs(np.diff(log, axis=1)).max() < 4.0  # no step at 18
    assert not model.predict_log_likelihood(np.full((1, 3), np.nan)).any()


def test_behaviour_that_tells_nothing_is_not_believed() -> None:
    rng = np.random.default_rng(1)
    ages = rng.uniform(11.0, 45.0, 400)
    model = AgeBehaviourRegressor().fit(rng.normal(0.0, 1.0, (400, 2)), ages)
    assert model.parameters_ is None
    assert not model.predict_log_likelihood(np.zeros((3, 2))).any()
    assert model.predict(np.zeros((1, 2)))[0] == pytest.approx(ages.mean(), abs=1.0)


def test_what_is_no_age_or_no_code_is_refused() -> None:
    X = np.zeros((200, 2))
    with pytest.raises(ValueError, match="within 0 and 101"):
        AgeBehaviourRegressor().fit(X, np.full(200, 130.0))
    with pytest.raises(ValueError, match="whole numbers"):
        AgeBehaviourRegressor(categorical_columns=(0,)).fit(X + 0.5, np.full(200, 30.0))


def test_estimators_go_into_the_tools_of_scikit_learn() -> None:
    X, y = events(4_000, seed=1)
    chances = cross_val_predict(HarmClassifier(), X, y, cv=3, method="predict_proba")
    assert roc_auc_score(y, chances[:, 1]) > 0.8


@pytest.mark.parametrize("constraints", [(1,), (1, 0, 0), (1, 2), (1, 0.5)])
def test_constraints_that_fit_no_column_are_refused(constraints: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 2))
    y = rng.random(500) < 0.3
    with pytest.raises(ValueError, match="monotone_constraints should be 2 numbers"):
        HarmClassifier(monotone_constraints=constraints).fit(X, y)
