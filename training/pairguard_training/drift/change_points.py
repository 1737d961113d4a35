"""Since when a vendor estimates differently.

Owns the estimates of each provider by the day on which they were made, and the one day between
which and the day before their mean changes most. It must not know why: a provider's new version and
other people look the same here, and are told apart by what other providers say of the same days.

The statistic is the largest standardised difference of two means over all days that leave enough on
both sides; its noise is bounded by Bonferroni's inequality over days and providers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl

from pairguard.drift.comparison import FALSE_ALARMS, YEARS_LARGE, YEARS_MODERATE, Verdict
from pairguard.drift.groups import UNNAMED
from pairguard_training.tables.reading import Tables

FEWEST_ON_A_SIDE: Final = 50
"""Estimates before and after the change."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The day since which a provider's estimates differ most from those before.

    Attributes:
        provider: Who estimates.
        day: First day of the later ones, UTC.
        before: Estimates before, one a participant and capture.
        after: Estimates since.
        shift_years: Mean since less mean before.
        noise_years: Which size of shift chance alone hardly ever gives, on any day.
        verdict: How large it is.
    """

    provider: str
    day: date
    before: int
    after: int
    shift_years: float
    noise_years: float
    verdict: Verdict


def change_points(tables: Tables) -> tuple[ChangePoint, ...]:
    """Return one for each provider with enough estimates made in the time of the tables."""
    first = tables.snapshots["observed_time"].min()
    estimates = (
        tables.age_evidence.filter(
            (pl.col("kind") == "facial_age_estimate") & (pl.col("observed_time") >= first)
        )
        .join(tables.snapshots.select("snapshot_id", "participant_id"), on="snapshot_id")
        .with_columns(pl.col("provider").fill_null(UNNAMED))
        # Each snapshot repeats what was seen before; one of a participant and day counts.
        .with_columns(day=pl.col("observed_time").dt.date())
        .sort("observed_time", "mean_years")
        .unique(["provider", "participant_id", "day"], keep="last", maintain_order=True)
        .sort("provider", "day")
    )
    found = []
    groups = estimates.partition_by("provider", maintain_order=True)
    for group in groups:
        point = _largest(group, providers=len(groups))
        if point is not None:
            found.append(point)
    return tuple(sorted(found, key=lambda each: (-each.verdict, -abs(each.shift_years))))


def _largest(group: pl.DataFrame, *, providers: int) -> ChangePoint | None:
    years = group["mean_years"].to_numpy().astype(np.float64)
    days = group["day"].to_list()
    splits = [
        place
        for place in range(FEWEST_ON_A_SIDE, years.size - FEWEST_ON_A_SIDE + 1)
        if days[place] != days[place - 1]
    ]
    if not splits:
        return None
    sums = np.concatenate(([0.0], np.cumsum(years)))
    cuts = np.array(splits)
    before, after = cuts, years.size - cuts
    shifts = (sums[-1] - sums[cuts]) / after - sums[cuts] / before
    rates = 1.0 / before + 1.0 / after
    place = int(np.abs(shifts / np.sqrt(rates)).argmax())
    cut = splits[place]
    # Around the two means, so that the shift itself is not taken for noise.
    residual = np.concatenate((years[:cut] - years[:cut].mean(), years[cut:] - years[cut:].mean()))
    normal = NormalDist().inv_cdf(1.0 - FALSE_ALARMS / (2.0 * len(splits) * providers))
    spread = normal * float(residual.std(ddof=2))
    noise = spread * sqrt(float(rates[place]))
    least = spread * sqrt(float(rates.min()))
    shift = float(shifts[place])
    return ChangePoint(
        provider=str(group["provider"][0]),
        day=days[cut],
        before=cut,
        after=int(years.size - cut),
        shift_years=shift,
        noise_years=noise,
        verdict=_verdict(abs(shift), noise, least),
    )


def _verdict(size: float, noise: float, least: float) -> Verdict:
    """Judge a shift; ``least`` is the noise on the day that leaves the most on both sides."""
    if size <= noise:
        return Verdict.TOO_FEW if least > YEARS_LARGE else Verdict.WITHIN_NOISE
    if size > YEARS_LARGE:
        return Verdict.LARGE
    return Verdict.MODERATE if size > YEARS_MODERATE else Verdict.SMALL
