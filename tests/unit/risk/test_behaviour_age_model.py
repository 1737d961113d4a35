from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from pairguard.errors import BundleRefused
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.trees import TreeModel
from tests.unit.risk.trained import booster, mixed_rows, text_of

EDGES = (0, 13, 18, 25)
COLUMNS = (7, 0, 2, 3, 5, 4)


@functools.cache
def _trees() -> TreeModel:
    return TreeModel(text_of(booster("multiclass")))


def _model(**changes: Any) -> BehaviourAgeModel:
    parameters: dict[str, Any] = {
        "columns": COLUMNS,
        "band_edges": EDGES,
        "log_prior": np.log([0.1, 0.3, 0.4, 0.2]),
        "temperature": 0.8,
    } | changes
    return BehaviourAgeModel(_trees(), **parameters)


def _vectors(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    vectors = np.full((count, 9), 1e9)  # columns that the model must not look at
    vectors[:, list(COLUMNS)] = mixed_rows(count, seed)
    return vectors


def test_likelihood_is_the_tempered_ratio_of_posterior_to_prior_at_the_centres() -> None:
    vector = _vectors(1, seed=3)[0]
    raw = _trees().raw_score(vector[list(COLUMNS)])
    share = np.exp(raw - raw.max())
    ratio = 0.8 * (np.log(share / share.sum()) - np.log([0.1, 0.3, 0.4, 0.2]))
    found = _model().log_likelihood(vector)
    assert found is not None
    assert found.shape == (101,)
    # Centres 6.5, 15.5, 21.5 and 28.5; the grid point g stands for the age g + 0.5.
    assert found[[6, 15, 21, 28]] == pytest.approx(ratio, abs=1e-12)
    assert found[10] == pytest.approx(ratio[0] + (ratio[1] - ratio[0]) * (10.5 - 6.5) / 9)
    assert (found[:6] == found[6]).all()
    assert (found[29:] == found[28]).all()


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


def test_likelihood_is_bounded_and_a_constant_in_the_prior_changes_nothing() -> None:
    vectors = _vectors(50, seed=6)
    sharp = _model(temperature=50.0, clip_nats=1.5).log_likelihoods(vectors)
    assert np.abs(sharp).max() == 1.5
    shifted = _model(log_prior=np.log([0.1, 0.3, 0.4, 0.2]) + 7.0).log_likelihoods(vectors)
    assert shifted == pytest.approx(_model().log_likelihoods(vectors), abs=1e-12)


def test_likelihood_is_a_slope_and_not_a_step_at_the_adult_age() -> None:
    found = _model(temperature=50.0).log_likelihoods(_vectors(50, seed=7))
    steps = np.abs(np.diff(found, axis=1))
    assert steps.max() <= 8.0 / 6.0 + 1e-12  # from -4 to 4 between the two nearest centres


def test_parameters_read_back() -> None:
    model = _model(band_centres=(11.0, 15.0, 20.0, 33.0), clip_nats=3.0)
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
        {"band_edges": (1, 13, 18, 25)},
        {"band_edges": (0, 18, 13, 25)},
        {"band_edges": (0, 13, 18)},
        {"band_edges": (0, 13, 18, 101)},
        {"band_edges": ()},
        {"band_centres": (6.0, 15.0, 17.0, 30.0)},
        {"log_prior": [0.0, 0.0, 0.0]},
        {"log_prior": [0.0, 0.0, 0.0, -np.inf]},
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
