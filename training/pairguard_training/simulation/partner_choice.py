"""Lasting habits of the simulated: whom they skip and stay with, and how soon others leave them.

Owns the habits, their rates and how common each is in each state; all of it is assumed. It must not
know how meetings are drawn (``past_meetings``).

A state makes a habit likelier and never certain: the young seek the young as the predatory do, and
half of the predatory do not show it. So whoever watches somebody for ever learns the habit and not
the intent; what a habit tells is bounded by how much commoner it is in one state than in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from scipy.special import expit

from pairguard_training.simulation.states import Array, States, states

LIKELY_MINOR = 0.75
"""Probability of being a minor that the service gave to a partner whom it took for one."""
LIKELY_ADULT = 0.12
"""The same of every other partner: the service errs about both."""

# Taste: level of its log share, lean to the young, to the youthful, of the rude, the predatory and
# those who pose; what it adds to the log-odds of skipping a likely minor and a likely adult; mean
# seconds of a chat that goes on with either.
_TASTES = (
    ((0.0, 0.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0), (110.0, 110.0)),
    ((-0.7, -2.0, 0.0, 0.0, -0.6, -0.6), (0.7, -0.3), (70.0, 125.0)),
    ((-2.6, 2.6, 0.5, 0.4, 2.9, 2.2), (-0.8, 0.9), (150.0, 70.0)),
)
# Patience: share of the hasty, and its leans; log-odds of skipping anybody.
_HASTY_SHARE = 0.35
_HASTY_LEANS = {"young": 0.3, "youthful": 0.5, "rude": 0.4, "predatory": 0.9, "posing": 0.9}
_PATIENT_LOG_ODDS, _HASTY_LOG_ODDS = -1.3, 0.0
# Company: who is proposed many likely minors, as a young crowd or a choice of interests brings it.
_YOUNG_COMPANY_SHARE = 0.12
_YOUNG_COMPANY_LEANS = {"young": 2.0, "youthful": 0.3, "predatory": 0.5, "posing": 1.0}
_MINOR_SHARES = (0.15, 0.40)

# How others take to somebody: rate of being skipped; level of the log share, as in a taste.
_APPEALS = (
    (0.22, (0.0, 0.0, 0.2, -0.3, -0.2, 0.0)),
    (0.40, (0.6, 0.0, 0.0, 0.0, 0.0, 0.0)),
    (0.60, (-0.5, 0.2, -0.2, 0.8, 0.7, 0.4)),
)


@dataclass(frozen=True, slots=True)
class Habits:
    """Ways to choose partners, of which everybody has one for good.

    Attributes:
        shares: (H, S) how common each is in each state; columns sum to 1.
        minor_share: (H,) share of likely minors among the partners who are met.
        skips_minor: (H,) share of likely minors whom somebody of the habit skips.
        skips_adult: (H,) the same of likely adults.
        seconds_with_minor: (H,) mean length of a chat with a likely minor that nobody skips.
        seconds_with_adult: (H,) the same with a likely adult.
    """

    shares: Array
    minor_share: Array
    skips_minor: Array
    skips_adult: Array
    seconds_with_minor: Array
    seconds_with_adult: Array


@dataclass(frozen=True, slots=True)
class Appeals:
    """How others take to somebody.

    Attributes:
        shares: (A, S) how common each is in each state; columns sum to 1.
        skipped: (A,) share of the partners, of those not skipped, who skip.
    """

    shares: Array
    skipped: Array


@lru_cache(maxsize=1)
def habits() -> Habits:
    """Return every habit: a taste, a patience and a company."""
    world = states()
    tastes = _shares(world, [levels for levels, _, _ in _TASTES])
    hasty = world.rate(_HASTY_SHARE, **_HASTY_LEANS)
    young = world.rate(_YOUNG_COMPANY_SHARE, **_YOUNG_COMPANY_LEANS)
    rows = []
    for (taste, (_, added, seconds)), patience, company in product(
        enumerate(_TASTES), (0, 1), (0, 1)
    ):
        share = tastes[taste]
        share = share * (hasty if patience else 1.0 - hasty)
        share = share * (young if company else 1.0 - young)
        log_odds = _HASTY_LOG_ODDS if patience else _PATIENT_LOG_ODDS
        skips = expit(log_odds + np.array(added))
        rows.append((share, _MINOR_SHARES[company], *skips, *seconds))
    shares, *rates = zip(*rows, strict=True)
    return Habits(np.stack(shares), *(np.array(rate) for rate in rates))


@lru_cache(maxsize=1)
def appeals() -> Appeals:
    """Return how others may take to somebody."""
    shares = _shares(states(), [levels for _, levels in _APPEALS])
    return Appeals(shares, np.array([rate for rate, _ in _APPEALS]))


def _shares(world: States, levels: list[tuple[float, ...]]) -> Array:
    """Return (kinds, S) shares, as a softmax."""
    names = ("young", "youthful", "rude", "predatory", "posing")
    logits = np.stack(
        [world.curve(level, **dict(zip(names, leans, strict=True))) for level, *leans in levels]
    )
    weights = np.exp(logits - logits.max(axis=0))
    result: Array = weights / weights.sum(axis=0)
    return result
