"""Which pairs the harm model may learn from, and which of them came to harm.

Owns the definition of the label: a harm report within the report window after the pair was
proposed, of either about the other, which counts only as upheld where it was reviewed. Pairs that
were not allowed never met and have no label; pairs whose window is still open have none yet.
Reports that were never made cannot be seen: the label under-counts harm, and that is stated, not
corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard_training.tables.reading import Tables
from pairguard_training.tables.schema import REPORT_CATEGORIES

REPORT_WINDOW_DAYS = 14.0
NO_HARM_CATEGORIES = frozenset({"SPAM", "UNDERAGE"})
"""A nuisance, and a statement about an age; every other category, also an untold one, is harm."""


@dataclass(frozen=True, slots=True)
class HarmRows:
    """Pairs that met and whose report window has closed.

    Attributes:
        pair_ids: (n,) pairs.
        snapshots_a: (n,) snapshot of the first participant.
        snapshots_b: (n,) of the second.
        participants_a: (n,) id of the first.
        participants_b: (n,) of the second.
        seconds: (n,) when it was proposed.
        harmed: (n,) whether a harm report came in time, upheld where it was reviewed.
    """

    pair_ids: list[str]
    snapshots_a: list[str]
    snapshots_b: list[str]
    participants_a: list[str]
    participants_b: list[str]
    seconds: NDArray[np.float64]
    harmed: NDArray[np.bool_]


def harm_rows(tables: Tables, *, report_window_days: float = REPORT_WINDOW_DAYS) -> HarmRows:
    """Return the allowed, mature pairs with their labels; none where no outcomes were recorded."""
    window = pl.duration(microseconds=int(report_window_days * 86_400e6))
    end = newest_time(tables)
    # Where starts of chats are told at all, of a pair without one nobody knows yet what came of it.
    untold = tables.pairs["chat_started"].is_null().all()
    pairs = pairs_with_people(tables).filter(
        # Where the decision was not recorded, a chat that started says that it was allowed.
        (pl.col("decision") == "ALLOW") | (pl.col("decision").is_null() & pl.col("chat_started")),
        pl.col("chat_started").fill_null(value=untold),
        (pl.col("proposed_time") + window) <= pl.lit(end),
    )
    if tables.outcomes.is_empty():
        pairs = pairs.clear()
    harmed = _harmed_pairs(tables, window)
    return HarmRows(
        pair_ids=pairs["pair_id"].to_list(),
        snapshots_a=pairs["snapshot_a"].to_list(),
        snapshots_b=pairs["snapshot_b"].to_list(),
        participants_a=pairs["participant_a"].to_list(),
        participants_b=pairs["participant_b"].to_list(),
        seconds=np.asarray(
            pairs["proposed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6,
            dtype=np.float64,
        ),
        harmed=pairs["pair_id"].is_in(harmed.implode()).to_numpy().astype(np.bool_),
    )


def pairs_with_people(tables: Tables) -> pl.DataFrame:
    """Return the pairs with ``participant_a`` and ``participant_b``, in their order."""
    owners = tables.snapshots.select("snapshot_id", "participant_id")
    pairs = tables.pairs
    for side in ("a", "b"):
        pairs = pairs.join(
            owners.rename(
                {"snapshot_id": f"snapshot_{side}", "participant_id": f"participant_{side}"}
            ),
            on=f"snapshot_{side}",
            how="left",
            maintain_order="left",
        )
    return pairs


def newest_time(tables: Tables) -> datetime:
    """Return the latest time that the data set knows: up to then its reports have come in."""
    times = [
        tables.snapshots["observed_time"].max(),
        tables.pairs["proposed_time"].max(),
        tables.outcomes["observed_time"].max(),
        tables.outcomes["received_time"].max(),
    ]
    return max(time for time in times if isinstance(time, datetime))


def _harmed_pairs(tables: Tables, window: pl.Expr) -> pl.Series:
    outcomes = tables.outcomes.join(
        tables.pairs.select("pair_id", "proposed_time"), on="pair_id", how="left"
    )
    harm = [name for name in REPORT_CATEGORIES if name not in NO_HARM_CATEGORIES]
    when = pl.coalesce("observed_time", "received_time", "proposed_time")
    reports = outcomes.filter(
        pl.col("kind") == "report",
        pl.col("category").fill_null("UNSPECIFIED").is_in(harm),
        when <= pl.col("proposed_time") + window,
    )
    verdicts = outcomes.filter(
        pl.col("kind") == "review_verdict",
        pl.col("verdict").is_in(["UPHELD", "CLEARED", "INCONCLUSIVE"]),
    ).select(
        "pair_id",
        # A verdict that names nobody is about both.
        pl.coalesce("reported_id", pl.lit("")).alias("about"),
        "verdict",
    )
    reviewed = verdicts.group_by("pair_id", "about").agg(
        # After an appeal there may be two: the one that cleared counts.
        stands=(pl.col("verdict") == "UPHELD").any() & ~(pl.col("verdict") == "CLEARED").any()
    )
    whole = reviewed.filter(pl.col("about") == "").select("pair_id", whole_stands="stands")
    judged = (
        reports.with_columns(about=pl.coalesce("reported_id", pl.lit("")))
        .join(reviewed, on=["pair_id", "about"], how="left")
        .join(whole, on="pair_id", how="left")
        # A report that was not reviewed stands.
        .filter(pl.coalesce("stands", "whole_stands", pl.lit(value=True)))
    )
    return judged["pair_id"].unique()
