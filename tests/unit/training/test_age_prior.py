from __future__ import annotations

import numpy as np
import pytest

from pairguard.bundle.defaults import default_age_tables
from pairguard_training.age_labels import AgeRows
from pairguard_training.age_prior import (
    FEWEST_OF_EITHER_SIDE,
    FEWEST_PEOPLE,
    smoothed_density,
    with_fitted_prior,
)


def rows_of(ages: list[float], weights: list[float] | None = None) -> AgeRows:
    names = [f"p{i}" for i in range(len(ages))]
    return AgeRows(
        names,
        names,
        np.array(ages, dtype=np.float64),
        np.ones(len(ages)) if weights is None else np.array(weights),
        np.zeros(len(ages)),
    )


def test_with_too_few_people_the_default_prior_counts() -> None:
    tables = default_age_tables()
    assert with_fitted_prior(tables, rows_of([15.5] * (FEWEST_PEOPLE - 1))) is tables
    # Many people of whom one weighs nearly everything are few.
    weights = [1000.0] + [0.001] * 500
    assert with_fitted_prior(tables, rows_of([15.5] * 501, weights)) is tables


def test_many_people_teach_a_prior_close_to_their_ages() -> None:
    ages = np.random.default_rng(1).normal(25.0, 4.0, 20_000)
    tables = with_fitted_prior(default_age_tables(), rows_of(ages.tolist()))
    prior = tables.prior("", "")
    assert prior.sum() == pytest.approx(1.0)
    assert prior[:18].sum() == pytest.approx((ages < 18).mean(), abs=0.01)
    assert prior[40:].sum() < 0.01
    assert prior.min() > 0.0
    source = tables.document["prior"]["default"]["source"]
    assert "20000 people" in source
    assert "sampling_probability" in source


def test_few_people_are_mixed_with_the_default() -> None:
    default = default_age_tables().prior("", "")
    ages = [15.5] * 160 + [30.5] * 40
    young = with_fitted_prior(default_age_tables(), rows_of(ages)).prior("", "")
    assert young[:18].sum() == pytest.approx(0.4 + 0.5 * default[:18].sum(), abs=0.02)


@pytest.mark.parametrize(("age", "others"), [(30.5, 15.5), (15.5, 30.5)])
def test_a_side_of_whom_few_are_labelled_does_not_become_rarer(age: float, others: float) -> None:
    default = default_age_tables().prior("", "")
    side = slice(0, 18) if others < 18 else slice(18, None)
    few, enough = (
        with_fitted_prior(default_age_tables(), rows_of([age] * 5_000 + [others] * count)).prior(
            "", ""
        )
        for count in (FEWEST_OF_EITHER_SIDE - 1, FEWEST_OF_EITHER_SIDE)
    )
    assert few[side].sum() == pytest.approx(default[side].sum(), rel=1e-6)
    assert enough[side].sum() < 0.2 * default[side].sum()
    # What is learned within the other side is learned.
    assert few[int(age)] > 2.0 * default[int(age)]


def test_weights_say_whom_a_person_stands_for() -> None:
    ages, weights = [15.5] * 400 + [30.5] * 400, [1.0] * 400 + [3.0] * 400
    prior = with_fitted_prior(default_age_tables(), rows_of(ages, weights)).prior("", "")
    equal = with_fitted_prior(default_age_tables(), rows_of(ages)).prior("", "")
    assert prior[:18].sum() < equal[:18].sum() - 0.1


def test_nobody_is_lost_at_the_ends_of_the_grid() -> None:
    density = smoothed_density(np.array([0.0, 100.9]), np.array([1.0, 1.0]))
    assert density.sum() == pytest.approx(1.0)
    assert density[:10].sum() == pytest.approx(0.5)
