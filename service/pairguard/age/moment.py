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
_SAME_DEVICE_SECONDS = 3600.0  # a sign-up and its check are one event, in either order
_WITH_BIRTH_YEAR = (SelfDeclared, VerifiedAge)
_MARGIN_SECONDS = 1.0
_FAR_OFF = 1e11  # seconds: up to there a double tells microseconds apart
_LONGEST_YEARS = 20.0  # a time further back is a wrong clock: the age in the item counts as of now


class Moment(NamedTuple):
    """An item's times, as far as they matter.

    Attributes:
        elapsed_years: By how much the age has moved since it was stated.
        observed_weeks: Weeks since the observation; None: its time is not told.
        stated_year: Calendar year in which a year of birth was stated; 0 for everything else.
        expired: Whether it has expired.
        tampered: Whether this session shows signs of tampering with the camera, or the item's
            capture was shown before.
        handed_over: Whether the account has come to a device that it was not on at the observation,
            or the item was told of somebody linked, who may be another person.
    """

    elapsed_years: float
    observed_weeks: int | None
    stated_year: int
    expired: bool
    tampered: bool
    handed_over: bool


def moment_of(
    evidence: AgeEvidence, now: float, *, tampered: bool, device_since: float | None
) -> Moment:
    """Return an item's moment; ``now`` in seconds since 1970, a later time counts as now.

    Args:
        evidence: The item.
        now: Seconds since 1970.
        tampered: Whether what a camera saw is not to be believed.
        device_since: Since when the account is on its device; None: not told.
    """
    observation, observed = evidence.observation, evidence.observed_time
    stated_time = observed
    if isinstance(observation, SelfDeclared) and observation.declared_time is not None:
        stated_time = observation.declared_time
    observed_weeks = None
    if observed is not None:
        # A begun week counts whole; there is none within the first day.
        since = now - observed - _SECONDS_PER_DAY
        # What is no number is refused, not taken for now.
        observed_weeks = 0 if since <= 0.0 else math.ceil(since / _SECONDS_PER_WEEK)
    elapsed_years, stated_year = 0.0, 0
    if isinstance(observation, _WITH_BIRTH_YEAR) and observation.birth_year is not None:
        elapsed_years, stated_year = _calendar_years(stated_time, now)
    elif stated_time is not None and stated_time < now:
        elapsed_years = (now - stated_time) // _SECONDS_PER_WEEK / WEEKS_PER_YEAR
        if elapsed_years > _LONGEST_YEARS:
            elapsed_years = 0.0
    expire_time = evidence.expire_time
    # Made once an item of every request; the plain way to make a named tuple takes half as long
    # again as all of the above.
    return tuple.__new__(
        Moment,
        (
            elapsed_years,
            observed_weeks,
            stated_year,
            expire_time is not None and expire_time <= now,
            tampered,
            evidence.of_linked
            or (
                device_since is not None
                and (observed is None or not observed >= device_since - _SAME_DEVICE_SECONDS)
            ),
        ),
    )


def unchanged_during(
    evidence: AgeEvidence, now: float, *, device_since: float | None
) -> tuple[float, float]:
    """Return a first and a last time, around now, between which an item's moment stays as it is.

    Both are a second inside of where it changes, so that rounding has no say; where now is not
    between them, the moment is about to change or has just. Empty (inf, -inf) for times so far off
    that seconds do not count.

    Args:
        evidence: The item.
        now: Seconds since 1970.
        device_since: As in ``moment_of``; taken to move on with now, as it does where it is told
            for how long the account has been on the device.
    """
    observation, observed = evidence.observation, evidence.observed_time
    stated_time, expire_time = observed, evidence.expire_time
    if isinstance(observation, SelfDeclared) and observation.declared_time is not None:
        stated_time = observation.declared_time
    first, last = -math.inf, math.inf
    told = (now, observed, stated_time, expire_time, device_since)
    if not all(time is None or abs(time) < _FAR_OFF for time in told):
        return last, first  # a NaN is not below, either
    if observed is not None:
        first, last = _week_around(now, observed + _SECONDS_PER_DAY)
        if device_since is not None:
            handed_over = observed + _SAME_DEVICE_SECONDS + (now - device_since)
            first, last = _beside(now, handed_over, first, last)
    if isinstance(observation, _WITH_BIRTH_YEAR) and observation.birth_year is not None:
        for year in (_year(now), _year(now) + 1):
            first, last = _beside(now, datetime(year, 1, 1, tzinfo=UTC).timestamp(), first, last)
    elif stated_time is not None:
        start, end = _week_around(now, stated_time)
        first, last = max(first, start), min(last, end)
    if expire_time is not None:
        first, last = _beside(now, expire_time, first, last)
    return first + _MARGIN_SECONDS, last - _MARGIN_SECONDS


def _week_around(now: float, start: float) -> tuple[float, float]:
    """Return the ends of the whole week since ``start`` that holds now; all before is one."""
    if now <= start:
        return -math.inf, start
    begun = start + (now - start) // _SECONDS_PER_WEEK * _SECONDS_PER_WEEK
    return begun, begun + _SECONDS_PER_WEEK


def _beside(now: float, change: float, first: float, last: float) -> tuple[float, float]:
    """Return the part of an interval that lies on now's side of a change."""
    return (max(first, change), last) if change <= now else (first, min(last, change))


def _calendar_years(stated_time: float | None, now: float) -> tuple[float, int]:
    """Return by how many calendar years an age has moved, and the year in which it was stated.

    A time that is not told is now; so is one too long ago.
    """
    this_year = _year(now)
    stated_year = this_year if stated_time is None else _year(min(stated_time, now))
    if this_year - stated_year > _LONGEST_YEARS:
        stated_year = this_year
    return float(this_year - stated_year), stated_year


def _year(time: float) -> int:
    return datetime.fromtimestamp(max(time, 0.0), UTC).year
