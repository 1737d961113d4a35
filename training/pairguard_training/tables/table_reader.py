"""One table, checked column by column as its parts come, and what is kept of them.

Owns which columns a table has, and how kept parts become columns again. It must not know how files
are read nor how tables belong together.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pairguard_training.tables.columns import absent, conform
from pairguard_training.tables.findings import Findings
from pairguard_training.tables.schema import Column, TableSchema

_SHOWN = 10


class TableReader:
    """Brings the parts of one table to its schema.

    Args:
        schema: What the table should hold.
        found: Type of each column that is there; empty: the table was not read.

    Attributes:
        ignored: Names of columns outside the schema.
        without_zone: Names of its times whose zone is not told.
        rows: How many rows were taken.
    """

    def __init__(self, schema: TableSchema, found: Mapping[str, pl.DataType]) -> None:
        self._schema = schema
        fixed = {column.name for column in schema.columns}
        others = {name: schema.family(name) for name in found if name not in fixed}
        families = [column for column in others.values() if column is not None]
        self._columns: list[tuple[Column, Findings]] = [
            (column, Findings()) for column in (*schema.columns, *families)
        ]
        self.ignored = [name for name, column in others.items() if column is None]
        self.without_zone = [
            name
            for name, dtype in found.items()
            if name in fixed and isinstance(dtype, pl.Datetime) and dtype.time_zone is None
        ]
        self.rows = 0
        for column, findings in self._columns:
            if column.required and found and column.name not in found:
                findings.say(
                    f"{schema.name}.{column.name}: the column is missing; "
                    f"it should hold a {column.type.value} in every row"
                )

    def take(self, part: pl.DataFrame) -> pl.DataFrame:
        """Return the next part with every fixed column in its type, its families, nothing else."""
        columns = []
        for column, findings in self._columns:
            findings.offset = self.rows
            columns.append(
                conform(self._schema.name, part[column.name], column, findings)
                if column.name in part.columns
                else absent(column, part.height)
            )
        self.rows += part.height
        return pl.DataFrame(columns)

    def repeats(self, column: Column, mask: pl.Series) -> None:
        """Note the rows of the whole table whose id another row holds too."""
        findings = next(found for each, found in self._columns if each is column)
        findings.offset = 0
        where = f"{self._schema.name}.{column.name}"
        findings.rows(f"{where}: holds an id that another row holds too", mask)

    def problems(self) -> list[str]:
        """Return a line for each problem."""
        return [line for _, findings in self._columns for line in findings.lines()]

    def warnings(self) -> list[str]:
        """Return what is odd but usable."""
        warnings = []
        for told, names in (
            ("columns outside the schema are ignored", self.ignored),
            ("times without a time zone are taken as UTC", self.without_zone),
        ):
            if names:
                shown = ", ".join(map(repr, names[:_SHOWN])) + (", ..." * (len(names) > _SHOWN))
                warnings.append(f"{self._schema.name}: {told}: {shown}")
        return warnings


class KeptParts:
    """Parts of one table that become one frame, a column after the other: never both at once."""

    def __init__(self) -> None:
        self._columns: dict[str, list[pl.Series]] = {}

    def add(self, part: pl.DataFrame) -> None:
        """Keep a part; all have the same columns."""
        for series in part.get_columns():
            self._columns.setdefault(series.name, []).append(series)

    def frame(self) -> pl.DataFrame:
        """Return the rows of all parts, each column in one piece. Nothing is kept any longer."""
        names = list(self._columns)
        return pl.DataFrame([_joined(self._columns.pop(name)) for name in names])


def _joined(parts: list[pl.Series]) -> pl.Series:
    # A part without any value could not know whether texts or numbers are due.
    types = [each.dtype for each in parts if each.null_count() < len(each)] or [parts[0].dtype]
    return pl.concat([each.cast(types[0]) for each in parts], rechunk=True)
