"""The lines of a policy document that are promises, and how far a certificate may widen.

Owns their bounds and which of them go together. It must not know what keeps a promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pairguard.policy.line_values import checked
from pairguard.policy.promises import CONFIDENCE_BOUNDS, LINES, RATE_BOUNDS, Promise

PROMISE_LINES: Final = frozenset(
    line for each in LINES.values() for line in (each.rate, each.confidence, each.widest)
)
"""Every one of them; none must be there."""


def promises_of(lines: Mapping[str, Any], place: str, problems: list[str]) -> frozenset[Promise]:
    """Return what is asked for; a rate and its confidence go together."""
    promises = []
    for kind, named in LINES.items():
        if named.rate in lines:
            if named.confidence not in lines:
                problems.append(f"{place}.{named.confidence}: is missing beside {named.rate}")
            rate = checked(
                lines[named.rate], f"{place}.{named.rate}", ("number", *RATE_BOUNDS), problems
            )
            promises.append((kind, rate, named.confidence))
    for line in sorted({named.confidence for named in LINES.values()} & lines.keys()):
        rates = [named.rate for named in LINES.values() if named.confidence == line]
        if not lines.keys() & set(rates):
            problems.append(f"{place}.{line}: says nothing without {' or '.join(rates)}")
        checked(lines[line], f"{place}.{line}", ("number", *CONFIDENCE_BOUNDS), problems)
    if problems:
        return frozenset()
    return frozenset(
        Promise(kind, float(rate), float(lines[confidence])) for kind, rate, confidence in promises
    )


def widest_numbers(
    lines: Mapping[str, Any], values: Mapping[str, Any], place: str, problems: list[str]
) -> dict[str, Any]:
    """Return how far certificates may widen a number; without the line not at all."""
    found: dict[str, Any] = {}
    for named in LINES.values():
        if named.widest not in lines:
            continue
        where, name = f"{place}.{named.widest}", named.widest.rpartition(".")[2]
        found[name] = checked(lines[named.widest], where, ("number", 0, named.highest), problems)
        if named.rate not in lines:
            problems.append(f"{where}: says nothing without {named.rate}")
        if found[name] < values[named.number.rpartition(".")[2]]:
            problems.append(f"{where}: must not lie below {named.number}")
    return found


def inherited(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default's lines that a region takes over.

    Where the region sets a number itself, how far certificates may widen it must be its own line,
    too: else a region that is stricter than the default would be widened past what it says.
    """
    overruled = {
        named.widest for named in LINES.values() if named.number in own and named.widest not in own
    }
    return {line: value for line, value in default.items() if line not in overruled}
