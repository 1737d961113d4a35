from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training import behaviour_fit
from pairguard_training.age_labels import AgeRows
from pairguard_training.behaviour_fit import (
    FEWEST_PEOPLE,
    KNOTS_YEARS,
    MOST_TREES,
    BehaviourFit,
    fit_behaviour,
)
from pairguard_training.boosting import Compute
from pairguard_training.metrics import RankedScores

Array = NDArray[np.float64]

COMPUTE = Compute(threads=1, seed=1)


@functools.cache
def catalogue() -> SignalCatalogue:
    return SignalCatalogue.from_mapping(
        {
            "interests": [],
            "signals": [
                {"name": name, "kind": "number", "age_input": name != "secret"}
                for name in ("typing", "time", "constant", "noise", "secret")
            ],
        }
    )


def people(count: int, *, seed: int = 1, lowest: int = 13) -> tuple[AgeRows, Array]:
    """Return people and vectors: two signals that tell of age, days among seconds, noise."""
    rng = np.random.default_rng(seed)
    ages = np.minimum(lowest + rng.gamma(1.5, 8.0, count), 90.0)
    typing = ages + rng.normal(0.0, 8.0, count)
    time = np.exp(rng.normal(3.0, 1.0, count) - 0.5 * (ages < 18))
    time[rng.random(count) < 0.01] = 5e5
    vectors = np.column_stack(
        [typing, time, np.full(count, 3.0), rng.normal(0.0, 1.0, count), ages]
    )
    vectors[rng.random(count) < 0.1, 0] = np.nan
    names = [f"p{i}" for i in range(count)]
    return AgeRows(names, names, ages, np.ones(count), np.zeros(count)), vectors


def fitted(rows: AgeRows, vectors: Array, groups: list[str] | None = None) -> BehaviourFit:
    fit = fit_behaviour(catalogue(), rows, vectors, groups=groups, compute=COMPUTE)
    assert isinstance(fit, BehaviourFit)
    return fit


@functools.cache
def example() -> tuple[AgeRows, Array, BehaviourFit]:
    rows, vectors = people(2_000)
    return rows, vectors, fitted(rows, vectors)


def ranked(likelihoods: Array, ages: Array) -> float:
    prior = np.bincount(ages.astype(np.int64), minlength=101) + 1e-3
    p = np.exp(likelihoods) * prior
    minor = np.clip(p[:, :18].sum(axis=1) / p.sum(axis=1), 1e-9, 1 - 1e-9)
    return RankedScores(minor, (ages < 18).astype(np.float64)).measure(np.ones(ages.size)).roc_auc


def test_people_left_out_are_told_apart_and_so_are_strangers() -> None:
    rows, _, fit = example()
    assert ranked(fit.out_of_fold, rows.ages) > 0.72
    others, vectors = people(2_000, seed=2)
    model = fit.tempered(1.0)
    assert ranked(model.log_likelihoods(vectors), others.ages) > 0.72


def test_only_what_may_speak_and_varies_is_looked_at() -> None:
    _, vectors, fit = example()
    assert fit.tempered(1.0).columns == (0, 1, 3)
    assert fit.rows.shape == (2_000, 3)
    assert vectors.shape == (2_000, 5)


def test_served_trees_stay_within_their_number() -> None:
    fit = example()[2]
    knots = fit.tempered(1.0).knots_years
    assert fit.rounds * (len(knots) - 1) <= MOST_TREES
    assert len(fit.booster.dump_model()["tree_info"]) == fit.rounds * (len(knots) - 1)


def test_nobody_is_scored_by_a_model_that_knew_the_person_or_the_household() -> None:
    rows, vectors = people(600)
    groups = [f"g{i // 2}" for i in range(600)]
    before = fitted(rows, vectors, groups).out_of_fold
    # A false age of one person changes the scores of strangers, not those of the household.
    ages = rows.ages.copy()
    ages[0] = 80.0
    false = AgeRows(rows.snapshot_ids, rows.participants, ages, rows.weights, rows.seconds)
    after = fitted(false, vectors, groups).out_of_fold
    relative = [found - found[:, [15]] for found in (before, after)]
    changed = np.abs(relative[0] - relative[1]).max(axis=1) > 1e-9
    assert not changed[:2].any()
    assert changed.any()


def test_knots_without_people_near_them_are_left_out() -> None:
    rows, vectors = people(1_000)
    knots = fitted(rows, vectors).tempered(1.0).knots_years
    assert knots == KNOTS_YEARS[1:]  # nobody is under 13
    rows, vectors = people(1_000, lowest=8)
    assert fitted(rows, vectors).tempered(1.0).knots_years == KNOTS_YEARS


def test_people_count_as_often_as_they_stand_for_others() -> None:
    rows, vectors = people(1_200)
    shuffled = vectors.copy()
    shuffled[600:] = np.random.default_rng(3).permutation(vectors[600:])
    weights = np.where(np.arange(1_200) < 600, 1.0, 1e-3)
    weighted = AgeRows(rows.snapshot_ids, rows.participants, rows.ages, weights, rows.seconds)
    others, strangers = people(2_000, seed=2)
    found = [
        ranked(fitted(each, shuffled).tempered(1.0).log_likelihoods(strangers), others.ages)
        for each in (rows, weighted)
    ]
    assert found[1] > found[0]


def test_a_part_is_learned_from_alone() -> None:
    rows, vectors, fit = example()
    mask = np.arange(2_000) < 1_000
    ages = np.where(mask, rows.ages, 40.0)
    other = AgeRows(rows.snapshot_ids, rows.participants, ages, rows.weights, rows.seconds)
    otherwise = replace(fitted(other, vectors), rounds=fit.rounds)
    found = [each.of_part(mask, 0.2, compute=COMPUTE) for each in (fit, otherwise)]
    lines = [np.diff(part.log_likelihoods(vectors), axis=1) for part in found if part is not None]
    assert len(lines) == 2
    assert lines[0] == pytest.approx(lines[1], abs=1e-9)
    assert fit.of_part(np.zeros(2_000, dtype=np.bool_), 0.9, compute=COMPUTE) is None


def test_too_few_people_teach_nothing() -> None:
    rows, vectors = people(FEWEST_PEOPLE - 1)
    told = fit_behaviour(catalogue(), rows, vectors, compute=COMPUTE)
    assert isinstance(told, str)
    assert str(FEWEST_PEOPLE) in told


def test_the_line_between_minors_and_adults_is_a_slope() -> None:
    _, vectors, fit = example()
    rows = fit.tempered(1.0).log_likelihoods(vectors)
    steps = np.abs(np.diff(rows, axis=1))
    low, high = behaviour_fit.KNOTS_YEARS[2:4]
    assert low < 18.0 < high
    # From the knot before the line to the one after it every year counts alike.
    assert steps[:, 17] == pytest.approx(steps[:, 18], abs=1e-9)
