"""Parts of tables as files that are never changed, named after what is in them.

Owns the names, that a file is whole and on the disk when it has its name, and what is removed. It
must not know which parts belong together (``ledger``).
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import polars as pl

INDEX: Final = "_index"
"""Folder of what the export itself needs to know again; other readers leave it out."""

_ROW_GROUP: Final = 131_072
_HASH_DIGITS: Final = 12

Files = Mapping[str, int]
"""Rows by path, as it stands below the folder of the export."""


def write_days(root: Path, table: str, frame: pl.DataFrame, day_column: str, stem: str) -> Files:
    """Write the rows of each day (UTC) into a file of their own.

    Args:
        root: Folder of the export.
        table: Name of the table.
        frame: Its rows; a column ``day`` is not written.
        day_column: The time that says the day.
        stem: Of the names of the files.
    """
    if frame.is_empty():
        return {}
    days = frame.with_columns(day=pl.col(day_column).dt.strftime("%Y-%m-%d"))
    return {
        path: count
        for (day,), rows in sorted(days.partition_by("day", as_dict=True).items())
        for path, count in write_part(root, f"{table}/day={day}", rows.drop("day"), stem).items()
    }


def write_part(root: Path, folder: str, frame: pl.DataFrame, stem: str) -> Files:
    """Write one file; where it is there already, as it is, nothing is written."""
    if frame.is_empty():
        return {}
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", row_group_size=_ROW_GROUP)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
    path = root / folder / f"part-{stem}-{digest}.parquet"
    if not path.is_file():
        write_file(path, content)
    return {path.relative_to(root).as_posix(): frame.height}


def write_file(path: Path, content: bytes) -> None:
    """Put a file in its place when all of it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_part(root: Path, path: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a file, or some of its columns."""
    return pl.read_parquet(root / path, columns=columns, hive_partitioning=False)


def folder_of(path: str) -> str:
    """Return the folder of a part below that of the export."""
    return path.rpartition("/")[0]


def remove_others(root: Path, folders: Collection[str], kept: Collection[str]) -> int:
    """Remove the files of these folders that are not kept, and folders that are empty then.

    Returns:
        How many files went.
    """
    count = 0
    for name in folders:
        for path in sorted((root / name).rglob("*"), reverse=True):
            if path.is_dir():
                with suppress(OSError):  # others are in it
                    path.rmdir()
            elif path.relative_to(root).as_posix() not in kept:
                path.unlink()
                count += 1
    return count
