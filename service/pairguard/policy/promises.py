"""Thresholds given as promises: at most this share of these people or pairs gets through.

Owns what can be promised, the lines of a policy document that ask for it, and which of two promises
is the stricter. It must not know how a promise is kept (``pairguard.policy.certified_lines``) nor
how it was measured (the trainer's certificate).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class PromiseKind(StrEnum):
    """What is bounded."""

    MIXED_PAIRS_ALLOWED = "mixed_pairs_allowed"
    """The share of mixed pairs whose ``minor_adult_probability`` is not above the threshold."""
    MINORS_ADMITTED = "minors_admitted"
    """The share of minors who are admitted to the adults' pool."""
    ADULTS_ADMITTED = "adults_admitted"
    """The share of adults who are admitted to the minors' pool."""


@dataclass(frozen=True, slots=True)
class PromiseLines:
    """The lines of a document that belong to one kind.

    Attributes:
        rate: The line that asks for the promise.
        confidence: The line that says how sure it must be.
        number: The line that counts where no certificate keeps the promise.
        widest: The line up to which a certificate may widen that number.
        highest: Bound of ``number`` and of ``widest``, which no document can loosen.
    """

    rate: str
    confidence: str
    number: str
    widest: str
    highest: float


LINES: Final = {
    PromiseKind.MIXED_PAIRS_ALLOWED: PromiseLines(
        "thresholds.max_minor_adult_miss_rate",
        "thresholds.confidence",
        "thresholds.reroute_minor_adult",
        "thresholds.certified_reroute_minor_adult",
        0.3,
    ),
    PromiseKind.MINORS_ADMITTED: PromiseLines(
        "gates.max_minor_admitted_rate",
        "gates.confidence",
        "gates.adults_max_probability_minor",
        "gates.certified_adults_max_probability_minor",
        0.2,
    ),
    PromiseKind.ADULTS_ADMITTED: PromiseLines(
        "gates.max_adult_admitted_rate",
        "gates.confidence",
        "gates.minors_max_probability_adult",
        "gates.certified_minors_max_probability_adult",
        0.2,
    ),
}
RATE_BOUNDS: Final = (1e-5, 0.5)
CONFIDENCE_BOUNDS: Final = (0.5, 0.9999)


@dataclass(frozen=True, slots=True, order=True)
class Promise:
    """One promise.

    Attributes:
        kind: What is bounded.
        max_rate: The highest share, in (0, 1).
        confidence: How often a certificate of such promises may be relied on at least, in (0, 1).
    """

    kind: PromiseKind
    max_rate: float
    confidence: float

    def keeps(self, other: Promise) -> bool:
        """Return whether whoever keeps this one keeps the other."""
        return (
            self.kind is other.kind
            and self.max_rate <= other.max_rate
            and self.confidence >= other.confidence
        )


def strictest_promises(promises: Iterable[Promise]) -> frozenset[Promise]:
    """Return the promises that keep all of them.

    Of two the stricter wins. Where one has the lower rate and the other the higher confidence,
    neither keeps the other, and both must be kept.
    """
    every = frozenset(promises)
    return frozenset(
        one for one in every if not any(other != one and other.keeps(one) for other in every)
    )
