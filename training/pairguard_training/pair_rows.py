"""Pairs of assessed snapshots as rows of features, the same bits as when they are served.

Owns how rows are made of two. It must not know what is learned from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.regions import Policy
from pairguard.risk.features import PairFeatures
from pairguard_training.assessing import Assessed
from pairguard_training.pair_chances import GatheredChances

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_ROWS_AT_ONCE = 1_024  # what a core's own cache holds


@dataclass(frozen=True, slots=True)
class PairRows:
    """Pairs as the harm model sees them.

    Attributes:
        features: (n, f) by ``PairFeatures``.
        minor_adult: (n,) P(the pair is mixed) under the adult ages that count for it.
    """

    features: Array
    minor_adult: Array


def pair_rows(
    features: PairFeatures,
    policy: Policy,
    assessed: Assessed,
    snapshots_a: Sequence[str],
    snapshots_b: Sequence[str],
) -> PairRows:
    """Return the features of pairs of assessed snapshots, and how likely they are mixed."""
    gathered = GatheredChances(policy)
    gathered.add(assessed)
    ages = gathered.chances()
    places = {name: place for place, name in enumerate(assessed.assessments)}
    first, second = (
        np.array([places[name] for name in names], dtype=np.intp)
        for names in (snapshots_a, snapshots_b)
    )
    rows = np.empty((first.size, len(features.names)))
    mixed = ages.of_pairs(first, second).minor_adult
    if not first.size:
        return PairRows(rows, mixed)
    ready = features.ready_matrix(np.stack([each.values for each in assessed.assessments.values()]))
    for start in range(0, first.size, _ROWS_AT_ONCE):
        chunk = slice(start, start + _ROWS_AT_ONCE)
        for adult_ages, where in ages.by_adult_ages(first[chunk], second[chunk]):
            chosen = start + where
            rows[chosen] = features.pool_rows(
                ready,
                first[chosen],
                second[chosen],
                probability_minor=ages.below[max(adult_ages)],
                minor_adult_probability=mixed[chosen],
            )
    return PairRows(rows, mixed)
