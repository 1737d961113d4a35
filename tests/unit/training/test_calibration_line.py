from __future__ import annotations

import math

import numpy as np
import pytest

from pairguard_training.calibration_line import calibration_line


def test_the_line_of_claims_that_are_too_extreme() -> None:
    rng = np.random.default_rng(1)
    log_odds = rng.normal(0.0, 1.5, 40_000)
    happened = (rng.random(40_000) < 1.0 / (1.0 + np.exp(-log_odds))).astype(np.float64)
    claims = 1.0 / (1.0 + np.exp(-(2.0 * log_odds - 1.0)))
    line = calibration_line(claims, happened, np.ones(40_000))
    assert line.slope == pytest.approx(0.5, abs=0.02)
    assert line.intercept == pytest.approx(0.5, abs=0.04)


def test_weights_count_as_copies() -> None:
    claims, happened = np.array([0.2, 0.4, 0.6, 0.7]), np.array([0.0, 1.0, 0.0, 1.0])
    weights = np.array([3.0, 1.0, 2.0, 4.0])
    copies = weights.astype(np.intp)
    once = calibration_line(claims, happened, weights)
    copied = calibration_line(
        np.repeat(claims, copies), np.repeat(happened, copies), np.ones(copies.sum())
    )
    assert once.slope == pytest.approx(copied.slope)
    assert once.intercept == pytest.approx(copied.intercept)


@pytest.mark.parametrize(
    ("claims", "happened"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0.0, 0.0, 1.0, 1.0]),  # perfectly divided
        ([0.1, 0.2, 0.8], [1.0, 1.0, 1.0]),
        ([0.5, 0.5, 0.5], [0.0, 1.0, 1.0]),
        ([], []),
    ],
)
def test_what_the_data_cannot_tell_is_not_told(claims: list[float], happened: list[float]) -> None:
    line = calibration_line(np.array(claims), np.array(happened), np.ones(len(claims)))
    assert math.isnan(line.slope)
    assert math.isnan(line.intercept)
