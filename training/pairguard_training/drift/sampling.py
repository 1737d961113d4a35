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
from numpy.typing import NDArray

from pairguard.drift.reference import PerUnit
from pairguard.drift.statistics import effective_size
from pairguard_training.tables.participants import pair_sides
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
        among: (m,) which rows of the table of snapshots may be chosen; None: all.
    """

    def __init__(
        self, tables: Tables, *, seed: int, among: NDArray[np.bool_] | None = None
    ) -> None:
        self._generator = np.random.default_rng(seed)
        self._names = tables.snapshots.select("snapshot_id", "participant_id")
        height = tables.snapshots.height
        usable = np.ones(height, dtype=np.bool_) if among is None else among
        # Rows for names: there may be many millions of pairs.
        first, second = pair_sides(tables)
        inside = np.flatnonzero((first >= 0) & (second >= 0) & usable[first] & usable[second])
        first, second = first[inside], second[inside]
        if inside.size:
            proposed = np.zeros(height, dtype=np.bool_)
            proposed[first] = proposed[second] = True
            usable = usable & proposed
        snapshots = tables.snapshots.select(
            "snapshot_id", "participant_id", day=pl.col("observed_time").dt.date()
        ).filter(pl.Series(usable))
        self._snapshots = self._shuffled(snapshots, snapshots["snapshot_id"]).unique(
            ["participant_id", "day"], keep="first", maintain_order=True
        )
        owners = self._names["participant_id"].rank("dense")
        pairs = pl.DataFrame(
            {
                "row_a": first,
                "row_b": second,
                "owner_a": owners[first],
                "owner_b": owners[second],
                "day": tables.pairs["proposed_time"][inside].dt.date(),
            }
        )
        apart = pairs["owner_a"] != pairs["owner_b"]
        names = tables.pairs["pair_id"][inside].filter(apart)
        self._pairs = self._shuffled(pairs.filter(apart), names)

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
            self._disjoint(pairs, most_pairs),
        )

    def people(self, *, most: int) -> tuple[str, ...]:
        """Choose a snapshot of each of up to ``most`` participants."""
        once = self._snapshots.unique("participant_id", keep="first", maintain_order=True)
        return tuple(once["snapshot_id"].head(most).to_list())

    def _shuffled(self, frame: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
        """Return the rows in an order that is chosen by lot and does not depend on theirs."""
        return frame[names.arg_sort().to_numpy()[self._generator.permutation(frame.height)]]

    def _disjoint(self, pairs: pl.DataFrame, most: int) -> tuple[SampledPair, ...]:
        met: set[tuple[date, int]] = set()
        chosen: list[SampledPair] = []
        columns = ("day", "row_a", "row_b", "owner_a", "owner_b")
        for day, row_a, row_b, a, b in pairs.select(columns).iter_rows():
            if len(chosen) == most:
                break
            if met.isdisjoint(((day, a), (day, b))):
                met |= {(day, a), (day, b)}
                snapshots, people = zip(*self._names[[row_a, row_b]].iter_rows(), strict=True)
                chosen.append(SampledPair(snapshots, people))
        return tuple(chosen)
