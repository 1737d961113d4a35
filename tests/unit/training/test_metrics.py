from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
    roc_curve,
)

from pairguard_training.metrics import RankedScores, reliability

Array = NDArray[np.float64]


def sample(count: int = 3_000) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(1)
    scores = np.round(rng.beta(1.0, 6.0, count), 2).clip(0.01, 0.99)  # with ties
    labels = (rng.random(count) < scores).astype(np.float64)
    return scores, labels, rng.integers(1, 5, count).astype(np.float64)


def test_measures_agree_with_another_implementation() -> None:
    scores, labels, weights = sample()
    found = RankedScores(scores, labels).measure(weights)
    base = float((weights * labels).sum() / weights.sum())
    assert found.roc_auc == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))
    assert found.pr_auc == pytest.approx(
        average_precision_score(labels, scores, sample_weight=weights)
    )
    assert found.log_loss == pytest.approx(log_loss(labels, scores, sample_weight=weights))
    assert found.base_rate == pytest.approx(base)
    brier = brier_score_loss(labels, scores, sample_weight=weights)
    assert found.brier_skill == pytest.approx(1.0 - brier / (base * (1.0 - base)))
    false_alarms, caught, _ = roc_curve(labels, scores, sample_weight=weights)
    for share, missed in ((0.01, found.missed_at_1_percent), (0.05, found.missed_at_5_percent)):
        assert missed == pytest.approx(1.0 - float(np.interp(share, false_alarms, caught)))


def test_soft_labels_are_the_mean_over_many_draws_of_hard_ones() -> None:
    scores, _, _ = sample(500)
    chance = np.clip(scores * 1.5, 0.0, 1.0)
    copies = 400
    drawn = np.random.default_rng(2).random((copies, 500)) < chance
    soft = RankedScores(scores, chance).measure(np.ones(500))
    hard = RankedScores(np.tile(scores, copies), drawn.ravel().astype(np.float64))
    assert astuple(soft) == pytest.approx(astuple(hard.measure(np.ones(500 * copies))), abs=0.01)


def test_a_perfect_and_a_blind_model() -> None:
    labels = np.array([0.0, 0.0, 0.0, 1.0])
    perfect = RankedScores(labels, labels).measure(np.ones(4))
    assert (perfect.roc_auc, perfect.pr_auc, perfect.brier_skill) == (1.0, 1.0, 1.0)
    assert perfect.missed_at_1_percent == 0.0
    blind = RankedScores(np.full(4, 0.25), labels).measure(np.ones(4))
    assert blind.roc_auc == 0.5
    assert blind.pr_auc == blind.base_rate == 0.25
    assert blind.brier_skill == pytest.approx(0.0)
    assert blind.missed_at_5_percent == pytest.approx(0.95)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_alone_cannot_be_measured(label: float) -> None:
    found = RankedScores(np.array([0.2, 0.3]), np.full(2, label)).measure(np.ones(2))
    assert found.base_rate == label or math.isnan(found.base_rate)
    assert math.isnan(found.roc_auc)
    assert math.isnan(found.brier_skill)


def test_reliability_has_every_pair_once_and_by_half_decades() -> None:
    scores, labels, weights = sample()
    bins = reliability(
        np.append(scores, [0.0, 1.0]), np.append(labels, [0, 1]), np.append(weights, [1, 1])
    )
    assert sum(found.pairs for found in bins) == scores.size + 2
    assert all(found.low <= found.predicted <= found.high for found in bins)
    assert bins[0].low == 0.0
    total = sum(found.observed * 0 + found.pairs for found in bins)
    assert total == scores.size + 2
