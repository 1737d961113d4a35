"""Whom of a data set one looks at: participants once a day, and pairs without common participants.

Owns the choice, by seed, and how many independent people it is worth. The same rule as the
service's, where each participant counts once in a window. It must not know what is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from pairguard.drift.reference import PerUnit
from pairguard.drift.statistics import effective_size
from pairguard_training.tables.reading import Tables


@dataclass(frozen=True, slots=True)
class SampledPair:
    """A proposed pair.

    Attributes:
        snapshots: Both snapshots.
        participants: Both participants.
    """

    snapshots: tuple[str, str]
    participants: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """Who is looked at.

    Attributes:
        snapshots: Snapshots of participants, each participant once a day.
        participants: Whose they are.
        days: On which day each was taken, UTC.
        pairs: Pairs of snapshots; no two of a day have a participant in common.
    """

    snapshots: tuple[str, ...]
    participants: tuple[str, ...]
    days: tuple[date, ...]
    pairs: tuple[SampledPair, ...]

    @property
    def effective(self) -> PerUnit:
        """How many independent participants and pairs they are worth at the least."""
        return effective(self.participants, self.pairs)


def effective(participants: Iterable[str], pairs: Iterable[SampledPair]) -> PerUnit:
    """Return what participants and pairs are worth if all of one person's values were the same."""
    sides = Counter(name for pair in pairs for name in pair.participants)
    return PerUnit(
        effective_size(list(Counter(participants).values())),
        effective_size(list(sides.values())) / 2.0,
    )


class Sampler:
    """Samples a data set day by day (UTC).

    Args:
        tables: The data set. Where there are pairs, only people who were proposed are looked at.
        seed: Of the choice; the order of rows changes nothing.
        among: Snapshots that may be chosen; None: all.
    """

    def __init__(self, tables: Tables, *, seed: int, among: pl.Series | None = None) -> None:
        self._generator = np.random.default_rng(seed)
        snapshots = tables.snapshots.select(
            "snapshot_id", "participant_id", day=pl.col("observed_time").dt.date()
        )
        if among is not None:
            snapshots = snapshots.filter(pl.col("snapshot_id").is_in(among.implode()))
        pairs = tables.pairs.select("pair_id", "snapshot_a", "snapshot_b", "proposed_time")
        for side in ("a", "b"):
            people = snapshots.select(
                **{f"snapshot_{side}": "snapshot_id", f"participant_{side}": "participant_id"}
            )
            pairs = pairs.join(people, on=f"snapshot_{side}")
        if not pairs.is_empty():
            proposed = pl.concat([pairs["snapshot_a"], pairs["snapshot_b"]]).unique()
            snapshots = snapshots.filter(pl.col("snapshot_id").is_in(proposed.implode()))
        self._snapshots = self._shuffled(snapshots, "snapshot_id").unique(
            ["participant_id", "day"], keep="first", maintain_order=True
        )
        self._pairs = self._shuffled(
            pairs.filter(pl.col("participant_a") != pl.col("participant_b")).with_columns(
                day=pl.col("proposed_time").dt.date()
            ),
            "pair_id",
        )

    @property
    def days(self) -> list[date]:
        """Every day with a participant, in order."""
        return sorted(self._snapshots["day"].unique().to_list())

    def sample(self, *, most_participants: int, most_pairs: int, day: date | None = None) -> Sample:
        """Choose participants and pairs, of one day or of all."""
        snapshots, pairs = self._snapshots, self._pairs
        if day is not None:
            snapshots, pairs = snapshots.filter(day=day), pairs.filter(day=day)
        chosen = snapshots.head(most_participants)
        return Sample(
            tuple(chosen["snapshot_id"].to_list()),
            tuple(chosen["participant_id"].to_list()),
            tuple(chosen["day"].to_list()),
            _disjoint(pairs, most_pairs),
        )

    def people(self, *, most: int) -> tuple[str, ...]:
        """Choose a snapshot of each of up to ``most`` participants."""
        once = self._snapshots.unique("participant_id", keep="first", maintain_order=True)
        return tuple(once["snapshot_id"].head(most).to_list())

    def _shuffled(self, frame: pl.DataFrame, key: str) -> pl.DataFrame:
        return frame.sort(key)[self._generator.permutation(frame.height)]


def _disjoint(pairs: pl.DataFrame, most: int) -> tuple[SampledPair, ...]:
    met: set[tuple[date, str]] = set()
    chosen: list[SampledPair] = []
    columns = ("day", "snapshot_a", "snapshot_b", "participant_a", "participant_b")
    for day, snapshot_a, snapshot_b, a, b in pairs.select(columns).iter_rows():
        if len(chosen) == most:
            break
        if met.isdisjoint(((day, a), (day, b))):
            met |= {(day, a), (day, b)}
            chosen.append(SampledPair((snapshot_a, snapshot_b), (a, b)))
    return tuple(chosen)
