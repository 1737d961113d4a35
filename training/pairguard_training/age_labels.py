"""Established ages, moved to the times of the snapshots, with the weight of whom they stand for.

Owns the join of labels and snapshots. It must not know what is learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]

SECONDS_PER_YEAR = 365.25 * 86_400.0
SMALLEST_SAMPLING_PROBABILITY = 0.005
"""Nobody stands for more than two hundred: one rare label must not outweigh all others."""
SNAPSHOTS_PER_PERSON = 4
"""Snapshots used of one labelled person, spread over their time."""


@dataclass(frozen=True, slots=True)
class AgeRows:
    """Snapshots of labelled people; each person's rows weigh 1 / sampling probability together.

    Attributes:
        snapshot_ids: (n,) snapshots.
        participants: (n,) whose they are.
        ages: (n,) age in years at the snapshot, within [0, 101).
        weights: (n,) how many participants the row stands for.
        seconds: (n,) time of the snapshot, seconds since 1970.
    """

    snapshot_ids: list[str]
    participants: list[str]
    ages: Array
    weights: Array
    seconds: Array

    def where(self, mask: NDArray[np.bool_]) -> AgeRows:
        """Return the rows of a mask."""
        kept = np.flatnonzero(mask)
        return AgeRows(
            [self.snapshot_ids[i] for i in kept],
            [self.participants[i] for i in kept],
            self.ages[kept],
            self.weights[kept],
            self.seconds[kept],
        )

    def joined(self, other: AgeRows) -> AgeRows:
        """Return these rows and then the other's."""
        return AgeRows(
            self.snapshot_ids + other.snapshot_ids,
            self.participants + other.participants,
            np.concatenate([self.ages, other.ages]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.seconds, other.seconds]),
        )

    @property
    def people(self) -> int:
        """Number of people."""
        return len(set(self.participants))

    @property
    def effective_people(self) -> float:
        """People that equal weights would need for the same precision (Kish)."""
        if not self.participants:
            return 0.0
        totals: dict[str, float] = {}
        for person, weight in zip(self.participants, self.weights, strict=True):
            totals[person] = totals.get(person, 0.0) + float(weight)
        each = np.array(list(totals.values()))
        return float(each.sum() ** 2 / (each**2).sum())


def age_rows(tables: Tables, *, snapshots_per_person: int | None = SNAPSHOTS_PER_PERSON) -> AgeRows:
    """Return snapshots of everybody with an age label, None: all of them.

    A whole number of years means the middle of that year of life. An unknown sampling probability
    counts as 1; a label without a time is taken for the age at every snapshot.
    """
    labels = tables.age_labels.select(
        "participant_id", "age_years", "verified_time", "sampling_probability"
    )
    most = tables.snapshots.height if snapshots_per_person is None else snapshots_per_person
    joined = (
        tables.snapshots.select("snapshot_id", "participant_id", "observed_time")
        .join(labels, on="participant_id", how="inner", maintain_order="left")
        .with_columns(
            taken=pl.len().over("participant_id"),
            rank=pl.col("observed_time").rank("ordinal").over("participant_id"),
        )
        # Of many snapshots those at even distances in their order.
        .filter(
            (pl.col("rank") * most).floordiv(pl.col("taken"))
            > ((pl.col("rank") - 1) * most).floordiv(pl.col("taken"))
        )
        .with_columns(taken=pl.len().over("participant_id"))
    )
    seconds = _seconds(joined["observed_time"])
    elapsed = (seconds - _seconds(joined["verified_time"])) / SECONDS_PER_YEAR
    ages = joined["age_years"].to_numpy().astype(np.float64)
    ages = ages + np.where(ages == np.floor(ages), 0.5, 0.0) + np.nan_to_num(elapsed, nan=0.0)
    sampling = joined["sampling_probability"].fill_null(1.0).to_numpy()
    weights = 1.0 / np.maximum(sampling, SMALLEST_SAMPLING_PROBABILITY)
    return AgeRows(
        snapshot_ids=joined["snapshot_id"].to_list(),
        participants=joined["participant_id"].to_list(),
        ages=np.clip(ages, 0.0, np.nextafter(float(AGE_COUNT), 0.0)),
        weights=weights / joined["taken"].to_numpy(),
        seconds=seconds,
    )


def _seconds(times: pl.Series) -> Array:
    return np.asarray(times.dt.epoch("us").cast(pl.Float64).to_numpy(), dtype=np.float64) / 1e6
