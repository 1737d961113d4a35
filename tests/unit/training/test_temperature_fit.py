from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard_training.age_labels import AgeRows
from pairguard_training.temperature_fit import UNCHECKED, fit_temperature

Array = NDArray[np.float64]

PRIOR = np.where((AGE_GRID >= 10) & (AGE_GRID < 40), 1.0, 1e-6)
PRIOR /= PRIOR.sum()


def people(count: int, *, noise_years: float, seed: int = 1) -> tuple[AgeRows, Array]:
    """Return people and the exact log-likelihood of one noisy observation of each age."""
    rng = np.random.default_rng(seed)
    ages = rng.choice(AGE_COUNT, count, p=PRIOR).astype(np.float64)
    seen = ages + rng.normal(0.0, noise_years, count)
    exact = -0.5 * ((seen[:, np.newaxis] - AGE_GRID) / noise_years) ** 2
    # Relative to the population, as the model gives it.
    mean = np.log((np.exp(exact) * PRIOR).sum(axis=1, keepdims=True))
    names = [f"p{i}" for i in range(count)]
    return AgeRows(names, names, ages, np.ones(count), np.zeros(count)), exact - mean


def test_an_exact_likelihood_is_believed() -> None:
    rows, likelihoods = people(4_000, noise_years=8.0)
    found = fit_temperature(likelihoods, PRIOR, rows)
    assert found.temperature == pytest.approx(1.0, abs=0.1)
    assert not found.contradicted
    assert found.people == 4_000


def test_one_that_is_twice_too_sure_is_halved() -> None:
    rows, likelihoods = people(4_000, noise_years=8.0)
    exact = fit_temperature(likelihoods, PRIOR, rows)
    found = fit_temperature(2.0 * likelihoods, PRIOR, rows)
    assert found.over_all_ages == pytest.approx(0.5 * exact.over_all_ages, abs=0.03)
    assert found.temperature == pytest.approx(0.5 * exact.temperature, abs=0.03)


def test_one_that_is_too_cautious_is_believed_more() -> None:
    rows, likelihoods = people(4_000, noise_years=8.0)
    found = fit_temperature(0.8 * likelihoods, PRIOR, rows)
    assert found.temperature == pytest.approx(1.25, abs=0.12)


def test_the_line_decides_alone_where_it_is_plainly_more_cautious() -> None:
    rows, likelihoods = people(6_000, noise_years=8.0)
    # Right but for made-up differences between the ages from 15 to 20.
    noise = np.random.default_rng(2).normal(0.0, 0.7, (6_000, AGE_COUNT))
    noise[:, (AGE_GRID < 15) | (AGE_GRID >= 21)] = 0.0
    found = fit_temperature(likelihoods + noise, PRIOR, rows)
    assert found.contradicted
    assert 0.05 < found.around_the_line < 0.8
    assert found.temperature == found.around_the_line < found.over_all_ages


def test_a_likelihood_that_tells_nothing_is_not_used() -> None:
    rows, _ = people(2_000, noise_years=8.0)
    noise = np.random.default_rng(3).normal(0.0, 1.5, (2_000, AGE_COUNT))
    assert fit_temperature(noise, PRIOR, rows).temperature == 0.0


def test_with_few_people_the_guess_is_cautious() -> None:
    rows, likelihoods = people(30, noise_years=8.0)
    found = fit_temperature(likelihoods, PRIOR, rows)
    assert found.temperature <= UNCHECKED
    assert math.isnan(found.around_the_line)
    nobody = fit_temperature(likelihoods[:0], PRIOR, rows.where(np.zeros(30, dtype=np.bool_)))
    assert nobody.temperature == UNCHECKED
    rows, likelihoods = people(60, noise_years=8.0)  # too few of them around the line
    assert fit_temperature(likelihoods, PRIOR, rows).temperature <= UNCHECKED


@pytest.mark.parametrize("minors", [True, False])
def test_people_on_one_side_of_the_line_do_not_check_it(minors: bool) -> None:
    # Whatever takes everybody for an adult tells best of people who all are.
    rows, likelihoods = people(4_000, noise_years=8.0)
    kept = (rows.ages < 18) == minors
    found = fit_temperature(likelihoods[kept], PRIOR, rows.where(kept))
    assert found.people_around_the_line > 100
    assert math.isnan(found.around_the_line)
    assert found.temperature <= UNCHECKED


def test_people_count_as_often_as_they_stand_for_others() -> None:
    rows, likelihoods = people(3_000, noise_years=8.0)
    wrong = np.arange(3_000) % 2 == 1
    mixed = np.where(wrong[:, np.newaxis], 0.3 * likelihoods, likelihoods)
    weights = np.where(wrong, 1e-3, 1.0)
    weighted = AgeRows(rows.snapshot_ids, rows.participants, rows.ages, weights, rows.seconds)
    right = fit_temperature(likelihoods[~wrong], PRIOR, rows.where(~wrong))
    found = fit_temperature(mixed, PRIOR, weighted)
    assert found.over_all_ages == pytest.approx(right.over_all_ages, abs=0.02)
