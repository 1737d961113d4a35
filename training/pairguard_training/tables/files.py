"""Finding and reading the Parquet files of a data set.

Owns where a table's files are (one file, a folder of parts, or the parts that an export lists) and
how unreadable ones are told.
It must not know what the columns mean.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pairguard.errors import TablesRefused

EXPORT_FILE: Final = "_export.json"
"""Lists the parts of each table of an export; whatever else lies there is not part of it."""
_READ_CHUNK_BYTES = 1 << 20


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


def read_parts(directory: Path, files: tuple[Path, ...], problems: list[str]) -> pl.DataFrame:
    """Read the parts of one table into one frame; what cannot be read goes to ``problems``.

    Parts may lack columns that others have (they become null) and may differ in number types.
    """
    frames: list[pl.DataFrame] = []
    for path in files:
        shown = path.relative_to(directory).as_posix()
        frame = _read_part(path, shown, problems)
        pa.default_memory_pool().release_unused()
        if frame is not None:
            frames.append(frame)
    if not frames:
        return pl.DataFrame()
    if len(frames) == 1:
        return frames[0]
    try:
        return pl.concat(frames, how="diagonal_relaxed", rechunk=True)
    except pl.exceptions.PolarsError as error:
        kinds: dict[str, set[str]] = {}
        for frame in frames:
            for name, dtype in frame.schema.items():
                kinds.setdefault(name, set()).add(str(dtype))
        mixed = [
            f"{name!r} ({', '.join(sorted(types))})"
            for name, types in kinds.items()
            if len(types) > 1
        ]
        table = files[0].relative_to(directory).parts[0].removesuffix(".parquet")
        problems.append(
            f"{table}: the parts disagree about types: {'; '.join(mixed) or _line(error)}"
        )
        return pl.DataFrame()


def _read_part(path: Path, shown: str, problems: list[str]) -> pl.DataFrame | None:
    if not path.is_file():
        problems.append(f"{shown}: the part is listed and not there; export again")
        return None
    if path.stat().st_size == 0:
        problems.append(f"{shown}: the file is empty (0 bytes); write a Parquet file or remove it")
        return None
    try:
        # The file's own columns only: names of partition folders are no data of the table.
        table: Any = pq.ParquetFile(path).read()
        # Damaged texts and offsets would take the process down later.
        table.validate(full=True)
        names = list(table.column_names)
        # Notes that other systems leave beside the columns may be damaged too; none is needed.
        table = pa.Table.from_arrays(table.columns, names=names)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
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
        frame = pl.from_arrow(table)
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,  # a time zone that is no text, for one
        pa.ArrowException,
        ValueError,
        TypeError,
    ) as error:
        problems.append(f"{shown}: holds a column of a type that cannot be used: {_line(error)}")
        return None
    return frame if isinstance(frame, pl.DataFrame) else None


def _line(error: BaseException) -> str:
    """Return the first line of a library's message, so that no trace reaches the reader."""
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
