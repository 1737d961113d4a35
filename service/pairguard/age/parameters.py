"""Reading of parameters that carry their source.

Owns the two shapes a parameter of the age tables has: a number ``{"value", "source"}`` and a curve
over age ``{"ages", "values", "source"}``. It must not know what any of them means.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.errors import FieldViolation, InvalidInput

Array = NDArray[np.float64]

AGE_COUNT = 101
_LARGEST = 1e300
AGE_GRID: Array = np.arange(AGE_COUNT, dtype=np.float64)
"""Whole years 0..100; the point g stands for the ages in [g, g + 1)."""
AGE_GRID.setflags(write=False)


class ParameterReader:
    """Read parameters of one mapping and remember every problem found on the way."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self._mapping = mapping
        self._problems: list[FieldViolation] = []

    def section(self, path: str) -> Mapping[str, Any]:
        """Return the mapping at a dotted path; an absent one is a problem and reads as empty."""
        node: Any = self._mapping
        for key in path.split("."):
            node = node.get(key) if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping):
            self.problem(path, "must be a table")
            return {}
        return node

    def number(self, path: str, low: float, high: float) -> float:
        """Return the number at a dotted path, within [low, high], its source given."""
        node = self.section(path)
        value = node.get("value")
        self._require_source(path, node)
        if isinstance(value, (int, float)) and _is_number(value) and low <= value <= high:
            return float(value)
        self.problem(f"{path}.value", f"must be a number from {low:g} to {high:g}")
        return low

    def curve(self, path: str, low: float, high: float) -> Array:
        """Return the curve at a dotted path on the age grid, linear between its knots."""
        node = self.section(path)
        ages, values = node.get("ages"), node.get("values")
        self._require_source(path, node)
        if (
            not isinstance(ages, list)
            or not isinstance(values, list)
            or len(ages) != len(values)
            or not ages
            or not all(_is_number(x) for x in [*ages, *values])
        ):
            self.problem(path, "must have ages and values of the same length, all numbers")
            return np.full(AGE_COUNT, low)
        if any(b <= a for a, b in pairwise(ages)):
            self.problem(f"{path}.ages", "must rise strictly")
        if not all(low <= v <= high for v in values):
            self.problem(f"{path}.values", f"must lie from {low:g} to {high:g}")
        curve: Array = np.interp(AGE_GRID, np.asarray(ages, float), np.asarray(values, float))
        return curve

    def problem(self, path: str, description: str) -> None:
        """Remember one problem."""
        self._problems.append(FieldViolation(path, description))

    def raise_problems(self, reason: str) -> None:
        """Raise ``InvalidInput`` with every problem found so far, if there is one."""
        if self._problems:
            raise InvalidInput(self._problems, reason=reason)

    def _require_source(self, path: str, node: Mapping[str, Any]) -> None:
        source = node.get("source")
        if not isinstance(source, str) or not source.strip():
            self.problem(f"{path}.source", 'must name the source, or say "assumed"')


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= _LARGEST  # also false for NaN, and for whole numbers beyond any float
