"""One bundle's reference beside another's.

Owns how counts in other cells become counts in the same ones: within a cell, numbers are taken as
spread evenly, unless they are all the same. It must not know what differs
(``pairguard.drift.comparison``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard.drift.comparison import Finding, compare
from pairguard.drift.groups import GROUPS, OTHER, Absent
from pairguard.drift.reference import DriftReference
from pairguard.drift.tally import Counts, Layout
from pairguard.drift.variables import Variable

Array = NDArray[np.float64]
_HALF: Final = 0.5


def compare_references(reference: DriftReference, other: DriftReference) -> tuple[Finding, ...]:
    """Compare another reference with one, in the cells of the one."""
    layout = Layout(reference.variables)
    others = {(each.group, each.name): each for each in other.variables}
    counts = layout.empty()
    for place, variable in enumerate(layout.variables):
        same = others.get((variable.group, variable.name))
        if same is not None:
            layout.put(counts, place, _in_cells_of(variable, same), same.unknown)
        elif variable.facts.absent is Absent.NO:
            layout.put(counts, place, np.array([other.participants, 0]), 0)
    _add_unlisted(layout, counts, reference, other)
    return tuple(
        compare(
            reference,
            layout,
            counts,
            worth=other.worth,
            same_policy=reference.policy_version == other.policy_version,
        )
    )


def _add_unlisted(
    layout: Layout, counts: Counts, reference: DriftReference, other: DriftReference
) -> None:
    """Count names that only the other lists with those that the reference does not list.

    Somebody may have several of them, so that it is at least as many as have the most frequent.
    """
    listed = {(each.group, each.name) for each in reference.variables}
    for place, variable in enumerate(layout.variables):
        if variable.name != OTHER or not GROUPS[variable.group].others_counted:
            continue
        present = [
            each.counts[1]
            for each in other.variables
            if each.group is variable.group
            and ((each.group, each.name) not in listed or each.name == OTHER)
        ]
        most = max(present, default=0)
        layout.put(counts, place, np.array([other.participants - most, most]), 0)


def _in_cells_of(variable: Variable, other: Variable) -> Counts:
    counts = np.array(other.counts, dtype=np.float64)
    if variable.facts.is_word:
        found = np.zeros(len(variable.counts), dtype=np.int64)
        for word, count in zip(other.words, other.counts, strict=False):
            found[variable.cell(word)] += count
        found[-1] += other.counts[-1]
        return found
    if variable.edges == other.edges:
        return counts.astype(np.int64)
    if other.discrete:
        found = np.zeros(len(variable.counts), dtype=np.int64)
        for centre, count in zip(other.centres, other.counts, strict=True):
            found[variable.cell(centre)] += count
        return found
    below = np.interp(variable.edges, *_cumulative(other, counts))
    inside = np.diff(np.concatenate(([0.0], below, [counts.sum()])))
    return np.floor(np.maximum(inside, 0.0) + _HALF).astype(np.int64)


def _cumulative(variable: Variable, counts: Array) -> tuple[Array, Array]:
    """Return points and how many values are at most there; outer cells end behind their centres."""
    edges, centres = np.array(variable.edges), np.array(variable.centres)
    if not edges.size:
        return centres, counts
    low = edges[0] - 2.0 * (edges[0] - centres[0])
    high = edges[-1] + 2.0 * (centres[-1] - edges[-1])
    points = np.concatenate(([low], edges, [high]))
    return points, np.concatenate(([0.0], np.cumsum(counts)))
