from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard_training.line_calibration import line_calibration

Array = NDArray[np.float64]

PRIOR = np.where((AGE_GRID >= 10) & (AGE_GRID < 40), 1.0, 1e-6)
PRIOR /= PRIOR.sum()


def posteriors(count: int, *, believed: float) -> tuple[Array, Array]:
    """Return posteriors after one noisy observation, their evidence multiplied, and true ages."""
    rng = np.random.default_rng(1)
    ages = rng.choice(AGE_COUNT, count, p=PRIOR).astype(np.float64)
    seen = ages + rng.normal(0.0, 6.0, count)
    p = np.exp(-0.5 * believed * ((seen[:, np.newaxis] - AGE_GRID) / 6.0) ** 2) * PRIOR
    return p / p.sum(axis=1, keepdims=True), ages


def test_an_exact_posterior_has_slope_one_where_one_can() -> None:
    exact, ages = posteriors(40_000, believed=1.0)
    found = line_calibration(exact, ages, np.ones(40_000))
    assert found.over_all == pytest.approx(1.0, abs=0.04)
    assert found.within_the_line == pytest.approx(1.0, abs=0.08)
    # Those of true age 15-20 are chosen by what is predicted: below 1, as foretold.
    assert found.at_the_line < 0.8
    assert found.at_the_line_if_exact == pytest.approx(found.at_the_line, abs=0.05)


def test_one_that_is_twice_too_sure_shows_in_all_slopes() -> None:
    exact, ages = posteriors(20_000, believed=1.0)
    sure, _ = posteriors(20_000, believed=2.0)
    right = line_calibration(exact, ages, np.ones(20_000))
    found = line_calibration(sure, ages, np.ones(20_000))
    assert found.over_all < 0.7 * right.over_all
    assert found.within_the_line == pytest.approx(0.5 * right.within_the_line, abs=0.06)
    assert found.at_the_line < 0.8 * found.at_the_line_if_exact


def test_nobody_around_the_line_tells_nothing_of_it() -> None:
    exact, ages = posteriors(3_000, believed=1.0)
    far = (ages < 15) | (ages >= 21)
    found = line_calibration(exact[far], ages[far], np.ones(int(far.sum())))
    assert math.isnan(found.at_the_line)
    assert math.isnan(found.within_the_line)
    # Those who were left out were the ones that are hard to tell.
    assert found.over_all > 1.0
