"""Age audits of the simulation: a sample of participants whose age is established.

Owns who is sampled (with a known probability that depends on what was declared), how the age is
established and how often that is wrong; drawing and density side by side. The check that gave the
label becomes evidence of later sessions, as it would on a real platform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation.declaration import Declarations, listed_age
from pairguard_training.simulation.population import Population, age_at
from pairguard_training.simulation.states import (
    ADULT_AGE_YEARS,
    Array,
    Index,
    Mask,
    states,
)

METHODS = ("ID_DOCUMENT", "MODERATOR")
_MODERATOR_SHARE = 0.2
# Assumed: share of audits that are off by one year, in each direction, by method.
_NEIGHBOUR = np.array([0.01, 0.08])
# Assumed: share of minors who show somebody else's document; reviewers are not fooled so.
_BORROWED = np.array([0.01, 0.0])
_BORROWED_LOW, _BORROWED_HIGH = 19, 45

SAMPLING_BASE = 0.15
SAMPLING_UNDECLARED = 0.25
SAMPLING_NEAR_LINE = 0.35


@dataclass(frozen=True, slots=True)
class Audits:
    """The audit of each participant (n,).

    Attributes:
        sampling_probability: (n,) known chance of having been sampled.
        held: (n,) whether the participant was sampled.
        time_days: (n,) when the age was established.
        method: (n,) index into ``METHODS``.
        age_years: (n,) established whole years at that time.
    """

    sampling_probability: Array
    held: Mask
    time_days: Array
    method: Index
    age_years: Index


def draw_audits(
    population: Population,
    declarations: Declarations,
    *,
    days: int,
    rng: np.random.Generator,
    verified: int | None = None,
) -> Audits:
    """Draw who was audited and what was found.

    Args:
        population: The participants.
        declarations: What they said at sign-up.
        days: Length of the simulated time.
        rng: Source of randomness.
        verified: Expected number of participants who are audited, the chances of all in the same
            proportion as otherwise but for those that reach 1; None: as many as the rates give.
    """
    count = len(population.state)
    listed = listed_age(declarations, population, np.zeros(count))
    probability = np.where(
        np.isnan(listed),
        SAMPLING_UNDECLARED,
        np.where((listed >= 16) & (listed < 21), SAMPLING_NEAR_LINE, SAMPLING_BASE),
    )
    if verified is not None:
        probability = _scaled(probability, verified)
    held = rng.random(count) < probability
    time = days * rng.random(count)
    method = (rng.random(count) < _MODERATOR_SHARE).astype(np.int64)
    age = age_at(states().age[population.state], time)
    error = rng.random(count)
    neighbour = _NEIGHBOUR[method]
    found = np.floor(age).astype(np.int64) + (error < neighbour) - (error > 1 - neighbour)
    borrowed = (rng.random(count) < _BORROWED[method]) & (age < ADULT_AGE_YEARS)
    other = rng.integers(_BORROWED_LOW, _BORROWED_HIGH, count)
    return Audits(probability, held, time, method, np.where(borrowed, other, found))


def audit_log_likelihood(audits: Audits, rows: Index) -> Array:
    """Return (len(rows), S) log probability of what the audits of these participants found."""
    age = age_at(states().age, audits.time_days[rows][:, None])
    found = audits.age_years[rows][:, None]
    whole = np.floor(age).astype(np.int64)
    neighbour = _NEIGHBOUR[audits.method[rows]][:, None]
    honest = np.where(
        found == whole, 1 - 2 * neighbour, np.where(np.abs(found - whole) == 1, neighbour, 0.0)
    )
    borrowed = _BORROWED[audits.method[rows]][:, None] * (age < ADULT_AGE_YEARS)
    other = ((found >= _BORROWED_LOW) & (found < _BORROWED_HIGH)) / (_BORROWED_HIGH - _BORROWED_LOW)
    result: Array = np.log(np.maximum((1 - borrowed) * honest + borrowed * other, 1e-300))
    return result


def _scaled(probability: Array, wanted: int) -> Array:
    """Return the chances in proportion, none above 1, such that so many are expected."""
    low, high = 0.0, 1.0 / float(probability.min())
    for _ in range(60):
        middle = 0.5 * (low + high)
        if np.minimum(middle * probability, 1.0).sum() < wanted:
            low = middle
        else:
            high = middle
    result: Array = np.minimum(high * probability, 1.0)
    return result
