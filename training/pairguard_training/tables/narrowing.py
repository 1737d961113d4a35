"""What a fit keeps of each table, so that ten million pairs fit into memory.

Owns which columns and rows a fit looks at, and their small types. It must not know what is learned
from them. What is left out here changes nothing of a fit: the same bytes come out of whole tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pairguard_training.tables.id_index import Places
from pairguard_training.tables.schema import (
    AGE_EVIDENCE,
    ATTRIBUTE_PREFIX,
    AUDIT_PREFIX,
    DECISIONS,
    ColumnType,
)

ROW_A, ROW_B = "row_a", "row_b"
"""Where the two snapshots of a pair stand in their table, in place of their ids."""

_FEW_WORDS = ("region", "language", "entry_path")
# A wrong word or year becomes null: it is a problem already, and then nothing is fitted.
_EVIDENCE_TYPES: Mapping[Any, pl.DataType] = {
    column.name: pl.Enum(column.words) if column.words else pl.Int16()
    for column in AGE_EVIDENCE.columns
    if column.words or column.type is ColumnType.WHOLE
}
_HOW_A_PAIR_CAME_ABOUT = ("modality", "wait_seconds", "bundle_version", "policy_version")


def snapshots_for_fitting(part: pl.DataFrame) -> pl.DataFrame:
    """Return snapshots without what is there for fairness only, their words as numbers."""
    return part.select(name for name in part.columns if not name.startswith(AUDIT_PREFIX)).cast(
        {
            "interests": pl.List(pl.Categorical),
            **{
                name: pl.Categorical
                for name in part.columns
                if name in _FEW_WORDS or name.startswith(ATTRIBUTE_PREFIX)
            },
        }
    )


def evidence_for_fitting(part: pl.DataFrame) -> pl.DataFrame:
    """Return age evidence with its words as numbers, and years in two bytes each."""
    return part.cast({"provider": pl.Categorical}).cast(_EVIDENCE_TYPES, strict=False)


def pairs_for_fitting(part: pl.DataFrame, sides: tuple[Places, Places]) -> pl.DataFrame:
    """Return pairs without how they came about, their snapshots as rows of four bytes each."""
    return part.drop("snapshot_a", "snapshot_b", *_HOW_A_PAIR_CAME_ABOUT).with_columns(
        pl.Series(ROW_A, sides[0], dtype=pl.Int32),
        pl.Series(ROW_B, sides[1], dtype=pl.Int32),
        pl.col("decision").cast(pl.Enum(DECISIONS), strict=False),
    )


def outcomes_for_fitting(part: pl.DataFrame) -> pl.DataFrame:
    """Return reports and reviews alone, the latest times, and that something was recorded at all.

    Of the whole table it keeps what it keeps of all that it keeps of the parts.
    """
    looked_at = pl.col("kind").is_in(["report", "review_verdict"]) | (pl.int_range(pl.len()) == 0)
    for name in ("observed_time", "received_time"):
        looked_at |= (pl.col(name) == pl.col(name).max()).fill_null(value=False)
    # Written anew: else the texts of all rows would stay behind those of a few.
    return pl.DataFrame(part.filter(looked_at).to_arrow(compat_level=pl.CompatLevel.oldest()))
