"""What was believed of a participant, as it is recorded.

Owns that the same belief is written once and shared by all records of it.
"""

from __future__ import annotations

from typing import Final

from pairguard.age.admission import Admission
from pairguard.age.posterior import AgeAssessment
from pairguard.server.response_conversion import ADMISSIONS
from pairguard.v1 import journal_pb2

# Beliefs are kept beside an assessment under these names.
_WHOLE: Final = object()
_SHORT: Final = object()


def belief_record(
    age: AgeAssessment, adult_age: int, pool: Admission, *, whole: bool = True
) -> journal_pb2.ParticipantRecord:
    """Return a record of what was believed, to be copied and not to be changed.

    Args:
        age: The belief.
        adult_age: What a minor is under, years.
        pool: The participant's pool.
        whole: With the probability of each single year, which can be computed again.
    """
    asked, place = (adult_age, pool), _WHOLE if whole else _SHORT
    kept: tuple[object, journal_pb2.ParticipantRecord] | None = age.conclusion(place)
    if kept is not None and kept[0] == asked:
        return kept[1]
    record = journal_pb2.ParticipantRecord(
        age_probabilities=age.probabilities.tolist() if whole else ()
    )
    belief = record.assessment
    belief.probability_minor = age.probability_below(adult_age)
    belief.adult_age_years = adult_age
    belief.admission = ADMISSIONS[pool]
    belief.entropy_nats = age.entropy_nats
    belief.conflict = age.conflict
    age.conclude(place, (asked, record))
    return record
