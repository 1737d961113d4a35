"""Age ranges from the operating system's store, as they stand at sign-up.

Owns who shares a range, what its assurance is, whose account it really is, and whether it only
repeats what was declared; drawing and density side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation.declaration import Declarations
from pairguard_training.simulation.population import Population, age_at
from pairguard_training.simulation.states import Array, Index, Intent, interpolate, states

# Lower and upper year of each band; -1: open.
BANDS = ((-1, 12), (13, 15), (16, 17), (18, -1))
_EDGES = np.array([13.0, 16.0, 18.0])
_ADULT_BAND = 3

SELF, GUARDIAN, CONFIRMED = range(3)
ASSURANCES = {
    "APPLE": ("SELF_DECLARED", "GUARDIAN_DECLARED", "CONFIRMED"),
    "GOOGLE": ("TIER_A", "TIER_B", "TIER_C"),
}

# eSafety Commissioner 2025: 54 % of users of 8-12 used a parent's account; 13 and over assumed.
_BORROWED = ((12.9, 0.54), (13.0, 0.22), (17.9, 0.06), (18.0, 0.01))
_SHARED = ((8.0, 0.34), (16.0, 0.38), (22.0, 0.46))  # assumed: children share a little less
_GUARDIAN = ((8.0, 0.65), (13.0, 0.5), (17.9, 0.15), (18.0, 0.0))  # assumed
_CONFIRMED = ((13.0, 0.03), (17.9, 0.06), (19.0, 0.35))  # assumed
_REPEATS = 0.7  # assumed: a self-declared range repeats the declared date
_SELF_INFLATED = 0.25  # assumed: children who told the store they are adults
_POSING_MINOR_BAND = 0.5  # assumed


@dataclass(frozen=True, slots=True)
class PlatformRanges:
    """The store's range of each participant (n,): band and assurance, -1 where none is shared."""

    band: Index
    assurance: Index
    google: Index


def draw_platform_ranges(
    population: Population, declarations: Declarations, rng: np.random.Generator
) -> PlatformRanges:
    """Draw what the store says of each participant at sign-up."""
    count = len(population.state)
    world = states()
    age = age_at(world.age[population.state], population.signup_days)
    posing = world.intent[population.state] == Intent.POSING
    joint = _joint(age, posing, declarations.age_years).reshape(count, 12)
    cell = (np.cumsum(joint, axis=1) < rng.random(count)[:, None]).sum(axis=1)
    cell = np.minimum(cell, 11)
    shared = rng.random(count) < _shared(age)
    google = (rng.random(count) < 0.5).astype(np.int64)
    return PlatformRanges(
        band=np.where(shared, cell % 4, -1),
        assurance=np.where(shared, cell // 4, -1),
        google=google,
    )


def platform_log_likelihood(
    ranges: PlatformRanges, declarations: Declarations, population: Population, rows: Index
) -> Array:
    """Return (len(rows), S) log probability of the range, or of there being none.

    That a range was not shared tells a little too: children share less.
    """
    world = states()
    age = age_at(world.age, population.signup_days[rows][:, None])
    shared = _shared(age)
    result = np.log1p(-shared)
    held = ranges.band[rows] >= 0
    if not held.any():
        return result
    subset = rows[held]
    posing = np.broadcast_to(world.intent == Intent.POSING, (len(subset), world.count))
    probability = _cell(
        age[held],
        posing,
        declarations.age_years[subset][:, None],
        ranges.assurance[subset][:, None],
        ranges.band[subset][:, None],
    )
    result[held] = np.log(shared[held]) + np.log(np.maximum(probability, 1e-300))
    return result


def _joint(age: Array, posing: np.ndarray, declared: Index) -> Array:
    """Return (n, 3, 4) probabilities of assurance and band together."""
    cells = [
        _cell(
            age, posing, declared, np.full_like(declared, assurance), np.full_like(declared, band)
        )
        for assurance in range(3)
        for band in range(4)
    ]
    return np.stack(cells, axis=1).reshape(len(age), 3, 4)


def _cell(age: Array, posing: np.ndarray, declared: Index, assurance: Index, band: Index) -> Array:
    """Return the probability of one cell of assurance and band; arguments broadcast."""
    true_band = np.searchsorted(_EDGES, age, side="right")
    borrowed = np.where(posing, 0.0, interpolate(age, _BORROWED))
    guardian = np.where(posing, 0.0, interpolate(age, _GUARDIAN))
    confirmed = np.where(posing, 0.02, interpolate(age, _CONFIRMED))
    own_share = np.where(
        assurance == SELF,
        1.0 - guardian - confirmed,
        np.where(assurance == GUARDIAN, guardian, confirmed),
    )
    owner_share = np.where(assurance == SELF, 0.65, np.where(assurance == GUARDIAN, 0.0, 0.35))
    is_adult_band = band == _ADULT_BAND
    hit = band == true_band
    next_up = band == np.minimum(true_band + 1, _ADULT_BAND)
    own_word = np.where(
        true_band < _ADULT_BAND,
        (1.0 - _SELF_INFLATED) * hit + _SELF_INFLATED * is_adult_band,
        1.0 * hit,
    )
    played = 0.5 * (band == 1) + 0.5 * (band == 2)
    own_word = np.where(
        posing, (1 - _POSING_MINOR_BAND) * hit + _POSING_MINOR_BAND * played, own_word
    )
    declared_band = np.searchsorted(_EDGES, declared, side="right")
    repeats = np.where(declared >= 0, _REPEATS, 0.0)
    by_word = repeats * (band == declared_band) + (1.0 - repeats) * own_word
    by_guardian = np.where(true_band < _ADULT_BAND, 0.88 * hit + 0.12 * next_up, 1.0 * hit)
    by_check = np.where(
        true_band < _ADULT_BAND, 0.95 * hit + 0.05 * is_adult_band, 0.98 * hit + 0.02 * (band == 2)
    )
    own = np.where(
        assurance == SELF, by_word, np.where(assurance == GUARDIAN, by_guardian, by_check)
    )
    result: Array = borrowed * owner_share * is_adult_band + (1.0 - borrowed) * own_share * own
    return result


def _shared(age: Array) -> Array:
    return interpolate(age, _SHARED)
