"""Figures as lines of text for people.

Owns how a number, its interval and a row of them are written. It must not know what they measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pairguard_training.proportions import Proportion
from pairguard_training.resampling import Estimate

WIDTH = 110
"""Columns that a printed table may take."""

_SMALL = 0.0995  # below it, a digit more


def row(name: str, cells: Sequence[str], *, name_width: int, width: int) -> str:
    """Return a line: a name, then cells that end under each other and never touch."""
    return f"  {name:<{name_width}}" + "".join(f" {cell:>{width - 1}}" for cell in cells)


def shown(estimate: Estimate, *, signed: bool = False) -> str:
    """Return a figure with its interval; small figures with one digit more."""
    if not math.isfinite(estimate.value):
        return "unknown"
    digits = 3 if signed or abs(estimate.value) >= _SMALL else 4
    value = _number(estimate.value, digits, signed=signed)
    if not math.isfinite(estimate.low):
        return f"{value} [?]"
    low, high = (_number(end, digits, signed=signed) for end in (estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def counted(share: Proportion) -> str:
    """Return a count, of how many, and the interval of the share; never a bare percentage."""
    if not share.of:
        return "-"
    low, high = (_number(end, 3 if end >= _SMALL else 4) for end in (share.low, share.high))
    return f"{share.count}/{share.of} [{low}, {high}]"


def _number(value: float, digits: int, *, signed: bool = False) -> str:
    """Return a number without the zero before its point."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    for sign in ("", "-", "+"):
        if text.startswith(f"{sign}0."):
            return sign + text[len(sign) + 1 :]
    return text
