"""Which evidence can establish an age by itself, and which states an exact one.

Owns what kind of item can open the minors' pool. It must not know how sure an item is
(``pairguard.age.likelihood``).
"""

from __future__ import annotations

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    CheckMethod,
    FacialAgeEstimate,
    Liveness,
    Observation,
    VerificationMethod,
    VerifiedAge,
)


def can_establish_minor(observation: Observation, *, live: bool) -> bool:
    """Return whether an observation is of a kind that can open the minors' pool.

    "No card" and "no adult's account" are not: an adult gets those by showing nothing.

    Args:
        observation: What was observed.
        live: Whether it is bound to the live person, which a liveness test that found nobody
            undoes whatever binding is told.
    """
    if isinstance(observation, VerifiedAge):
        return live or observation.method is VerificationMethod.MODERATOR
    if isinstance(observation, FacialAgeEstimate):
        return live and observation.liveness is Liveness.PASSED
    if not live or not isinstance(observation, AgeCheck):
        return False
    if observation.method is CheckMethod.FACIAL_THRESHOLD:
        return observation.liveness is Liveness.PASSED
    return observation.method is CheckMethod.ID_DOCUMENT


def states_whole_year(item: AgeEvidence) -> bool:
    """Return whether an item is a verified age, not only a year of birth."""
    return isinstance(item.observation, VerifiedAge) and item.observation.age_years is not None
