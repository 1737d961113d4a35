"""From a warehouse's tables to ours, by a mapping.

Owns the way of one column: renamed, "missing" made null, words translated, units scaled, times
read. Whether the result can be used is checked where all tables are (``tables.reading``). Problems
name tables, columns and rows, never an id.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl

from pairguard.errors import TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.exporting.warehouse_mapping import (
    ColumnSource,
    TableSource,
    read_warehouse_mapping,
)
from pairguard_training.tables.columns import rows_where
from pairguard_training.tables.files import read_parts, table_files
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.tables.schema import TABLES, ColumnType, TableSchema
from pairguard_training.tables.writing import write_tables

_SHOWN = 5
_NUMBERS = (ColumnType.NUMBER, ColumnType.WHOLE)
_TRUE = {"true": True, "false": False}


def import_warehouse(
    source: Path, mapping_toml: Path, out: Path, *, catalogue: SignalCatalogue
) -> Tables:
    """Write our tables from a warehouse's, and read them back checked.

    Args:
        source: Folder of theirs: ``NAME.parquet`` or folders of parts.
        mapping_toml: Which are ours; see ``warehouse_mapping``.
        out: Where ours go; created when it does not exist.
        catalogue: Signals that columns are compared with, for warnings.

    Raises:
        TablesRefused: With every problem of the mapping; else of their tables; else of the result.
    """
    try:
        document = tomllib.loads(mapping_toml.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TablesRefused([f"{mapping_toml}: not a readable TOML document: {error}"]) from error
    mapping = read_warehouse_mapping(document)
    if not source.is_dir():
        raise TablesRefused([f"{source}: no such folder"])
    problems: list[str] = []
    frames: dict[str, pl.DataFrame] = {}
    for schema in TABLES:
        table = mapping.get(schema.name, TableSource(schema.name, {}))
        found = table_files(source, table.source)
        if not found and schema.name in mapping:
            problems.append(f"{schema.name}: there is no {table.source}.parquet and no such folder")
        theirs = read_parts(source, found, problems)
        frames[schema.name] = _translated(schema, table, theirs, problems)
    if problems:
        raise TablesRefused(problems)
    write_tables(out, frames)
    return read_tables(out, catalogue=catalogue)


def _translated(
    schema: TableSchema, table: TableSource, theirs: pl.DataFrame, problems: list[str]
) -> pl.DataFrame:
    if not theirs.columns:
        return pl.DataFrame()
    columns: dict[str, pl.Series] = {}
    if table.keep_same_names:
        used = {each.column for each in table.columns.values()}
        ours = {column.name for column in schema.columns}
        columns = {
            name: theirs[name]
            for name in theirs.columns
            if (name in ours or schema.family(name) is not None)
            and name not in used
            and name not in table.columns
        }
    for name, source in table.columns.items():
        where = f"{schema.name}.{name}"
        if source.column and source.column not in theirs.columns:
            problems.append(f"{where}: {table.source} has no column {source.column!r}")
        else:
            columns[name] = _column(where, source, theirs, problems).alias(name)
    frame = pl.DataFrame(columns)
    for name in table.drop_rows_without:
        if name not in frame.columns:
            problems.append(f"{schema.name}: drop_rows_without names {name!r}, which is not there")
        else:
            frame = frame.filter(pl.col(name).is_not_null())
    return frame


def _column(
    where: str, source: ColumnSource, theirs: pl.DataFrame, problems: list[str]
) -> pl.Series:
    if not source.column:
        return pl.Series([source.constant] * theirs.height)
    series = _without_codes(theirs[source.column], source)
    if source.type is ColumnType.TIME:
        return _time(where, source, series, problems)
    if source.values:
        return _words(where, source, series, problems)
    if source.type in _NUMBERS and (source.scale != 1.0 or source.offset != 0.0):
        if not series.dtype.is_numeric():
            problems.append(f"{where}: holds {series.dtype}, which cannot be scaled")
            return series
        return series.cast(pl.Float64) * source.scale + source.offset
    return series


def _without_codes(series: pl.Series, source: ColumnSource) -> pl.Series:
    """Return the column with null in the place of codes for "missing"."""
    words = [each for each in source.missing if isinstance(each, str)]
    numbers = [float(each) for each in source.missing if not isinstance(each, str)]
    mask = pl.Series([False] * len(series), dtype=pl.Boolean)
    if words and series.dtype == pl.String:
        mask |= series.is_in(words)
    if numbers and series.dtype.is_numeric():
        mask |= series.cast(pl.Float64).is_in(numbers)
    return series.set(mask.fill_null(value=False), None)


def _words(where: str, source: ColumnSource, series: pl.Series, problems: list[str]) -> pl.Series:
    texts = series.cast(pl.String)
    unknown = ~texts.is_in(list(source.values)) & texts.is_not_null()
    if source.default is None and unknown.any():
        found = texts.filter(unknown).unique().sort().head(_SHOWN).to_list()
        shown = ", ".join(repr(word[:60]) for word in found)
        problems.append(
            f"{where}: {shown} in {rows_where(unknown)} stand not in values; add them, or default"
        )
    translated = texts.replace_strict(
        list(source.values),
        list(source.values.values()),
        default=pl.lit(source.default, dtype=pl.String),
        return_dtype=pl.String,
    ).set(texts.is_null(), None)
    if source.type is not ColumnType.FLAG:
        return translated
    return translated.replace_strict(_TRUE, default=None, return_dtype=pl.Boolean)


def _time(where: str, source: ColumnSource, series: pl.Series, problems: list[str]) -> pl.Series:
    if source.unit:
        if not series.dtype.is_numeric():
            problems.append(f"{where}: holds {series.dtype}; unit is for numbers")
            return series
        factor = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[source.unit]
        microseconds = (series.cast(pl.Float64) * factor).round().cast(pl.Int64, strict=False)
        return microseconds.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if series.dtype == pl.String:
        return _parsed(where, source, series, problems)
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is None:
        return _in_zone(series, source.zone)
    return series


def _parsed(where: str, source: ColumnSource, series: pl.Series, problems: list[str]) -> pl.Series:
    try:
        read = series.str.to_datetime(source.format or None, strict=False, time_unit="us")
    except pl.exceptions.PolarsError:  # the form cannot be guessed
        read = pl.Series([None] * len(series), dtype=pl.Datetime("us"))
    unread = series.is_not_null() & read.is_null()
    if unread.any():
        told = f"in the format {source.format!r}" if source.format else "; give its format"
        problems.append(f"{where}: is no time {told}: {rows_where(unread)}".replace(" ;", ";"))
    if isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone is not None:
        return read.dt.convert_time_zone("UTC")
    return _in_zone(read, source.zone)


def _in_zone(series: pl.Series, zone: str) -> pl.Series:
    """Return local times as UTC; of two readings in autumn the first, none in spring is null."""
    local = series.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")
