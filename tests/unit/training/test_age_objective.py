from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.risk.behaviour import ramps
from pairguard_training.age_objective import LINE_YEARS, AgeObjective

Array = NDArray[np.float64]

KNOTS = (11.0, 15.0, 20.5, 40.0)
PRIOR = np.exp(-0.5 * ((AGE_GRID - 22.0) / 9.0) ** 2) + 1e-6
PRIOR /= PRIOR.sum()


def drawn(count: int = 300) -> tuple[Array, NDArray[np.int64]]:
    rng = np.random.default_rng(4)
    return rng.normal(0.0, 1.0, (count, 3)), rng.choice(AGE_COUNT, count, p=PRIOR)


def test_the_loss_is_that_of_the_posterior_over_the_whole_grid() -> None:
    scores, ages = drawn()
    p = np.exp(scores @ ramps(KNOTS).T) * PRIOR
    p /= p.sum(axis=1, keepdims=True)
    minor = p[:, :LINE_YEARS].sum(axis=1)
    side = np.where(ages < LINE_YEARS, minor, 1.0 - minor)
    share = PRIOR[:LINE_YEARS].sum()
    before = np.log(PRIOR[ages]) + np.log(np.where(ages < LINE_YEARS, share, 1.0 - share))
    expected = before - np.log(p[np.arange(len(ages)), ages]) - np.log(side)
    found = AgeObjective.over(KNOTS, PRIOR).losses(scores, ages)
    assert found == pytest.approx(expected, abs=1e-9)
    assert AgeObjective.over(KNOTS, PRIOR).losses(0.0 * scores, ages) == pytest.approx(0.0)


def test_the_slope_is_that_of_the_loss() -> None:
    scores, ages = drawn()
    objective = AgeObjective.over(KNOTS, PRIOR)
    slope, curvature = objective.gradients(scores, ages)
    for column in range(3):
        step = np.zeros(3)
        step[column] = 1e-5
        rise = objective.losses(scores + step, ages) - objective.losses(scores - step, ages)
        assert slope[:, column] == pytest.approx(rise / 2e-5, abs=1e-6)
    assert (curvature > 0.0).all()


def test_knots_on_one_side_of_the_line_part_it_still() -> None:
    scores, ages = drawn()
    objective = AgeObjective.over((11.0, 15.0), PRIOR)
    assert objective.minor.any()
    assert not objective.minor.all()
    assert np.isfinite(objective.losses(scores[:, :1], ages)).all()


def test_boosting_is_given_weighted_slopes_in_either_layout() -> None:
    scores, ages = drawn()
    weights = np.linspace(0.1, 3.0, len(ages))
    objective = AgeObjective.over(KNOTS, PRIOR)
    slope, curvature = objective.gradients(scores, ages)
    boosted = objective.for_boosting(ages, weights)
    for told, expected in zip(boosted(scores, None), (slope, curvature), strict=True):
        assert told == pytest.approx(expected * weights[:, np.newaxis])
    for told, expected in zip(
        boosted(scores.ravel(order="F"), None), (slope, curvature), strict=True
    ):
        assert told == pytest.approx((expected * weights[:, np.newaxis]).ravel(order="F"))
