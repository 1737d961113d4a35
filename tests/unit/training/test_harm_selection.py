from __future__ import annotations

import numpy as np
import pytest

from pairguard_training.harm.selection import HIGHEST_WEIGHT, selection_weights

NAN = float("nan")


def test_only_where_chance_decided_a_pair_stands_for_others() -> None:
    found = selection_weights(np.array([NAN, 1.0, 0.5, 0.98, 0.0, 1e-6]))
    assert found.weights.tolist() == pytest.approx([1.0, 1.0, 2.0, 1.0 / 0.98, 1.0, HIGHEST_WEIGHT])
    assert (found.randomised, found.bounded, found.contradictory) == (3, 1, 1)


def test_the_effective_size_is_that_of_kish() -> None:
    assert selection_weights(np.ones(50)).effective_size == 50.0
    half = selection_weights(np.repeat([1.0, 0.1], 50))
    assert half.effective_size == pytest.approx(550.0**2 / (50 * 101))
    assert selection_weights(np.empty(0)).effective_size == 0.0


def test_weights_undo_a_selection_by_chance() -> None:
    rng = np.random.default_rng(1)
    value = rng.random(200_000)
    chance = 0.2 + 0.7 * value
    met = rng.random(value.size) < chance
    weights = selection_weights(chance[met]).weights
    assert value[met].mean() > 0.55
    assert np.average(value[met], weights=weights) == pytest.approx(0.5, abs=0.005)
