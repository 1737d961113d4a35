"""Ids, words and clocks: the values of the simulation as cells of tables.

Owns how a number of the simulation is written down. It must not know any table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl

from pairguard_training.simulation.states import DAYS_PER_YEAR, Array, Index

DAY_0 = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
_DAY_MICROSECONDS = 86_400_000_000
_YEAR_OF_DAY_0 = 2026.0 + 4.0 / 365.0


def calendar_year(days: Array) -> Array:
    """Return days after day 0 as a fractional calendar year, within a day."""
    return _YEAR_OF_DAY_0 + days / DAYS_PER_YEAR


def ids(prefix: str, rows: Index) -> pl.Series:
    """Return the opaque ids of things that are numbered inside."""
    numbers = pl.Series("id", rows, dtype=pl.Int64).cast(pl.String).str.zfill(7)
    return (prefix + numbers).alias("id")


def participant_ids(rows: Index) -> pl.Series:
    """Return the ids of participants."""
    return ids("sim-", rows)


def snapshot_ids(rows: Index) -> pl.Series:
    """Return the ids of sessions' snapshots."""
    return ids("s-", rows)


def pair_ids(rows: Index) -> pl.Series:
    """Return the ids of proposed pairs."""
    return ids("p-", rows)


def words_of(words: Sequence[str], codes: Index) -> pl.Series:
    """Return the word of each code."""
    return pl.Series("word", words, dtype=pl.String)[codes]


def times(days: Array) -> pl.Series:
    """Return days after day 0 as timestamps."""
    start = int(DAY_0.timestamp() * 1_000_000)
    micros = start + np.round(days * _DAY_MICROSECONDS).astype(np.int64)
    return pl.Series("time", micros).cast(pl.Datetime("us", "UTC"))
