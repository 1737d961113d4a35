"""Finding rows by ids gives what comparing texts gives, also where ids share a number."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard_training.tables import id_index
from pairguard_training.tables.id_index import NOWHERE, IdIndex

_IDS = st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=30)


def _check(ids: list[str | None], wanted: list[str | None]) -> None:
    index = IdIndex(pl.Series(ids, dtype=pl.String))
    first: dict[str | None, int] = {}
    for row, name in enumerate(ids):
        first.setdefault(name, row)
    expected = [NOWHERE if name is None else first.get(name, NOWHERE) for name in wanted]
    assert index.places(pl.Series(wanted, dtype=pl.String)).tolist() == expected
    repeated = [name is not None and ids.count(name) > 1 for name in ids]
    assert index.repeated().to_list() == repeated


@given(ids=_IDS, wanted=_IDS)
def test_rows_are_those_that_a_search_for_the_text_finds(
    ids: list[str | None], wanted: list[str | None]
) -> None:
    _check(ids, [*wanted, *ids])


@pytest.mark.parametrize("numbers", [1, 2])
def test_ids_that_share_a_number_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, numbers: int
) -> None:
    def few(ids: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        return ids.str.len_bytes().fill_null(0).to_numpy().astype(np.uint64) % np.uint64(numbers)

    monkeypatch.setattr(id_index, "_numbers", few)
    ids = ["a", "bb", None, "c", "a", "dd", "ee", "ee", None]
    _check(ids, ["ee", "c", "a", "x", "yy", None, "bb", "dd"])
