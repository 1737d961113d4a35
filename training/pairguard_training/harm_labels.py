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
from pairguard_training.tables.participants import Rows, pair_sides
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Shares = NDArray[np.float32]

REPORT_WINDOW_DAYS = 14.0


@dataclass(frozen=True, slots=True)
class HarmRows:
    """Pairs that met, whose report window has closed and of which something is known.

    There may be many millions: a row is numbers, and ids are looked up when somebody asks.

    Attributes:
        tables: The data set.
        places: (n,) rows of the pairs in its ``pairs``.
        first: (n,) row in its ``snapshots`` of the first participant's.
        second: (n,) of the second's.
        seconds: (n,) when it was proposed.
        harmed: (n,) whether a harm report came in time, upheld where it was reviewed.
        by_a: (n,) how far the first is the one who did it: 1, or 0.5 where no report names
            anybody.
        by_b: (n,) the same of the second; both are exact in four bytes.
        allow_probability: (n,) chance that the policy of then had of allowing it; NaN: not told.
        reports: What became of the reports.
        unknown: Pairs left out because only reports speak of them that were set aside or came too
            late.
        unknown_ids: Their ids.
    """

    tables: Tables
    places: Rows
    first: Rows
    second: Rows
    seconds: Array
    harmed: Mask
    by_a: Shares
    by_b: Shares
    allow_probability: Array
    reports: ReportCounts
    unknown: int
    unknown_ids: list[str]

    @property
    def pair_ids(self) -> list[str]:
        """(n,) the pairs."""
        return self.tables.pairs["pair_id"][self.places].to_list()


def harm_rows(tables: Tables, *, report_window_days: float = REPORT_WINDOW_DAYS) -> HarmRows:
    """Return the allowed, mature pairs with their labels; none where no outcomes were recorded."""
    window = pl.duration(microseconds=int(report_window_days * 86_400e6))
    met = _met(tables)
    first, second = (side[met] for side in pair_sides(tables))
    told = tables.outcomes.filter(pl.col("kind").is_in(["report", "review_verdict"]))
    spoken = _spoken_of(tables, told, met, first, second)
    # Who reports whom is looked at over all that met, before the young pairs are left out.
    judged = judged_reports(spoken, told, window)
    closed = (pl.col("proposed_time") + window) <= pl.lit(newest_time(tables))
    mature: Mask = tables.pairs.select(closed=closed)["closed"].to_numpy()[met]
    spoken = spoken.filter(pl.Series(mature[spoken["place"].to_numpy()]))
    labels = spoken.join(_labels(judged), on="pair_id", maintain_order="left")
    unknown = labels.filter(pl.col("harmed").is_null())
    labels = labels.filter(pl.col("harmed").is_not_null())
    harmed = np.zeros(met.size, dtype=np.bool_)
    shares = np.zeros((2, met.size), dtype=np.float32)
    places = labels["place"].to_numpy()
    harmed[places] = labels["harmed"].to_numpy()
    for share, of_labelled in zip(shares, _shares(labels), strict=True):
        share[places] = of_labelled
    known = mature
    known[unknown["place"].to_numpy()] = False
    met = met[known]
    return HarmRows(
        tables=tables,
        places=met,
        first=first[known],
        second=second[known],
        seconds=np.asarray(
            tables.pairs["proposed_time"][met].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6,
            dtype=np.float64,
        ),
        harmed=harmed[known],
        by_a=shares[0][known],
        by_b=shares[1][known],
        allow_probability=np.array(
            tables.pairs["allow_probability"][met].cast(pl.Float64).to_numpy(), dtype=np.float64
        ),
        reports=report_counts(judged.join(spoken, on="pair_id", how="semi")),
        unknown=unknown.height,
        unknown_ids=unknown["pair_id"].to_list(),
    )


def _met(tables: Tables) -> Rows:
    """Return the rows of the pairs that met."""
    # Where starts of chats are told at all, of a pair without one nobody knows yet what came of it.
    untold = tables.pairs["chat_started"].is_null().all()
    # Where the decision was not recorded, a chat that started says that it was allowed.
    allowed = (pl.col("decision") == "ALLOW") | (
        pl.col("decision").is_null() & pl.col("chat_started")
    )
    met = allowed & pl.col("chat_started").fill_null(value=untold)
    if tables.outcomes.is_empty():
        return np.empty(0, dtype=np.int32)
    mask = tables.pairs.select(met=met.fill_null(value=False))["met"].to_numpy()
    return np.flatnonzero(mask).astype(np.int32)


def _spoken_of(
    tables: Tables, told: pl.DataFrame, met: Rows, first: Rows, second: Rows
) -> pl.DataFrame:
    """Return the pairs that reports and verdicts are about, and all pairs of who reported.

    Of those that met, with their ``place`` among these, and whose they are.
    """
    owners = tables.snapshots["participant_id"]
    reporters = told["reporter_id"].drop_nulls().unique().implode()
    reports = owners.is_in(reporters).fill_null(value=False).to_numpy()
    about = tables.pairs["pair_id"].is_in(told["pair_id"].unique().implode()).to_numpy()
    places = np.flatnonzero(about[met] | reports[first] | reports[second])
    return tables.pairs.select("pair_id", "proposed_time")[met[places]].with_columns(
        place=pl.Series(places),
        participant_a=owners[first[places]],
        participant_b=owners[second[places]],
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


def latest_session(tables: Tables) -> datetime:
    """Return when the latest session or proposed pair was; what came of them may be told later."""
    times = [tables.snapshots["observed_time"].max(), tables.pairs["proposed_time"].max()]
    return max(time for time in times if isinstance(time, datetime))


def newest_time(tables: Tables) -> datetime:
    """Return the latest time that the data set knows: up to then its reports have come in."""
    times = [
        latest_session(tables),
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


def _shares(pairs: pl.DataFrame) -> tuple[Array, Array]:
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
