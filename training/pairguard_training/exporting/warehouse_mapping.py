"""The document that says which columns of a warehouse are which of ours.

Owns the keys of the mapping and their checks. It must not read the warehouse's tables
(``warehouse_import``).

A section for each of our tables that is made from theirs. A column of theirs that has our name
already, and that no line speaks of, is taken as it is; so is a table without a section. Example::

    [snapshots]
    from = "dim_user_daily"                       # dim_user_daily.parquet, or a folder of parts
    keep_same_names = true                        # the default
    drop_rows_without = ["participant_id"]        # none is the default

    [snapshots.columns]
    snapshot_id = "row_key"
    observed_time = { column = "ts", unit = "ms" }            # since 1970: s, ms, us or ns
    region = { constant = "GB" }
    "signal.median_chat_seconds" = { column = "chat_ms", scale = 0.001, missing = [-1] }
    "attribute.os" = { column = "plat", values = { "1" = "ios", "2" = "android" } }

    [age_labels]
    from = "id_checks"

    [age_labels.columns]
    verified_time = { column = "checked", format = "%d/%m/%Y %H:%M", zone = "Europe/London" }
    method = { column = "kind", values = { passport = "ID_DOCUMENT" }, default = "MODERATOR" }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pairguard.errors import TablesRefused
from pairguard_training.tables.schema import TABLES, ColumnType, TableSchema

UNITS: Final = ("s", "ms", "us", "ns")
_SCHEMAS: Final = {schema.name: schema for schema in TABLES}
_SECTION_KEYS: Final = {"from", "columns", "keep_same_names", "drop_rows_without"}
_COLUMN_KEYS: Final = {
    "column", "constant", "scale", "offset", "missing", "values", "default", "unit", "format",
    "zone",
}  # fmt: skip
_NUMBERS: Final = (ColumnType.NUMBER, ColumnType.WHOLE)
_TEXTS: Final = (ColumnType.TEXT, ColumnType.ANY)


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """Where one of our columns comes from.

    Attributes:
        type: What it is to hold.
        column: Theirs; "": it is a constant.
        constant: The same for all rows.
        scale: Their number is multiplied by it, ...
        offset: ... and this is added then.
        missing: Values of theirs that stand for "missing".
        values: Our word by theirs.
        default: Our word for theirs that ``values`` does not have; None: they are a problem.
        unit: Of a number that is a time since 1970; "": it is none.
        format: Of a text that is a time, as ``strftime`` has it; "": it is none.
        zone: Time zone of times without one.
    """

    type: ColumnType
    column: str = ""
    constant: Any = None
    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[str | float, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    unit: str = ""
    format: str = ""
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where one of our tables comes from.

    Attributes:
        source: Their table.
        columns: By our name.
        keep_same_names: Whether columns that have our name already are taken, too.
        drop_rows_without: Our columns without which a row is left out.
    """

    source: str
    columns: Mapping[str, ColumnSource]
    keep_same_names: bool = True
    drop_rows_without: tuple[str, ...] = ()


def read_warehouse_mapping(document: Mapping[str, Any]) -> dict[str, TableSource]:
    """Read a parsed mapping document.

    Raises:
        TablesRefused: With every problem of the document.
    """
    problems: list[str] = []
    tables: dict[str, TableSource] = {}
    for name, section in document.items():
        schema = _SCHEMAS.get(name)
        if schema is None:
            problems.append(f"mapping: unknown section {name!r}; known are {', '.join(_SCHEMAS)}")
        elif not isinstance(section, Mapping):
            problems.append(f"mapping: {name} should be a table: [{name}]")
        else:
            tables[name] = _table(schema, section, problems)
    if not document:
        problems.append("mapping: it is empty; name at least one table")
    if problems:
        raise TablesRefused(problems)
    return tables


def _table(schema: TableSchema, section: Mapping[str, Any], problems: list[str]) -> TableSource:
    where = f"mapping: {schema.name}"
    problems += [f"{where} has no key {key!r}" for key in sorted(set(section) - _SECTION_KEYS)]
    source = section.get("from", schema.name)
    if not isinstance(source, str) or not source or "/" in source or source.startswith("."):
        problems.append(f"{where}.from should be the name of one of their tables, without a folder")
    keep = section.get("keep_same_names", True)
    if not isinstance(keep, bool):
        problems.append(f"{where}.keep_same_names should be true or false")
    columns = section.get("columns", {})
    if not isinstance(columns, Mapping):
        problems.append(f"{where}.columns should be a table: [{schema.name}.columns]")
        columns = {}
    found: dict[str, ColumnSource] = {}
    for name, entry in columns.items():
        described = {c.name: c for c in schema.columns}.get(name) or schema.family(name)
        if described is None:
            problems.append(f"{where}.columns: {schema.name} has no column {name!r}")
        else:
            found[name] = _column(f"{where}.columns.{name}", described.type, entry, problems)
    needed = section.get("drop_rows_without", [])
    if not isinstance(needed, list) or not all(isinstance(each, str) for each in needed):
        problems.append(f"{where}.drop_rows_without should be a list of our columns")
        needed = []
    return TableSource(str(source), found, keep is True, tuple(needed))


def _column(where: str, column_type: ColumnType, entry: Any, problems: list[str]) -> ColumnSource:
    if isinstance(entry, str):
        return ColumnSource(column_type, column=entry)
    if not isinstance(entry, Mapping):
        problems.append(f"{where} should be the name of their column, or a table of what to do")
        return ColumnSource(column_type)
    problems += [f"{where} has no key {key!r}" for key in sorted(set(entry) - _COLUMN_KEYS)]
    if ("column" in entry) == ("constant" in entry):
        problems.append(f"{where} should have one of column and constant")
    expected: tuple[tuple[str, Any, str], ...] = (
        ("column", str, "a text"),
        ("scale", (int, float), "a number"),
        ("offset", (int, float), "a number"),
        ("missing", list, "a list of values"),
        ("values", Mapping, "a table of our word by theirs"),
        ("default", str, "a text"),
        ("format", str, "a text such as %Y-%m-%d %H:%M:%S"),
        ("zone", str, "a time zone such as Europe/Berlin"),
    )
    wrong = {
        key
        for key, kind, _ in expected
        if key in entry and (not isinstance(entry[key], kind) or isinstance(entry[key], bool))
    }
    problems += [f"{where}.{key} should be {told}" for key, _, told in expected if key in wrong]
    _check_uses(where, column_type, entry, problems)
    if wrong:
        return ColumnSource(column_type)
    return ColumnSource(
        column_type,
        column=entry.get("column", ""),
        constant=entry.get("constant"),
        scale=float(entry.get("scale", 1.0)),
        offset=float(entry.get("offset", 0.0)),
        missing=tuple(entry.get("missing", ())),
        values={str(theirs): str(ours) for theirs, ours in entry.get("values", {}).items()},
        default=entry.get("default"),
        unit=str(entry.get("unit", "")),
        format=entry.get("format", ""),
        zone=entry.get("zone", "UTC"),
    )


def _check_uses(
    where: str, column_type: ColumnType, entry: Mapping[str, Any], problems: list[str]
) -> None:
    """Check that a column is treated as what it is to hold can be."""
    for keys, types, told in (
        (("scale", "offset"), _NUMBERS, "numbers"),
        (("unit", "format", "zone"), (ColumnType.TIME,), "times"),
        (("values", "default"), (*_TEXTS, ColumnType.FLAG), "words"),
    ):
        if column_type not in types:
            problems.extend(f"{where}.{key} is for {told} alone" for key in keys if key in entry)
    if "default" in entry and "values" not in entry:
        problems.append(f"{where}.default says what to take beside values; there are none")
    if "unit" in entry and entry["unit"] not in UNITS:
        problems.append(f"{where}.unit should be one of {', '.join(UNITS)}")
    if "unit" in entry and "format" in entry:
        problems.append(f"{where} should have one of unit and format")
    zone = entry.get("zone", "UTC")
    try:
        ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(f"{where}.zone: there is no time zone {zone!r}")
