"""Exact ages that the journal tells, as they were when they were established.

Owns the age that a disclosed age or year of birth stands for. Whose label it becomes is chosen in
``labels``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pairguard.v1 import participant_pb2
from pairguard_training.exporting import words
from pairguard_training.exporting.drafts import Verification
from pairguard_training.exporting.evidence_row import year_of


def verification(
    content: participant_pb2.VerifiedAge,
    *,
    participant_id: str,
    evidence_id: str | None,
    time: int,
    method: str = "",
) -> Verification | None:
    """Return an established age; None: it establishes nothing.

    A picture, a mask or an injected stream before the camera establishes nobody's age. Whoever was
    born in a year is as likely as not half a year older than at its end: that is the age told.

    Args:
        content: What was disclosed.
        participant_id: Whose age it is.
        evidence_id: Of the check that told it.
        time: When it was established, microseconds since 1970.
        method: How; "": as the content says.

    Raises:
        ValueError: It is incomplete or out of range.
        KeyError: It has a word that this version does not know.
    """
    if content.liveness == participant_pb2.LIVENESS_FAILED:
        return None
    told = method or words.VERIFICATION_METHODS[content.method]
    age = words.optional_age(content, "age_years")
    born = words.optional_birth_year(content, year_of(time))
    if (age is None) == (born is None) or told == "UNSPECIFIED":
        raise ValueError("needs a method and one of age and year of birth")
    if age is None and born is not None:
        age = max(_years(time) - born - 0.5, 0.0)
    assert age is not None  # noqa: S101 - one of the two is there
    return Verification(participant_id, evidence_id, told, age, time)


def _years(time: int) -> float:
    """Return a time as a year and its part."""
    moment = datetime.fromtimestamp(time / 1e6, UTC)
    start = datetime(moment.year, 1, 1, tzinfo=UTC)
    end = datetime(moment.year + 1, 1, 1, tzinfo=UTC)
    return moment.year + (moment - start) / (end - start)
