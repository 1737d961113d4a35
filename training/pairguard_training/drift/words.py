"""Words and names that a reference does not list, by name.

Owns which of them are told: those that enough people have. It must not know how large a
difference they make (``pairguard.drift.comparison``).
"""

from __future__ import annotations

from collections import Counter

from pairguard.drift.comparison import FEWEST_SHOWN
from pairguard.drift.groups import GROUPS
from pairguard.drift.reference import DriftReference
from pairguard_training.drift.looking import Seen


def new_words(reference: DriftReference, seen: Seen) -> dict[str, list[tuple[str, int]]]:
    """Return by variable, or by group for names, what is not listed and how many have it.

    Whatever fewer than ``FEWEST_SHOWN`` have is left out: it may tell who they are.
    """
    listed = {(each.group, each.name): each for each in reference.variables}
    counts: dict[str, Counter[str]] = {}
    for sightings in (*seen.participants, *seen.pairs):
        for (group, name), value in sightings.items():
            variable = listed.get((group, name))
            if variable is None:
                if GROUPS[group].others_counted:
                    counts.setdefault(group.value, Counter())[name] += 1
            elif isinstance(value, str) and variable.cell(value) == len(variable.words):
                counts.setdefault(f"{group.value} {name}", Counter())[value] += 1
    return {
        name: shown
        for name, found in sorted(counts.items())
        if (shown := [(word, n) for word, n in _ranked(found) if n >= FEWEST_SHOWN])
    }


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))
