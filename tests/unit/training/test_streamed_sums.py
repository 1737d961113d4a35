"""Sums in one pass, and the intervals by people that come with them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pairguard_training.replaying.streamed_sums import FEWEST_PEOPLE, PeopleCount, StreamedSums
from pairguard_training.resampling import Resamples

PEOPLE = 300


def pairs(count: int, seed: int = 1) -> tuple[list[tuple[str, str]], np.ndarray]:
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, PEOPLE, (count, 2))
    habit = rng.random(PEOPLE) < 0.3
    yes = (habit[ends[:, 0]] & (rng.random(count) < 0.8)).astype(np.float64)
    return [(f"p{a}", f"p{b}") for a, b in ends], yes


def summed(count: int, chunk: int, *, draws: int = 400, seed: int = 7) -> StreamedSums:
    people, yes = pairs(count)
    sums = StreamedSums(draws=draws, seed=seed)
    for start in range(0, count, chunk):
        part = slice(start, start + chunk)
        values = {"yes": yes[part], "all": np.ones(len(people[part]))}
        sums.add(people[part], values)
    return sums


def test_sums_are_sums_and_chunks_change_nothing() -> None:
    one, other = summed(2_000, 2_000), summed(2_000, 37)
    _, yes = pairs(2_000)

    assert one.total("yes") == yes.sum()
    assert one.total("nothing") == 0.0
    first, second = one.ratio("yes", "all"), other.ratio("yes", "all")
    assert first.value == second.value == yes.mean()
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-12)


def test_the_interval_is_that_of_drawing_people() -> None:
    people, yes = pairs(2_000)
    sides = [[one for one, _ in people], [other for _, other in people]]
    drawn = Resamples(sides, count=400, seed=3).estimate(
        lambda weights: {"share": float(weights @ yes / weights.sum())}, np.ones(len(people))
    )["share"]

    streamed = summed(2_000, 500).ratio("yes", "all")

    width = drawn.high - drawn.low
    assert streamed.high - streamed.low == pytest.approx(width, rel=0.2)
    assert streamed.low == pytest.approx(drawn.low, abs=0.15 * width)


def test_another_seed_is_another_draw_and_the_same_one_the_same() -> None:
    first, again = summed(500, 100).ratio("yes", "all"), summed(500, 100).ratio("yes", "all")
    other = summed(500, 100, seed=8).ratio("yes", "all")

    assert first == again
    assert other.value == first.value
    assert other.low != first.low


def test_weights_are_those_of_a_poisson_variable() -> None:
    sums = StreamedSums(draws=500, seed=1)
    weights = sums._weights(sums._hashes([(f"p{n}", "x") for n in range(400)])[:, 0])

    assert weights.mean() == pytest.approx(1.0, abs=0.01)
    assert weights.var() == pytest.approx(1.0, abs=0.03)
    assert np.mean(weights == 0.0) == pytest.approx(math.exp(-1.0), abs=0.005)
    # Two people, and two draws, have nothing to do with each other.
    assert abs(np.corrcoef(weights[0], weights[1])[0, 1]) < 0.15
    assert abs(np.corrcoef(weights[:, 0], weights[:, 1])[0, 1]) < 0.15


def test_few_people_and_what_was_never_seen_have_no_interval() -> None:
    few = StreamedSums(draws=50, seed=1)
    few.add([("a", f"b{n}") for n in range(FEWEST_PEOPLE - 2)], _halves(FEWEST_PEOPLE - 2))
    many = StreamedSums(draws=50, seed=1)
    many.add([(f"a{n}", f"b{n}") for n in range(100)], _halves(100) | {"none": np.zeros(100)})

    assert few.people == FEWEST_PEOPLE - 1
    assert math.isnan(few.ratio("yes", "all").low)
    assert not math.isnan(few.ratio("yes", "all").value)
    assert many.ratio("none", "all").value == 0.0
    assert math.isnan(many.ratio("none", "all").high)
    assert math.isnan(many.ratio("yes", "nobody").value)
    assert not math.isnan(many.ratio("yes", "all").low)


def _halves(count: int) -> dict[str, np.ndarray]:
    return {"yes": (np.arange(count) % 2).astype(np.float64), "all": np.ones(count)}


def test_people_are_counted_exactly_while_they_are_few_and_closely_when_many() -> None:
    rng = np.random.default_rng(2)
    few, many = PeopleCount(), PeopleCount()
    hashes = rng.integers(0, 1 << 63, 60_000, dtype=np.uint64) * np.uint64(2)

    for _ in range(2):
        few.add(hashes[:4_000])
        for start in range(0, hashes.size, 5_000):
            many.add(hashes[start : start + 5_000])

    assert few.count == 4_000
    assert many.count == pytest.approx(hashes.size, rel=0.06)
    assert many._smallest.size <= 4_096
