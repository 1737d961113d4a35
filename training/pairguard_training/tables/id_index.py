"""Where rows with given ids stand in a table of many millions.

Owns the search, and which ids occur twice. It must not know what the ids are of.

Ids are looked for by a number of 64 bits that is made of each, twelve bytes a row in place of a
table of texts; then the texts themselves are compared, so that ids that share a number are told
apart.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Places = NDArray[np.int32]

NOWHERE = -1


class IdIndex:
    """Finds rows by their ids.

    Args:
        ids: (n,) texts, null: none.
    """

    def __init__(self, ids: pl.Series) -> None:
        numbers = _numbers(ids)
        order = np.argsort(numbers, kind="stable")
        self._ids = ids
        self._order = order.astype(np.int32)
        self._numbers = numbers[order]

    def places(self, wanted: pl.Series) -> Places:
        """Return (m,) the first row with each of the ids; -1: there is none, or the id is null."""
        found = np.full(len(wanted), NOWHERE, dtype=np.int32)
        if not self._order.size:
            return found
        numbers = _numbers(wanted)
        at = np.minimum(np.searchsorted(self._numbers, numbers), self._numbers.size - 1)
        first = self._order[at]
        shared = (self._numbers[at] == numbers) & wanted.is_not_null().to_numpy()
        same = shared & (self._ids[first] == wanted).fill_null(value=False).to_numpy()
        found[same] = first[same]
        for place in np.flatnonzero(shared & ~same).tolist():  # another id has the number, too
            found[place] = self._searched(numbers[place], wanted[place])
        return found

    def repeated(self) -> pl.Series:
        """Return (n,) whether another row has the same id; null has none."""
        repeated = np.zeros(len(self._ids), dtype=np.bool_)
        alike = np.flatnonzero(self._numbers[1:] == self._numbers[:-1])
        if alike.size:
            rows = self._order[np.union1d(alike, alike + 1)]
            ids = self._ids[rows]
            repeated[rows] = (ids.is_duplicated() & ids.is_not_null()).to_numpy()
        return pl.Series(repeated)

    def _searched(self, number: np.uint64, wanted: str) -> int:
        start = int(np.searchsorted(self._numbers, number))
        end = int(np.searchsorted(self._numbers, number, side="right"))
        rows = self._order[start:end]
        hits = np.flatnonzero((self._ids[rows] == wanted).fill_null(value=False).to_numpy())
        return int(rows[hits[0]]) if hits.size else NOWHERE


def _numbers(ids: pl.Series) -> NDArray[np.uint64]:
    """Return (n,) numbers of texts; they are the same within one process alone."""
    return ids.hash().to_numpy()
