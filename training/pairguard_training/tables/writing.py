"""Writing a data set: frames out as Parquet files with fixed bytes.

Owns the file layout, the order of columns and their types. The same frames give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pairguard_training.tables.columns import DTYPES
from pairguard_training.tables.schema import TABLES, TableSchema

# Rows of one row group: small enough for readers that take one group at a time.
_ROW_GROUP = 131_072


def write_tables(directory: Path, frames: Mapping[str, pl.DataFrame]) -> tuple[Path, ...]:
    """Write the five tables, each as one file; a table that is not given is written empty.

    Args:
        directory: Created when it does not exist; files of the same names are replaced.
        frames: Tables by name; missing optional columns are written all null.

    Returns:
        The files in the order of the schema.
    """
    directory.mkdir(parents=True, exist_ok=True)
    return tuple(
        write_frame(
            directory / f"{schema.name}.parquet",
            _arrange(frames.get(schema.name, pl.DataFrame()), schema),
        )
        for schema in TABLES
    )


def write_frame(path: Path, frame: pl.DataFrame) -> Path:
    """Write one frame through a temporary file, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    frame.write_parquet(temporary, compression="zstd", row_group_size=_ROW_GROUP)
    temporary.replace(path)
    return path


def _arrange(frame: pl.DataFrame, schema: TableSchema) -> pl.DataFrame:
    """Return the fixed columns in the schema's order and type, then the families by name."""
    columns = [
        frame[column.name].cast(DTYPES[column.type])
        if column.name in frame.columns
        else pl.Series(column.name, [None] * frame.height, dtype=DTYPES[column.type])
        for column in schema.columns
    ]
    fixed = {column.name for column in schema.columns}
    families = sorted(name for name in frame.columns if name not in fixed)
    return pl.DataFrame(columns + [frame[name] for name in families])
