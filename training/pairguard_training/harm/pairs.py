"""Pairs that met as the harm model learns from them: who, what came of it, and by whom.

Owns the rows and their choice by people. It must not know how labels came about (``harm_labels``)
nor what is learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class MetPairs:
    """Pairs that met, n of them, among m snapshots.

    Attributes:
        vectors: (m, columns) the catalogue's vector of each snapshot; NaN: unknown.
        first: (n,) row of one side in ``vectors``.
        second: (n,) of the other.
        minor_first: (n,) P(the first is a minor) under the adult age that counts for the pair.
        minor_second: (n,) of the second.
        harmed: (n,) whether harm was reported.
        by_first: (n,) how far the first did it, 0 to 1.
        by_second: (n,) the second.
        weights: (n,) what each stands for, above 0.
        groups_first: (n,) number of the first's group: those of one household share it.
        groups_second: (n,) of the second's.
        strangers: (n,) whether neither taught the age side of the model.
        features: Makes the (len, f) features of pairs, by their places among those of ``places``.
        places: (n,) what ``features`` is asked with.
    """

    vectors: Array
    first: Places
    second: Places
    minor_first: Array
    minor_second: Array
    harmed: Mask
    by_first: Array
    by_second: Array
    weights: Array
    groups_first: Places
    groups_second: Places
    strangers: Mask
    features: Callable[[Places], Array]
    places: Places

    @property
    def count(self) -> int:
        """Number of pairs."""
        return int(self.harmed.size)

    @property
    def positives(self) -> int:
        """Number of harmed pairs."""
        return int(self.harmed.sum())

    def where(self, mask: Mask | Places) -> MetPairs:
        """Return some of the pairs."""
        return replace(
            self,
            first=self.first[mask],
            second=self.second[mask],
            minor_first=self.minor_first[mask],
            minor_second=self.minor_second[mask],
            harmed=self.harmed[mask],
            by_first=self.by_first[mask],
            by_second=self.by_second[mask],
            weights=self.weights[mask],
            groups_first=self.groups_first[mask],
            groups_second=self.groups_second[mask],
            strangers=self.strangers[mask],
            places=self.places[mask],
        )

    def rows(self) -> Array:
        """Return the (n, f) features."""
        return self.features(self.places)


@dataclass(frozen=True, slots=True)
class Subsample:
    """All harmed pairs and some of the others, weighted for those left out.

    Attributes:
        pairs: The pairs that were kept, their weights corrected.
        kept_share: Share of the others that was kept.
    """

    pairs: MetPairs
    kept_share: float


def subsample(pairs: MetPairs, *, most: int, seed: int) -> Subsample:
    """Keep every harmed pair, and others so that there are ``most`` at most.

    Each of the others that is kept weighs 1 / the share that was: so the level of what is learned
    needs no other correction, at any base rate.
    """
    others = np.flatnonzero(~pairs.harmed)
    wanted = max(most - pairs.positives, 1)
    if others.size <= wanted:
        return Subsample(pairs, 1.0)
    kept = np.random.default_rng(seed).choice(others, wanted, replace=False)
    chosen = np.sort(np.concatenate([np.flatnonzero(pairs.harmed), kept]))
    share = wanted / others.size
    some = pairs.where(chosen)
    weights = np.where(some.harmed, some.weights, some.weights / share)
    return Subsample(replace(some, weights=weights), share)
