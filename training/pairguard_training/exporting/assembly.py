"""What no stretch of the journal knows by itself: households, outcomes, starts of chats, labels.

Owns how these are found over all stretches and put into the parts of each. A part that already says
so stays as it is; another is written beside it and takes its place in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from pairguard_training.exporting.conversion import HAPPENINGS, LINKS, VERIFICATIONS
from pairguard_training.exporting.households import Households, households
from pairguard_training.exporting.labels import age_labels
from pairguard_training.exporting.ledger import Exported, Ledger
from pairguard_training.exporting.outcomes import Outcomes, find_outcomes, wanted_meetings
from pairguard_training.exporting.parts import (
    Files,
    folder_of,
    read_part,
    write_days,
    write_part,
)
from pairguard_training.exporting.stretches import Bounds

EVENTS_LATE_DAYS: Final = 7
"""How late the service takes an event in. From then on no start of a chat comes any more."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A data set, and what should be known about it.

    Attributes:
        ledger: What belongs to it.
        largest_household: Ids of the largest cluster.
        ignored_links: Linked ids that too many share.
        contradicted_labels: Participants whose verifications contradict each other.
        started: Pairs whose chat started.
    """

    ledger: Ledger
    largest_household: int
    ignored_links: int
    contradicted_labels: int
    started: int


def assembled(root: Path, store: tuple[str, ...], exported: Sequence[Exported]) -> Assembled:
    """Complete the parts of all stretches."""
    linked = _all(root, exported, "links", LINKS)
    shared = households(linked)
    outcomes = _outcomes(root, exported, shared)
    newest = max((each.newest for each in exported), default=0)
    completion = _Completion(root, outcomes, shared, newest)
    completed = [completion.of(place, each) for place, each in enumerate(exported)]
    labels = age_labels(_all(root, exported, "verifications", VERIFICATIONS))
    label_files = write_days(root, "age_labels", labels.frame, "verified_time", "labels")
    return Assembled(
        Ledger(store, completed, label_files),
        largest_household=shared.largest,
        ignored_links=shared.ignored,
        contradicted_labels=labels.contradicted,
        started=len(outcomes.started),
    )


def stem_of(bounds: Bounds) -> str:
    """Return what names the files of a stretch."""
    return bounds.after or "0" * len(bounds.last)


def _all(
    root: Path, exported: Sequence[Exported], name: str, types: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    frames = [read_part(root, path) for each in exported for path in each.files.get(name, {})]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict(types))


def _outcomes(root: Path, exported: Sequence[Exported], shared: Households) -> Outcomes:
    numbered = [
        read_part(root, path).with_columns(stretch=pl.lit(place, dtype=pl.Int64))
        for place, each in enumerate(exported)
        for path in each.files.get("happenings", {})
    ]
    empty = pl.DataFrame(schema={**HAPPENINGS, "stretch": pl.Int64})
    happenings = pl.concat(numbered) if numbered else empty
    meetings = wanted_meetings(
        happenings,
        (read_part(root, path) for each in exported for path in each.files.get("meetings", {})),
    )
    return find_outcomes(happenings, meetings, shared.of_ids)


class _Completion:
    """Puts into the parts of a stretch what only all of them together know."""

    def __init__(self, root: Path, outcomes: Outcomes, shared: Households, newest: int) -> None:
        self._root = root
        self._outcomes = outcomes
        self._clusters = shared.of_ids
        self._newest = newest

    def of(self, place: int, exported: Exported) -> Exported:
        """Return a stretch with its parts completed."""
        rows = self._outcomes.rows
        own = rows.filter(pl.col("stretch") == place).drop("stretch", "n")
        stem = stem_of(exported.bounds)
        files = {
            **exported.files,
            "outcomes": write_days(self._root, "outcomes", own, "received_time", stem),
            "pairs": self._with(
                "chat_started", exported, "pairs", ["pair_id", "proposed_time"], self._chat_started
            ),
            "snapshots": self._with(
                "cluster_id", exported, "snapshots", ["participant_id"], self._cluster_ids
            ),
        }
        return replace(exported, files=files, outcomes=self._outcomes.tally_of(place))

    def _with(
        self,
        column: str,
        exported: Exported,
        table: str,
        needed: list[str],
        value: Callable[[pl.DataFrame], pl.Series],
    ) -> Files:
        """Return the files of a table with a column as it should be."""
        files: dict[str, int] = {}
        for path, count in exported.files.get(table, {}).items():
            part = read_part(self._root, path, [*needed, column])
            wanted = value(part).alias(column)
            if part[column].eq_missing(wanted).all():
                files[path] = count
                continue
            whole = read_part(self._root, path).with_columns(wanted)
            stem = stem_of(exported.bounds)
            files.update(write_part(self._root, folder_of(path), whole, stem))
        return files

    def _cluster_ids(self, snapshots: pl.DataFrame) -> pl.Series:
        return snapshots.select("participant_id").join(
            self._clusters,
            left_on="participant_id",
            right_on="id",
            how="left",
            maintain_order="left",
        )["cluster_id"]

    def _chat_started(self, pairs: pl.DataFrame) -> pl.Series:
        """Return whether the chat of each pair started; null: nobody knows, or not yet.

        That none started is known where starts were told at that time, and none can come any more.
        """
        first_start = self._outcomes.first_start
        if first_start is None:
            return pl.Series([None] * pairs.height, dtype=pl.Boolean)
        started = pl.col("pair_id").is_in(self._outcomes.started.implode())
        end = pl.lit(self._newest, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
        over = pl.col("proposed_time") + pl.duration(days=EVENTS_LATE_DAYS) < end
        told = pl.col("proposed_time") >= first_start
        return pairs.select(
            pl.when(started).then(statement=True).when(told & over).then(statement=False)
        ).to_series()
