"""Measures of size equal slow ones, and chance gives what is said of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, wasserstein_distance

from pairguard.drift import statistics

counts = st.lists(st.integers(0, 500), min_size=2, max_size=15).filter(any)
SEED = 20_261_123


def both(draw: st.DataObject) -> tuple[np.ndarray, np.ndarray]:
    one = draw.draw(counts)
    other = draw.draw(st.lists(st.integers(0, 500), min_size=len(one), max_size=len(one)))
    return np.array(one, dtype=np.float64), np.array(other or [1], dtype=np.float64)


@given(st.data())
def test_w1_is_that_of_scipy(data: st.DataObject) -> None:
    reference, live = both(data)
    live[0] += 1
    gaps = data.draw(
        st.lists(st.floats(1e-3, 1e3), min_size=reference.size, max_size=reference.size)
    )
    centres = np.cumsum(gaps)

    found = statistics.distance(reference, live, centres)

    slow = wasserstein_distance(centres, centres, reference, live)
    assert found == pytest.approx(slow, rel=1e-9, abs=1e-9 * float(centres[-1]))


@given(st.data())
def test_psi_is_that_of_its_definition(data: st.DataObject) -> None:
    reference, live = both(data)
    slow = 0.0
    taken = [(r + 0.5, v + 0.5) for r, v in zip(reference, live, strict=True) if r or v]
    totals = sum(r for r, _ in taken), sum(v for _, v in taken)
    for r, v in taken:
        p, q = r / totals[0], v / totals[1]
        slow += (q - p) * math.log(q / p)

    found = statistics.psi(reference, live)

    assert found == pytest.approx(slow, abs=1e-12)
    assert found >= -1e-15
    assert found == pytest.approx(statistics.psi(live, reference), abs=1e-12)


@pytest.mark.parametrize("degrees", [1, 2, 5, 11, 30])
@pytest.mark.parametrize("exceeded", [0.05, 0.01, 3e-5])
def test_the_quantile_of_chi_square_is_hardly_ever_too_low(degrees: int, exceeded: float) -> None:
    found = statistics.chi_square_quantile(degrees, exceeded=exceeded)

    assert 0.97 <= found / float(chi2.isf(exceeded, degrees)) <= 1.1


def test_chance_gives_what_is_said() -> None:
    generator = np.random.default_rng(SEED)
    shares = np.array([0.01, 0.09, 0.2, 0.3, 0.2, 0.1, 0.1])
    centres = np.array([-2.0, -1.0, -0.5, 0.0, 0.4, 1.0, 3.0])
    n, m = 1_000, 2_000
    rate = statistics.rate(n, m)
    reference = generator.multinomial(n, shares, size=2_000).astype(np.float64)
    live = generator.multinomial(m, shares, size=2_000).astype(np.float64)
    psis = [statistics.psi(r, v) for r, v in zip(reference, live, strict=True)]
    distances = [statistics.distance(r, v, centres) for r, v in zip(reference, live, strict=True)]

    assert np.mean(psis) == pytest.approx(statistics.psi_expected(7, rate), rel=0.05)
    assert np.mean(distances) == pytest.approx(
        statistics.distance_expected(shares, centres, rate), rel=0.05
    )
    psi_bound = statistics.psi_bound(7, rate, exceeded=0.01)
    bound = statistics.distance_bound(shares, centres, rate, exceeded=0.01)
    assert 0.004 <= np.mean(np.array(psis) > psi_bound) <= 0.017
    # A bound, and no quantile: it is exceeded more seldom than it says.
    assert np.mean(np.array(distances) > bound) <= 0.01


def test_what_is_shifted_is_beyond_chance() -> None:
    rate = statistics.rate(1_000, 1_000)
    before, after = np.array([500.0, 300, 200]), np.array([300.0, 350, 350])

    assert statistics.psi(before, after) > statistics.psi_bound(3, rate, exceeded=1e-5)


def test_repeated_people_are_worth_less() -> None:
    assert statistics.effective_size([1] * 50) == 50
    assert statistics.effective_size([10] * 5) == 5
    assert statistics.effective_size([99, 1]) == pytest.approx(1.02, abs=0.01)
    assert statistics.effective_size([]) == 0


@given(st.data(), st.booleans())
def test_putting_cells_together_loses_nobody(data: st.DataObject, ordered: bool) -> None:
    reference, live = both(data)

    pooled = statistics.pooled_cells(reference, live, ordered=ordered)

    assert pooled[0].sum() == reference.sum()
    assert pooled[1].sum() == live.sum()
    assert pooled[0].shape == pooled[1].shape


def test_a_cell_that_is_not_empty_any_more_stays_apart() -> None:
    reference, live = np.array([1_000.0, 0.0]), np.array([95.0, 5.0])
    assert statistics.pooled_cells(reference, live, ordered=True)[1].tolist() == [95, 5]
    fewer = np.array([96.0, 4.0])
    assert statistics.pooled_cells(reference, fewer, ordered=True)[1].tolist() == [100]
