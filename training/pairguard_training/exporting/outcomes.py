"""Which pair an event is about.

Owns the search: by the decision that it names, by the chat that it belongs to, by the reports that
it reviews, and last by who met whom. An event may be recorded before its decision, before the start
of its chat, or weeks after either: the search is over the whole journal each time.

A report that is found at no pair would teach that its pair was harmless. So a report that names
neither chat nor decision is about the last pair of these two that met.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from pairguard.store.record_fields import PARTICIPANT_FIELDS
from pairguard_training.exporting.conversion import MEETINGS
from pairguard_training.exporting.tally import Reason, Tally, Thing

_TOLERANCE: Final = pl.duration(seconds=300)
_OF_TWO: Final = [kind for kind, fields in PARTICIPANT_FIELDS.items() if len(fields) == 2]
_BETWEEN: Final = ["report", "personal_block", "personal_block_lifted"]
"""Kinds that say who did it to whom."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is known of events.

    Attributes:
        rows: ``stretch``, ``n``, the number of its event, and the columns of ``outcomes``; a review
            of several pairs has a row for each of them.
        left_out: ``stretch``, ``reason`` and ``count`` of the events without a row.
        started: Ids of the pairs whose chat started.
        first_start: When the first start of a chat was received; None: none is known.
    """

    rows: pl.DataFrame
    left_out: pl.DataFrame
    started: pl.Series
    first_start: pl.Expr | None

    def tally_of(self, stretch: int) -> Tally:
        """Return how many events of a stretch are in the table, and what is left out."""
        tally = Tally()
        rows = self.rows.filter(pl.col("stretch") == stretch)
        tally.found(Thing.PLACED, rows["n"].n_unique())
        for reason, count in (
            self.left_out.filter(pl.col("stretch") == stretch).select("reason", "count").iter_rows()
        ):
            tally.leave_out(Thing.EVENTS, Reason(reason), count)
        return tally


def wanted_meetings(happenings: pl.DataFrame, meetings: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return those meetings that events may be about, so that the others need no memory."""
    decisions = happenings.select("decision_id").drop_nulls().unique()
    starts = happenings.filter(pl.col("kind") == "chat_started")
    without_chat = happenings.filter(
        pl.col("kind").is_in(_OF_TWO), pl.col("kind") != "chat_started"
    ).join(starts.select("chat_id").unique(), on="chat_id", how="anti")
    between = _keyed(without_chat).select("key").unique()
    found = [
        pl.concat(
            [
                frame.join(decisions, on="decision_id", how="semi"),
                _keyed(frame.filter("allowed")).join(between, on="key", how="semi").drop("key"),
            ]
        ).unique("pair_id", maintain_order=True)
        for frame in meetings
    ]
    return pl.concat(found) if found else pl.DataFrame(schema=dict(MEETINGS))


def find_outcomes(
    happenings: pl.DataFrame, meetings: pl.DataFrame, clusters: pl.DataFrame
) -> Outcomes:
    """Find the pairs of events.

    Args:
        happenings: Events as in ``conversion`` with their ``stretch``, in the journal's order.
        meetings: The pairs that they may be about.
        clusters: ``id`` and ``cluster_id``: the two of a chat may stand in the decision under
            another of their ids.
    """
    events = happenings.with_row_index("n")
    named = _by_decision(events, meetings, clusters)
    starts = events.filter(pl.col("kind") == "chat_started")
    chats = (
        starts.filter(pl.col("chat_id").is_not_null())
        .join(named, on="n", how="left", maintain_order="left")
        .sort(pl.col("pair_id").is_null(), "n")
        .unique("chat_id", keep="first", maintain_order=True)
        .select("chat_id", of_chat="pair_id", chat_known=pl.lit(value=True))
    )
    started = named.join(starts.select("n"), on="n", how="semi")["pair_id"].unique().sort()
    found = (
        events.join(named, on="n", how="left", maintain_order="left")
        .join(chats, on="chat_id", how="left", maintain_order="left")
        .with_columns(pl.col("chat_known").fill_null(value=False))
        .with_columns(
            pl.when(pl.col("kind") == "chat_started")
            .then("pair_id")
            .otherwise(pl.coalesce("pair_id", "of_chat"))
            .alias("pair_id")
        )
    )
    met = _by_people(found, meetings, started, reported=starts.height > 0)
    found = found.join(met, on="n", how="left", maintain_order="left").with_columns(
        pl.coalesce("pair_id", "of_people").alias("pair_id")
    )
    rows = _with_reviews(found)
    missing = found.join(rows.select("n").unique(), on="n", how="anti")
    return Outcomes(
        rows=rows.select(
            "stretch",
            "n",
            "pair_id",
            "kind",
            "category",
            "verdict",
            pl.when(pl.col("kind").is_in(_BETWEEN)).then("person_a").alias("reporter_id"),
            pl.when(pl.col("kind").is_in(_BETWEEN))
            .then("person_b")
            .when(~pl.col("kind").is_in(_OF_TWO))
            .then("person_a")
            .alias("reported_id"),
            "duration_seconds",
            "observed_time",
            "received_time",
        ),
        left_out=_reasons(missing, meetings).group_by("stretch", "reason").len("count"),
        started=started,
        first_start=pl.lit(starts["received_time"].min()) if starts.height else None,
    )


def _by_decision(
    events: pl.DataFrame, meetings: pl.DataFrame, clusters: pl.DataFrame
) -> pl.DataFrame:
    """Return ``n`` and ``pair_id`` of events that name a decision on the same people."""
    rooted = _rooted(events.filter(pl.col("decision_id").is_not_null()), clusters)
    pairs = _rooted(meetings, clusters).select(
        "decision_id",
        "pair_id",
        "ranked",
        *(pl.col(f"{name}_{side}").alias(f"{name}_{side}_met") for name in _NAMES for side in "ab"),
    )
    joined = rooted.join(pairs, on="decision_id", maintain_order="left").with_columns(
        exact=_same("person"), alike=_same("root")
    )
    exact = joined.filter("exact").unique("n", keep="first", maintain_order=True)
    alike = (
        joined.filter(pl.col("alike"))
        .filter(pl.len().over("n") == 1)  # two of one household: nobody knows which
        .join(exact, on="n", how="anti")
    )
    return pl.concat([exact.select("n", "pair_id"), alike.select("n", "pair_id")])


_NAMES: Final = ("person", "root")


def _same(name: str) -> pl.Expr:
    """Return whether an event's people are those of a pair; of one it is enough to be in it.

    A ranking has too many pairs to know which of them an event about one person means.
    """
    a, b = pl.col(f"{name}_a"), pl.col(f"{name}_b")
    one, other = pl.col(f"{name}_a_met"), pl.col(f"{name}_b_met")
    two = ((a == one) & (b == other)) | ((a == other) & (b == one))
    alone = ((a == one) | (a == other)) & ~pl.col("ranked")
    return pl.when(pl.col("kind").is_in(_OF_TWO)).then(two).otherwise(alone).fill_null(value=False)


def _rooted(frame: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    for side in "ab":
        person = f"person_{side}"
        frame = frame.join(
            clusters.rename({"id": person, "cluster_id": f"root_{side}"}),
            on=person,
            how="left",
            maintain_order="left",
        ).with_columns(pl.coalesce(f"root_{side}", person).alias(f"root_{side}"))
    return frame


def _by_people(
    found: pl.DataFrame, meetings: pl.DataFrame, started: pl.Series, *, reported: bool
) -> pl.DataFrame:
    """Return ``n`` and ``of_people``: the last pair of these two that met before the event."""
    open_ones = found.filter(
        pl.col("pair_id").is_null(),
        pl.col("kind").is_in(_OF_TWO),
        pl.col("kind") != "chat_started",
        ~pl.col("chat_known"),
    )
    # Where starts of chats are told, a pair without one did not meet; where none is ever told, an
    # ALLOW stands for a meeting, but to be ranked does not.
    met = pl.col("pair_id").is_in(started.implode()) if reported else ~pl.col("ranked")
    pairs = _keyed(meetings.filter("allowed", met)).select(
        "key", "proposed_time", of_people="pair_id"
    )
    return (
        _keyed(open_ones.select("n", "person_a", "person_b", "observed_time"))
        .join(pairs, on="key")
        .filter(pl.col("proposed_time") <= pl.col("observed_time") + _TOLERANCE)
        .sort("n", "proposed_time", "of_people")
        .unique("n", keep="last", maintain_order=True)
        .select("n", "of_people")
    )


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    a, b = pl.col("person_a"), pl.col("person_b")
    return frame.with_columns(key=pl.min_horizontal(a, b) + "|" + pl.max_horizontal(a, b))


def _with_reviews(found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all events with a pair; a review is about the pairs of its reports."""
    reports = found.filter(pl.col("kind") == "report", pl.col("pair_id").is_not_null()).select(
        report_id="event_id", of_report="pair_id"
    )
    reviews = (
        found.filter(pl.col("report_ids").list.len() > 0)
        .explode("report_ids")
        .join(reports, left_on="report_ids", right_on="report_id", maintain_order="left")
        .unique(["n", "of_report"], maintain_order=True)
        .with_columns(pair_id=pl.col("of_report"))
        .select(found.columns)
    )
    others = found.filter(pl.col("pair_id").is_not_null()).join(reviews, on="n", how="anti")
    if reviews.is_empty():
        return others
    columns = [name for name in found.columns if name != "report_ids"]
    return pl.concat([others.select(columns), reviews.select(columns)]).sort("n", "pair_id")


def _reasons(missing: pl.DataFrame, meetings: pl.DataFrame) -> pl.DataFrame:
    known = meetings.select("decision_id", decided=pl.lit(value=True)).unique()
    joined = missing.join(known, on="decision_id", how="left", maintain_order="left")
    is_start = pl.col("kind") == "chat_started"
    return joined.with_columns(
        reason=pl.when(pl.col("decided"))
        .then(pl.lit(Reason.OTHER_PEOPLE.value))
        .when(pl.col("decision_id").is_not_null())
        .then(pl.lit(Reason.PAIR_NOT_KEPT.value))
        .when(is_start | pl.col("chat_known"))
        .then(pl.lit(Reason.WITHOUT_DECISION.value))
        .otherwise(pl.lit(Reason.NO_PAIR.value))
    )
