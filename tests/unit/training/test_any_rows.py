from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.trees import TreeModel
from pairguard_training.boosting import Compute
from pairguard_training.harm.any_rows import LabelledRows, RowsFit, fit_rows
from pairguard_training.harm.crossing import STOPS
from pairguard_training.harm.settings import HarmSettings
from pairguard_training.harm_fit import FEWEST_POSITIVES

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


def pairs(count: int, positives: int, *, seed: int = 1) -> LabelledRows:
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
    first, second = rng.integers(0, count // 3, (2, count))
    return LabelledRows(rows, FEATURES, harmed, np.ones(count), first, second)


def fitted(count: int, positives: int) -> RowsFit:
    fit = fit_rows(pairs(count, positives), compute=COMPUTE)
    assert isinstance(fit, RowsFit)
    return fit


def chances(fit: RowsFit, rows: Array) -> Array:
    trees = TreeModel(fit.text).with_missing_as_majority()
    return fit.calibration.probabilities(trees.raw_scores(rows)[:, 0])


def test_too_few_events_make_no_model_and_say_so() -> None:
    found = fit_rows(pairs(900, FEWEST_POSITIVES - 1), compute=COMPUTE)
    assert isinstance(found, str)
    assert f"{FEWEST_POSITIVES - 1} of 900" in found


def test_thirty_six_of_943_make_a_model_that_says_what_is_uncertain() -> None:
    (note,) = fitted(943, 36).notes
    assert "harmed pairs only" in note


def test_harm_rises_with_minor_adult_probability_and_with_reports_only() -> None:
    fit = fitted(6_000, 500)
    base = pairs(40, 10, seed=5).rows()
    for name in ("minor_adult_probability", "min:history.reports", "max:history.reports"):
        column = FEATURES.names.index(name)
        for row in base:
            grid = np.tile(row, (60, 1))
            grid[:, column] = np.linspace(-4.0, 4.0, 60)
            assert all(low <= high for low, high in pairwise(chances(fit, grid)))
    dangerous, harmless = base.copy(), base.copy()
    dangerous[:, 0], harmless[:, 0] = 0.99, 0.01
    assert chances(fit, dangerous).mean() > 2.0 * chances(fit, harmless).mean()


def test_the_level_is_right_of_people_never_seen() -> None:
    other = pairs(6_000, 450, seed=2)
    found = chances(fitted(6_000, 450), other.rows())
    assert found.sum() == pytest.approx(other.positives, rel=0.15)


def test_too_few_events_left_out_choose_no_number_of_rounds() -> None:
    assert fitted(4_000, 150).rounds == STOPS[0]
    assert fitted(6_000, 1_500).rounds in STOPS[1:]


def test_a_fit_trains_rows_as_it_trains_pairs() -> None:
    text = fitted(943, 36).text
    told = dict(
        line.strip("[]").split(": ", 1)
        for line in text.partition("parameters:")[2].splitlines()
        if line.startswith("[")
    )
    for name, value in HarmSettings().untaught_trees.items():
        assert told[name] == str(value).removesuffix(".0"), name


def test_every_pair_harmed_tells_nothing() -> None:
    assert isinstance(fit_rows(pairs(100, 100), compute=COMPUTE), str)
