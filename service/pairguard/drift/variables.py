"""One variable of a reference: its cells, and how many fell into each.

Owns the document of a variable and which cell a value falls into. It must not know how many
values there should be, nor what differs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from typing import Any

from pairguard.drift.groups import GROUPS, OTHER, Group, GroupFacts


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and its counts in the reference.

    A number falls into the first cell whose upper edge it does not exceed; the last cell has none.
    A word falls into its own cell, one that is not listed into the last.

    Attributes:
        group: What it belongs to, which says what no value means.
        name: Name within the group.
        counts: Values in each cell.
        unknown: Of how many the value is not known.
        edges: Upper edges of all cells but the last, ascending; of words none.
        centres: Mean of the reference's values in each cell, ascending; of words none.
        deviation: Standard deviation of the values, 0 where they are all the same; of words 0.
        words: Words of all cells but the last.
        discrete: Whether the reference's numbers in a cell are all the same, which is its centre.
        follows_day: Whether the value is mostly one of the day, as that of a school day: days
            differ in it from each other, and only whole weeks are compared.
    """

    group: Group
    name: str
    counts: tuple[int, ...]
    unknown: int
    edges: tuple[float, ...] = ()
    centres: tuple[float, ...] = ()
    deviation: float = 0.0
    words: tuple[str, ...] = ()
    discrete: bool = False
    follows_day: bool = False
    _places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check that the parts fit.

        Raises:
            ValueError: They do not.
        """
        problem = self._problem()
        if problem:
            raise ValueError(f"{self.group.value} {self.name}: {problem}")
        object.__setattr__(self, "_places", {word: i for i, word in enumerate(self.words)})

    @property
    def facts(self) -> GroupFacts:
        """What holds for its whole group."""
        return GROUPS[self.group]

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells, for people."""
        if self.facts.is_word:
            return (*self.words, OTHER)
        bounds = [f"{edge:.4g}" for edge in self.edges]
        if not bounds:
            return ("any",)
        middle = [f"{low} to {high}" for low, high in pairwise(bounds)]
        return (f"to {bounds[0]}", *middle, f"above {bounds[-1]}")

    def cell(self, value: float | str) -> int:
        """Return the cell that a value falls into."""
        if isinstance(value, str):
            return self._places.get(value, len(self.words))
        return bisect_left(self.edges, value)

    def to_mapping(self) -> dict[str, Any]:
        """Return the document that ``from_mapping`` reads."""
        document: dict[str, Any] = {
            "group": self.group.value,
            "name": self.name,
            "counts": list(self.counts),
            "unknown": self.unknown,
        }
        if self.facts.is_word:
            return document | {"words": list(self.words)}
        return document | {
            "edges": list(self.edges),
            "centres": list(self.centres),
            "deviation": self.deviation,
            "discrete": self.discrete,
            "follows_day": self.follows_day,
        }

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> Variable:
        """Read a document; what it has beyond is left alone.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        return cls(
            group=Group(document["group"]),
            name=_text(document["name"]),
            counts=tuple([_count(each) for each in document["counts"]]),
            unknown=_count(document["unknown"]),
            edges=tuple([_number(each) for each in document.get("edges", ())]),
            centres=tuple([_number(each) for each in document.get("centres", ())]),
            deviation=_number(document.get("deviation", 0.0)),
            words=tuple([_text(each) for each in document.get("words", ())]),
            discrete=document.get("discrete", False) is True,
            follows_day=document.get("follows_day", False) is True,
        )

    def _problem(self) -> str:
        cells = len(self.counts)
        if self.facts.is_word:
            wrong = cells != len(self.words) + 1 or bool(self.edges or self.centres)
            if wrong or len(set(self.words)) != len(self.words):
                return "as many different words as counts but one are wanted, and no edges"
        elif cells != len(self.edges) + 1 or cells != len(self.centres) or self.words:
            return "as many centres as counts, and one edge fewer, are wanted"
        elif not (_ascending(self.edges) and _ascending(self.centres)):
            return "edges and centres must ascend"
        if min(self.counts) < 0 or self.unknown < 0 or self.deviation < 0.0:
            return "counts and the deviation must not be negative"
        return ""


def _ascending(values: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(values))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no count")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return float(value)
