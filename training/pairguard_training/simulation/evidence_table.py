"""The simulated age evidence as a table: what each session's participant had shown by then.

Owns the columns of each kind of evidence. The same item has the same id in every session.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pairguard_training.simulation import audits, checks, face, platform_range
from pairguard_training.simulation.cells import ids, snapshot_ids, times, words_of
from pairguard_training.simulation.oracle import Observed
from pairguard_training.simulation.states import Array, Index


def evidence_frame(observed: Observed) -> pl.DataFrame:
    """Return the table ``age_evidence``: what each session's participant had shown by then."""
    items = pl.concat(
        [
            _declared(observed),
            _platform(observed),
            *_faces(observed),
            *_checks(observed),
            _verified(observed),
        ],
        how="diagonal",
    )
    items = items.with_columns(item=pl.int_range(pl.len()))
    population = observed.population
    sessions = pl.DataFrame(
        {
            "snapshot": np.arange(len(population.owner)),
            "participant": population.owner,
            "now_days": population.time_days,
        }
    )
    joined = (
        sessions.join(items, on="participant", how="inner")
        .filter(pl.col("days") <= pl.col("now_days"))
        .sort("snapshot", "item")
    )
    seen = times(joined["days"].to_numpy())
    return joined.with_columns(
        snapshot_id=snapshot_ids(joined["snapshot"].to_numpy()),
        evidence_id=ids("e-", joined["item"].to_numpy()),
        observed_time=seen,
        declared_time=pl.when(pl.col("kind") == "self_declared").then(seen),
    ).drop("snapshot", "participant", "now_days", "item", "days")


def _declared(observed: Observed) -> pl.DataFrame:
    said = observed.declarations
    rows = np.flatnonzero(said.age_years >= 0)
    by_year = said.birth_year[rows] > 0
    gate = said.gate[rows].astype(np.float64)
    return _items(
        "self_declared", rows, observed.population.signup_days[rows], "ACCOUNT"
    ).with_columns(
        age_years=pl.Series(np.where(by_year, np.nan, said.age_years[rows])).fill_nan(None),
        birth_year=pl.when(pl.Series(by_year)).then(pl.Series(said.birth_year[rows])),
        gate_years=pl.Series(np.where(gate > 0, gate, np.nan)).fill_nan(None),
    )


def _platform(observed: Observed) -> pl.DataFrame:
    ranges = observed.ranges
    rows = np.flatnonzero(ranges.band >= 0)
    bounds = np.array(platform_range.BANDS)[ranges.band[rows]]
    google = ranges.google[rows]
    words = np.array([platform_range.ASSURANCES[name] for name in ("APPLE", "GOOGLE")])
    return _items(
        "platform_age_range", rows, observed.population.signup_days[rows], "DEVICE"
    ).with_columns(
        platform=words_of(["APPLE", "GOOGLE"], google),
        assurance=pl.Series(words[google, ranges.assurance[rows]], dtype=pl.String),
        lower_years=_unless_negative(bounds[:, 0]),
        upper_years=_unless_negative(bounds[:, 1]),
    )


def _faces(observed: Observed) -> list[pl.DataFrame]:
    faces = observed.faces
    provider = list(face.PROVIDERS)
    frames = []
    for frame in (0, 1):
        rows = np.flatnonzero(faces.held & ~np.isnan(faces.mean_years[:, frame]))
        frames.append(
            _items("facial_age_estimate", rows, faces.time_days[rows], "LIVE_PERSON").with_columns(
                provider=words_of(provider, faces.provider[rows]),
                mean_years=faces.mean_years[rows, frame],
                liveness=_live(faces.liveness[rows]),
                capture_session=ids("capture-", rows),
            )
        )
    rows = np.flatnonzero(faces.held & (faces.over >= 0))
    answered = _items("age_check", rows, faces.time_days[rows], "LIVE_PERSON").with_columns(
        provider=words_of(provider, faces.provider[rows]),
        method=pl.lit("FACIAL_THRESHOLD"),
        threshold_years=pl.lit(face.THRESHOLD_YEARS),
        result=words_of(["UNDER", "OVER"], faces.over[rows]),
        liveness=_live(faces.liveness[rows]),
    )
    return [*frames, answered]


def _checks(observed: Observed) -> list[pl.DataFrame]:
    held = observed.checks
    frames = []
    for method, name in enumerate(checks.METHODS):
        rows = np.flatnonzero(held.result[:, method] >= 0)
        time = held.email_time_days if name == "EMAIL" else held.identity_time_days
        frames.append(
            _items("age_check", rows, time[rows], "ACCOUNT").with_columns(
                method=pl.lit(name),
                threshold_years=pl.lit(checks.THRESHOLD_YEARS),
                result=words_of(checks.RESULTS, held.result[rows, method]),
            )
        )
    return frames


def _verified(observed: Observed) -> pl.DataFrame:
    audit = observed.audits
    rows = np.flatnonzero(audit.held)
    return _items("verified_age", rows, audit.time_days[rows], "LIVE_PERSON").with_columns(
        method=words_of(audits.METHODS, audit.method[rows]),
        age_years=audit.age_years[rows].astype(np.float64),
    )


def _items(kind: str, rows: Index, days: Array, binding: str) -> pl.DataFrame:
    """Return the columns that every item of evidence has, one row an item."""
    return pl.DataFrame(
        {"participant": rows, "days": days},
        schema={"participant": pl.Int64, "days": pl.Float64},
    ).with_columns(kind=pl.lit(kind), binding=pl.lit(binding))


def _live(codes: Index) -> pl.Series:
    return words_of([*face.LIVENESS, "UNSPECIFIED"], np.where(codes < 0, len(face.LIVENESS), codes))


def _unless_negative(values: Index) -> pl.Series:
    series = pl.Series("bound", values, dtype=pl.Int64)
    return series.set(series < 0, None)
