"""Whose age is known, since when, and by which check.

Owns the choice among several verifications of one participant. It looks at when and how they were
made and never at what they said: choosing by agreement would make checks look better, or worse,
than they are.

A moderator's latest review comes first, since it was made on this very person and can take an
earlier one back. Otherwise the first verification counts, so that nothing that may be the same
document shown again is left to learn the label from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from pairguard_training.exporting.drafts import OF_REVIEW

CONTRADICTION_YEARS: Final = 2.0
_MICROSECONDS_PER_YEAR: Final = 365.25 * 86_400e6


@dataclass(frozen=True, slots=True)
class AgeLabels:
    """The table ``age_labels``.

    Attributes:
        frame: Its rows, by time.
        contradicted: How many participants have another verification that tells an age more than
            two years apart, moved to the same time.
    """

    frame: pl.DataFrame
    contradicted: int


def age_labels(verifications: pl.DataFrame) -> AgeLabels:
    """Return a label for each participant.

    Args:
        verifications: As in ``conversion``; a check may stand in many rows.
    """
    each_once = verifications.sort(_ORDER, nulls_last=True).unique(
        ["participant_id", "evidence_id", "method", "age_years"],
        keep="first",
        maintain_order=True,
    )
    review = pl.col("method") == OF_REVIEW
    reviews = each_once.filter(review).unique("participant_id", keep="last", maintain_order=True)
    others = each_once.filter(~review).unique("participant_id", keep="first", maintain_order=True)
    chosen = pl.concat([reviews, others.join(reviews, on="participant_id", how="anti")])
    beside = each_once.join(
        chosen.select("participant_id", of_label="age_years", at_label="verified_time"),
        on="participant_id",
    )
    elapsed = (pl.col("verified_time") - pl.col("at_label")).dt.total_microseconds()
    moved = pl.col("age_years") - elapsed / _MICROSECONDS_PER_YEAR
    apart = beside.filter((moved - pl.col("of_label")).abs() > CONTRADICTION_YEARS)
    frame = chosen.sort("verified_time", "participant_id").select(
        "participant_id",
        "age_years",
        "verified_time",
        "method",
        pl.lit(None, dtype=pl.Float64).alias("sampling_probability"),
        "evidence_id",
    )
    return AgeLabels(frame, apart["participant_id"].n_unique())


_ORDER: Final = ["verified_time", "participant_id", "evidence_id", "method", "age_years"]
