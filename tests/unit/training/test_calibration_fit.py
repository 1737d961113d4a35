from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard_training.calibration_fit import fit_calibration, kind_of

Array = NDArray[np.float64]


def sample(
    count: int, level: float, slope: float, seed: int = 1
) -> tuple[Array, NDArray[np.bool_]]:
    """Return scores and labels whose log-odds are ``level + slope * score``."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(-3.0, 1.5, count)
    chance = 1.0 / (1.0 + np.exp(-(level + slope * raw)))
    return raw, rng.random(count) < chance


@pytest.mark.parametrize(
    ("count", "level", "kind"), [(60_000, -1.0, "logit_spline"), (20_000, -2.5, "beta")]
)
def test_a_map_undoes_a_wrong_level_and_slope(count: int, level: float, kind: str) -> None:
    raw, labels = sample(count, level, 0.7)
    calibration = fit_calibration(raw, labels)
    assert calibration.to_mapping()["kind"] == kind
    at = np.linspace(-5.0, -1.0, 20)
    wanted = 1.0 / (1.0 + np.exp(-(level + 0.7 * at)))
    assert calibration.probabilities(at) == pytest.approx(wanted, rel=0.25)


@pytest.mark.parametrize(
    ("positives", "kind"), [(5, "shift"), (100, "beta"), (2_000, "logit_spline")]
)
def test_it_is_told_what_was_fitted(positives: int, kind: str) -> None:
    raw = np.random.default_rng(1).normal(-3.0, 1.5, 20_000)
    labels = np.zeros(20_000, dtype=np.bool_)
    labels[np.argsort(raw + np.random.default_rng(2).normal(size=20_000))[-positives:]] = True
    assert kind_of(fit_calibration(raw, labels)) == kind


@pytest.mark.parametrize("count", [300, 3_000, 20_000, 120_000])
def test_predictions_and_labels_have_the_same_sum(count: int) -> None:
    raw, labels = sample(count, -1.5, 0.8)
    assert fit_calibration(raw, labels).probabilities(raw).sum() == pytest.approx(
        labels.sum(), abs=1e-6
    )


def test_one_in_ten_thousand_is_met_exactly() -> None:
    raw = np.random.default_rng(2).normal(-9.0, 1.0, 400_000)
    labels = np.random.default_rng(3).random(400_000) < 1.0 / (1.0 + np.exp(-raw))
    assert 20 <= labels.sum() < 1_000
    calibration = fit_calibration(raw, labels)
    assert calibration.probabilities(raw).sum() == pytest.approx(labels.sum(), rel=1e-9)
    mapping = calibration.to_mapping()
    assert mapping["a"] == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("count", [3_000, 60_000])
def test_no_map_ever_falls_even_where_the_data_say_so(count: int) -> None:
    raw, labels = sample(count, -1.0, -0.5)
    calibration = fit_calibration(raw, labels)
    at = np.linspace(-40.0, 40.0, 2_001)
    found = calibration.probabilities(at)
    assert all(low <= high for low, high in pairwise(found))
    assert calibration.probability(-6.0) < calibration.probability(0.0)
    assert found.min() > 0.0
    assert found.max() < 1.0


def test_few_positives_move_the_level_only() -> None:
    raw, labels = np.linspace(-4.0, 0.0, 500), np.zeros(500, dtype=np.bool_)
    labels[::50] = True
    mapping = fit_calibration(raw, labels).to_mapping()
    assert (mapping["a"], mapping["b"]) == (1.0, 1.0)


@pytest.mark.parametrize("value", [True, False])
def test_without_both_outcomes_the_scores_stand(value: bool) -> None:
    labels = np.full(50, value, dtype=np.bool_)
    assert fit_calibration(np.linspace(-2, 2, 50), labels).to_mapping() == {"kind": "identity"}


def test_equal_scores_get_the_base_rate() -> None:
    labels = np.arange(400) < 100
    assert fit_calibration(np.full(400, -2.0), labels).probability(-2.0) == pytest.approx(0.25)


@pytest.mark.parametrize("count", [5_000, 40_000])
def test_a_weight_counts_as_so_many_pairs(count: int) -> None:
    raw, labels = sample(count, -1.5, 0.8)
    weights = np.random.default_rng(4).integers(1, 4, count).astype(np.float64)
    places = np.repeat(np.arange(count), weights.astype(np.int64))
    weighted = fit_calibration(raw, labels, weights)
    repeated = fit_calibration(raw[places], labels[places])
    sums = weights @ weighted.probabilities(raw), float(weights @ labels)
    assert sums[0] == pytest.approx(sums[1], rel=1e-9)
    at = np.linspace(-6.0, 0.0, 30)
    if weighted.to_mapping()["kind"] == repeated.to_mapping()["kind"]:
        assert weighted.probabilities(at) == pytest.approx(repeated.probabilities(at), rel=0.02)
    else:  # a thousand positives of weight and fewer by number
        assert weighted.probabilities(at) == pytest.approx(repeated.probabilities(at), rel=0.5)


def test_the_slopes_at_one_in_ten_thousand_are_the_optimum() -> None:
    raw = np.random.default_rng(2).normal(-9.3, 1.0, 400_000)
    labels = np.random.default_rng(3).random(400_000) < 1.0 / (1.0 + np.exp(-raw))
    assert labels.mean() == pytest.approx(1.5e-4, rel=0.5)
    calibration = fit_calibration(raw, labels)
    surprise = calibration.probabilities(raw) - labels
    tail = np.log1p(np.exp(-np.abs(raw)))
    # At the optimum no column of the model tells anything of what is left.
    for column in (np.ones(raw.size), np.minimum(raw, 0.0) - tail):
        assert abs(surprise @ column) < 1e-4 * np.abs(column[labels]).sum()
