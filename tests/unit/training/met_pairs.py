"""Pairs that met on an invented platform on which a few people harm whoever seems a minor."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard_training.harm.pairs import MetPairs

SIGNS = 8
CATALOGUE = SignalCatalogue.from_mapping(
    {
        "interests": [],
        "signals": [
            {"name": "typing", "kind": "number"},
            {"name": "never known", "kind": "number"},
            {"name": "always the same", "kind": "number"},
            *(
                {"name": f"sign {i}", "kind": "number", "direction": "increasing"}
                for i in range(SIGNS)
            ),
            {"name": "os", "kind": "category", "categories": ["a", "b"]},
        ],
    }
)


def met_pairs(
    count: int,
    *,
    level: float = -4.0,
    people: int = 2_000,
    seed: int = 1,
    adults_only: bool = False,
) -> MetPairs:
    """Return pairs that met.

    Args:
        count: So many.
        level: Log-odds of harm between people without any sign of danger.
        people: Of whom they are.
        seed: Of all that is drawn.
        adults_only: Whether only adults harm minors; else whoever is dangerous does.
    """
    rng = np.random.default_rng(seed)
    danger = (rng.random(people) < 0.1).astype(np.float64)
    minor = rng.random(people) ** 3
    vectors = np.full((people, len(CATALOGUE.columns)), np.nan)
    vectors[:, 0] = rng.normal(0.0, 1.0, people)
    vectors[:, 2] = 3.0
    for sign in range(SIGNS):
        vectors[:, 3 + sign] = rng.poisson(np.exp(0.3 + 0.8 * danger))
    vectors[:, 3 + SIGNS] = rng.integers(0, 2, people)
    vectors[:, 0][rng.random(people) < 0.3] = np.nan
    first = rng.integers(0, people, count)
    second = (first + rng.integers(1, people, count)) % people
    to_minors = 4.0 * danger * (1.0 - minor if adults_only else 1.0)
    by = [
        rng.random(count) < expit(level + to_minors[doer] * minor[other] + 1.0 * danger[doer])
        for doer, other in ((first, second), (second, first))
    ]
    return MetPairs(
        vectors=vectors,
        first=first.astype(np.intp),
        second=second.astype(np.intp),
        minor_first=minor[first],
        minor_second=minor[second],
        harmed=by[0] | by[1],
        by_first=by[0].astype(np.float64),
        by_second=by[1].astype(np.float64),
        weights=np.ones(count),
        groups_first=first.astype(np.intp),
        groups_second=second.astype(np.intp),
        strangers=np.ones(count, dtype=np.bool_),
        mixed=minor[first] * (1 - minor[second]) + minor[second] * (1 - minor[first]),
        features=PairFeatures(CATALOGUE),
    )
