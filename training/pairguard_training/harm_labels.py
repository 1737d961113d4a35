"""Which pairs the harm model may learn from, and which of them came to harm.

Owns the definition of the label: a harm report received within the report window after the pair
was proposed, of either about the other, which counts only as upheld where it was reviewed. Pairs
that were not allowed never met and have no label; pairs whose window is still open have none yet;
pairs of which only reports speak that were set aside (``harm.reports``) or came too late have none
either. A pair is harmless only where nothing was reported, or where reviews cleared all that was.
Reports that were never made cannot be seen: the label under-counts harm, and that is stated, not
corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard_training.harm.reports import ReportCounts, judged_reports, report_counts
from pairguard_training.tables.reading import Tables

REPORT_WINDOW_DAYS = 14.0


@dataclass(frozen=True, slots=True)
class HarmRows:
    """Pairs that met, whose report window has closed and of which something is known.

    Attributes:
        pair_ids: (n,) pairs.
        snapshots_a: (n,) snapshot of the first participant.
        snapshots_b: (n,) of the second.
        participants_a: (n,) id of the first.
        participants_b: (n,) of the second.
        seconds: (n,) when it was proposed.
        harmed: (n,) whether a harm report came in time, upheld where it was reviewed.
        by_a: (n,) how far the first is the one who did it: 1, or 0.5 where no report names
            anybody.
        by_b: (n,) the same of the second.
        allow_probability: (n,) chance that the policy of then had of allowing it; NaN: not told.
        reports: What became of the reports.
        unknown: Pairs left out because only reports speak of them that were set aside or came too
            late.
        unknown_ids: Their ids.
    """

    pair_ids: list[str]
    snapshots_a: list[str]
    snapshots_b: list[str]
    participants_a: list[str]
    participants_b: list[str]
    seconds: NDArray[np.float64]
    harmed: NDArray[np.bool_]
    by_a: NDArray[np.float64]
    by_b: NDArray[np.float64]
    allow_probability: NDArray[np.float64]
    reports: ReportCounts
    unknown: int
    unknown_ids: list[str]


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
    )
    if tables.outcomes.is_empty():
        pairs = pairs.clear()
    # Who reports whom is looked at over all that met, before the young pairs are left out.
    judged = judged_reports(pairs, tables.outcomes, window)
    pairs = pairs.filter((pl.col("proposed_time") + window) <= pl.lit(end))
    pairs = pairs.join(_labels(judged), on="pair_id", how="left", maintain_order="left")
    reported = pl.col("culprits").is_not_null()
    known = pairs.filter(~reported | pl.col("harmed").is_not_null()).with_columns(
        pl.col("harmed").fill_null(value=False)
    )
    by_a, by_b = _shares(known)
    mature = pairs.select("pair_id")
    return HarmRows(
        pair_ids=known["pair_id"].to_list(),
        snapshots_a=known["snapshot_a"].to_list(),
        snapshots_b=known["snapshot_b"].to_list(),
        participants_a=known["participant_a"].to_list(),
        participants_b=known["participant_b"].to_list(),
        seconds=np.asarray(
            known["proposed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6,
            dtype=np.float64,
        ),
        harmed=known["harmed"].to_numpy().astype(np.bool_),
        by_a=by_a,
        by_b=by_b,
        allow_probability=known["allow_probability"].cast(pl.Float64).to_numpy().astype(np.float64),
        reports=report_counts(judged.join(mature, on="pair_id", how="semi")),
        unknown=pairs.height - known.height,
        unknown_ids=pairs.filter(reported & pl.col("harmed").is_null())["pair_id"].to_list(),
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


def _labels(judged: pl.DataFrame) -> pl.DataFrame:
    """Return, for each reported pair, whether it came to harm (null: unknown) and by whom."""
    counts = pl.col("standing").is_in(["upheld", "unreviewed"])
    no_harm = pl.col("standing").is_in(["dismissed", "late_cleared"])
    return judged.group_by("pair_id").agg(
        harmed=pl.when(counts.any())
        .then(pl.lit(value=True))
        .when(no_harm.all())
        .then(pl.lit(value=False))
        .otherwise(None),
        culprits=pl.col("reported_id").filter(counts).unique(),
        unnamed=pl.col("reported_id").filter(counts).is_null().any(),
    )


def _shares(pairs: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n,) how far each side did it: 1 named, 0.5 nobody is named, 0 the other or none."""
    sides = []
    for side in ("participant_a", "participant_b"):
        named = pl.col("culprits").list.contains(pl.col(side))
        share = (
            pl.when(~pl.col("harmed"))
            .then(0.0)
            .when(named)
            .then(1.0)
            .when(pl.col("unnamed"))
            .then(0.5)
            .otherwise(0.0)
        )
        sides.append(pairs.select(share.alias("share"))["share"].to_numpy().astype(np.float64))
    return sides[0], sides[1]
