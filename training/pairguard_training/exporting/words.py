"""Numbers, times and words of the journal's messages as they stand in the tables.

Owns the way from one field of a message to one value of a column. It must not know which message
becomes which row. What a newer program wrote and this one does not know raises ``KeyError``; what
no table may hold raises ``ValueError``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.v1 import assessment_pb2, feedback_service_pb2, participant_pb2
from pairguard_training.tables.schema import (
    EARLIEST_BIRTH_YEAR,
    LATEST_BIRTH_YEAR,
    MAXIMUM_AGE_YEARS,
)

_HASH = re.compile(r"[0-9a-f]{32}")
_RECORD_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")


def words_of(enum: EnumDescriptor) -> Mapping[int, str]:
    """Return the words of an enum by number, without their prefix."""
    longest = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(longest) for value in enum.values}


DECISIONS: Final = words_of(assessment_pb2.Decision.DESCRIPTOR)
MODALITIES: Final = words_of(assessment_pb2.Modality.DESCRIPTOR)
BINDINGS: Final = words_of(participant_pb2.Binding.DESCRIPTOR)
CHECK_METHODS: Final = words_of(participant_pb2.CheckMethod.DESCRIPTOR)
CHECK_RESULTS: Final = words_of(participant_pb2.CheckResult.DESCRIPTOR)
LIVENESS: Final = words_of(participant_pb2.Liveness.DESCRIPTOR)
PLATFORMS: Final = words_of(participant_pb2.Platform.DESCRIPTOR)
ASSURANCES: Final = words_of(participant_pb2.PlatformAssurance.DESCRIPTOR)
VERIFICATION_METHODS: Final = words_of(participant_pb2.VerificationMethod.DESCRIPTOR)
CATEGORIES: Final = words_of(feedback_service_pb2.ReportCategory.DESCRIPTOR)
VERDICTS: Final = words_of(feedback_service_pb2.Verdict.DESCRIPTOR)


def microseconds(time: Timestamp) -> int:
    """Return a time in microseconds since 1970.

    Raises:
        ValueError: It is before 1970.
    """
    value = time.seconds * 1_000_000 + time.nanos // 1_000
    if value < 0:
        raise ValueError("a time before 1970")
    return value


def optional_microseconds(message: Any, field: str) -> int | None:
    """Return a time in microseconds since 1970; None: it is absent."""
    return microseconds(getattr(message, field)) if message.HasField(field) else None


def person(hash_text: str) -> str:
    """Return a participant's hash as it is.

    Raises:
        ValueError: It is none, so that no raw id ever leaves with an export.
    """
    if _HASH.fullmatch(hash_text) is None:
        raise ValueError("an id that is no hash")
    return hash_text


def record_name(text: str) -> str:
    """Return the id of a decision as it is.

    Raises:
        ValueError: It is none.
    """
    if _RECORD_ID.fullmatch(text) is None:
        raise ValueError("an id that is none")
    return text


def told(text: str) -> str | None:
    """Return a text; None: it is empty, which says that it was not told."""
    return text or None


def optional_number(message: Any, field: str) -> float | None:
    """Return a finite number; None: there is none."""
    if not message.HasField(field):
        return None
    value = float(getattr(message, field))
    return value if math.isfinite(value) else None


def optional_probability(message: Any, field: str) -> float | None:
    """Return a number from 0 to 1; None: there is none, or what stands there is no probability."""
    value = optional_number(message, field)
    return value if value is not None and 0.0 <= value <= 1.0 else None


def optional_age(message: Any, field: str) -> float | None:
    """Return an age in years; None: there is none.

    Raises:
        ValueError: It is not from 0 to 120.
    """
    if not message.HasField(field):
        return None
    value = float(getattr(message, field))
    if not 0.0 <= value <= MAXIMUM_AGE_YEARS:
        raise ValueError("an age outside 0-120 years")
    return value


def optional_birth_year(message: Any, year_now: int) -> int | None:
    """Return a year of birth; None: there is none.

    Args:
        message: Has a field ``birth_year``.
        year_now: Of what it was told for.

    Raises:
        ValueError: It gives no age from 0 to 120.
    """
    if not message.HasField("birth_year"):
        return None
    year = int(message.birth_year)
    if not EARLIEST_BIRTH_YEAR <= year <= LATEST_BIRTH_YEAR:
        raise ValueError("a year of birth that nobody has")
    if not 0 <= year_now - year <= MAXIMUM_AGE_YEARS:
        raise ValueError("an age outside 0-120 years")
    return year
