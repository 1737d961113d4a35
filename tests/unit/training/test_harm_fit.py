from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard_training.boosting import Compute, taken
from pairguard_training.harm_fit import FEWEST_POSITIVES, HarmFit, HarmPairs, fit_harm

Array = NDArray[np.float64]

CATALOGUE = SignalCatalogue.from_mapping(
    {
        "interests": [],
        "signals": [
            {"name": "typing, speed", "kind": "number", "age_input": True},
            {"name": "always the same", "kind": "number"},
            {"name": "never known", "kind": "number"},
            {"name": "os", "kind": "category", "categories": ["a", "b", "c"]},
            {
                "name": "history.reports",
                "kind": "number",
                "minimum": 0,
                "source": "history",
                "direction": "increasing",
            },
        ],
    }
)
FEATURES = PairFeatures(CATALOGUE)
COMPUTE = Compute(threads=1, seed=1)


def pairs(count: int, positives: int, *, people: str, seed: int = 1) -> HarmPairs:
    rng = np.random.default_rng(seed)
    rows = rng.normal(0.0, 1.0, (count, len(FEATURES.names)))
    rows[:, 0] = rng.random(count)
    for column, name in enumerate(FEATURES.names):
        if "same" in name and "os" not in name:
            rows[:, column] = 3.0
        elif "never known" in name:
            rows[:, column] = np.nan
        elif name.endswith(":os"):
            rows[:, column] = rng.integers(0, 3, count)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[:, 0] = np.nan_to_num(rows[:, 0], nan=0.5)
    danger = rows[:, 0] * 3.0 + rng.normal(0.0, 1.0, count)
    harmed = np.zeros(count, dtype=np.bool_)
    harmed[np.argsort(-danger)[:positives]] = True
    names = [f"{people}{i}" for i in rng.integers(0, count // 3, 2 * count)]
    return HarmPairs(rows, harmed, names[:count], names[count:])


def fitted(count: int, positives: int) -> HarmFit:
    fit = fit_harm(
        FEATURES,
        pairs(count, positives, people="learned"),
        pairs(count // 2, positives // 2, people="other", seed=2),
        compute=COMPUTE,
    )
    assert isinstance(fit, HarmFit)
    return fit


def test_too_few_harmed_pairs_make_no_model_and_say_so() -> None:
    learned = pairs(900, FEWEST_POSITIVES - 1, people="learned")
    found = fit_harm(FEATURES, learned, learned, compute=COMPUTE)
    assert isinstance(found, str)
    assert f"{FEWEST_POSITIVES - 1} of 900" in found


def test_thirty_six_of_943_make_a_model_that_says_what_is_uncertain() -> None:
    fit = fitted(943, 36)
    assert any("18 harmed pairs" in note for note in fit.notes)


def test_harm_rises_with_minor_adult_probability_and_with_reports_only() -> None:
    fit = fitted(6_000, 500)
    base = taken(pairs(40, 10, people="x", seed=5).features, np.arange(40))
    for name in ("minor_adult_probability", "min:history.reports", "max:history.reports"):
        column = FEATURES.names.index(name)
        for row in base:
            grid = np.tile(row, (60, 1))
            grid[:, column] = np.linspace(-4.0, 4.0, 60)
            found = fit.calibrated(grid)
            assert all(low <= high for low, high in pairwise(found))
    dangerous, harmless = base.copy(), base.copy()
    dangerous[:, 0], harmless[:, 0] = 0.99, 0.01
    assert fit.calibrated(dangerous).mean() > 2.0 * fit.calibrated(harmless).mean()


def test_the_sum_of_predictions_on_other_people_is_that_of_the_labels() -> None:
    fit = fitted(4_000, 300)
    other = pairs(2_000, 150, people="other", seed=2)
    assert fit.calibrated(other.features).sum() == pytest.approx(other.positives, abs=1e-6)


def test_too_few_harmed_pairs_choose_no_number_of_rounds() -> None:
    # Of 150 harmed pairs some two dozen are of two people set aside.
    assert fitted(4_000, 150).rounds == 50
    assert fitted(6_000, 1_000).rounds != 50


def test_every_pair_harmed_tells_nothing() -> None:
    learned = pairs(100, 100, people="learned")
    assert isinstance(fit_harm(FEATURES, learned, learned, compute=COMPUTE), str)
