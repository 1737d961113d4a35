from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard_training import boosting
from pairguard_training.boosting import (
    AnyRows,
    Compute,
    any_rows,
    best_rounds,
    chunks,
    model_text,
    rows_where,
    train,
)

Array = NDArray[np.float64]

COMPUTE = Compute(threads=1, seed=1)
SETTINGS = {"objective": "binary", "num_leaves": 7, "max_bin": 63, "min_data_in_leaf": 20}


class Stream:
    """Rows that count how many of them were held at once."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows
        self.most = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self._rows.shape[0], self._rows.shape[1]

    def take(self, places: NDArray[np.intp]) -> Array:
        self.most = max(self.most, places.size)
        return self._rows[places]


def drawn(count: int, *, seed: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    features = rng.normal(0.0, 1.0, (count, 3))
    features[:, 1] = rng.integers(0, 5, count)
    features[rng.random(count) < 0.2, 2] = np.nan
    labels = (features[:, 0] + rng.normal(0.0, 1.0, count) > 1.5).astype(np.float64)
    return features, labels


def trained(rows: AnyRows, *, rounds: int = 5, categorical: Sequence[int] = (1,)) -> str:
    booster = train(
        rows, SETTINGS, rounds=rounds, compute=COMPUTE, categorical=categorical, title=""
    )
    return model_text(booster)


@pytest.mark.parametrize("count", [300, 250_000])  # fewer and more than bins are found from
def test_rows_that_are_streamed_make_the_same_model_to_the_byte(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = drawn(count)
    weights = np.linspace(0.5, 2.0, count)
    held = trained(any_rows(features, labels, weights))
    stream = Stream(features)
    assert trained(any_rows(stream, labels, weights)) == held
    assert stream.most == count  # few bytes are held, which is faster
    monkeypatch.setattr(boosting, "MOST_HELD_BYTES", 0)
    stream = Stream(features)
    assert trained(any_rows(stream, labels, weights)) == held
    assert stream.most <= 8_192


def test_rounds_are_the_same_for_streamed_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = drawn(4_000)
    aside = np.arange(4_000) % 3 == 0

    def rounds(rows: AnyRows) -> int:
        return best_rounds(
            rows_where(rows, ~aside),
            rows_where(rows, aside),
            SETTINGS,
            most=60,
            compute=COMPUTE,
            categorical=[1],
            title="",
        )

    ones = np.ones(4_000)
    held = rounds(any_rows(features, labels, ones))
    monkeypatch.setattr(boosting, "MOST_HELD_BYTES", 0)
    assert rounds(any_rows(Stream(features), labels, ones)) == held
    assert 1 < held < 60


def test_chunks_are_all_rows_in_their_order() -> None:
    features, _ = drawn(25)
    for rows in (features, Stream(features)):
        found = list(chunks(rows, 10))
        assert [len(each) for each in found] == [10, 10, 5]
        assert np.array_equal(np.concatenate(found), features, equal_nan=True)
    assert not list(chunks(features[:0]))
