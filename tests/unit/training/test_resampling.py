from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard_training.resampling import Estimate, Resamples, with_unseen, with_unseen_difference

Array = NDArray[np.float64]


def mean_of(values: Array, weights: Array) -> dict[str, float]:
    return {"mean": float((weights * values).sum() / weights.sum())}


def test_the_interval_of_a_mean_is_about_that_of_theory() -> None:
    values = np.random.default_rng(1).normal(0.0, 1.0, 2_000)
    draws = Resamples([[str(i) for i in range(2_000)]], count=400, seed=1)
    found = draws.estimate(lambda weights: mean_of(values, weights), np.ones(2_000))["mean"]
    half = 1.96 / math.sqrt(2_000)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)


def test_rows_that_share_people_are_less_certain_than_they_look() -> None:
    # Twenty people, a hundred rows each, every row of a person the same.
    person = np.repeat(np.random.default_rng(1).normal(0.0, 1.0, 20), 100)
    names = [str(i // 100) for i in range(2_000)]
    by_person = Resamples([names], count=300, seed=1)
    by_row = Resamples([[str(i) for i in range(2_000)]], count=300, seed=1)
    wide, narrow = (
        draws.estimate(lambda weights: mean_of(person, weights), np.ones(2_000))["mean"]
        for draws in (by_person, by_row)
    )
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_the_same_seed_draws_the_same_people_whoever_asks() -> None:
    sides = [[f"a{i % 7}" for i in range(40)], [f"b{i % 5}" for i in range(40)]]
    first, again, other = (
        list(Resamples(sides, count=5, seed=seed).weights(np.ones(40))) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_measure_that_mostly_cannot_be_told_has_no_interval() -> None:
    draws = Resamples([["a", "b", "c"]], count=50, seed=1)

    def only_with_a(weights: Array) -> dict[str, float]:
        return {"x": 1.0 if weights[0] > 0 else float("nan")}

    found = draws.estimate(only_with_a, np.ones(3))["x"]
    assert found.value == 1.0
    assert math.isnan(found.low)


def test_what_was_not_seen_is_not_impossible() -> None:
    none = with_unseen(Estimate(0.0, 0.0, 0.0), trials=100)
    # Clopper-Pearson for 0 of 100, two-sided 95 %, from published tables: 3.62 %.
    assert none.low == 0.0
    assert none.high == pytest.approx(0.0362, abs=1e-4)
    everything = with_unseen(Estimate(1.0, 1.0, 1.0), trials=100)
    assert everything.low == pytest.approx(0.9638, abs=1e-4)
    assert everything.high == 1.0
    some = Estimate(0.3, 0.2, 0.4)
    assert with_unseen(some, trials=100) is some


def test_a_difference_that_no_draw_moves_is_not_certain() -> None:
    found = with_unseen_difference(Estimate(0.0, 0.0, 0.0), trials=100)
    assert found.high == pytest.approx(1.0 - 0.025**0.01)
    assert found.low == -found.high
    moved = Estimate(0.1, 0.0, 0.2)
    assert with_unseen_difference(moved, trials=100) == moved
    assert with_unseen_difference(Estimate(1.0, 1.0, 1.0), trials=1).high == 1.0
