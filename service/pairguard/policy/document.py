"""The policy document: what may be paired, per region, checked whole before any use.

Owns the shape of the document and every bound on its lines. A document that validates can loosen
defaults but no hard rule: those are in ``pairguard.policy.decision`` and ``pairguard.policy.pools``
and read no document. It must not know files; the caller parses the TOML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final

from pairguard.age.evidence import CheckMethod
from pairguard.age.next_check import CheckOption
from pairguard.errors import PolicyRefused
from pairguard.policy.line_values import Bounds, checked
from pairguard.policy.promise_lines import PROMISE_LINES, inherited, promises_of, widest_numbers
from pairguard.policy.promises import Promise, PromiseKind

SCHEMA: Final = 1
DEFAULT_RISK_BAND_EDGES: Final = (0.005, 0.02)
"""Of a document without the line, which older ones are."""
MAX_RISK_BAND_EDGES: Final = 16
DEFAULT_REROUTE_SHARE: Final = 0.0
"""Of a document without the line, which older ones are: nothing is drawn."""


class UnknownMayMeet(IntEnum):
    """Whom a participant of unknown age may meet; the smaller the stricter."""

    NOBODY = 0
    ADULTS = 1
    ADULTS_AND_UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class RegionPolicy:
    """The lines of one region, or of several merged. Ages in years, probabilities in [0, 1].

    Attributes are those of ``default.toml``, where each has its comment; ``adult_ages`` holds more
    than one age only after a merge. ``promises`` are those asked for; ``unkept`` are the kinds that
    no certificate keeps (``pairguard.policy.certified_lines``); the ``certified_`` numbers are how
    far a certificate may widen, 0: not at all.
    """

    adult_ages: frozenset[int]
    minimum_age: int
    minors_may_meet: bool
    minors_max_age_gap_years: int
    unknown_may_meet: UnknownMayMeet
    close_in_age_max_gap_years: int
    allow_on_unread_state: bool
    allow_without_harm_model: bool
    unknown_history_harm_floor: float
    adults_max_probability_minor: float
    adults_max_probability_minor_by_evidence: float
    minors_max_probability_adult: float
    minors_max_probability_gap: float
    barred_min_probability: float
    reroute_minor_adult: float
    block_minor_adult: float
    reroute_harm: float
    block_harm: float
    reroute_risk: float
    block_risk: float
    barred_hours: float
    harm_hours: float
    upheld_hours: float
    recent_partner_minutes: float
    max_exposure_per_day: float
    max_reroutes_per_day: int
    min_reporters: int
    min_reporter_share: float
    min_decisions_per_day: int
    min_started_share: float
    max_partner_minor_mean: float
    min_probability_settled: float
    checks: tuple[CheckOption, ...]
    risk_band_edges: tuple[float, ...] = DEFAULT_RISK_BAND_EDGES
    promises: frozenset[Promise] = frozenset()
    unkept: frozenset[PromiseKind] = frozenset()
    certified_reroute_minor_adult: float = 0.0
    certified_adults_max_probability_minor: float = 0.0
    certified_minors_max_probability_adult: float = 0.0
    reroute_share: float = DEFAULT_REROUTE_SHARE


_LINES: Final[dict[str, Bounds]] = {
    "adult_age": ("integer", 18, 21),
    "minimum_age": ("integer", 13, 18),
    "minors_may_meet": ("boolean", 0, 1),
    "minors_max_age_gap_years": ("integer", 0, 4),
    "close_in_age_max_gap_years": ("integer", 0, 2),
    "allow_on_unread_state": ("boolean", 0, 1),
    "allow_without_harm_model": ("boolean", 0, 1),
    "unknown_history_harm_floor": ("number", 0, 1),
    "gates.adults_max_probability_minor": ("number", 0, 0.2),
    "gates.adults_max_probability_minor_by_evidence": ("number", 0, 0.3),
    "gates.minors_max_probability_adult": ("number", 0, 0.2),
    "gates.minors_max_probability_gap": ("number", 0, 0.5),
    "gates.barred_min_probability": ("number", 0.5, 0.99),
    "thresholds.reroute_minor_adult": ("number", 0, 0.3),
    "thresholds.block_minor_adult": ("number", 0, 1),
    "thresholds.reroute_harm": ("number", 0, 0.5),
    "thresholds.block_harm": ("number", 0, 1),
    "thresholds.reroute_risk": ("number", 0, 0.5),
    "thresholds.block_risk": ("number", 0, 1),
    "holds.barred_hours": ("number", 1, 87_660),
    "holds.harm_hours": ("number", 1, 87_660),
    "holds.upheld_hours": ("number", 1, 87_660),
    "history.recent_partner_minutes": ("number", 0, 43_200),
    "history.max_exposure_per_day": ("number", 0, 10),
    "history.max_reroutes_per_day": ("integer", 1, 1_000_000),
    "reports.min_reporters": ("integer", 2, 1_000),  # no single reporter ever counts
    "reports.min_reporter_share": ("number", 0, 1),
    "probing.min_decisions_per_day": ("integer", 10, 1_000_000),
    "probing.min_started_share": ("number", 0, 0.5),
    "probing.max_partner_minor_mean": ("number", 0.5, 1),
    "age_checks.min_probability_settled": ("number", 0.05, 1),
}
_REGION_SHAPE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_TABLES: Final = frozenset(
    {
        "gates",
        "thresholds",
        "holds",
        "history",
        "reports",
        "probing",
        "ranking",
        "exploration",
        "age_checks",
    }
)
_RISK_BAND_EDGES: Final = "ranking.risk_band_edges"
_REROUTE_SHARE: Final = "exploration.reroute_share"
_OPTIONAL_LINES: Final = ("unknown_may_meet", _RISK_BAND_EDGES, _REROUTE_SHARE)
_CHECK_LINES: Final[dict[str, Bounds]] = {
    "threshold_years": ("number", 18, 30),
    "cost": ("number", 0, 1e6),
    "document_free": ("boolean", 0, 1),
    "available": ("boolean", 0, 1),
}


def parse_document(
    document: Mapping[str, Any],
) -> tuple[str, RegionPolicy, dict[str, RegionPolicy]]:
    """Return version, default and regions of a parsed policy document.

    Raises:
        PolicyRefused: With every problem: an unknown line, a missing one, a value out of bounds.
    """
    problems: list[str] = []
    if document.get("schema") != SCHEMA:
        raise PolicyRefused([f"schema: must be {SCHEMA}"])
    version = document.get("version")
    if not isinstance(version, str) or not version or len(version) > 128:
        problems.append("version: must be a text of 1-128 characters")
    problems += [
        f"{key}: is no line of a policy"
        for key in document
        if key not in ("schema", "version", "default", "regions")
    ]
    default = _mapping(document.get("default"), "default", problems)
    regions = _mapping(document.get("regions", {}), "regions", problems)
    default_lines = _flatten(default, "default", problems)
    parsed_default = _region(default_lines, "default", problems)
    parsed = {}
    for code, table in regions.items():
        place = f"regions.{code}"
        if not is_region_code(code):
            problems.append(f"{place}: must be an ISO 3166-1 or 3166-2 code in upper case")
        lines = _flatten(_mapping(table, place, problems), place, problems)
        parsed[code] = _region({**inherited(default_lines, lines), **lines}, place, problems)
    if problems:
        raise PolicyRefused(list(dict.fromkeys(problems)))
    return str(version), parsed_default, parsed


def _mapping(value: object, place: str, problems: list[str]) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    problems.append(f"{place}: must be a table")
    return {}


def _flatten(table: Mapping[str, Any], place: str, problems: list[str]) -> dict[str, Any]:
    """Return the lines of one region by dotted name; "checks.METHOD" holds a whole check."""
    lines: dict[str, Any] = {}
    for key, value in table.items():
        if "." in key:
            problems.append(f"{place}.{key}: is no line of a policy")
            continue
        if key not in _TABLES:
            lines[key] = value
            continue
        for inner, inner_value in _mapping(value, f"{place}.{key}", problems).items():
            if key == "age_checks" and inner == "methods":
                methods = _mapping(inner_value, f"{place}.age_checks.methods", problems)
                lines.update({f"checks.{name}": check for name, check in methods.items()})
            else:
                lines[f"{key}.{inner}"] = inner_value
    return lines


def _region(lines: Mapping[str, Any], place: str, problems: list[str]) -> RegionPolicy:
    values: dict[str, Any] = {}
    for line, (kind, low, high) in _LINES.items():
        name = line.rpartition(".")[2]
        if line not in lines:
            problems.append(f"{place}.{line}: is missing")
            values[name] = low
        else:
            values[name] = checked(lines[line], f"{place}.{line}", (kind, low, high), problems)
    unknown = lines.get("unknown_may_meet")
    if not isinstance(unknown, str) or unknown not in UnknownMayMeet.__members__:
        problems.append(
            f"{place}.unknown_may_meet: must be one of {', '.join(UnknownMayMeet.__members__)}"
        )
        unknown = "NOBODY"
    checks = []
    for line, value in lines.items():
        if line.startswith("checks."):
            option = _check(line.removeprefix("checks."), value, place, problems)
            checks += [option] if option is not None else []
        elif line not in _LINES.keys() | PROMISE_LINES and line not in _OPTIONAL_LINES:
            problems.append(f"{place}.{line}: is no line of a policy")
    if values["minimum_age"] > values["adult_age"]:
        problems.append(f"{place}.minimum_age: must not lie above adult_age")
    adult_age = values.pop("adult_age")
    return RegionPolicy(
        adult_ages=frozenset({adult_age}),
        unknown_may_meet=UnknownMayMeet[unknown],
        checks=tuple(sorted(checks, key=lambda c: c.method.value)),
        risk_band_edges=_edges(
            lines.get(_RISK_BAND_EDGES, DEFAULT_RISK_BAND_EDGES), place, problems
        ),
        promises=promises_of(lines, place, problems),
        **widest_numbers(lines, values, place, problems),
        reroute_share=float(
            checked(
                lines.get(_REROUTE_SHARE, DEFAULT_REROUTE_SHARE),
                f"{place}.{_REROUTE_SHARE}",
                ("number", 0, 0.2),
                problems,
            )
        ),
        **values,
    )


def _edges(value: object, place: str, problems: list[str]) -> tuple[float, ...]:
    if isinstance(value, list | tuple) and len(value) <= MAX_RISK_BAND_EDGES:
        numbers = [
            float(edge)
            for edge in value
            if isinstance(edge, float | int) and not isinstance(edge, bool) and 0 < edge < 1
        ]
        if len(numbers) == len(value) and all(a < b for a, b in pairwise(numbers)):
            return tuple(numbers)
    problems.append(
        f"{place}.{_RISK_BAND_EDGES}: must be a list of at most {MAX_RISK_BAND_EDGES} numbers "
        "above 0 and below 1, each above the one before"
    )
    return ()


def _check(name: str, value: object, place: str, problems: list[str]) -> CheckOption | None:
    where = f"{place}.age_checks.methods.{name}"
    table = _mapping(value, where, problems)
    if name not in CheckMethod.__members__:
        problems.append(f"{where}: must be one of {', '.join(CheckMethod.__members__)}")
        return None
    problems += [
        f"{where}.{key}: is no line of a check" for key in table if key not in _CHECK_LINES
    ]
    values = {}
    for line, bounds in _CHECK_LINES.items():
        if line == "available" and line not in table:
            values[line] = True
        else:
            values[line] = checked(table.get(line), f"{where}.{line}", bounds, problems)
    if not values["available"]:
        return None
    return CheckOption(
        CheckMethod[name],
        threshold_years=float(values["threshold_years"]),
        cost=float(values["cost"]),
        document_free=bool(values["document_free"]),
    )


def is_region_code(code: str) -> bool:
    """Return whether a text has the form of an ISO 3166-1 or 3166-2 code in upper case."""
    return _REGION_SHAPE.fullmatch(code) is not None
