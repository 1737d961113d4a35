"""Age checks of the simulation: cards, documents, operators, and e-mail addresses.

Owns who was checked by what and with what answer; drawing and density side by side. Whoever
borrows an identity passes all of its checks at once: a card and a phone contract of one parent are
one attack, not two proofs. All thresholds are 18.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation.population import Population, age_at
from pairguard_training.simulation.states import (
    ADULT_AGE_YEARS,
    Array,
    Index,
    Intent,
    Mask,
    interpolate,
    states,
)

THRESHOLD_YEARS = 18.0
RESULTS = ("OVER", "UNDER", "INCONCLUSIVE")
METHODS = ("CREDIT_CARD", "MOBILE_OPERATOR", "ID_DOCUMENT", "DIGITAL_WALLET", "EMAIL")
# Which methods an identity check used, and how often.
_PATTERNS = ((0,), (0, 1), (2,), (3,))
_PATTERN_SHARES = (0.4, 0.2, 0.3, 0.1)
_IDENTITY_SHARE = 0.12
_EMAIL_SHARE = 0.22
_EMAIL = 4

# P(over, under, inconclusive) of an honest check, for minors and for adults. E-mail: AVPA 2025
# quoting VerifyMy (.0224 of minors taken as adults), tnsafety.com (.024 of adults as minors). The
# others are assumed.
_HONEST = np.array(
    [
        [[0.03, 0.37, 0.60], [0.88, 0.02, 0.10]],
        [[0.09, 0.78, 0.13], [0.84, 0.10, 0.06]],
        [[0.01, 0.95, 0.04], [0.985, 0.005, 0.01]],
        [[0.005, 0.60, 0.395], [0.93, 0.01, 0.06]],
        [[0.0224, 0.7776, 0.20], [0.776, 0.024, 0.20]],
    ]
)
_ATTACK = ((8, 0.06), (13, 0.10), (17.9, 0.10), (18.0, 0.02), (75, 0.005))  # assumed


@dataclass(frozen=True, slots=True)
class Checks:
    """Checks of each participant (n,).

    Attributes:
        identity_time_days: (n,) when an identity was checked; NaN: never.
        email_time_days: (n,) when the e-mail address was looked up; NaN: never.
        result: (n, 5) index into ``RESULTS`` by method; -1: no such check.
    """

    identity_time_days: Array
    email_time_days: Array
    result: Index


def draw_checks(population: Population, *, days: int, rng: np.random.Generator) -> Checks:
    """Draw who was checked by what, when, and what came out."""
    count = len(population.state)
    world = states()
    posing = world.intent[population.state] == Intent.POSING
    earliest = np.maximum(population.signup_days, -365.0)
    times = earliest + (days - earliest) * rng.random((2, count))
    identity = np.where(rng.random(count) < _IDENTITY_SHARE, times[0], np.nan)
    email = np.where(rng.random(count) < _EMAIL_SHARE, times[1], np.nan)
    pattern = np.searchsorted(np.cumsum(_PATTERN_SHARES), rng.random(count))
    used = np.zeros((count, len(METHODS)), dtype=bool)
    for index, methods in enumerate(_PATTERNS):
        used[np.ix_(np.flatnonzero(pattern == index), np.array(methods))] = True
    used &= ~np.isnan(identity)[:, None]
    used[:, _EMAIL] = ~np.isnan(email)
    age = age_at(world.age[population.state], np.nan_to_num(times[0]))
    borrowed = rng.random(count) < _attack(age, posing)
    result = np.full((count, len(METHODS)), -1)
    for method in range(len(METHODS)):
        time = email if method == _EMAIL else identity
        adult = age_at(world.age[population.state], np.nan_to_num(time)) >= ADULT_AGE_YEARS
        chances = np.cumsum(_HONEST[method][adult.astype(np.int64)], axis=1)
        drawn = np.minimum((chances < rng.random(count)[:, None]).sum(axis=1), 2)
        if method != _EMAIL:
            drawn = np.where(borrowed, 0, drawn)
        result[:, method] = np.where(used[:, method], drawn, -1)
    return Checks(identity, email, result)


def identity_log_likelihood(checks: Checks, rows: Index) -> Array:
    """Return (len(rows), S) log probability of the identity checks of those who have any."""
    world = states()
    age = age_at(world.age, checks.identity_time_days[rows][:, None])
    posing = (world.intent == Intent.POSING)[None, :]
    adult = (age >= ADULT_AGE_YEARS).astype(np.int64)
    honest = np.ones_like(age)
    passed = np.ones((len(rows), 1))
    for method in range(_EMAIL):
        answer = checks.result[rows, method]
        held = answer >= 0
        chance = _HONEST[method][adult, np.maximum(answer, 0)[:, None]]
        honest = np.where(held[:, None], honest * chance, honest)
        passed = np.where(held[:, None], passed * (answer == 0)[:, None], passed)
    rate = _attack(age, posing)
    result: Array = np.log(np.maximum((1 - rate) * honest + rate * passed, 1e-300))
    return result


def email_log_likelihood(checks: Checks, rows: Index) -> Array:
    """Return (len(rows), S) log probability of the e-mail look-ups of those who have one."""
    age = age_at(states().age, checks.email_time_days[rows][:, None])
    adult = (age >= ADULT_AGE_YEARS).astype(np.int64)
    result: Array = np.log(_HONEST[_EMAIL][adult, checks.result[rows, _EMAIL][:, None]])
    return result


def _attack(age: Array, posing: Mask) -> Array:
    return np.where(posing, 0.0, interpolate(age, _ATTACK))
