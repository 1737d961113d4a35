"""When an item of evidence was true, seen from now.

Owns the arithmetic of times: whole weeks, rounded to the cautious side, and calendar years for
years of birth. It must not know what an item says.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

from pairguard.age.evidence import AgeEvidence, SelfDeclared, VerifiedAge

WEEKS_PER_YEAR = 365.2425 / 7.0

_SECONDS_PER_DAY = 86_400.0
_SECONDS_PER_WEEK = 7.0 * _SECONDS_PER_DAY
_LONGEST_YEARS = 20.0  # a time further back is a wrong clock: the age in the item counts as of now


class Moment(NamedTuple):
    """An item's times, as far as they matter.

    Attributes:
        elapsed_years: By how much the age has moved since it was stated.
        observed_weeks: Weeks since the observation; None: its time is not told.
        stated_year: Calendar year in which a year of birth was stated; 0 for everything else.
        expired: Whether it has expired.
        tampered: Whether this session shows signs of tampering with the camera.
    """

    elapsed_years: float
    observed_weeks: int | None
    stated_year: int
    expired: bool
    tampered: bool


def moment_of(evidence: AgeEvidence, now: float, *, tampered_capture: bool) -> Moment:
    """Return an item's moment; ``now`` in seconds since 1970, a later time counts as now."""
    stated_time, observed = _stated_time(evidence), evidence.observed_time
    observed_weeks = None if observed is None else _weeks_begun(observed, now)
    elapsed_years, stated_year = 0.0, 0
    if _is_birth_year(evidence):
        stated_year = _year(now if stated_time is None else min(stated_time, now))
        if stated_time is not None:
            elapsed_years = float(_year(now) - stated_year)
        if elapsed_years > _LONGEST_YEARS:
            elapsed_years, stated_year = 0.0, _year(now)
    elif stated_time is not None:
        elapsed_years = _weeks_completed(stated_time, now) / WEEKS_PER_YEAR
        if elapsed_years > _LONGEST_YEARS:
            elapsed_years = 0.0
    return Moment(
        elapsed_years,
        observed_weeks,
        stated_year,
        evidence.expire_time is not None and evidence.expire_time <= now,
        tampered_capture,
    )


def _stated_time(evidence: AgeEvidence) -> float | None:
    """Return when the age in the item was true; None: unknown, taken as now."""
    if isinstance(evidence.observation, SelfDeclared):
        declared_time = evidence.observation.declared_time
        if declared_time is not None:
            return declared_time
    return evidence.observed_time


def _is_birth_year(evidence: AgeEvidence) -> bool:
    observation = evidence.observation
    return (
        isinstance(observation, (SelfDeclared, VerifiedAge)) and observation.birth_year is not None
    )


def _weeks_completed(time: float, now: float) -> int:
    return max(int((now - time) // _SECONDS_PER_WEEK), 0)


def _weeks_begun(time: float, now: float) -> int:
    """Return the weeks since a time, a begun one counted whole; none within the first day."""
    return max(math.ceil((now - time - _SECONDS_PER_DAY) / _SECONDS_PER_WEEK), 0)


def _year(time: float) -> int:
    return datetime.fromtimestamp(max(time, 0.0), UTC).year
