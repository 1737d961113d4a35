"""A Parquet file that is written part by part and appears whole or not at all.

Owns the temporary file and the swap. It must not know what is written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pairguard.errors import ConfigurationRefused

_ROWS_OF_A_GROUP = 131_072


@contextmanager
def whole_parquet(
    target: Path, schema: pl.Schema, *, notes: Mapping[str, str], replace: bool
) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Give a function that adds rows, and put the file at the target when all went well.

    Args:
        target: Where it is to be.
        schema: Of every frame that is added.
        notes: Kept beside the columns, in the file's own metadata.
        replace: Whether a file that is there may be replaced.

    Yields:
        A function that adds a frame.

    Raises:
        ConfigurationRefused: Something is there that may not be replaced.
    """
    _check(target, replace=replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        empty = pl.DataFrame(schema=schema).to_arrow()
        described = empty.schema.with_metadata({k: v.encode() for k, v in notes.items()})
        with pq.ParquetWriter(temporary, described, compression="zstd") as writer:
            waiting: list[pl.DataFrame] = []

            def flush() -> None:
                if waiting:
                    table = pl.concat(waiting).to_arrow().cast(empty.schema)
                    writer.write_table(table.replace_schema_metadata(described.metadata))
                    waiting.clear()

            def add(frame: pl.DataFrame) -> None:
                waiting.append(frame.select(schema.names()))
                if sum(each.height for each in waiting) >= _ROWS_OF_A_GROUP:
                    flush()

            yield add
            flush()
        temporary.chmod(0o644)
        _check(target, replace=replace)  # what is there may have changed meanwhile
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _check(target: Path, *, replace: bool) -> None:
    if target.is_dir():
        raise ConfigurationRefused([f"{target} is a folder; name a file to write"])
    if target.exists() and not replace:
        raise ConfigurationRefused([f"{target} is there already; add --replace to replace it"])
