"""What was believed of a participant, as it is recorded.

Owns that the same belief is written once and shared by all records of it.
"""

from __future__ import annotations

from typing import Final

from pairguard.age.admission import Admission
from pairguard.age.posterior import AgeAssessment
from pairguard.server.response_conversion import ADMISSIONS
from pairguard.store.wire import enclosed, tag
from pairguard.v1 import assessment_pb2, journal_pb2

# Beliefs are kept beside an assessment under these names.
_WHOLE: Final = object()
_SHORT: Final = object()

_BELIEF: Final = tag(journal_pb2.ParticipantRecord, "assessment")
_AGES: Final = tag(journal_pb2.ParticipantRecord, "age_probabilities")


def belief_bytes(
    age: AgeAssessment, adult_age: int, pool: Admission, *, whole: bool = True
) -> bytes:
    """Return what was believed, as fields of a ``ParticipantRecord``.

    Args:
        age: The belief.
        adult_age: What a minor is under, years.
        pool: The participant's pool.
        whole: With the probability of each single year, which can be computed again.
    """
    asked, place = (adult_age, pool), _WHOLE if whole else _SHORT
    kept: tuple[object, bytes] | None = age.conclusion(place)
    if kept is not None and kept[0] == asked:
        return kept[1]
    belief = assessment_pb2.AgeAssessment()
    _write(belief, age, adult_age, pool)
    written = enclosed(_BELIEF, belief.SerializeToString())
    if whole:
        written += enclosed(_AGES, age.probabilities.astype("<f4").tobytes())
    age.conclude(place, (asked, written))
    return written


def _write(
    belief: assessment_pb2.AgeAssessment, age: AgeAssessment, adult_age: int, pool: Admission
) -> None:
    belief.probability_minor = age.probability_below(adult_age)
    belief.adult_age_years = adult_age
    belief.admission = ADMISSIONS[pool]
    belief.entropy_nats = age.entropy_nats
    belief.conflict = age.conflict
