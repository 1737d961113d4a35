from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pairguard_training.resampling import Estimate
from pairguard_training.trade_off import TradeOff, round_up

PROBABILITIES = arrays.arrays(
    np.float64, st.integers(2, 40), elements=st.floats(0.0, 1.0, allow_subnormal=False)
)


@given(PROBABILITIES, st.integers(0, 2**31))
def test_both_shares_are_those_of_a_plain_count(probabilities: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, probabilities.size).astype(float)
    labels[:2] = 0.0, 1.0
    weights = rng.uniform(0.1, 3.0, probabilities.size)
    curve = TradeOff(probabilities, labels, weights, further=(0.05,))
    shares = curve.shares(weights)
    estimates = {name: Estimate(value, value, value) for name, value in shares.items()}
    points = curve.points(estimates, positives=0, negatives=0)
    assert [p.threshold for p in points] == sorted({p.threshold for p in points})
    assert any(point.threshold == 0.05 for point in points)
    for point in points:
        over = probabilities > point.threshold
        stopped = weights[over & (labels == 0.0)].sum() / weights[labels == 0.0].sum()
        let = weights[~over & (labels == 1.0)].sum() / weights[labels == 1.0].sum()
        assert point.good_stopped.value == pytest.approx(stopped, abs=1e-9)
        assert point.positives_allowed.value == pytest.approx(let, abs=1e-9)
    stopped_shares = [point.good_stopped.value for point in points]
    assert stopped_shares == sorted(stopped_shares, reverse=True)


@given(st.floats(0.0, 1.0, allow_subnormal=False))
def test_a_rounded_threshold_allows_what_the_exact_one_allows(value: float) -> None:
    assert value <= round_up(value) <= min(value * 1.003 + 1e-300, 1.0) + 1e-12


def test_a_share_that_no_draw_moves_is_not_certain() -> None:
    labels = np.array([0.0, 0.0, 1.0])
    curve = TradeOff(np.array([0.1, 0.2, 0.9]), labels, np.ones(3), further=(0.5,))
    exact = {name: Estimate(v, v, v) for name, v in curve.shares(np.ones(3)).items()}
    point = next(p for p in curve.points(exact, positives=1, negatives=2) if p.threshold == 0.5)
    assert point.positives_allowed.value == 0.0
    assert point.positives_allowed.high == pytest.approx(0.975)
    assert point.good_stopped.high == pytest.approx(1.0 - 0.025**0.5)
