"""The columns of pairs among one pool that neither participant has alone, one at a time.

Owns how each is made of columns of participants: the same bits as ``PairFeatures.pool_rows``. It
must not know what is made of them.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.features import PairFeatures
from pairguard.risk.members import ReadyMatrix
from pairguard.risk.origins import DANGER_PARTS, Part

Array = NDArray[np.float64]
Places = NDArray[np.intp]


class PoolColumns:
    """Columns of pairs among one pool.

    Args:
        features: Which columns there are.
        ready: The pool.

    Attributes:
        values: Of each place of an ``Origin`` and each participant, shape ``(places, n)``.
    """

    def __init__(self, features: PairFeatures, ready: ReadyMatrix) -> None:
        self._origins = features.origins
        width = 1 + max(origin.place for origin in features.origins)
        self.values: Array = np.ascontiguousarray(ready.parts[:, :width].T)
        self._weights = features.dangers
        self._dangers = ready.dangers
        # Counts: exact in any order, and NaN for who has an unknown one.
        self._tag_counts = ready.tag_counts
        self._tags = np.packbits(ready.parts[:, width:] == 1.0, axis=1)

    def of(
        self,
        minor: Places,
        other: Places,
        *,
        chances: tuple[Array, Array],
        mixed: Array,
        wanted: Collection[int],
    ) -> dict[int, Array]:
        """Return some columns of pairs.

        Args:
            minor: Positions in the pool of the likelier minors, shape ``(n,)``.
            other: Positions of the others.
            chances: Probability that the likelier minor of each pair is one, and that the other is.
            mixed: ``minor_adult_probability`` of each pair.
            wanted: Places of the columns in a row of features.

        Returns:
            Each of shape ``(n,)``, by its place.
        """
        found = self._dangers_between(minor, other, chances, mixed, wanted)
        for column in wanted:
            origin = self._origins[column]
            if origin.part in DANGER_PARTS:
                continue
            if origin.part is Part.MIXED:
                found[column] = mixed
            elif origin.part in (Part.GAP, Part.SAME):
                found[column] = self._difference(origin.place, minor, other)
                if origin.part is Part.SAME:
                    found[column] = np.maximum(1.0 - found[column], 0.0)
            else:
                counts = self._tag_counts[minor] + self._tag_counts[other]
                shared = self._shared(minor, other, counts)
                found[column] = shared if origin.part is Part.SHARED else counts - shared
        return found

    def _dangers_between(
        self,
        minor: Places,
        other: Places,
        chances: tuple[Array, Array],
        mixed: Array,
        wanted: Collection[int],
    ) -> dict[int, Array]:
        parts = {column: self._origins[column].part for column in wanted}
        if self._weights is None or not any(part in DANGER_PARTS for part in parts.values()):
            return {}
        people = self._dangers[minor], self._dangers[other]
        between = self._weights.between_pairs(*people, chances, mixed)
        found = dict(zip(DANGER_PARTS, between, strict=True))
        return {column: found[part] for column, part in parts.items() if part in found}

    def _difference(self, place: int, minor: Places, other: Places) -> Array:
        values = self.values[place]
        gap: Array = values.take(minor)
        np.subtract(gap, values.take(other), out=gap)
        np.absolute(gap, out=gap)
        return gap

    def _shared(self, minor: Places, other: Places, counts: Array) -> Array:
        both = np.bitwise_count(self._tags[minor] & self._tags[other])
        shared: Array = np.add.reduce(both, axis=1, dtype=np.float64)
        shared[np.isnan(counts)] = np.nan
        return shared
