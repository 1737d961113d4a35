"""Birth dates, reduced at once to what may be kept.

Owns the step from a date of birth to a whole age or a year. The date itself never leaves this
module: no value holds it, and no error repeats it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypedDict

from pairguard.client.arguments import require_moment
from pairguard.client.evidence.payload import MOST_YEARS, refuse

_FULL_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = re.compile(r"[0-9]{4}")
_FIRST_YEAR = 1900
_UNKNOWN_YEAR = "0000"
# Where a day begins last. Nobody there is a year older yet who is not so everywhere.
_LAST_ZONE = timezone(timedelta(hours=-12))
_IMPOSSIBLE = "must be no later, and at most 120 years earlier, than observed_time"


class AgeOrYear(TypedDict, total=False):
    """Exactly one of a whole age and a calendar year of birth, as the builders take them."""

    age_years: int
    birth_year: int


def reduced_birth_date(
    value: object, *, observed_time: datetime | None, path: str, partial: bool = False
) -> AgeOrYear | None:
    """Return the whole age at ``observed_time``, or the year of birth where that is not known.

    Args:
        value: ``YYYY-MM-DD``, or a ``date``.
        observed_time: When it was shown; the birthday counts once it has come all over the world,
            since nobody says where the person is. None: not known.
        path: Where the date stands in the payload.
        partial: Whether ``YYYY`` and ``0000-MM-DD`` are taken too, as OpenID Connect has them.

    Returns:
        None for a date without a year, which says nothing.

    Raises:
        ValueError: It is no such date, lies before 1900 or more than 120 years before
            ``observed_time``, or after it; or ``observed_time`` has no time zone.
        TypeError: ``observed_time`` is no datetime.
    """
    day = _read(value, path, partial=partial)
    if day is None:
        return None
    year = day if isinstance(day, int) else day.year
    kept = possible_birth_year(year, observed_time=observed_time, path=path)
    if observed_time is None or isinstance(day, int):
        return kept
    if day > _day(observed_time, UTC):
        refuse(path, _IMPOSSIBLE)
    today = _day(observed_time, _LAST_ZONE)
    # Somebody born on 29 February is a year older on 1 March: never a day too early.
    before_birthday = (today.month, today.day) < (day.month, day.day)
    return {"age_years": max(today.year - day.year - before_birthday, 0)}


def possible_birth_year(year: int, *, observed_time: datetime | None, path: str) -> AgeOrYear:
    """Return a year of birth; refuses one before 1900, or impossible at ``observed_time``.

    Raises:
        ValueError: See ``reduced_birth_date``.
        TypeError: ``observed_time`` is no datetime.
    """
    if year < _FIRST_YEAR:
        refuse(path, "must be 1900 or later")
    if observed_time is not None:
        require_moment("observed_time", observed_time)
        if not 0 <= _day(observed_time, UTC).year - year <= MOST_YEARS:
            refuse(path, _IMPOSSIBLE)
    return {"birth_year": year}


def _day(moment: datetime, zone: timezone) -> date:
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        raise ValueError("observed_time: is too close to the end of the calendar") from None


def _read(value: object, path: str, *, partial: bool) -> date | int | None:
    """Return a date, a year without a date, or None for a date without a year."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        refuse(path, "must be a date")
    if partial and _YEAR.fullmatch(value):
        return None if value == _UNKNOWN_YEAR else int(value)
    if not _FULL_DATE.fullmatch(value):
        refuse(path, "must be a date as YYYY-MM-DD")
    without_year = partial and value.startswith(_UNKNOWN_YEAR)
    try:
        # A leap year, so that 29 February is a day even where the year is not told.
        day = date.fromisoformat("2000" + value[4:] if without_year else value)
    except ValueError:
        # Without its cause, which repeats the date.
        raise ValueError(f"{path}: is no day of the calendar") from None
    return None if without_year else day
