"""Probabilities as they are believed: normalised, and never nearer to 0 or 1 than is right.

Owns these two steps. It must not know what the likelihood is of.
"""

from __future__ import annotations

import math

from pairguard.age.kernel import cumulative_at, posteriors
from pairguard.age.parameters import Array
from pairguard.errors import FieldViolation, InvalidInput

PROBABILITY_FLOOR = 1e-9
"""No posterior probability is reported nearer to 0 or 1: models are never that right."""

_PROBABILITY_CEILING = 1.0 - PROBABILITY_FLOOR


def posterior(base: Array, likelihood: Array) -> tuple[Array, Array]:
    """Return (..., 101) posteriors and their running sums, of (..., 101) likelihoods.

    Raises:
        InvalidInput: A number is not finite.
    """
    try:
        return posteriors(base, likelihood)
    except FloatingPointError:
        raise _not_finite() from None


def probability_up_to(base: Array, likelihood: Array, place: int) -> float:
    """Return the running sum of one posterior at one place of the grid; not clipped.

    Raises:
        InvalidInput: A number is not finite.
    """
    try:
        return cumulative_at(base, likelihood, place)
    except FloatingPointError:
        raise _not_finite() from None


def clipped(probability: float) -> float:
    """Return a probability within [1e-9, 1 - 1e-9]."""
    if probability < PROBABILITY_FLOOR:  # asked some twenty times a pair: faster than max
        return PROBABILITY_FLOOR
    return min(probability, _PROBABILITY_CEILING)


def log_odds(probability: float) -> float:
    """Return the log-odds, in nats, of a probability between 0 and 1, both excluded."""
    return math.log(probability) - math.log1p(-probability)


def _not_finite() -> InvalidInput:
    return InvalidInput([FieldViolation("age_evidence", "holds a number that is not finite")])
