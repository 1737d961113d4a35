"""Tables from a few rows, written and read as anybody's would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.tables.writing import write_tables

DAY_0 = datetime(2026, 3, 1, tzinfo=UTC)

Rows = Sequence[Mapping[str, Any]]


def tables_of_rows(directory: Path, **rows: Rows) -> Tables:
    """Write tables given as lists of rows by name, and read them back."""
    frames = {
        name: pl.DataFrame(list(table), infer_schema_length=None) for name, table in rows.items()
    }
    write_tables(directory, frames)
    return read_tables(directory)


def snapshot(name: str, **values: object) -> dict[str, object]:
    """Return a row of snapshots, of a participant of the same name unless told otherwise."""
    return {"snapshot_id": name, "participant_id": name, "observed_time": DAY_0, **values}
