"""The simulated platform's tables of people, pairs, outcomes and labels.

Owns their columns. They hold only what is observable; the truth goes to ``oracle_tables`` alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pairguard_training.simulation import audits, encounters, harm
from pairguard_training.simulation.cells import (
    ids,
    pair_ids,
    participant_ids,
    snapshot_ids,
    times,
    words_of,
)
from pairguard_training.simulation.error_groups import ERROR_GROUPS
from pairguard_training.simulation.oracle import Observed
from pairguard_training.simulation.signals import INTERESTS
from pairguard_training.simulation.states import ENTRY_PATHS, REGIONS, Array, Index


def snapshot_frame(observed: Observed) -> pl.DataFrame:
    """Return the table ``snapshots``."""
    population = observed.population
    owner = population.owner
    columns: dict[str, Any] = {
        "snapshot_id": snapshot_ids(np.arange(len(owner))),
        "participant_id": participant_ids(owner),
        "observed_time": times(population.time_days),
        "region": words_of([r.code for r in REGIONS], population.region[owner]),
        "language": words_of([r.language for r in REGIONS], population.region[owner]),
        "entry_path": words_of([e.name for e in ENTRY_PATHS], population.entry[owner]),
        "cluster_id": ids("c-", population.cluster[owner]),
        "interests": _interest_lists(observed)[owner],
        "audit.sex": words_of(["male", "female"], population.female[owner].astype(np.int64)),
        "audit.error_group": words_of(ERROR_GROUPS, observed.error_group[owner]),
    }
    for name, values in observed.behaviour.signals.items():
        columns[f"signal.{name}"] = pl.Series(values, dtype=pl.Float64).fill_nan(None)
    for name, texts in observed.behaviour.attributes.items():
        series = pl.Series(texts, dtype=pl.String)
        columns[f"attribute.{name}"] = series.set(series == "", None)
    return pl.DataFrame(columns)


def label_frame(observed: Observed, evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the table ``age_labels``; the evidence id is null until a session shows the check."""
    rows = np.flatnonzero(observed.audits.held)
    labels = pl.DataFrame(
        {
            "participant_id": participant_ids(rows),
            "age_years": observed.audits.age_years[rows].astype(np.float64),
            "verified_time": times(observed.audits.time_days[rows]),
            "method": words_of(audits.METHODS, observed.audits.method[rows]),
            "sampling_probability": observed.audits.sampling_probability[rows],
        }
    )
    owners = snapshot_owners(observed)
    shown = (
        evidence.filter(pl.col("kind") == "verified_age")
        .join(owners, on="snapshot_id")
        .select("participant_id", "evidence_id")
        .unique("participant_id", maintain_order=True)
    )
    return labels.join(shown, on="participant_id", how="left", maintain_order="left")


def snapshot_owners(observed: Observed) -> pl.DataFrame:
    """Return which participant each snapshot shows."""
    owner = observed.population.owner
    return pl.DataFrame(
        {
            "snapshot_id": snapshot_ids(np.arange(len(owner))),
            "participant_id": participant_ids(owner),
        }
    )


def pair_frame(meetings: encounters.Encounters) -> pl.DataFrame:
    """Return the table ``pairs``."""
    return pl.DataFrame(
        {
            "pair_id": pair_ids(np.arange(len(meetings.first))),
            "snapshot_a": snapshot_ids(meetings.first),
            "snapshot_b": snapshot_ids(meetings.second),
            "proposed_time": times(meetings.time_days),
            "modality": words_of(encounters.MODALITIES, meetings.modality),
            "wait_seconds": meetings.wait_seconds,
            "decision": words_of(encounters.DECISIONS, meetings.decision),
            "allow_probability": meetings.allow_probability,
            "chat_started": meetings.started,
            "policy_version": [encounters.LEGACY_POLICY_VERSION] * len(meetings.first),
        },
        schema_overrides={"policy_version": pl.String},
    )


def outcome_frame(
    observed: Observed, meetings: encounters.Encounters, happened: harm.Outcomes, *, days: int
) -> pl.DataFrame:
    """Return the table ``outcomes``: what had been received a day after the last one."""
    started = np.flatnonzero(meetings.started)
    owner = observed.population.owner
    sides = np.stack([owner[meetings.first], owner[meetings.second]], axis=1)
    end = meetings.time_days + happened.duration_seconds / 86400.0
    ended = _outcome_rows(
        started, "chat_ended", end[started], end[started], duration=happened.duration_seconds
    )
    frames = [ended]
    for side in (0, 1):
        rows = started[happened.reported[started, side]]
        received = end[rows] + happened.report_delay_days[rows, side]
        reports = _outcome_rows(rows, "report", end[rows], received).with_columns(
            category=words_of(harm.CATEGORIES, happened.category[rows, side]),
            reporter_id=participant_ids(sides[rows, side]),
            reported_id=participant_ids(sides[rows, 1 - side]),
        )
        seen = happened.reviewed[rows, side]
        reviewed = rows[seen]
        decided = received[seen] + happened.review_delay_days[reviewed, side]
        reviews = _outcome_rows(reviewed, "review_verdict", decided, decided).with_columns(
            category=words_of(harm.CATEGORIES, happened.category[reviewed, side]),
            verdict=words_of(harm.VERDICTS, happened.verdict[reviewed, side]),
            reported_id=participant_ids(sides[reviewed, 1 - side]),
        )
        frames += [reports, reviews]
    result = pl.concat(frames, how="diagonal").filter(pl.col("received_days") <= days + 1)
    result = result.sort("received_days", "pair_id", "kind", "reported_id")
    return result.with_columns(
        observed_time=times(result["observed_days"].to_numpy()),
        received_time=times(result["received_days"].to_numpy()),
    ).drop("observed_days", "received_days")


def _outcome_rows(
    pairs: Index, kind: str, observed: Array, received: Array, duration: Array | None = None
) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "pair_id": pair_ids(pairs),
            "observed_days": observed,
            "received_days": received,
        }
    ).with_columns(kind=pl.lit(kind))
    if duration is not None:
        frame = frame.with_columns(duration_seconds=pl.Series(duration[pairs]))
    return frame


def _interest_lists(observed: Observed) -> pl.Series:
    """Return (n,) the tags of each participant; null where none is named."""
    who, tag = np.nonzero(observed.behaviour.interests)
    named = pl.DataFrame(
        {"row": who, "tag": words_of(list(INTERESTS), tag)},
        schema={"row": pl.Int64, "tag": pl.String},
    )
    lists = named.group_by("row", maintain_order=True).agg("tag")
    everybody = pl.DataFrame({"row": np.arange(len(observed.population.state))})
    return everybody.join(lists, on="row", how="left", maintain_order="left")["tag"]
