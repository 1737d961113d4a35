"""The groups of what is looked at for drift.

Owns their names, whom one value stands for, and what it means that there is none. It must not know
where values come from (``pairguard.drift.sightings``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """Whom one value stands for."""

    PARTICIPANT = "participant"
    PAIR = "pair"


class Absent(StrEnum):
    """What it means that there is no value: not known, "no", or that nobody was asked."""

    UNKNOWN = "unknown"
    NO = "no"
    UNCOUNTED = "uncounted"


class Group(StrEnum):
    """What is looked at; the values are labels of metrics and stand in documents."""

    SIGNAL = "signal"
    INTEREST = "interest"
    ATTRIBUTE = "attribute"
    MIX = "mix"
    KNOWN = "known"
    EVIDENCE_KIND = "evidence_kind"
    EVIDENCE_METHOD = "evidence_method"
    EVIDENCE_PROVIDER = "evidence_provider"
    FACE_MEAN_YEARS = "face_mean_years"
    FACE_QUALITY = "face_quality"
    FACE_LIVENESS = "face_liveness"
    CHECK_THRESHOLD = "check_threshold"
    CHECK_RESULT = "check_result"
    RANGE_YEARS = "range_years"
    SCORE = "score"
    PAIR_SCORE = "pair_score"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What holds for every variable of a group.

    Attributes:
        unit: Whom one value stands for.
        absent: What no value means.
        is_word: Whether values are words; else numbers.
        in_years: Whether distances are told in years; else in deviations of the reference.
        others_counted: Whether names that the reference does not list are counted together.
    """

    unit: Unit = Unit.PARTICIPANT
    absent: Absent = Absent.UNKNOWN
    is_word: bool = False
    in_years: bool = False
    others_counted: bool = False


_PRESENT: Final = GroupFacts(absent=Absent.NO, others_counted=True)
_PROVIDER_WORD: Final = GroupFacts(absent=Absent.UNCOUNTED, is_word=True)

GROUPS: Final[dict[Group, GroupFacts]] = {
    Group.SIGNAL: GroupFacts(),
    Group.INTEREST: GroupFacts(),
    Group.ATTRIBUTE: GroupFacts(is_word=True),
    Group.MIX: GroupFacts(is_word=True),
    Group.KNOWN: GroupFacts(absent=Absent.NO),
    Group.EVIDENCE_KIND: _PRESENT,
    Group.EVIDENCE_METHOD: _PRESENT,
    Group.EVIDENCE_PROVIDER: _PRESENT,
    Group.FACE_MEAN_YEARS: GroupFacts(absent=Absent.UNCOUNTED, in_years=True),
    Group.FACE_QUALITY: GroupFacts(absent=Absent.UNCOUNTED),
    Group.FACE_LIVENESS: _PROVIDER_WORD,
    Group.CHECK_THRESHOLD: _PROVIDER_WORD,
    Group.CHECK_RESULT: _PROVIDER_WORD,
    Group.RANGE_YEARS: _PROVIDER_WORD,
    Group.SCORE: GroupFacts(),
    Group.PAIR_SCORE: GroupFacts(unit=Unit.PAIR),
    Group.DECISION: GroupFacts(unit=Unit.PAIR, absent=Absent.UNCOUNTED, is_word=True),
}

OTHER: Final = "(other)"
"""Name of what the reference does not list: seldom there, or never."""
UNNAMED: Final = "(unnamed)"
"""Name of a provider that is not told."""
