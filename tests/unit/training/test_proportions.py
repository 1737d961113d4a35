from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from pairguard_training.figures import counted, shown
from pairguard_training.proportions import proportion, share_of
from pairguard_training.resampling import Estimate


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Published tables of exact binomial limits, 95 %.
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (0, 598, 0.0, 0.00615),
    ],
)
def test_the_interval_is_that_of_clopper_and_pearson(
    count: int, of: int, low: float, high: float
) -> None:
    found = proportion(count, of)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_either_end_leaves_just_a_fortieth_beyond_the_count() -> None:
    found = proportion(7, 90)
    assert binom.sf(6, 90, found.low) == pytest.approx(0.025)
    assert binom.cdf(7, 90, found.high) == pytest.approx(0.025)


def test_of_nobody_nothing_is_known() -> None:
    found = proportion(0, 0)
    assert math.isnan(found.share)
    assert math.isnan(found.low)
    assert counted(found) == "-"


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        proportion(5, 4)


def test_a_share_is_counted_among_those_asked_for() -> None:
    happened, among = np.array([True, True, False, False]), np.array([True, False, True, True])
    found = share_of(happened, among)
    assert (found.count, found.of) == (1, 3)


def test_a_share_is_told_as_a_count_with_its_interval() -> None:
    assert counted(proportion(1, 10)) == "1/10 [.0025, .445]"
    assert counted(proportion(10, 10)) == "10/10 [.692, 1.000]"


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.912, 0.85, 1.02), ".912 [.850, 1.020]"),
        (Estimate(10.52, 0.5, 20.0), "10.520 [.500, 20.000]"),
        (Estimate(-0.05, -0.1, 0.0), "-.0500 [-.1000, .0000]"),
        (Estimate(0.5, math.nan, math.nan), ".500 [?]"),
        (Estimate(math.nan, math.nan, math.nan), "unknown"),
    ],
)
def test_a_figure_is_told_with_its_interval(estimate: Estimate, text: str) -> None:
    assert shown(estimate) == text
