"""Which pool one participant may meet in, before any partner is looked at.

Owns the four admissions. It must not know where the gates come from (``pairguard.policy``).
Evidence of minority only ever restricts: nothing but established evidence opens the minors' pool,
and a conflict between items closes both pools.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from pairguard.age.posterior import AgeAssessment


class Admission(StrEnum):
    """The pool that a participant is admitted to."""

    ADULTS = "ADULTS"
    MINORS = "MINORS"
    UNKNOWN = "UNKNOWN"
    BARRED = "BARRED"


_LIKELY = 0.5


class AdmissionGates(Protocol):
    """The lines between the pools, as a region's policy or a merge of several has them."""

    @property
    def adult_ages(self) -> frozenset[int]:
        """Every adult age that counts, 18-21; both lines must hold for the strictest."""
        ...

    @property
    def minimum_age(self) -> int:
        """Lowest age that may take part at all."""
        ...

    @property
    def adults_max_probability_minor(self) -> float:
        """Highest P(under the highest adult age) in the adults' pool."""
        ...

    @property
    def adults_max_probability_minor_by_evidence(self) -> float:
        """Highest P(minor) there without behaviour, which alone opens no pool."""
        ...

    @property
    def minors_max_probability_adult(self) -> float:
        """Highest P(at or over the lowest adult age) in the minors' pool."""
        ...

    @property
    def barred_min_probability(self) -> float:
        """P(under the minimum age) from which on a participant is barred."""
        ...


def admission(assessment: AgeAssessment, gates: AdmissionGates) -> Admission:
    """Return the pool of a participant; with nothing known about the age: UNKNOWN.

    Found once for one assessment and the same gates, which must not change.

    No pool, and no bar, comes from a prior or from behaviour alone: the adults' pool needs an item
    that speaks for adulthood, a bar needs one that says anything. Contradictory evidence is an
    unknown age. A sign of danger opens no pool and lifts no bar: what would be believed but for it
    counts too. Nobody who is more likely than not below the minimum age is admitted to the minors'
    pool, whatever the gate for barring is.
    """
    if assessment.informative_count == 0:
        return Admission.UNKNOWN
    pool: Admission | None = assessment.conclusion(gates)
    if pool is None:
        pool = _admission(assessment, gates)
        assessment.conclude(gates, pool)
    return pool


def _admission(assessment: AgeAssessment, gates: AdmissionGates) -> Admission:
    probability_too_young = assessment.uncontested_probability_below(gates.minimum_age)
    if probability_too_young >= gates.barred_min_probability:
        return Admission.BARRED
    if assessment.conflict:
        return Admission.UNKNOWN
    adult_age = max(gates.adult_ages)
    if (
        assessment.for_adulthood_count > 0
        and assessment.probability_below(adult_age) <= gates.adults_max_probability_minor
        and assessment.probability_below_by_evidence(adult_age)
        <= gates.adults_max_probability_minor_by_evidence
    ):
        return Admission.ADULTS
    probability_adult = assessment.probability_at_least(min(gates.adult_ages))
    if (
        assessment.established_minor
        and probability_adult <= gates.minors_max_probability_adult
        and probability_too_young < _LIKELY
    ):
        return Admission.MINORS
    return Admission.UNKNOWN
