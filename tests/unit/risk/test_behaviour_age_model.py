from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from pairguard.errors import BundleRefused
from pairguard.risk.behaviour import BehaviourAgeModel, ramps
from pairguard.risk.trees import TreeModel
from tests.unit.risk.trained import booster, mixed_rows, text_of

KNOTS = (11.0, 15.5, 18.0, 21.5, 30.5)
SHARES = (0.1, 0.2, 0.2, 0.3, 0.2)
COLUMNS = (7, 0, 2, 3, 5, 4)


@functools.cache
def _trees() -> TreeModel:
    return TreeModel(text_of(booster("multiclass")))


def _model(**changes: Any) -> BehaviourAgeModel:
    parameters: dict[str, Any] = {
        "columns": COLUMNS,
        "knots_years": KNOTS,
        "knot_shares": SHARES,
        "temperature": 0.8,
    } | changes
    return BehaviourAgeModel(_trees(), **parameters)


def _vectors(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    vectors = np.full((count, 9), 1e9)  # columns that the model must not look at
    vectors[:, list(COLUMNS)] = mixed_rows(count, seed)
    return vectors


def test_scores_are_the_tempered_rises_between_knots_relative_to_the_population() -> None:
    vector = _vectors(1, seed=3)[0]
    rises = 0.8 * _trees().raw_score(vector[list(COLUMNS)])
    level = np.concatenate([[0.0], np.cumsum(rises)])
    level -= np.log((np.exp(level) * SHARES).sum())
    found = _model().log_likelihood(vector)
    assert found is not None
    assert found.shape == (101,)
    # The grid point g stands for the age g + 0.5: three knots lie on it.
    assert found[[15, 30]] == pytest.approx(level[[1, 4]], abs=1e-12)
    assert found[12] == pytest.approx(level[0] + (level[1] - level[0]) * 1.5 / 4.5, abs=1e-12)
    assert found[18] == pytest.approx(level[2] + (level[3] - level[2]) * 0.5 / 3.5, abs=1e-12)
    assert found[:11] == pytest.approx(np.full(11, level[0]), abs=1e-12)
    assert (found[31:] == found[30]).all()


def test_ramps_are_the_lines_that_serve() -> None:
    vectors = _vectors(20, seed=9)
    rises = _trees().raw_scores(vectors[:, list(COLUMNS)])
    served = _model(temperature=1.0, clip_nats=1e6).log_likelihoods(vectors)
    learned = rises @ ramps(KNOTS).T
    assert np.diff(served, axis=1) == pytest.approx(np.diff(learned, axis=1), abs=1e-12)


def test_nothing_known_says_nothing() -> None:
    vector = _vectors(1, seed=4)[0]
    vector[list(COLUMNS)] = np.nan
    assert _model().log_likelihood(vector) is None
    assert (_model().log_likelihoods(vector[np.newaxis]) == 0.0).all()


def test_one_by_one_and_together_have_the_same_bits() -> None:
    vectors = _vectors(70, seed=5)
    model = _model()
    singly = [model.log_likelihood(vector) for vector in vectors]
    assert all(found is not None for found in singly)
    for count in range(1, 66):
        together = model.log_likelihoods(vectors[:count])
        for one, row in zip(singly, together, strict=False):
            assert one is not None
            assert one.tobytes() == row.tobytes()


def test_likelihood_is_bounded_and_shares_need_not_sum_to_one() -> None:
    vectors = _vectors(50, seed=6)
    sharp = _model(temperature=50.0, clip_nats=1.5).log_likelihoods(vectors)
    assert np.abs(sharp).max() == 1.5
    scaled = _model(knot_shares=7.0 * np.array(SHARES)).log_likelihoods(vectors)
    assert scaled == pytest.approx(_model().log_likelihoods(vectors), abs=1e-12)


def test_likelihood_is_a_slope_and_not_a_step_at_the_adult_age() -> None:
    found = _model(temperature=50.0).log_likelihoods(_vectors(50, seed=7))
    steps = np.abs(np.diff(found, axis=1))
    assert steps.max() <= 8.0 / 2.5 + 1e-12  # from -4 to 4 between the two nearest knots


def test_parameters_read_back() -> None:
    model = _model(knots_years=(10, 15.0, 18.5, 21.0, 33.0), clip_nats=3.0)
    again = BehaviourAgeModel.from_mapping(model.to_mapping(), _trees())
    vectors = _vectors(10, seed=8)
    assert again.log_likelihoods(vectors).tobytes() == model.log_likelihoods(vectors).tobytes()
    assert again.to_mapping() == model.to_mapping()


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": COLUMNS[:5]},
        {"columns": (0, 0, 1, 2, 3, 4)},
        {"columns": (-1, 0, 1, 2, 3, 4)},
        {"knots_years": (11.0, 18.0, 15.5, 21.5, 30.5)},
        {"knots_years": (11.0, 15.5, 15.5, 21.5, 30.5)},
        {"knots_years": (11.0, 15.5, 18.0, 21.5)},
        {"knots_years": (-1.0, 15.5, 18.0, 21.5, 30.5)},
        {"knots_years": (11.0, 15.5, 18.0, 21.5, 102.0)},
        {"knots_years": (11.0, 15.5, 18.0, 21.5, float("nan"))},
        {"knots_years": ()},
        {"knot_shares": (0.5, 0.5)},
        {"knot_shares": (0.2, 0.2, 0.2, 0.2, 0.0)},
        {"knot_shares": (0.2, 0.2, 0.2, 0.2, np.inf)},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"clip_nats": -1.0},
    ],
)
def test_parameters_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BundleRefused) as refused:
        _model(**changes)
    assert refused.value.reason == "BUNDLE_INVALID"


@pytest.mark.parametrize(
    "change", [{"temperature": None}, {"temperature": "warm"}, {"columns": 3}, {"colour": "red"}]
)
def test_documents_of_other_shapes_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BundleRefused):
        BehaviourAgeModel.from_mapping(_model().to_mapping() | change, _trees())
    with pytest.raises(BundleRefused):
        BehaviourAgeModel.from_mapping({}, _trees())
