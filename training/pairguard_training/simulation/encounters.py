"""Who is proposed to whom, and what the platform's old rule decides.

Owns the proposals and the legacy policy that selects which pairs are ever observed. It looks at
nothing that is not in the tables, so that selection is explained by what is observable: proposals
join sessions of the same quarter of a day, mostly of one region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation.declaration import listed_age
from pairguard_training.simulation.oracle import Observed
from pairguard_training.simulation.states import ADULT_AGE_YEARS, Array, Index, Mask

MODALITIES = ("VIDEO", "TEXT", "AUDIO")
_MODALITY_SHARES = (0.6, 0.35, 0.05)
DECISIONS = ("ALLOW", "REROUTE", "BLOCK")
LEGACY_POLICY_VERSION = "legacy-declared-age"
# Of pairs that the old rule allows, this share is turned away at random; never the other way.
EXPLORATION = 0.02
_SAME_REGION_SHARE = 0.7
_SLOTS_PER_DAY = 4
_STARTS = 0.97
_BLOCKING_UPHELD = 3.0
_MEAN_WAIT_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Encounters:
    """Proposed pairs (p,), in order of time.

    Attributes:
        first: (p,) session of one side.
        second: (p,) session of the other.
        time_days: (p,) when the pair was proposed.
        wait_seconds: (p,) how long the longer waiting of the two waited.
        modality: (p,) index into ``MODALITIES``.
        decision: (p,) index into ``DECISIONS``.
        allow_probability: (p,) chance that the old rule had of allowing the pair.
        started: (p,) whether the chat began.
    """

    first: Index
    second: Index
    time_days: Array
    wait_seconds: Array
    modality: Index
    decision: Index
    allow_probability: Array
    started: Mask


def draw_encounters(observed: Observed, *, pairs: int, rng: np.random.Generator) -> Encounters:
    """Draw proposals and the old rule's decisions.

    Args:
        observed: The platform.
        pairs: Wanted number of proposals; fewer come only from a platform of hardly anybody.
        rng: Source of randomness.
    """
    first, second = _propose(observed, pairs, rng)
    population = observed.population
    time = np.maximum(population.time_days[first], population.time_days[second])
    order = np.argsort(time, kind="stable")
    first, second, time = first[order], second[order], time[order]
    count = len(first)
    wait = rng.exponential(_MEAN_WAIT_SECONDS, count)
    legacy = _legacy_decisions(observed, first, second)
    allowed = legacy == 0
    explored = allowed & (rng.random(count) < EXPLORATION)
    decision = np.where(explored, 1, legacy)
    return Encounters(
        first=first,
        second=second,
        time_days=time + wait / 86400.0,
        wait_seconds=wait,
        modality=rng.choice(len(MODALITIES), count, p=_MODALITY_SHARES),
        decision=decision,
        allow_probability=np.where(allowed, 1.0 - EXPLORATION, 0.0),
        started=(decision == 0) & (rng.random(count) < _STARTS),
    )


def _propose(observed: Observed, pairs: int, rng: np.random.Generator) -> tuple[Index, Index]:
    """Join sessions within strata, in rounds, until there are enough pairs."""
    population = observed.population
    sessions = len(population.owner)
    region = population.region[population.owner]
    slot = np.floor(population.time_days * _SLOTS_PER_DAY).astype(np.int64)
    firsts: list[Index] = []
    seconds: list[Index] = []
    found = 0
    while found < pairs and sessions > 1:
        local = rng.random(sessions) < _SAME_REGION_SHARE
        stratum = np.where(local, region, -1)
        order = np.lexsort((rng.random(sessions), stratum, slot))
        left, right = order[:-1:2], order[1::2]
        together = (
            population.person[population.owner[left]] != population.person[population.owner[right]]
        )
        left, right = left[together], right[together]
        if not len(left):
            break
        keep = rng.permutation(len(left))[: pairs - found]
        firsts.append(left[keep])
        seconds.append(right[keep])
        found += len(keep)
    if not firsts:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty
    return np.concatenate(firsts), np.concatenate(seconds)


def _legacy_decisions(observed: Observed, first: Index, second: Index) -> Index:
    """Return the old rule's decision: it believes declared ages, and upheld reports."""
    population = observed.population
    listed = listed_age(observed.declarations, population, np.zeros(len(population.state)))[
        population.owner
    ]
    # It knows the line only where both have declared something.
    with np.errstate(invalid="ignore"):
        minor = np.where(np.isnan(listed), np.nan, listed < ADULT_AGE_YEARS)
    a, b = minor[first], minor[second]
    across = ~np.isnan(a) & ~np.isnan(b) & (a != b)
    upheld = np.nan_to_num(observed.behaviour.signals["history.upheld_harm_365d"])
    blocked = np.maximum(upheld[first], upheld[second]) >= _BLOCKING_UPHELD
    return np.where(blocked, 2, np.where(across, 1, 0))
