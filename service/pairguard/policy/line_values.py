"""One value of a policy document: of the right type and within its bounds, or a problem.

Owns that comparison. It must not know which line it is for.
"""

from __future__ import annotations

from typing import Any

Bounds = tuple[str, float, float]
"""Type (``number``, ``integer``, ``boolean``), lowest and highest."""


def checked(value: object, place: str, bounds: Bounds, problems: list[str]) -> Any:
    """Return a value of the right type and within bounds, or remember what would be right."""
    kind, low, high = bounds
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        problems.append(f"{place}: must be true or false")
        return False
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "integer" and not isinstance(value, int):
        is_number = False
    # Compared before anything is made of it: a whole number can be too large for a float.
    if is_number and low <= value <= high:  # type: ignore[operator]
        return value
    what = "a whole number" if kind == "integer" else "a number"
    problems.append(f"{place}: must be {what} from {low:g} to {high:g}")
    return low
