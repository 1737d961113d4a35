"""From a model's raw score to a probability, strictly increasing.

Owns the calibration maps and their one kernel, which serves a single score and a million with the
same bits. It must not know which model made the scores nor how a map was fitted.

Strictly increasing: as far as double precision can tell two probabilities apart. Every result
lies inside (0, 1); a score that is not a number gets the highest, so that it is never a way out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pairguard.errors import FieldViolation, InvalidInput

Array = NDArray[np.float64]
_Numbers = TypeVar("_Numbers", Array, np.float64)

LOWEST = 5e-305
"""A bound from below on every probability: the sigmoid of -700 is 9.9e-305."""
HIGHEST = float(np.nextafter(1.0, 0.0))
"""Largest probability that is given, one step below 1."""

_WIDEST = 700.0  # log-odds; exp overflows a little beyond
_LARGEST = 1e6  # of a parameter: no map of log-odds has use for more


class CalibrationMap(Protocol):
    """A strictly increasing map from raw scores, read as log-odds, to log-odds."""

    def log_odds(self, raw: _Numbers) -> _Numbers:
        """Return the calibrated log-odds, element by element."""
        ...

    def to_mapping(self) -> dict[str, Any]:
        """Return the document of the map, its ``kind`` included."""
        ...


@dataclass(frozen=True, slots=True)
class IdentityMap:
    """Takes the raw score for the log-odds."""

    def log_odds(self, raw: _Numbers) -> _Numbers:
        """Return the scores themselves."""
        return raw

    def to_mapping(self) -> dict[str, Any]:
        """Return the map's document."""
        return {"kind": "identity"}


@dataclass(frozen=True, slots=True)
class BetaMap:
    """Beta calibration: logit q = a log p - b log(1 - p) + c, with p the sigmoid of the score.

    Source: Kull, Silva Filho, Flach (2017), Beta calibration, AISTATS, PMLR 54.

    Attributes:
        a: Slope towards low scores, >= 0.
        b: Slope towards high scores, >= 0; a + b > 0.
        c: Offset in log-odds.
    """

    a: float
    b: float
    c: float

    def log_odds(self, raw: _Numbers) -> _Numbers:
        """Return the calibrated log-odds."""
        if isinstance(raw, float):  # one score: plain arithmetic has the same bits, and is faster
            rest = float(np.log1p(np.exp(-abs(raw))))
            one: float = self.a * (min(float(raw), 0.0) - rest)
            one += self.b * (max(float(raw), 0.0) + rest)
            return np.float64(one + self.c)
        # log p = min(x, 0) - t and -log(1 - p) = max(x, 0) + t, without ever forming p.
        tail = np.log1p(np.exp(-np.abs(raw)))
        low = self.a * (np.minimum(raw, 0.0) - tail)
        high = self.b * (np.maximum(raw, 0.0) + tail)
        result: _Numbers = low + high + self.c
        return result

    def to_mapping(self) -> dict[str, Any]:
        """Return the map's document."""
        return {"kind": "beta", "a": self.a, "b": self.b, "c": self.c}


class LogitSplineMap:
    """Piecewise linear from score to log-odds; the end pieces go on with their slopes.

    Attributes:
        knots: Scores, strictly increasing, two or more.
        values: Log-odds at the knots, strictly increasing.
    """

    def __init__(self, knots: tuple[float, ...], values: tuple[float, ...]) -> None:
        self.knots = knots
        self.values = values
        at, to = np.array(knots), np.array(values)
        self._starts = at[:-1]
        self._offsets = to[:-1]
        self._slopes = np.diff(to) / np.diff(at)
        # Rounding may carry the end of a piece past the start of the next: it is held there.
        self._tops = np.append(to[1:-1], np.inf)
        self._inner = at[1:-1]

    def log_odds(self, raw: _Numbers) -> _Numbers:
        """Return the calibrated log-odds."""
        piece = np.searchsorted(self._inner, raw, side="right")
        line = self._offsets[piece] + self._slopes[piece] * (raw - self._starts[piece])
        held: _Numbers = np.minimum(line, self._tops[piece])
        return held

    def to_mapping(self) -> dict[str, Any]:
        """Return the map's document."""
        return {"kind": "logit_spline", "knots": list(self.knots), "values": list(self.values)}


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibration map and the kernel that turns scores into probabilities.

    Attributes:
        map: Raw scores to calibrated log-odds.
    """

    map: CalibrationMap

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Calibration:
        """Read ``{"kind": "beta" | "logit_spline" | "identity", ...}``.

        Raises:
            InvalidInput: With every problem found, reason ``CALIBRATION_INVALID``.
        """
        problems: list[FieldViolation] = []
        kind = mapping.get("kind")
        made: CalibrationMap = IdentityMap()
        if kind == "beta":
            a, b, c = (_number(mapping, key, problems) for key in ("a", "b", "c"))
            if min(a, b) < 0.0 or a + b <= 0.0:
                problems.append(FieldViolation("a", "a and b must be >= 0, and one of them > 0"))
            made = BetaMap(a, b, c)
        elif kind == "logit_spline":
            knots, values = (_increasing(mapping, key, problems) for key in ("knots", "values"))
            if len(knots) != len(values):
                problems.append(FieldViolation("values", "must be as many as knots"))
            if not problems:
                made = LogitSplineMap(knots, values)
        elif kind != "identity":
            problems.append(FieldViolation("kind", "must be beta, logit_spline or identity"))
        if problems:
            raise InvalidInput(problems, reason="CALIBRATION_INVALID")
        return cls(made)

    def to_mapping(self) -> dict[str, Any]:
        """Return the document that ``from_mapping`` reads."""
        return self.map.to_mapping()

    def probability(self, raw_score: float) -> float:
        """Return the probability of one raw score, the same bits as among many."""
        # A NumPy scalar takes the path of an array through the functions that round.
        log_odds = float(self.map.log_odds(np.float64(raw_score)))
        if log_odds != log_odds:  # noqa: PLR0124 - true for NaN alone
            return HIGHEST
        bounded = min(max(log_odds, -_WIDEST), _WIDEST)
        return max(min(1.0 / (1.0 + float(np.exp(-bounded))), HIGHEST), LOWEST)

    def probabilities(self, raw_scores: Array) -> Array:
        """Return the probability of each raw score.

        Args:
            raw_scores: Shape ``(n,)``; NaN counts as the highest.

        Returns:
            Shape ``(n,)``, each inside (0, 1).
        """
        raw = np.ascontiguousarray(raw_scores, dtype=np.float64)
        bounded = np.minimum(np.maximum(self.map.log_odds(raw), -_WIDEST), _WIDEST)
        chance = 1.0 / (1.0 + np.exp(-bounded))
        # fmin and fmax drop a NaN: what is not a number becomes the highest.
        held: Array = np.fmax(np.fmin(chance, HIGHEST), LOWEST)
        return held


def _number(mapping: Mapping[str, Any], key: str, problems: list[FieldViolation]) -> float:
    value = mapping.get(key)
    if _is_number(value):
        return float(value)  # type: ignore[arg-type]
    problems.append(FieldViolation(key, "must be a number within 1e6 of 0"))
    return 1.0


def _increasing(
    mapping: Mapping[str, Any], key: str, problems: list[FieldViolation]
) -> tuple[float, ...]:
    values = mapping.get(key)
    if isinstance(values, list | tuple) and len(values) >= 2 and all(map(_is_number, values)):
        numbers = tuple(float(value) for value in values)
        if all(low < high for low, high in pairwise(numbers)):
            return numbers
    problems.append(
        FieldViolation(key, "must be two or more numbers within 1e6 of 0, strictly increasing")
    )
    return (0.0, 1.0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
