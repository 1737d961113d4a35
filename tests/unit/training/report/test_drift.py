from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pairguard_training.report.drift import compare_references, stability_index

LEVELS = [0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0]


def document(size: int = 3_000, **columns: Any) -> dict[str, Any]:
    return {
        "snapshots": size,
        "pairs": size,
        "quantile_levels": LEVELS,
        "columns": columns,
        "probability_minor": {"mean": None, "quantiles": None},
        "minor_adult_probability": {"mean": None, "quantiles": None},
        "harm_probability": None,
    }


def numbers(values: np.ndarray, unknown: float = 0.0) -> dict[str, Any]:
    return {
        "unknown_share": unknown,
        "mean": float(values.mean()),
        "quantiles": [float(q) for q in np.quantile(values, LEVELS)],
    }


def categories(**shares: float | None) -> dict[str, Any]:
    return {"unknown_share": 0.0, "shares": shares}


def drawn(seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, 3_000)


@given(arrays.arrays(np.float64, (2, 6), elements=st.floats(0.01, 1.0)))
def test_the_index_is_symmetric_and_never_negative(shares: np.ndarray) -> None:
    p, q = shares / shares.sum(axis=1, keepdims=True)
    assert stability_index(p, q) >= 0.0
    assert stability_index(p, q) == pytest.approx(stability_index(q, p))
    assert stability_index(p, p) == 0.0


def test_nothing_that_moved_is_told_from_a_shift() -> None:
    before = document(same=numbers(drawn(1)), moved=numbers(drawn(2)))
    now = document(same=numbers(drawn(3)), moved=numbers(drawn(4, shift=1.0)))
    first, second = compare_references(before, now).signals
    assert (first.name, first.size) == ("moved", "large")
    assert second.stability <= second.by_chance
    assert second.size == "none seen"
    # A shift by one deviation is 1 / 1.349 interquartile ranges of a normal distribution.
    assert first.distance == pytest.approx(1.0 / 1.349, abs=0.08)


def test_chance_explains_ninety_five_in_a_hundred() -> None:
    names = [f"s{i}" for i in range(200)]
    before, now = document(), document()
    before["columns"] = {name: numbers(drawn(i)) for i, name in enumerate(names)}
    now["columns"] = {name: numbers(drawn(1_000 + i)) for i, name in enumerate(names)}
    found = compare_references(before, now).signals
    exceeding = sum(each.stability > each.by_chance for each in found)
    assert 2 <= exceeding <= 20  # 10 are expected


def test_flags_are_compared_by_their_share_and_not_by_steps_of_quantiles() -> None:
    # 9.9 % and 10.1 %: all quantiles at .9 and below differ by a whole step.
    ones = {share: np.repeat([0.0, 1.0], [1_000 - share, share]) for share in (99, 101)}
    (found,) = compare_references(
        document(flag=numbers(ones[99])), document(flag=numbers(ones[101]))
    ).signals
    assert found.stability < 1e-4
    assert found.distance == pytest.approx(0.002)


def test_counts_that_are_alike_do_not_drift_by_their_ties() -> None:
    draws = np.random.default_rng(1).poisson(0.4, (2, 3_000)).astype(float)
    found = compare_references(
        document(count=numbers(draws[0])), document(count=numbers(draws[1]))
    ).signals[0]
    assert found.stability <= found.by_chance
    more = numbers(np.random.default_rng(2).poisson(2.0, 3_000).astype(float))
    assert compare_references(document(count=numbers(draws[0])), document(count=more)).signals[
        0
    ].size in {"moderate", "large"}


def test_categories_and_what_is_unknown_count() -> None:
    before = document(device=categories(phone=0.6, desktop=0.4), silent=numbers(drawn(1), 0.1))
    now = document(device=categories(phone=0.4, tv=0.6), silent=numbers(drawn(1), 0.6))
    found = {each.name: each for each in compare_references(before, now).signals}
    assert found["device"].distance == pytest.approx(0.6)
    assert found["device"].size == "large"
    assert found["silent"].size == "large"
    assert found["silent"].distance == 0.0


def test_what_one_does_not_know_is_named_and_what_neither_tells_left_out() -> None:
    nothing = {"unknown_share": 1.0, "mean": None, "quantiles": None}
    found = compare_references(
        document(old=numbers(drawn(1)), both=nothing, none=categories(a=None)),
        document(new=numbers(drawn(1)), both=nothing, none=categories(a=None)),
    )
    assert (found.only_before, found.only_now) == (["old"], ["new"])
    assert [(each.name, each.stability) for each in found.signals] == [("both", 0.0)]
    assert compare_references({}, {}).signals == []
