"""What is wrong with a table that is looked at part by part, told once for the whole of it.

Owns how the same problem of many parts becomes one line, with the rows counted over the table. It
must not know what is checked. Lines name tables, columns and the first rows, never a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

SHOWN: Final = 5
"""Rows, and words, that a line names."""


@dataclass(slots=True)
class Rows:
    """Rows of which something is true.

    Attributes:
        count: How many there are.
        first: The first of them, counted from 0 over the whole table.
    """

    count: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, mask: pl.Series, offset: int) -> None:
        """Take those of a part whose first row is row ``offset`` of the table."""
        hits = mask.fill_null(value=False).arg_true()
        self.count += len(hits)
        missing = SHOWN - len(self.first)
        self.first += [offset + row for row in hits.head(missing).to_list()]

    def __str__(self) -> str:
        """Say how many, and the first few."""
        first = ", ".join(map(str, self.first))
        more = ", ..." if self.count > len(self.first) else ""
        return f"{self.count} row{'s' if self.count != 1 else ''} (row {first}{more})"


@dataclass(slots=True)
class Findings:
    """Problems of a table, or of one of its columns, in the order in which they were met.

    Attributes:
        offset: Rows of the table before the part that is looked at.
    """

    offset: int = 0
    _lines: dict[str, None] = field(default_factory=dict)
    _rows: dict[str, Rows] = field(default_factory=dict)
    _words: dict[str, tuple[Rows, set[str], str]] = field(default_factory=dict)

    def say(self, line: str) -> None:
        """Note what is no matter of single rows."""
        self._lines[line] = None

    def rows(self, what: str, mask: pl.Series) -> None:
        """Note ``what`` of the rows of a part where the mask is true, if there are any."""
        if mask.fill_null(value=False).any():
            self._rows.setdefault(what, Rows()).add(mask, self.offset)

    def words(self, where: str, series: pl.Series, known: Sequence[str]) -> None:
        """Note the rows of a part whose text is none of the known ones, null aside."""
        unknown = (~series.is_in(known)).fill_null(value=False)
        if unknown.any():
            rows, words, _ = self._words.setdefault(where, (Rows(), set(), ", ".join(known)))
            rows.add(unknown, self.offset)
            words.update(series.filter(unknown).drop_nulls().unique().to_list())
            # Those that come first in the alphabet are told; a wrong column may hold millions.
            words.intersection_update(sorted(words)[:SHOWN])

    def lines(self) -> list[str]:
        """Return a line for each problem."""
        words = [
            f"{where}: unknown word {', '.join(repr(word[:60]) for word in sorted(found))} in "
            f"{rows}; known are {known}"
            for where, (rows, found, known) in self._words.items()
        ]
        return [*self._lines, *(f"{what}: {rows}" for what, rows in self._rows.items()), *words]
