"""Checks of what a caller passes in, made where the mistake is: before any call.

Owns which Python types are taken. It must not know ranges, lengths or catalogues: those are the
service's, which names the field it refuses, so that one place states each limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from numbers import Integral, Real


def require_text(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` is a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")


def require_texts(name: str, values: object) -> None:
    """Raise ``TypeError`` unless ``values`` is a tuple or list of strings, no bare string."""
    if not isinstance(values, (tuple, list)):
        raise TypeError(f"{name} must be a tuple or list of strings, not {type(values).__name__}")
    for value in values:
        require_text(f"an item of {name}", value)


def require_number(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` is a real number; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")


def require_whole_number(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` is an integer; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")


def require_moment(name: str, value: object) -> None:
    """Raise unless ``value`` is a datetime that knows its time zone.

    Raises:
        TypeError: It is no datetime.
        ValueError: It has no time zone, so that the moment it names is a guess.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} must have a time zone, for example datetime.now(UTC)")


def require_duration(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` is a timedelta."""
    if not isinstance(value, timedelta):
        raise TypeError(f"{name} must be a timedelta, not {type(value).__name__}")


def require_member(name: str, value: object, words: type[StrEnum]) -> None:
    """Raise ``TypeError`` unless ``value`` is a member of ``words``."""
    if not isinstance(value, words):
        raise TypeError(f"{name} must be a {words.__name__}, not {type(value).__name__}")


def require_mapping(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` maps strings to something."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {type(value).__name__}")
    for key in value:
        require_text(f"a name in {name}", key)


def require_seconds(name: str, value: object, *, most: float) -> None:
    """Raise unless ``value`` is a finite duration above 0 and at most ``most`` seconds.

    Raises:
        TypeError: It is no number; None is none.
        ValueError: It is not in that range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not (math.isfinite(value) and 0 < value <= most):
        raise ValueError(f"{name} must be above 0 and at most {most:g} seconds")
