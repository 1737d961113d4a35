"""How many people stand behind ids."""

from __future__ import annotations

from collections.abc import Sequence


def distinct_people(ids_of_each: Sequence[Sequence[str]]) -> int:
    """Return how many people there are when those who share any id are one.

    Args:
        ids_of_each: The ids that were told together; the same person may come again and again.
    """
    if len(ids_of_each) < 2:
        return len(ids_of_each)
    if len(set().union(*ids_of_each)) == sum(map(len, ids_of_each)):
        return len(ids_of_each)  # nobody shares anything, as nearly always
    leaders: dict[str, str] = {}

    def leader(name: str) -> str:
        while (above := leaders[name]) != name:
            leaders[name] = leaders[above]
            name = above
        return name

    for ids in ids_of_each:
        for each in ids:
            leaders.setdefault(each, each)
        first = leader(ids[0])
        for each in ids[1:]:
            leaders[leader(each)] = first
    return sum(1 for name, above in leaders.items() if name == above)
