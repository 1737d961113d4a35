"""Pairs that met as the harm model learns from them: who, what came of it, and by whom.

Owns the rows and their choice by people. It must not know how labels came about (``harm_labels``)
nor what is learned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.features import PairFeatures
from pairguard.risk.members import MemberMatrix

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]

_EVERY = slice(None)
_ROWS_AT_ONCE = 1 << 13


class TreeColumns(Protocol):
    """What trees must know of their columns; ``PairFeatures`` does."""

    @property
    def monotone_constraints(self) -> tuple[int, ...]:
        """-1, 0 or 1 per column: which way harm may move with it."""

    @property
    def categorical_columns(self) -> tuple[int, ...]:
        """Columns that hold codes."""


class Labelled(Protocol):
    """Rows with labels and the groups of both sides: ``MetPairs``, or rows of any columns."""

    @property
    def harmed(self) -> Mask:
        """(n,) the labels."""

    @property
    def weights(self) -> Array:
        """(n,) what each stands for, above 0."""

    @property
    def groups_first(self) -> Places:
        """(n,) number of the first side's group."""

    @property
    def groups_second(self) -> Places:
        """(n,) of the second's."""

    @property
    def strangers(self) -> Mask:
        """(n,) whether the row may calibrate."""

    @property
    def features(self) -> TreeColumns:
        """What the columns are."""

    @property
    def count(self) -> int:
        """Number of rows."""

    @property
    def positives(self) -> int:
        """Number of harmed ones."""

    def where(self, mask: Mask | Places) -> Self:
        """Return some of the rows."""

    def weighing(self, weights: Array) -> Self:
        """Return the same rows with other weights."""

    def reading(self, features: TreeColumns) -> Self:
        """Return the same rows as trees read them that were trained on these columns."""

    def rows(self, chosen: slice | Places = ...) -> Array:
        """Return the (n, f) features, or those of some."""


AnyLabelled = TypeVar("AnyLabelled", bound=Labelled)


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
        mixed: (n,) P(exactly one of them is a minor).
        features: What the columns of a pair are.
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
    mixed: Array
    features: PairFeatures

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
            mixed=self.mixed[mask],
        )

    def weighing(self, weights: Array) -> MetPairs:
        """Return the same pairs with other weights."""
        return replace(self, weights=weights)

    def reading(self, features: TreeColumns) -> MetPairs:
        """Return the same pairs with other columns.

        Raises:
            TypeError: They are no columns of pairs.
        """
        if not isinstance(features, PairFeatures):
            raise TypeError("the columns are not those of pairs")
        return replace(self, features=features)

    def rows(self, chosen: slice | Places = _EVERY) -> Array:
        """Return the (n, f) features of the pairs, or of some, as they are when served."""
        count = np.arange(self.count)[chosen].size
        found = np.empty((count, len(self.features.names)))
        self.fill(found, chosen)
        return found

    def fill(self, table: Array, chosen: slice | Places = _EVERY) -> None:
        """Write the features of the pairs, or of some, into (n, f) rows that are there."""
        places = np.arange(self.count)[chosen]
        # Some at a time: what is made on the way is several times what comes of it.
        for start in range(0, places.size, _ROWS_AT_ONCE):
            some = places[start : start + _ROWS_AT_ONCE]
            table[start : start + some.size] = self.features.rows(
                MemberMatrix(self.minor_first[some], self.vectors[self.first[some]]),
                MemberMatrix(self.minor_second[some], self.vectors[self.second[some]]),
                minor_adult_probability=self.mixed[some],
            )

    def otherwise_paired(self, *, count: int, seed: int) -> MetPairs:
        """Return pairs of the same people with others of them, about which nothing is known.

        For what needs no outcome: trees that are taught what a model says.
        """
        rng = np.random.default_rng(seed)
        people = np.concatenate([self.first, self.second])
        groups = np.concatenate([self.groups_first, self.groups_second])
        minors = np.concatenate([self.minor_first, self.minor_second])
        one, other = rng.integers(0, people.size, (2, count))
        apart = groups[one] != groups[other]
        one, other = one[apart], other[apart]
        nothing = np.zeros(one.size)
        return replace(
            self,
            first=people[one],
            second=people[other],
            minor_first=minors[one],
            minor_second=minors[other],
            harmed=nothing > 0.0,
            by_first=nothing,
            by_second=nothing,
            weights=nothing + 1.0,
            groups_first=groups[one],
            groups_second=groups[other],
            strangers=nothing > 0.0,
            mixed=minors[one] * (1.0 - minors[other]) + minors[other] * (1.0 - minors[one]),
        )


@dataclass(frozen=True, slots=True)
class KeptPlaces:
    """All harmed pairs and some of the others.

    Attributes:
        places: Of those that were kept, rising.
        weights: What each stands for: 1, or 1 / ``kept_share`` where it came to no harm.
        kept_share: Share of the others that was kept.
    """

    places: Places
    weights: Array
    kept_share: float


def kept_places(harmed: Mask, *, most: int, seed: int) -> KeptPlaces:
    """Keep every harmed pair, and others so that there are ``most`` at most.

    Each of the others that is kept weighs 1 / the share that was: so the level of what is learned
    needs no other correction, at any base rate.
    """
    others = np.flatnonzero(~harmed)
    wanted = max(most - int(harmed.sum()), 1)
    if others.size <= wanted:
        return KeptPlaces(np.arange(harmed.size), np.ones(harmed.size), 1.0)
    kept = np.random.default_rng(seed).choice(others, wanted, replace=False)
    places = np.sort(np.concatenate([np.flatnonzero(harmed), kept]))
    share = wanted / others.size
    return KeptPlaces(places, np.where(harmed[places], 1.0, 1.0 / share), share)


def subsample(pairs: AnyLabelled, *, most: int, seed: int) -> AnyLabelled:
    """Keep rows as ``kept_places`` says, their weights corrected."""
    kept = kept_places(pairs.harmed, most=most, seed=seed)
    if kept.places.size == pairs.count:
        return pairs
    some = pairs.where(kept.places)
    # Not times 1 / share, which is another bit.
    return some.weighing(np.where(some.harmed, some.weights, some.weights / kept.kept_share))
