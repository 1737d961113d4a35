"""Bringing one column to its type, and checking its values.

Owns what is repaired in silence (an integer where a number is due, a category where a text is due,
a column without any value) and what is a problem (text where a number is due, a number out of
range). It must not know how columns of different tables belong together (``relations``).

Problems name the table, the column and the first rows, never an id or a value of a person.
"""

from __future__ import annotations

import polars as pl

from pairguard_training.tables.findings import Findings, Rows
from pairguard_training.tables.schema import Column, ColumnType

_INTEGERS = (
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.UInt64,
)
_TIME = pl.Datetime("us", "UTC")

DTYPES: dict[ColumnType, pl.DataType] = {
    ColumnType.TEXT: pl.String(),
    ColumnType.NUMBER: pl.Float64(),
    ColumnType.WHOLE: pl.Int64(),
    ColumnType.TIME: _TIME,
    ColumnType.FLAG: pl.Boolean(),
    ColumnType.TEXTS: pl.List(pl.String()),
    ColumnType.ANY: pl.String(),
}


def conform(table: str, series: pl.Series, column: Column, findings: Findings) -> pl.Series:
    """Return a part of a column in its type; one that cannot be has a problem and is all null.

    Whether ids are unique is not looked at: no part knows.

    Args:
        table: Name of the table, for messages.
        series: The part as it was read.
        column: What it should be.
        findings: Receives what is wrong.
    """
    where = f"{table}.{column.name}"
    if series.null_count() == len(series):
        result: pl.Series | None = absent(column, len(series))
    else:
        result = _cast(series, column.type)
    if result is None:
        findings.say(
            f"{where}: holds {series.dtype}, which is no {column.type.value}; {_advice(column)}"
        )
        return absent(column, len(series))
    if column.type in (ColumnType.NUMBER, ColumnType.WHOLE):
        result = _check_numbers(where, result, column, findings)
    elif column.type is ColumnType.TIME:
        findings.rows(f"{where}: is before 1970", result.dt.epoch("us") < 0)
    elif column.words:
        findings.words(where, result, column.words)
    if column.required:
        findings.rows(f"{where}: is missing; every row needs a value", result.is_null())
    return result


def absent(column: Column, rows: int) -> pl.Series:
    """Return a column without any value."""
    return pl.repeat(None, rows, dtype=DTYPES[column.type], eager=True).alias(column.name)


def rows_where(mask: pl.Series) -> str:
    """Describe the rows of a mask: how many, and the first few (counted from 0)."""
    rows = Rows()
    rows.add(mask, 0)
    return str(rows)


def _cast(series: pl.Series, column_type: ColumnType) -> pl.Series | None:
    """Return the series in the type, or None when that would need a guess."""
    dtype = series.dtype
    if column_type is ColumnType.TEXT:
        return _text(series)
    if column_type is ColumnType.TIME:
        return _time(series)
    if column_type is ColumnType.TEXTS:
        return _texts(series)
    if column_type is ColumnType.ANY:
        return _number(series) if dtype.is_numeric() or dtype == pl.Boolean else _text(series)
    if column_type is ColumnType.NUMBER:
        return _number(series)
    if column_type is ColumnType.WHOLE:
        return _whole(series)
    if dtype == pl.Boolean:
        return series
    if dtype in _INTEGERS and series.drop_nulls().is_in([0, 1]).all():
        return series.cast(pl.Boolean)
    return None


def _number(series: pl.Series) -> pl.Series | None:
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series.cast(pl.Float64)
    return None


def _whole(series: pl.Series) -> pl.Series | None:
    if series.dtype in _INTEGERS:
        return series.cast(pl.Int64, strict=False)
    if series.dtype.is_numeric():
        numbers = series.cast(pl.Float64)
        # NaN and infinities are no whole numbers either; they are named as a wrong type.
        if numbers.drop_nulls().is_finite().all() and (numbers == numbers.round(0)).all():
            return numbers.cast(pl.Int64, strict=False)
    return None


def _text(series: pl.Series) -> pl.Series | None:
    dtype = series.dtype
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        text = series.cast(pl.String)
        # "" is how many exports write "absent".
        return text.set(text == "", None) if (text == "").any() else text
    if dtype in _INTEGERS:
        return series.cast(pl.String)
    return None


def _texts(series: pl.Series) -> pl.Series | None:
    if not isinstance(series.dtype, pl.List):
        return None
    inner = series.dtype.inner
    if inner in (pl.String, pl.Null) or isinstance(inner, pl.Categorical | pl.Enum):
        return series.cast(pl.List(pl.String)).list.drop_nulls()
    return None


def _time(series: pl.Series) -> pl.Series | None:
    dtype = series.dtype
    if dtype == pl.Date:
        series = series.cast(pl.Datetime("us"))
        dtype = series.dtype
    if not isinstance(dtype, pl.Datetime):
        return None
    if dtype.time_zone is None:
        # A timestamp without a zone is UTC by the convention of the tables.
        return series.dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return series.dt.cast_time_unit("us").dt.convert_time_zone("UTC")


def _check_numbers(where: str, series: pl.Series, column: Column, findings: Findings) -> pl.Series:
    if series.dtype == pl.Float64:
        not_a_number = series.is_nan()
        if not_a_number.any():
            if column.nan_is_missing:
                series = series.fill_nan(None)
            else:
                findings.rows(f"{where}: is NaN; a value that is absent is null", not_a_number)
        findings.rows(f"{where}: is infinite", series.is_infinite())
    low, high = column.minimum, column.maximum
    if low is not None:
        findings.rows(f"{where}: is below {low:g}", series < low)
    if high is not None:
        above = (series > high) & series.cast(pl.Float64).is_finite()
        findings.rows(f"{where}: is above {high:g}", above)
    return series


def _advice(column: Column) -> str:
    """Say what would be right for a column of the wrong type."""
    return {
        ColumnType.TEXT: "write it as a string",
        ColumnType.NUMBER: "write it as a double",
        ColumnType.WHOLE: "write it as an integer, null where it is absent",
        ColumnType.TIME: "write it as a timestamp in microseconds, UTC",
        ColumnType.FLAG: "write it as a boolean",
        ColumnType.TEXTS: "write it as a list of strings",
        ColumnType.ANY: "write it as a string or a double",
    }[column.type]
