"""That growth is told from a flat line, and how surely."""

from __future__ import annotations

import random

import pytest

from tests.soak.growth import growth_a_minute


def test_a_line_is_found_with_its_slope() -> None:
    seconds = [2.0 * place for place in range(210)]
    found = growth_a_minute(seconds, [100.0 + at / 60.0 for at in seconds], block_seconds=30.0)
    assert found.slope == pytest.approx(1.0)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0), abs=1e-6)
    assert found.blocks == 14


def test_the_interval_holds_what_is_true_nearly_always() -> None:
    draw = random.Random(7)
    seconds = [2.0 * place for place in range(210)]
    held = 0
    for _ in range(200):
        values = [90.0 + 0.2 * at / 60.0 + draw.gauss(0.0, 1.0) for at in seconds]
        found = growth_a_minute(seconds, values, block_seconds=30.0)
        held += found.low <= 0.2 <= found.high
    assert 178 <= held <= 199


def test_too_little_says_nothing() -> None:
    with pytest.raises(ValueError, match="blocks"):
        growth_a_minute([0.0, 30.0, 60.0], [1.0, 1.0, 1.0], block_seconds=30.0)
