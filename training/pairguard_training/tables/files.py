"""Finding and reading the Parquet files of a data set.

Owns where a table's files are (one file, a folder of parts, or the parts that an export lists), how
their rows come part by part, and how unreadable ones are told.
It must not know what the columns mean.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pairguard.errors import TablesRefused

EXPORT_FILE: Final = "_export.json"
"""Lists the parts of each table of an export; whatever else lies there is not part of it."""
_READ_CHUNK_BYTES = 1 << 20
_ROWS_AT_ONCE = 1 << 16
"""Some 40 megabytes of snapshots with 50 signals."""

# What pyarrow and polars raise at files that are no Parquet or hold what nobody could use.
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError)
_UNUSABLE = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,  # a time zone that is no text, for one
    pa.ArrowException,
    ValueError,
    TypeError,
)


def table_files(directory: Path, name: str) -> tuple[Path, ...]:
    """Return the files of one table in a fixed order; empty when the table is absent.

    A table is ``NAME.parquet`` or every ``*.parquet`` below a folder ``NAME`` (files and folders
    whose names start with ``_`` or ``.`` are left out, as other readers do). Beside the list of an
    export it is what the list names: an export that was cut short may have left more.

    Raises:
        TablesRefused: The list of an export cannot be read.
    """
    listed = _listed(directory)
    if listed is not None:
        return tuple(directory / path for path in sorted(listed.get(name, [])))
    single = directory / f"{name}.parquet"
    folder = directory / name
    files = [single] if single.is_file() else []
    if folder.is_dir():
        files += [
            path
            for path in sorted(folder.rglob("*.parquet"))
            if path.is_file()
            and not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
        ]
    return tuple(files)


def _listed(directory: Path) -> dict[str, list[str]] | None:
    """Return the parts by table that an export lists; None: it is none."""
    path = directory / EXPORT_FILE
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_bytes())
        tables: dict[str, list[str]] = {
            str(table): [str(part) for part in parts] for table, parts in document["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TablesRefused(
            [f"{path}: not a readable list of parts: {_line(error)}; export again"]
        ) from error
    return tables


def content_hash(directory: Path, files: tuple[Path, ...]) -> str:
    """Return the sha256 (hex) over the names and the bytes of the files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        inner = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(_READ_CHUNK_BYTES):
                inner.update(chunk)
        name = path.relative_to(directory).as_posix()
        digest.update(f"{name}\0{inner.hexdigest()}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TableParts:
    """One table that can be read part by part, so that it need never be there as a whole.

    Parts may lack columns that others have (they become null) and may differ in number types.

    Attributes:
        directory: The data set.
        files: Those of its files that can be opened.
        schema: Type of each column over all of them; empty: there is nothing to read.
    """

    directory: Path
    files: tuple[Path, ...]
    schema: pl.Schema

    def frames(self, problems: list[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows in their order, in parts with every column; what is damaged is told."""
        for path in self.files:
            shown = path.relative_to(self.directory).as_posix()
            try:
                for frame in _frames(path):
                    yield self._aligned(frame)
            except _UNREADABLE as error:
                problems.append(f"{shown}: not a readable Parquet file: {_line(error)}")
            except _UNUSABLE as error:
                problems.append(_unusable(shown, error))

    def _aligned(self, frame: pl.DataFrame) -> pl.DataFrame:
        if frame.schema == self.schema:
            return frame
        return pl.DataFrame(
            [
                frame[name].cast(dtype)
                if name in frame.columns
                else pl.repeat(None, frame.height, dtype=dtype, eager=True).alias(name)
                for name, dtype in self.schema.items()
            ]
        )


def table_parts(directory: Path, files: tuple[Path, ...], problems: list[str]) -> TableParts:
    """Open the parts of one table; what cannot be opened goes to ``problems``."""
    opened: list[tuple[Path, pl.DataFrame]] = []
    for path in files:
        empty = _columns_of(path, path.relative_to(directory).as_posix(), problems)
        if empty is not None:
            opened.append((path, empty))
    try:
        schema = pl.concat([empty for _, empty in opened], how="diagonal_relaxed").schema
    except (pl.exceptions.PolarsError, ValueError) as error:
        if opened:
            problems.append(_disagreement(directory, opened, error))
        return TableParts(directory, (), pl.Schema())
    return TableParts(directory, tuple(path for path, _ in opened), schema)


def read_parts(directory: Path, files: tuple[Path, ...], problems: list[str]) -> pl.DataFrame:
    """Read the parts of one table into one frame; what cannot be read goes to ``problems``."""
    parts = table_parts(directory, files, problems)
    frames = list(parts.frames(problems))
    if not frames:
        return pl.DataFrame(schema=parts.schema)
    return pl.concat(frames, rechunk=True)


def _columns_of(path: Path, shown: str, problems: list[str]) -> pl.DataFrame | None:
    """Return the columns of a file without any row; None: it cannot be used."""
    if not path.is_file():
        problems.append(f"{shown}: the part is listed and not there; export again")
        return None
    if path.stat().st_size == 0:
        problems.append(f"{shown}: the file is empty (0 bytes); write a Parquet file or remove it")
        return None
    try:
        with pq.ParquetFile(path) as file:
            schema: Any = file.schema_arrow
        names = list(schema.names)
    except _UNREADABLE as error:
        problems.append(f"{shown}: not a readable Parquet file: {_line(error)}")
        return None
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        problems.append(
            f"{shown}: columns that occur more than once: {', '.join(map(repr, repeated))}; "
            "rename or drop all but one"
        )
        return None
    try:
        return _frame(schema.empty_table())
    except _UNUSABLE as error:
        problems.append(_unusable(shown, error))
        return None


def _frames(path: Path) -> Iterator[pl.DataFrame]:
    # The file's own columns only: names of partition folders are no data of the table.
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
            # Damaged texts and offsets would take the process down later.
            batch.validate(full=True)
            yield _frame(pa.Table.from_batches([batch]))


def _frame(table: Any) -> pl.DataFrame:
    # Notes that other systems leave beside the columns may be damaged too; none is needed.
    frame = pl.from_arrow(pa.Table.from_arrays(table.columns, names=list(table.column_names)))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("no table")
    return frame


def _unusable(shown: str, error: BaseException) -> str:
    return f"{shown}: holds a column of a type that cannot be used: {_line(error)}"


def _disagreement(
    directory: Path, opened: list[tuple[Path, pl.DataFrame]], error: BaseException
) -> str:
    kinds: dict[str, set[str]] = {}
    for _, empty in opened:
        for name, dtype in empty.schema.items():
            kinds.setdefault(name, set()).add(str(dtype))
    mixed = [
        f"{name!r} ({', '.join(sorted(types))})" for name, types in kinds.items() if len(types) > 1
    ]
    table = opened[0][0].relative_to(directory).parts[0].removesuffix(".parquet")
    return f"{table}: the parts disagree about types: {'; '.join(mixed) or _line(error)}"


def _line(error: BaseException) -> str:
    """Return the first line of a library's message, so that no trace reaches the reader."""
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
