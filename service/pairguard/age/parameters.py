"""Reading of parameters that carry their source.

Owns the shapes a parameter of the age tables has: a number or word ``{"value", "source"}``, a curve
over age ``{"ages", "values", "source"}``, and a distribution of something by age ``{"ages",
"outcomes", "shares", "source"}``. It must not know what any of them means.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Any, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from pairguard.errors import FieldViolation, InvalidInput

Array = NDArray[np.float64]
_Word = TypeVar("_Word", bound=StrEnum)

AGE_COUNT = 101
_LARGEST = 1e300
_SUM_TOLERANCE = 1e-3  # of shares, which are rounded
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
        return self.number_in(self.section(path), path, low, high)

    def number_in(self, node: object, path: str, low: float, high: float) -> float:
        """Return the number that ``node`` is; for names with dots, which no path can hold."""
        if not isinstance(node, Mapping):
            self.problem(path, "must be a table")
            return low
        value = node.get("value")
        self._require_source(path, node)
        if isinstance(value, (int, float)) and _is_number(value) and low <= value <= high:
            return float(value)
        self.problem(f"{path}.value", f"must be a number from {low:g} to {high:g}")
        return low

    def word(self, path: str, words: type[_Word]) -> _Word:
        """Return the word at a dotted path, one of an enum's, its source given."""
        node = self.section(path)
        self._require_source(path, node)
        found = {word.value: word for word in words}.get(str(node.get("value")))
        if found is None:
            self.problem(f"{path}.value", f"must be one of {', '.join(words)}")
            return next(iter(words))
        return found

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

    def distribution(self, path: str, low: float, high: float) -> tuple[Array, Array]:
        """Return the distribution at a dotted path: its outcomes, and their shares by age.

        ``shares`` has one list for each of ``ages``, with the share of each of ``outcomes``.

        Args:
            path: Dotted path.
            low: Lowest permitted outcome.
            high: Highest.

        Returns:
            (n,) rising outcomes, and (n, 101) their shares on the age grid, linear between the
            ages; each column sums to 1.
        """
        node = self.section(path)
        self._require_source(path, node)
        ages, outcomes, shares = (node.get(key) for key in ("ages", "outcomes", "shares"))
        nothing = np.array([low, high]), np.full((2, AGE_COUNT), 0.5)
        sound = True
        for name, values, fewest in (("ages", ages, 1), ("outcomes", outcomes, 2)):
            if not _are_numbers(values) or len(values) < fewest:
                self.problem(f"{path}.{name}", f"must be {fewest} or more numbers")
                sound = False
            elif any(b <= a for a, b in pairwise(values)):
                self.problem(f"{path}.{name}", "must rise strictly")
                sound = False
        if not sound or not isinstance(ages, list) or not isinstance(outcomes, list):
            return nothing
        if not all(low <= outcome <= high for outcome in outcomes):
            self.problem(f"{path}.outcomes", f"must lie from {low:g} to {high:g}")
            sound = False
        if not isinstance(shares, list) or len(shares) != len(ages):
            self.problem(f"{path}.shares", "must be one list for each of the ages")
            return nothing
        for place, row in enumerate(shares):
            wrong = _wrong_shares(row, len(outcomes))
            if wrong:
                self.problem(f"{path}.shares[{place}]", wrong)
                sound = False
        if not sound:
            return nothing
        known = np.asarray(shares, float)
        known /= known.sum(axis=1, keepdims=True)
        by_age = [np.interp(AGE_GRID, np.asarray(ages, float), share) for share in known.T]
        return np.asarray(outcomes, float), np.stack(by_age)

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


def _wrong_shares(row: object, count: int) -> str:
    if not _are_numbers(row) or len(row) != count:
        return "must be one number for each of the outcomes"
    if min(row) < 0.0:
        return "must not be negative"
    if abs(sum(row) - 1.0) > _SUM_TOLERANCE:
        return f"must sum to 1, not {sum(row):g}"
    return ""


def _are_numbers(values: object) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(_is_number(value) for value in values)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= _LARGEST  # also false for NaN, and for whole numbers beyond any float
