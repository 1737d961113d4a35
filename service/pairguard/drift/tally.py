"""Counts by the cells of a reference.

Owns the layout of all cells in one array and what is counted where there is no value. It must not
know time, nor who may be counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pairguard.drift.groups import GROUPS, OTHER, Absent, Unit
from pairguard.drift.sightings import Key
from pairguard.drift.variables import Variable

Counts = NDArray[np.int64]


class Layout:
    """Where each variable stands in an array of counts.

    Each has its cells and, behind them, one for values that are not known.

    Attributes:
        variables: What is counted, in their order in the array.
        size: Length of the array.
    """

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.variables = tuple(variables)
        self._starts: list[int] = []
        start = 0
        for variable in self.variables:
            self._starts.append(start)
            start += len(variable.counts) + 1
        self.size = start
        self._of_unit = {
            unit: tuple(
                [
                    (place, (variable.group, variable.name), variable, variable.facts.absent)
                    for place, variable in zip(self._starts, self.variables, strict=True)
                    if variable.facts.unit is unit
                ]
            )
            for unit in Unit
        }
        self._keys = frozenset((each.group, each.name) for each in self.variables)

    def count(self, counts: Counts, unit: Unit, sightings: Mapping[Key, float | str]) -> None:
        """Add one participant or pair.

        Args:
            counts: (size,), added to.
            unit: Which of the two.
            sightings: Its values by name; a name that the reference does not list counts as
                ``(other)`` in the groups that count those, and elsewhere not at all.
        """
        others = {
            key[0] for key in sightings if key not in self._keys and GROUPS[key[0]].others_counted
        }
        for start, key, variable, absent in self._of_unit[unit]:
            value: float | str | None = sightings.get(key)
            if value is None:
                if absent is Absent.UNCOUNTED:
                    continue
                if absent is Absent.UNKNOWN:
                    counts[start + len(variable.counts)] += 1
                    continue
                value = 1.0 if key[1] == OTHER and key[0] in others else 0.0
            counts[start + variable.cell(value)] += 1

    def of(self, counts: Counts, place: int) -> tuple[Counts, int]:
        """Return the cells of a variable by its place, and of how many it is not known."""
        start = self._starts[place]
        end = start + len(self.variables[place].counts)
        return counts[start:end], int(counts[end])

    def put(self, counts: Counts, place: int, cells: Counts, unknown: int) -> None:
        """Set the cells of a variable by its place, and of how many it is not known."""
        start = self._starts[place]
        end = start + len(self.variables[place].counts)
        counts[start:end] = cells
        counts[end] = unknown

    def empty(self) -> Counts:
        """Return an array of nothing counted."""
        return np.zeros(self.size, dtype=np.int64)
