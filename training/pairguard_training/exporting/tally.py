"""How many records and rows there were, and why some are in no table.

Owns the counts, the closed set of reasons, and that nothing is left out without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why something of the journal is in no table."""

    UNREADABLE = "unreadable"
    OTHER_VERSION = "other record version"
    UNKNOWN_WORD = "a word that this version does not know"
    ERASED = "erased"
    NO_DECISION = "nothing was decided"
    SHADOW = "what a challenger would have decided"
    FROM_THE_FUTURE = "observed after the decision"
    INCOMPLETE = "incomplete or out of range"
    NO_PAIR = "names no pair"
    PAIR_NOT_KEPT = "its decision is not among the pairs"
    OTHER_PEOPLE = "its decision is on other people"
    WITHOUT_DECISION = "its chat had no decision"


class Thing(StrEnum):
    """What is counted."""

    DECISIONS = "decisions"
    EVENTS = "events"
    EVIDENCE = "evidence"
    PAIRS = "pairs"
    PARTICIPANTS = "participants of decisions"
    ITEMS = "items of evidence in decisions"
    PLACED = "events in outcomes"


@dataclass(slots=True)
class Tally:
    """Counts of one part of the journal.

    Attributes:
        read: How many there were.
        left_out: How many of them are in no table, by what they are and why.
    """

    read: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def found(self, thing: Thing, count: int = 1) -> None:
        """Count what was read."""
        self.read[thing.value] += count

    def leave_out(self, thing: Thing, reason: Reason, count: int = 1) -> None:
        """Count what is in no table."""
        if count:
            self.left_out[f"{thing.value}: {reason.value}"] += count

    def left_out_of(self, thing: Thing) -> int:
        """Return how many of a thing are in no table."""
        prefix = f"{thing.value}: "
        return sum(count for name, count in self.left_out.items() if name.startswith(prefix))

    def to_mapping(self) -> dict[str, dict[str, int]]:
        """Return the counts as a document."""
        return {"read": dict(sorted(self.read.items())), "left_out": _sorted(self.left_out)}

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> Tally:
        """Read what ``to_mapping`` gave."""
        return cls(Counter(document["read"]), Counter(document["left_out"]))


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of several."""
    result = Tally()
    for each in tallies:
        result.read.update(each.read)
        result.left_out.update(each.left_out)
    return result


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}
