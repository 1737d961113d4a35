"""From somebody's CSV file to the five tables and a derived signal catalogue.

Owns reading the file (plain, .gz, .bz2 or .xz) and turning its columns into tables as a mapping
says (``csv_mapping``). Every row is one participant at one time; there are no pairs.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from pairguard.errors import TablesRefused
from pairguard_training.tables.catalogue_derivation import derive_catalogue
from pairguard_training.tables.columns import DTYPES, rows_where
from pairguard_training.tables.csv_mapping import ColumnGroup, CsvMapping, read_mapping
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.tables.schema import (
    AGE_EVIDENCE,
    ATTRIBUTE_PREFIX,
    AUDIT_PREFIX,
    SIGNAL_PREFIX,
    ColumnType,
)
from pairguard_training.tables.writing import write_tables

CATALOGUE_FILE = "signals.toml"
_HEADER_BYTES = 1 << 20
_OPENERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}


def import_csv(csv_path: Path, mapping_toml: Path, out_dir: Path) -> Tables:
    """Write the tables of a CSV file and ``signals.toml``, and read them back checked.

    Args:
        csv_path: The file; its first row has the names of the columns.
        mapping_toml: What they mean; see ``csv_mapping``.
        out_dir: Where the tables go; created when it does not exist.

    Returns:
        The tables as ``read_tables`` gives them.

    Raises:
        TablesRefused: With every problem of the mapping, or of the file.
    """
    mapping = read_mapping(_parse(mapping_toml))
    rows = _read(csv_path, mapping.delimiter)
    problems: list[str] = []
    frames = {
        "snapshots": _snapshots(rows, mapping, problems),
        "age_evidence": _evidence(rows, mapping, problems),
        "age_labels": _labels(rows, mapping, problems),
    }
    if problems:
        raise TablesRefused(problems)
    write_tables(out_dir, frames)
    tables = read_tables(out_dir)
    catalogue = derive_catalogue(tables.snapshots)
    (out_dir / CATALOGUE_FILE).write_text(catalogue.to_toml(), encoding="utf-8")
    return tables


def _parse(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TablesRefused([f"{path.name}: not a readable TOML document: {error}"]) from error


def _read(path: Path, delimiter: str) -> pl.DataFrame:
    """Read every column as text: what a column is, the mapping says."""
    try:
        content = _OPENERS.get(path.suffix, bytes)(path.read_bytes())
        header = next(
            csv.reader(
                content[:_HEADER_BYTES].decode("utf-8", "replace").splitlines(), delimiter=delimiter
            ),
            [],
        )
        rows = pl.read_csv(content, separator=delimiter, infer_schema=False)
    except (OSError, EOFError, lzma.LZMAError, csv.Error, pl.exceptions.PolarsError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TablesRefused([f"{path.name}: not a readable CSV file: {line[:200]}"]) from error
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        shown = ", ".join(map(repr, repeated))
        raise TablesRefused([f"{path.name}: columns that occur more than once: {shown}"])
    if rows.is_empty():
        raise TablesRefused([f"{path.name}: has no rows"])
    return rows.rename({name: name.strip() for name in rows.columns})


def _snapshots(rows: pl.DataFrame, mapping: CsvMapping, problems: list[str]) -> pl.DataFrame:
    columns = [
        pl.Series("snapshot_id", [f"row-{index}" for index in range(rows.height)]),
        _participant_ids(rows, mapping, problems),
        pl.Series("observed_time", [mapping.observed_time] * rows.height),
    ]
    for name, source in mapping.participant.items():
        if name != "participant_id":
            columns.append(_text(_column(rows, source, problems).alias(name), ()))
    for name, constant in mapping.participant_constants.items():
        columns.append(pl.Series(name, [constant] * rows.height, dtype=pl.String))
    for group in mapping.signals:
        for source in _chosen(group, rows, "signals", problems):
            values = _number(rows[source], group.missing, problems)
            if group.clip is not None:
                values = values.clip(*group.clip)
            columns.append(values.alias(SIGNAL_PREFIX + source))
    for groups, prefix in ((mapping.attributes, ATTRIBUTE_PREFIX), (mapping.audits, AUDIT_PREFIX)):
        for group in groups:
            columns += [
                _text(rows[source], group.missing).alias(prefix + source)
                for source in _chosen(group, rows, prefix.rstrip("."), problems)
            ]
    names = [column.name for column in columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    problems += [f"mapping: {name!r} is mapped more than once" for name in repeated]
    return pl.DataFrame({column.name: column for column in columns})


def _evidence(rows: pl.DataFrame, mapping: CsvMapping, problems: list[str]) -> pl.DataFrame:
    types = {column.name: column.type for column in AGE_EVIDENCE.columns}
    frames = []
    for index, item in enumerate(mapping.age_evidence):
        columns = [
            pl.Series("snapshot_id", [f"row-{row}" for row in range(rows.height)]),
            pl.Series("evidence_id", [f"row-{row}-{index}" for row in range(rows.height)]),
            pl.Series("observed_time", [mapping.observed_time] * rows.height),
        ]
        present = pl.Series([True] * rows.height)
        for name, source in item.columns.items():
            series = _column(rows, source, problems)
            if types[name] in (ColumnType.NUMBER, ColumnType.WHOLE):
                series = _number(series, item.missing, problems)
            elif types[name] is ColumnType.TIME:
                problems.append(f"mapping: age_evidence[{index}]: {name} cannot be a column here")
            else:
                series = _text(series, item.missing)
            present &= series.is_not_null()
            columns.append(series.alias(name).cast(DTYPES[types[name]], strict=False))
        frame = pl.DataFrame({column.name: column for column in columns})
        try:
            constants = [
                pl.Series(name, [value] * rows.height).cast(DTYPES[types[name]])
                for name, value in item.constants.items()
            ]
        except (pl.exceptions.PolarsError, TypeError):
            problems.append(f"mapping: age_evidence[{index}]: a constant is of the wrong type")
            continue
        frame = frame.with_columns(*constants, kind=pl.lit(item.kind))
        frames.append(frame.filter(present))
    return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()


def _labels(rows: pl.DataFrame, mapping: CsvMapping, problems: list[str]) -> pl.DataFrame:
    if not mapping.age_label:
        return pl.DataFrame()
    label = mapping.age_label
    age = _number(_column(rows, label["column"], problems), (), problems)
    low, high = label.get("range", [0.0, 120.0])
    frame = pl.DataFrame(
        {
            "participant_id": _participant_ids(rows, mapping, []),
            "age_years": age,
            # The file has one time for all: its evidence would else be as late as the label, and
            # what is not before a label teaches nothing and is judged by nothing.
            "verified_time": pl.Series([None] * rows.height, dtype=pl.Datetime("us", "UTC")),
            "method": pl.Series([label.get("method")] * rows.height, dtype=pl.String),
            "sampling_probability": [float(label.get("sampling_probability", 1.0))] * rows.height,
        }
    )
    kept = frame.filter(pl.col("age_years").is_between(low, high))
    return kept.unique("participant_id", keep="first", maintain_order=True)


def _participant_ids(rows: pl.DataFrame, mapping: CsvMapping, problems: list[str]) -> pl.Series:
    source = mapping.participant.get("participant_id")
    if source is None:
        return pl.Series("participant_id", [f"participant-{row}" for row in range(rows.height)])
    return _column(rows, source, problems).alias("participant_id")


def _column(rows: pl.DataFrame, name: str, problems: list[str]) -> pl.Series:
    if name in rows.columns:
        return rows[name]
    problems.append(f"mapping: the file has no column {name!r}")
    return pl.Series(name, [None] * rows.height, dtype=pl.String)


def _chosen(group: ColumnGroup, rows: pl.DataFrame, section: str, problems: list[str]) -> list[str]:
    chosen = group.chosen(rows.columns)
    problems += [
        f"mapping: the file has no column {name!r}, which {section} names"
        for name in group.columns
        if name not in chosen
    ]
    if group.pattern and not chosen:
        problems.append(f"mapping: no column matches the pattern {group.pattern!r} of {section}")
    return chosen


def _number(series: pl.Series, missing: Sequence[str | float], problems: list[str]) -> pl.Series:
    """Return the column as numbers; codes for "missing" become null, other text is a problem."""
    text = _text(series, [word for word in missing if isinstance(word, str)])
    numbers = text.str.strip_chars().cast(pl.Float64, strict=False)
    unread = text.is_not_null() & numbers.is_null()
    if unread.any():
        problems.append(
            f"column {series.name!r}: should hold numbers, but does not in {rows_where(unread)}; "
            "name its texts for missing in the mapping"
        )
    codes = [float(code) for code in missing if not isinstance(code, str)]
    finite = numbers.is_finite().fill_null(value=False)
    return numbers.set(~finite | numbers.is_in(codes).fill_null(value=False), None)


def _text(series: pl.Series, missing: Sequence[str | float]) -> pl.Series:
    words = ["", *(str(word) for word in missing)]
    return series.set(series.is_in(words).fill_null(value=False), None)
