"""What is believed about the age of each snapshot, at the time when it was taken.

Owns what is told of a snapshot. It must not know where the tables came from nor how scores are
written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from pairguard.age.admission import admission
from pairguard.age.posterior import BAND_LOWER_YEARS, AgeAssessment
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.risk.participant import Participant
from pairguard_training.assessing import assessed_parts
from pairguard_training.tables.reading import Tables

BANDS: Final = tuple(f"band.{lower}" for lower in BAND_LOWER_YEARS)
"""Columns of the bands' probabilities, each by its lowest age in years."""
AGE_SCORES: Final = pl.Schema(
    {
        "snapshot_id": pl.String(),
        "participant_id": pl.String(),
        "observed_time": pl.Datetime("us", "UTC"),
        "adult_age": pl.Int64(),
        "probability_minor": pl.Float64(),
        **dict.fromkeys(BANDS, pl.Float64()),
        "entropy_nats": pl.Float64(),
        "conflict": pl.Boolean(),
        "admission": pl.String(),
    }
)
"""``probability_minor`` is that of being under ``adult_age``, the highest of the own region."""


def age_scores(judge: Judge, tables: Tables) -> Iterator[pl.DataFrame]:
    """Yield what is believed of all snapshots part by part, in order: frames of ``AGE_SCORES``."""
    names = tables.snapshots["snapshot_id"].to_list()
    start = 0
    for part in assessed_parts(judge.model, tables, names, title="scoring ages"):
        count = len(part.assessments)
        rows = [
            _row(judge.policy, person, each.age)
            for person, each in zip(
                part.participants.values(), part.assessments.values(), strict=True
            )
        ]
        told = tables.snapshots[start : start + count].select(
            "snapshot_id", "participant_id", "observed_time"
        )
        schema = {name: kind for name, kind in AGE_SCORES.items() if name not in told.columns}
        yield told.hstack(pl.DataFrame(rows, schema=schema))
        start += count


def _row(policy: Policy, person: Participant, age: AgeAssessment) -> dict[str, Any]:
    lines = policy.for_participant(person.located_region)
    adult_age = max(lines.adult_ages)
    return {
        "adult_age": adult_age,
        "probability_minor": age.probability_below(adult_age),
        **dict(zip(BANDS, age.band_probabilities(), strict=True)),
        "entropy_nats": age.entropy_nats,
        "conflict": age.conflict,
        "admission": admission(age, lines).value,
    }
