"""The document that says what the columns of somebody's CSV file mean.

Owns the keys of the mapping and their checks. It must not read the CSV file.

Example::

    [file]
    delimiter = ","                           # the default
    observed_time = 2026-01-01T00:00:00Z      # one time for all rows

    [participant]                             # columns; none of them must be given
    participant_id = "user"                   # absent: the number of the row
    region = "country"

    [participant_constants]                   # one value for all rows
    entry_path = "survey"

    [age_label]
    column = "age"
    range = [13, 90]                          # rows outside have no label
    method = "ID_DOCUMENT"
    sampling_probability = 1.0

    [[signals]]                               # any number of these; a later one adds columns
    pattern = "E[0-9]+"                       # or columns = ["E1", "E2"]
    missing = [0, -1]
    clip = [1, 5]

    [[attributes]]
    columns = ["browser"]

    [[age_evidence]]
    kind = "facial_age_estimate"
    columns = { mean_years = "face_years" }   # rows without a value have no such item
    constants = { liveness = "PASSED", binding = "LIVE_PERSON" }
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pairguard.age.evidence import EVIDENCE_KINDS
from pairguard.errors import TablesRefused
from pairguard_training.tables.schema import AGE_EVIDENCE

PARTICIPANT_COLUMNS = ("participant_id", "region", "language", "entry_path", "cluster_id")
_SECTIONS = {
    "file": {"delimiter", "observed_time"},
    "participant": set(PARTICIPANT_COLUMNS),
    "participant_constants": set(PARTICIPANT_COLUMNS) - {"participant_id"},
    "age_label": {"column", "range", "method", "sampling_probability"},
}
_LISTS = {
    "signals": {"columns", "pattern", "missing", "clip"},
    "attributes": {"columns", "pattern", "missing"},
    "audits": {"columns", "pattern", "missing"},
    "age_evidence": {"kind", "columns", "constants", "missing"},
}
_EVIDENCE_COLUMNS = {column.name for column in AGE_EVIDENCE.columns} - {"snapshot_id", "kind"}


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    """Columns that are treated alike.

    Attributes:
        columns: Names in the CSV file.
        pattern: Regular expression that whole names match; "": none.
        missing: Values that stand for "missing", as text or number.
        clip: Lowest and highest value; what is outside is moved to it. None: as it is.
    """

    columns: tuple[str, ...] = ()
    pattern: str = ""
    missing: tuple[str | float, ...] = ()
    clip: tuple[float, float] | None = None

    def chosen(self, names: list[str]) -> list[str]:
        """Return the columns of the file that belong to the group, in the file's order."""
        matches = [n for n in names if self.pattern and re.fullmatch(self.pattern, n)]
        return [n for n in names if n in self.columns or n in matches]


@dataclass(frozen=True, slots=True)
class EvidenceMapping:
    """One item of age evidence for each row: columns and constants of ``age_evidence``."""

    kind: str
    columns: Mapping[str, str]
    constants: Mapping[str, Any]
    missing: tuple[str | float, ...] = ()


@dataclass(frozen=True, slots=True)
class CsvMapping:
    """What the columns of a CSV file mean; see the module's example."""

    delimiter: str = ","
    observed_time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    participant: Mapping[str, str] = field(default_factory=dict)
    participant_constants: Mapping[str, str] = field(default_factory=dict)
    age_label: Mapping[str, Any] = field(default_factory=dict)
    signals: tuple[ColumnGroup, ...] = ()
    attributes: tuple[ColumnGroup, ...] = ()
    audits: tuple[ColumnGroup, ...] = ()
    age_evidence: tuple[EvidenceMapping, ...] = ()


def read_mapping(document: Mapping[str, Any]) -> CsvMapping:
    """Read a parsed mapping document.

    Raises:
        TablesRefused: With every problem of the document.
    """
    problems: list[str] = []
    _check_keys(document, problems)
    if problems:
        raise TablesRefused(problems)
    settings = document.get("file", {})
    time = settings.get("observed_time", datetime(2026, 1, 1, tzinfo=UTC))
    if not isinstance(time, datetime):
        problems.append("mapping: file.observed_time should be a time such as 2026-01-01T00:00:00Z")
        time = datetime(2026, 1, 1, tzinfo=UTC)
    delimiter = settings.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter.encode()) != 1:
        problems.append("mapping: file.delimiter should be one character")
    label = document.get("age_label", {})
    if label and not isinstance(label.get("column"), str):
        problems.append("mapping: age_label.column should name the column of the age")
    if "range" in label and not _is_range(label["range"]):
        problems.append("mapping: age_label.range should be two numbers, the lower one first")
    probability = label.get("sampling_probability", 1.0)
    if not isinstance(probability, int | float) or not 0.0 <= probability <= 1.0:
        problems.append("mapping: age_label.sampling_probability should be a number from 0 to 1")
    texts = {
        "participant": document.get("participant", {}),
        "participant_constants": document.get("participant_constants", {}),
        "age_label": {key: label[key] for key in ("method",) if key in label},
    }
    problems += [
        f"mapping: {name}.{key} should be a text"
        for name, section in texts.items()
        for key, value in section.items()
        if not isinstance(value, str)
    ]
    groups = {
        name: tuple(
            _group(entry, f"{name}[{index}]", problems)
            for index, entry in enumerate(document.get(name, []))
        )
        for name in ("signals", "attributes", "audits")
    }
    evidence = tuple(
        _evidence(entry, f"age_evidence[{index}]", problems)
        for index, entry in enumerate(document.get("age_evidence", []))
    )
    if problems:
        raise TablesRefused(problems)
    return CsvMapping(
        delimiter=delimiter,
        observed_time=time if time.tzinfo else time.replace(tzinfo=UTC),
        participant=document.get("participant", {}),
        participant_constants=document.get("participant_constants", {}),
        age_label=label,
        age_evidence=evidence,
        **groups,
    )


def _check_keys(document: Mapping[str, Any], problems: list[str]) -> None:
    for name, section in document.items():
        if name in _SECTIONS:
            if not isinstance(section, Mapping):
                problems.append(f"mapping: {name} should be a table: [{name}]")
                continue
            unknown = sorted(set(section) - _SECTIONS[name])
        elif name in _LISTS:
            if not isinstance(section, list) or not all(isinstance(e, Mapping) for e in section):
                problems.append(f"mapping: {name} should be a list of tables: [[{name}]]")
                continue
            unknown = sorted({key for entry in section for key in entry} - _LISTS[name])
        else:
            known = ", ".join([*_SECTIONS, *_LISTS])
            problems.append(f"mapping: unknown section {name!r}; known are {known}")
            continue
        problems.extend(f"mapping: {name} has no key {key!r}" for key in unknown)


def _group(entry: Mapping[str, Any], where: str, problems: list[str]) -> ColumnGroup:
    columns, pattern = entry.get("columns", []), entry.get("pattern", "")
    clip, missing = entry.get("clip"), entry.get("missing", [])
    if not columns and not pattern:
        problems.append(f"mapping: {where} should have columns or a pattern")
    if not _is_texts(columns):
        problems.append(f"mapping: {where}.columns should be a list of names")
        columns = []
    try:
        re.compile(pattern)
    except (re.error, TypeError):
        problems.append(f"mapping: {where}.pattern is no regular expression")
        pattern = ""
    if clip is not None and not _is_range(clip):
        problems.append(f"mapping: {where}.clip should be two numbers, the lower one first")
        clip = None
    if not isinstance(missing, list):
        problems.append(f"mapping: {where}.missing should be a list of values")
        missing = []
    return ColumnGroup(
        tuple(columns), pattern, tuple(missing), (float(clip[0]), float(clip[1])) if clip else None
    )


def _evidence(entry: Mapping[str, Any], where: str, problems: list[str]) -> EvidenceMapping:
    kind = entry.get("kind")
    columns, constants = entry.get("columns", {}), entry.get("constants", {})
    if kind not in EVIDENCE_KINDS:
        problems.append(f"mapping: {where}.kind should be one of {', '.join(EVIDENCE_KINDS)}")
    for name, section in (("columns", columns), ("constants", constants)):
        if not isinstance(section, Mapping):
            problems.append(f"mapping: {where}.{name} should be a table")
            continue
        unknown = sorted(set(section) - _EVIDENCE_COLUMNS)
        problems.extend(
            f"mapping: {where}.{name} has no {key!r} in age_evidence" for key in unknown
        )
    if not columns:
        problems.append(f"mapping: {where} should have columns")
    missing = entry.get("missing", [])
    if not isinstance(missing, list):
        problems.append(f"mapping: {where}.missing should be a list of values")
        missing = []
    return EvidenceMapping(str(kind), columns, constants, tuple(missing))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        and value[0] < value[1]
    )
