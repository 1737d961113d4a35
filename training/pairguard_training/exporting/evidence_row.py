"""An item of age evidence of the journal as a row of ``age_evidence``.

Owns which field of which kind goes into which column, and which items no table may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pairguard.v1 import participant_pb2
from pairguard_training.exporting import words
from pairguard_training.tables.relations import CLOCK_TOLERANCE_SECONDS
from pairguard_training.tables.schema import AGE_EVIDENCE

COLUMNS: Final = tuple(column.name for column in AGE_EVIDENCE.columns)
_PLACES: Final = {name: place for place, name in enumerate(COLUMNS)}
_TOLERANCE: Final = CLOCK_TOLERANCE_SECONDS * 1_000_000

Row = tuple[Any, ...]


class FromTheFuture(ValueError):
    """Raise for an item that was observed after what was decided on it."""


def evidence_row(
    item: participant_pb2.AgeEvidence, snapshot_id: str, now: int, *, of_linked: bool
) -> Row:
    """Return the row of an item.

    Args:
        item: Its ids are hashes.
        snapshot_id: Of the participant as it was decided on.
        now: When that was, microseconds since 1970.
        of_linked: Whether it was told of somebody linked, who may be another person.

    Raises:
        FromTheFuture: It was observed or declared after ``now``.
        ValueError: It is incomplete or out of range.
        KeyError: It has a word that this version does not know.
    """
    kind = item.WhichOneof("observation")
    if kind is None:
        raise ValueError("an item without an observation")
    row: list[Any] = [None] * len(COLUMNS)
    values = {
        "snapshot_id": snapshot_id,
        "evidence_id": words.told(item.evidence_id),
        "kind": kind,
        "observed_time": words.optional_microseconds(item, "observed_time"),
        "expire_time": words.optional_microseconds(item, "expire_time"),
        "provider": words.told(item.provider),
        "binding": words.BINDINGS[item.binding],
        "of_linked": of_linked,
        **_READERS[kind](getattr(item, kind), year_of(now)),
    }
    for name in ("observed_time", "declared_time"):
        time = values.get(name)
        if time is not None and time > now + _TOLERANCE:
            raise FromTheFuture(name)
    for name, value in values.items():
        row[_PLACES[name]] = value
    return tuple(row)


def year_of(microseconds: int) -> int:
    """Return the calendar year of a time, UTC."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).year


def _self_declared(content: participant_pb2.SelfDeclared, year: int) -> dict[str, Any]:
    return {
        **_age_or_birth_year(content, year),
        "declared_time": words.optional_microseconds(content, "declared_time"),
        "gate_years": words.optional_age(content, "gate_years"),
    }


def _platform_age_range(content: participant_pb2.PlatformAgeRange, _year: int) -> dict[str, Any]:
    lower = words.optional_age(content, "lower_years")
    upper = words.optional_age(content, "upper_years")
    if lower is None and upper is None:
        raise ValueError("a range without a bound")
    if lower is not None and upper is not None and lower > upper:
        raise ValueError("a range that ends before it begins")
    return {
        "platform": words.PLATFORMS[content.platform],
        "assurance": words.ASSURANCES[content.assurance],
        "lower_years": None if lower is None else int(lower),
        "upper_years": None if upper is None else int(upper),
    }


def _facial_age_estimate(content: participant_pb2.FacialAgeEstimate, _year: int) -> dict[str, Any]:
    return {
        "mean_years": _needed(words.optional_age(content, "mean_years")),
        "quality": words.optional_number(content, "quality"),
        **_capture(content),
    }


def _age_check(content: participant_pb2.AgeCheck, _year: int) -> dict[str, Any]:
    return {
        "method": _specified(words.CHECK_METHODS[content.method]),
        "threshold_years": _needed(words.optional_age(content, "threshold_years")),
        "result": _specified(words.CHECK_RESULTS[content.result]),
        **_capture(content),
    }


def _verified_age(content: participant_pb2.VerifiedAge, year: int) -> dict[str, Any]:
    return {
        **_age_or_birth_year(content, year),
        "method": _specified(words.VERIFICATION_METHODS[content.method]),
        **_capture(content),
    }


def _age_or_birth_year(content: Any, year: int) -> dict[str, Any]:
    age, born = words.optional_age(content, "age_years"), words.optional_birth_year(content, year)
    if (age is None) == (born is None):
        raise ValueError("needs one of age and year of birth")
    return {"age_years": age, "birth_year": born}


def _capture(content: Any) -> dict[str, Any]:
    return {
        "liveness": words.LIVENESS[content.liveness],
        "capture_session": words.told(content.capture_session),
    }


def _needed(value: float | None) -> float:
    if value is None:
        raise ValueError("a number that must be there is not")
    return value


def _specified(word: str) -> str:
    if word == "UNSPECIFIED":
        raise ValueError("a word that must be there is not")
    return word


_READERS: Final[Mapping[str, Callable[[Any, int], dict[str, Any]]]] = {
    "self_declared": _self_declared,
    "platform_age_range": _platform_age_range,
    "facial_age_estimate": _facial_age_estimate,
    "age_check": _age_check,
    "verified_age": _verified_age,
}
