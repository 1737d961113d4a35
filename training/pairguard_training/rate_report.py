"""One parameter of the age tables before and after a fit.

Owns the figure and its sentence. It must not know how the parameter was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class RateReport:
    """A parameter's preset and what a fit made of it.

    Attributes:
        name: Dotted path in the tables; of a curve with the age, as ``adult_claim at 14``.
        preset: What the tables said before.
        fitted: What they say now; the preset where there were too few people.
        observed: Share seen, of whom the parameter is not the only cause; None: nobody was seen.
        people: People that it was learned from.
        effective_people: People that equal weights would need for the same precision.
    """

    name: str
    preset: float
    fitted: float
    observed: float | None
    people: int
    effective_people: float

    @property
    def changed(self) -> bool:
        """Whether the tables say something else now."""
        return self.fitted != self.preset

    def to_mapping(self) -> dict[str, Any]:
        """Return the figures for a manifest."""
        return {
            "preset": rounded(self.preset),
            "fitted": rounded(self.fitted),
            "observed": None if self.observed is None else rounded(self.observed),
            "people": self.people,
            "effective_people": rounded(self.effective_people),
        }

    def sentence(self) -> str:
        """Return preset and fitted beside each other, and from whom."""
        seen = "" if self.observed is None else f", {self.observed:.3g} seen"
        kept = "" if self.changed else " (preset kept)"
        return (
            f"{self.name}: preset {self.preset:.3g}, fitted {self.fitted:.3g}{kept}; "
            f"{self.people} people (effective {self.effective_people:.0f}){seen}"
        )


def rounded(value: float) -> float:
    """Return a number with as many digits as a fitted rate deserves; the same on all machines."""
    return float(f"{value:.{_DIGITS}g}")
