"""Figures in words for people who read no tables of statistics.

Owns how a share, its interval, a count and a time are written. It must not know what they measure.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from pairguard_training.proportions import Proportion
from pairguard_training.resampling import Estimate

UNKNOWN = "unknown"

_LONGEST = 120


def percent(share: float) -> str:
    """Return a share in per cent with about two digits that mean something."""
    if not math.isfinite(share):
        return UNKNOWN
    return f"{_digits(100.0 * share)}\u00a0%"


def percent_with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    """Return a share and its interval, ``3.8 % (2.2 to 5.7 %)``."""
    if not math.isfinite(estimate.value):
        return UNKNOWN
    value = f"{_signed(estimate.value)} points" if signed else percent(estimate.value)
    if not math.isfinite(estimate.low):
        return f"{value} (interval unknown)"
    if signed:
        return f"{value} ({_signed(estimate.low)} to {_signed(estimate.high)})"
    return f"{value} ({_digits(100.0 * estimate.low)} to {_digits(100.0 * estimate.high)}\u00a0%)"


def interval_of(low: float, high: float) -> str:
    """Return an interval of shares, ``2.2 to 5.7 %``."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNKNOWN
    return f"{_digits(100.0 * low)} to {_digits(100.0 * high)}\u00a0%"


def counted(share: Proportion) -> str:
    """Return a count of so many, ``3 of 1,096``."""
    return f"{share.count:,} of {share.of:,}" if share.of else "nobody"


def number(estimate: Estimate, *, signed: bool = False) -> str:
    """Return a figure that is no share, with its interval."""
    if not math.isfinite(estimate.value):
        return UNKNOWN
    sign = "+" if signed else ""
    value, low, high = (
        f"{figure:{sign}.3f}".replace("-", "\u2212")
        for figure in (estimate.value, estimate.low, estimate.high)
    )
    known = math.isfinite(estimate.low)
    return f"{value} ({low} to {high})" if known else f"{value} (interval unknown)"


def per_thousand(share: float) -> str:
    """Return how many of 1,000 a share is; rare ones are told as fewer than one."""
    if not math.isfinite(share):
        return UNKNOWN
    count = 1_000.0 * share
    if 0.0 < count < 1.0:
        return "fewer than 1"
    return f"{count:,.0f}"


def probability(value: float | None) -> str:
    """Return a probability of one person or pair in per cent."""
    if value is None:
        return UNKNOWN
    if value < 1e-4:
        return "under 0.01\u00a0%"
    return "over 99.9\u00a0%" if value > 0.999 else percent(value)


def short(text: str) -> str:
    """Return a text of the data, which may be endless, at a length that a page can bear."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def day(seconds: float) -> str:
    """Return the day of a time in seconds since 1970, ``2026-01-31``."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d")


def _signed(share: float) -> str:
    return f"{100.0 * share:+.1f}".replace("-", "\u2212")


def _digits(value: float) -> str:
    size = abs(value)
    if size == 0.0:
        return "0"
    if size >= 99.95:
        return f"{value:.0f}" if size >= 99.995 else f"{value:.2f}"
    if size >= 0.995:
        return f"{value:.1f}"
    return f"{value:.2g}" if size >= 0.001 else "under 0.001"
