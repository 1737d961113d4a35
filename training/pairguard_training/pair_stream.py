"""Pairs of assessed snapshots as rows of features, made when they are asked for.

Owns what is kept of a snapshot for that, a few hundred bytes, and how rows are made of two. A data
set has many more pairs than a memory holds rows: nothing here holds them. It must not know what is
learned from the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.regions import Policy
from pairguard.risk.features import PairFeatures, ReadyMatrix
from pairguard.risk.model import RiskModel
from pairguard.risk.pool import minor_adult_probabilities
from pairguard_training.assessing import Assessed, assessed_parts
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_ROWS_AT_ONCE = 1_024  # what a core's own cache holds


@dataclass(frozen=True, slots=True)
class Members:
    """Assessed snapshots as members of pairs.

    Attributes:
        places: Row of each snapshot.
        features: What the columns of pairs are.
        ready: Their parts in the features of any pair.
        below: (n,) P(age < years), by every adult age that counts for somebody.
        adult_ages: Sets of adult ages.
        lines: (n,) which of the sets is that of the own region.
    """

    places: dict[str, int]
    features: PairFeatures
    ready: ReadyMatrix
    below: dict[int, Array]
    adult_ages: tuple[frozenset[int], ...]
    lines: Places


@dataclass(frozen=True, slots=True)
class PairRows:
    """Pairs as the harm model sees them.

    Attributes:
        features: (n, f) by ``PairFeatures``.
        minor_adult: (n,) P(the pair is mixed) under the adult ages that count for it.
    """

    features: Array
    minor_adult: Array


@dataclass(frozen=True, slots=True)
class PairStream:
    """The features of pairs: a ``RowStream``.

    Attributes:
        members: Who may be among them.
        first: (n,) row of one member of each pair.
        second: (n,) of the other.
    """

    members: Members
    first: Places
    second: Places

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pairs and of features."""
        return self.first.size, len(self.members.features.names)

    def take(self, places: Places) -> Array:
        """Return the features of some of the pairs, the same bits as when they are served."""
        return self.rows(places).features

    def rows(self, places: Places) -> PairRows:
        """Return the features of some of the pairs, and how likely they are mixed."""
        rows = PairRows(np.empty((places.size, self.shape[1])), np.empty(places.size))
        for start in range(0, places.size, _ROWS_AT_ONCE):
            chunk = slice(start, start + _ROWS_AT_ONCE)
            chosen = places[chunk]
            self._fill(
                rows.features[chunk],
                rows.minor_adult[chunk],
                self.first[chosen],
                self.second[chosen],
            )
        return rows

    def _fill(self, features: Array, minor_adult: Array, first: Places, second: Places) -> None:
        members = self.members
        count = len(members.adult_ages)
        both = members.lines[first] * count + members.lines[second]
        for combination in np.unique(both).tolist():
            one, other = divmod(combination, count)
            ages = members.adult_ages[one] | members.adult_ages[other]
            where = np.flatnonzero(both == combination)
            a, b = first[where], second[where]
            mixed = minor_adult_probabilities(members.below.__getitem__, a, b, ages)
            minor_adult[where] = mixed
            features[where] = members.features.pool_rows(
                members.ready,
                a,
                b,
                probability_minor=members.below[max(ages)],
                minor_adult_probability=mixed,
            )


def assess_members(
    model: RiskModel,
    features: PairFeatures,
    policy: Policy,
    tables: Tables,
    snapshot_ids: Sequence[str],
    *,
    title: str,
) -> Members:
    """Assess snapshots, each once and at its own time, and keep what their pairs need of them.

    Args:
        model: What serves, or part of it.
        features: What the columns of pairs are.
        policy: Whose adult ages count.
        tables: The data set.
        snapshot_ids: Which; repeats are taken once.
        title: What the progress bar says.
    """
    return _members(features, policy, assessed_parts(model, tables, snapshot_ids, title=title))


def pair_rows(
    features: PairFeatures,
    policy: Policy,
    assessed: Assessed,
    snapshots_a: Sequence[str],
    snapshots_b: Sequence[str],
) -> PairRows:
    """Return the features of pairs of assessed snapshots, the same bits as when they are served."""
    stream = pair_stream(_members(features, policy, [assessed]), snapshots_a, snapshots_b)
    return stream.rows(np.arange(stream.shape[0]))


def pair_stream(
    members: Members, snapshots_a: Sequence[str], snapshots_b: Sequence[str]
) -> PairStream:
    """Return the features of pairs of members, not made yet."""
    first, second = (
        np.array([members.places[name] for name in names], dtype=np.intp)
        for names in (snapshots_a, snapshots_b)
    )
    return PairStream(members, first, second)


def _members(features: PairFeatures, policy: Policy, parts: Iterable[Assessed]) -> Members:
    """Keep of assessed snapshots what their pairs need."""
    every_age = sorted(
        {age for lines in (policy.default, *policy.regions.values()) for age in lines.adult_ages}
    )
    places: dict[str, int] = {}
    known: dict[frozenset[int], int] = {}
    kept: list[ReadyMatrix] = []
    chances: list[Array] = []
    lines: list[int] = []
    for part in parts:
        found = list(part.assessments.values())
        if not found:
            continue
        kept.append(features.ready_matrix(np.stack([each.values for each in found])))
        chances.append(
            np.array([[each.age.probability_below(age) for each in found] for age in every_age])
        )
        for name in part.assessments:
            places[name] = len(places)
            own = policy.for_participant(part.participants[name].located_region).adult_ages
            lines.append(known.setdefault(own, len(known)))
    if not kept:
        kept = [ReadyMatrix(np.empty((0, 0)), np.empty(0), np.empty((0, 0)))]
        chances = [np.empty((len(every_age), 0))]
    below = np.concatenate(chances, axis=1)
    return Members(
        places=places,
        features=features,
        ready=ReadyMatrix(
            np.concatenate([each.parts for each in kept]),
            np.concatenate([each.tag_counts for each in kept]),
            np.concatenate([each.dangers for each in kept]),
        ),
        below=dict(zip(every_age, below, strict=True)),
        adult_ages=tuple(known),
        lines=np.array(lines, dtype=np.intp),
    )
