"""Which pool one participant may meet in, before any partner is looked at.

Owns the four admissions. It must not know where the gates come from (``pairguard.policy``).
Evidence of minority only ever restricts: nothing but established evidence opens the minors' pool,
and a conflict between items closes both pools.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pairguard.age.posterior import AgeAssessment


class Admission(StrEnum):
    """The pool that a participant is admitted to."""

    ADULTS = "ADULTS"
    MINORS = "MINORS"
    UNKNOWN = "UNKNOWN"
    BARRED = "BARRED"


_LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class AdmissionGates:
    """The lines between the pools.

    Attributes:
        adult_ages: Every adult age that counts, 18-21; both lines must hold for the strictest.
        minimum_age: Lowest age that may take part at all.
        adults_max_probability_minor: Highest P(under the highest adult age) in the adults' pool.
        minors_max_probability_adult: Highest P(at or over the lowest adult age) there.
        barred_min_probability: P(under the minimum age) from which on a participant is barred.
    """

    adult_ages: frozenset[int]
    minimum_age: int
    adults_max_probability_minor: float
    minors_max_probability_adult: float
    barred_min_probability: float


def admission(assessment: AgeAssessment, gates: AdmissionGates) -> Admission:
    """Return the pool of a participant; with nothing known about the age: UNKNOWN.

    Nobody who is more likely than not below the minimum age is admitted to the minors' pool,
    whatever the gate for barring is.
    """
    if assessment.probability_below(gates.minimum_age) >= gates.barred_min_probability:
        return Admission.BARRED
    if assessment.informative_count == 0 or assessment.conflict:
        return Admission.UNKNOWN
    probability_minor = assessment.probability_below(max(gates.adult_ages))
    if probability_minor <= gates.adults_max_probability_minor:
        return Admission.ADULTS
    probability_adult = 1.0 - assessment.probability_below(min(gates.adult_ages))
    if (
        assessment.established_minor
        and probability_adult <= gates.minors_max_probability_adult
        and assessment.probability_below(gates.minimum_age) < _LIKELY
    ):
        return Admission.MINORS
    return Admission.UNKNOWN
