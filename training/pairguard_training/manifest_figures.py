"""Figures as the manifest keeps them.

Owns their rounding. It must not know what they measure.
"""

from __future__ import annotations

import math


def figure(value: float) -> float | None:
    """Return a figure for the manifest: six digits, None for what cannot be told."""
    return None if not math.isfinite(value) else float(f"{value:.6g}")
