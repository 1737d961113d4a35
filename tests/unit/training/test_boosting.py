from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pairguard_training.boosting import Compute, Rows, best_rounds, model_text, train

Array = NDArray[np.float64]

COMPUTE = Compute(threads=1, seed=1)
SETTINGS = {"objective": "binary", "num_leaves": 7, "max_bin": 63, "min_data_in_leaf": 20}


def drawn(count: int, *, seed: int = 1) -> Rows:
    rng = np.random.default_rng(seed)
    features = rng.normal(0.0, 1.0, (count, 3))
    features[:, 1] = rng.integers(0, 5, count)
    features[rng.random(count) < 0.2, 2] = np.nan
    labels = (features[:, 0] + rng.normal(0.0, 1.0, count) > 1.5).astype(np.float64)
    return Rows(features, labels, np.linspace(0.5, 2.0, count))


def test_threads_change_no_byte_of_a_model() -> None:
    one, two = (
        model_text(
            train(
                drawn(3_000),
                SETTINGS,
                rounds=5,
                compute=Compute(threads=threads, seed=1),
                categorical=[1],
                title="",
            )
        )
        for threads in (1, 2)
    )
    assert one == two


def test_rounds_are_those_after_which_others_lose_least() -> None:
    rounds = best_rounds(
        drawn(3_000),
        drawn(1_000, seed=2),
        SETTINGS,
        most=60,
        compute=COMPUTE,
        categorical=[1],
        title="",
    )
    assert 1 < rounds < 60
