from __future__ import annotations

import math

import pytest

from pairguard_training.report import words
from pairguard_training.resampling import Estimate


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (0.0381, "3.8 %"),
        (0.00042, "0.042 %"),
        (0.563, "56.3 %"),
        (0.99968, "99.97 %"),
        (1.0, "100 %"),
        (math.nan, "unknown"),
    ],
)
def test_shares_have_the_digits_that_mean_something(share: float, shown: str) -> None:
    assert words.percent(share).replace("\u00a0", " ") == shown


def test_an_unknown_interval_is_called_so() -> None:
    unknown = Estimate(0.2, math.nan, math.nan)
    assert words.percent_with_interval(unknown).endswith("(interval unknown)")
    assert words.number(unknown).endswith("(interval unknown)")
    assert words.percent_with_interval(Estimate(math.nan, 0.1, 0.2)) == "unknown"
    assert words.interval_of(math.nan, 1.0) == "unknown"


def test_differences_are_points_with_a_sign() -> None:
    found = words.percent_with_interval(Estimate(-0.056, -0.161, 0.154), signed=True)
    assert found == "\u22125.6 points (\u221216.1 to +15.4)"


def test_rare_is_not_never() -> None:
    assert words.per_thousand(0.0) == "0"
    assert words.per_thousand(0.0004) == "fewer than 1"
    assert words.per_thousand(0.862) == "862"
    assert words.probability(1e-9).startswith("under")
    assert words.probability(None) == "unknown"


def test_no_text_of_the_data_is_endless() -> None:
    assert len(words.short("x" * 10_000)) == 120
    assert words.short("short") == "short"
