from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from pairguard.errors import ConfigurationRefused
from pairguard.risk.features import PairFeatures
from pairguard_training.boosting import Compute
from pairguard_training.commands.fit import tuning_budget
from pairguard_training.harm import crossing
from pairguard_training.harm.crossing import CrossedFit, LeftOut, fit_crossed, left_out_scores
from pairguard_training.harm.pairs import MetPairs
from pairguard_training.harm.settings import MOST_LEAVES, MOST_TREES, HarmSettings
from pairguard_training.harm.tuning import Tuned, TuningBudget, tune_harm
from pairguard_training.harm.two_dangers import TwoDangers
from pairguard_training.harm_fit import FEWEST_POSITIVES
from tests.unit.training.met_pairs import CATALOGUE, met_pairs

COMPUTE = Compute(threads=1, seed=1)
FEATURES = PairFeatures(CATALOGUE)


@pytest.fixture(scope="module")
def pairs() -> MetPairs:
    return met_pairs(5_000, level=-4.0)


@pytest.fixture(scope="module")
def crossed(pairs: MetPairs) -> CrossedFit:
    fit = fit_crossed(CATALOGUE, pairs, compute=COMPUTE)
    assert isinstance(fit, CrossedFit)
    return fit


def _as_served(crossed: CrossedFit, pairs: MetPairs) -> MetPairs:
    return replace(pairs, features=crossed.fit.model.features)


def test_predictions_of_people_left_out_and_labels_have_the_same_sum(crossed: CrossedFit) -> None:
    figures = crossed.figures
    assert figures["calibration_predicted"] == pytest.approx(figures["calibration_positives"])
    assert figures["calibration_positives_by_weight"] == figures["calibration_positives"]
    assert figures["calibration_positives"] > 50
    assert set(figures["left_out_log_loss"]) == {"taught", *(f"trees {n}" for n in crossing.STOPS)}


def test_with_weights_the_sums_are_those_of_what_pairs_stand_for(pairs: MetPairs) -> None:
    weights = np.where(pairs.first % 2 == 0, 1.0, 1.0 / 0.7)
    fit = fit_crossed(CATALOGUE, replace(pairs, weights=weights), compute=COMPUTE)
    assert isinstance(fit, CrossedFit)
    by_weight = fit.figures["calibration_positives_by_weight"]
    assert by_weight > 1.1 * fit.figures["calibration_positives"]
    assert fit.figures["calibration_predicted"] == pytest.approx(by_weight, rel=1e-5)


def test_the_level_is_right_of_people_never_seen(crossed: CrossedFit) -> None:
    others = _as_served(crossed, met_pairs(40_000, level=-4.0, seed=2))
    found = crossed.fit.calibrated(others.rows())
    assert found.sum() == pytest.approx(others.positives, rel=0.25)
    assert found[others.harmed].mean() > 1.5 * found[~others.harmed].mean()


def test_trees_are_few_and_small_and_danger_never_lowers_harm(
    crossed: CrossedFit, pairs: MetPairs
) -> None:
    assert crossed.fit.rounds <= MOST_TREES
    forest = crossed.fit.model._trees.forest
    assert max(len(tree.leaf_values) for tree in forest.trees) <= MOST_LEAVES
    base = _as_served(crossed, pairs).rows()[:20]
    names = crossed.fit.model.features.names
    for name in ("minor_adult_probability", "danger:either", "max:sign 0", "min:sign 3"):
        column = names.index(name)
        for row in base:
            grid = np.tile(row, (40, 1))
            grid[:, column] = np.linspace(0.0, 8.0, 40)
            found = crossed.fit.calibrated(grid)
            assert all(low <= high for low, high in pairwise(found))


def test_taught_trees_copy_what_the_two_dangers_say(crossed: CrossedFit) -> None:
    assert crossed.figures["trees"] == "taught"
    others = _as_served(crossed, met_pairs(20_000, seed=3))
    rows = others.rows()
    dangers = crossed.fit.model.features.dangers
    assert dangers is not None
    said = rows[:, crossed.fit.model.features.names.index("danger:either")]
    teacher = TwoDangers(dangers, of_seeming_minors=0.5, slope_left=0.0)
    assert said.tobytes() == teacher.probabilities(others).tobytes()
    served = crossed.fit.calibrated(rows)
    assert spearmanr(said, served).statistic > 0.99
    worst = others.count // 100
    assert len(set(np.argsort(said)[-worst:]) & set(np.argsort(served)[-worst:])) > 0.9 * worst


def test_the_same_pairs_give_the_same_bytes(crossed: CrossedFit, pairs: MetPairs) -> None:
    again = fit_crossed(CATALOGUE, pairs, compute=COMPUTE)
    assert isinstance(again, CrossedFit)
    assert again.fit.text == crossed.fit.text
    assert again.figures == crossed.figures


def test_nobody_is_scored_by_a_model_that_has_seen_them(
    pairs: MetPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []
    scored: list[set[int]] = []

    class Spy:
        compute = COMPUTE

        def taught(self, some: MetPairs) -> None:
            seen.append({*some.groups_first.tolist(), *some.groups_second.tolist()})

    def scores(_: Any, some: MetPairs, **__: Any) -> np.ndarray[Any, Any]:
        scored.append({*some.groups_first.tolist(), *some.groups_second.tolist()})
        return np.zeros(some.count)

    monkeypatch.setattr(crossing, "served_scores", scores)
    left_out_scores(Spy(), pairs, kinds=("taught",))  # type: ignore[arg-type]
    assert len(seen) == len(scored) == crossing.FOLDS
    assert all(not one & other for one, other in zip(seen, scored, strict=True))
    assert not set.intersection(*scored)


def test_only_strangers_to_the_age_side_calibrate(pairs: MetPairs) -> None:
    strangers = pairs.first % 3 > 0
    fit = fit_crossed(CATALOGUE, replace(pairs, strangers=strangers), compute=COMPUTE)
    all_of_them = fit_crossed(CATALOGUE, pairs, compute=COMPUTE)
    assert isinstance(fit, CrossedFit)
    assert isinstance(all_of_them, CrossedFit)
    assert fit.figures["calibration_pairs"] < 0.8 * all_of_them.figures["calibration_pairs"]
    assert fit.fit.text == all_of_them.fit.text


@pytest.mark.parametrize("harmed", [0, FEWEST_POSITIVES - 1, 3_000])
def test_what_cannot_be_learned_is_said(harmed: int) -> None:
    pairs = met_pairs(3_000)
    label = np.arange(3_000) < harmed
    found = fit_crossed(CATALOGUE, replace(pairs, harmed=label), compute=COMPUTE)
    assert isinstance(found, str)
    assert ("every pair" if harmed == 3_000 else f"{harmed} of 3000") in found


def test_few_harmed_pairs_are_taught_and_their_uncertain_level_is_said() -> None:
    pairs = met_pairs(1_200, level=-5.5)
    assert FEWEST_POSITIVES <= pairs.positives < 60
    fit = fit_crossed(CATALOGUE, pairs, compute=COMPUTE)
    assert isinstance(fit, CrossedFit)
    assert fit.figures["trees"] == "taught"
    assert any("uncertain" in note for note in fit.fit.notes)


def test_trees_by_reports_alone_are_taken_only_where_they_surely_win(pairs: MetPairs) -> None:
    truth = np.where(pairs.harmed, 1.0, -1.0)
    rng = np.random.default_rng(1)
    told = LeftOut()
    good = 1.5 * truth + rng.normal(0.0, 1.0, pairs.count)
    hardly = good + rng.normal(0.0, 0.05, pairs.count)
    told.add(np.arange(pairs.count), {"taught": good, "trees 50": hardly})
    assert told.surely_better(pairs) == "taught"
    told.scores["trees 100"] = (good + 2.0 * truth).tolist()
    assert told.surely_better(pairs) == "trees 100"
    assert LeftOut().surely_better(pairs) == "taught"


def test_people_paired_otherwise_are_the_same_people_and_tell_no_outcome(pairs: MetPairs) -> None:
    others = pairs.otherwise_paired(count=3_000, seed=1)
    assert 2_900 < others.count <= 3_000
    assert others.positives == 0
    assert not (others.groups_first == others.groups_second).any()
    minors = dict(zip(pairs.first.tolist(), pairs.minor_first.tolist(), strict=True))
    minors |= dict(zip(pairs.second.tolist(), pairs.minor_second.tolist(), strict=True))
    assert all(
        minors[person] == minor
        for person, minor in zip(others.first.tolist(), others.minor_first.tolist(), strict=True)
    )
    assert others.rows().shape == (others.count, len(FEATURES.names))


def test_the_loss_of_pairs_left_out_is_after_calibration(pairs: MetPairs) -> None:
    told = LeftOut()
    truth = np.where(pairs.harmed, 1.0, -1.0)
    noise = np.random.default_rng(1).normal(0.0, 1.0, pairs.count)
    told.add(np.arange(pairs.count), {"good": truth * 0.5 + noise, "none": noise})
    losses = told.losses(pairs)
    base = pairs.positives / pairs.count
    entropy = -base * np.log(base) - (1 - base) * np.log1p(-base)
    assert losses["good"] < losses["none"] < 1.001 * entropy


def test_tuning_by_trials_chooses_the_same_again_and_never_worse(pairs: MetPairs) -> None:
    pytest.importorskip("optuna")
    few = pairs.where(np.arange(3_000))
    one, two = (
        tune_harm(
            CATALOGUE,
            few,
            start=HarmSettings(),
            budget=TuningBudget(trials=2),
            compute=COMPUTE,
        )
        for _ in range(2)
    )
    assert isinstance(one, Tuned)
    assert one == two
    assert one.figures["trials"] == 2
    assert one.figures["budget"] == "2"
    assert one.figures["log_loss"] <= one.figures["log_loss_before"]
    assert "2 trials" in one.sentence


def test_too_few_harmed_pairs_tune_nothing() -> None:
    pytest.importorskip("optuna")
    found = tune_harm(
        CATALOGUE,
        met_pairs(600),
        start=HarmSettings(),
        budget=TuningBudget(seconds=1.0),
        compute=COMPUTE,
    )
    assert isinstance(found, str)
    assert "cannot tell" in found


def test_without_optuna_tuning_is_refused_by_name(
    pairs: MetPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationRefused) as refused:
        tune_harm(
            CATALOGUE,
            pairs,
            start=HarmSettings(),
            budget=TuningBudget(trials=1),
            compute=COMPUTE,
        )
    assert "pairguard[tuning]" in str(refused.value)


def test_a_budget_is_trials_or_seconds() -> None:
    assert tuning_budget("40") == TuningBudget(trials=40)
    assert tuning_budget("90s") == TuningBudget(seconds=90.0)
    assert str(tuning_budget("90s")) == "90s"
