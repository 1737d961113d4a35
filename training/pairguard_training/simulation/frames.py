"""The simulation as tables: what a platform would have exported, and the oracle's own.

Owns ids, clocks and columns. The five tables hold only what is observable; the truth goes to the
oracle's tables alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from pairguard_training.simulation import audits, checks, encounters, face, harm, platform_range
from pairguard_training.simulation.oracle import Beliefs, Observed, true_classes
from pairguard_training.simulation.signals import INTERESTS
from pairguard_training.simulation.states import (
    ADULT_AGE_YEARS,
    DAYS_PER_YEAR,
    ENTRY_PATHS,
    REGIONS,
    Array,
    Index,
    Intent,
    states,
)

DAY_0 = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
_DAY_MICROSECONDS = 86_400_000_000
_YEAR_OF_DAY_0 = 2026.0 + 4.0 / 365.0


def calendar_year(days: Array) -> Array:
    """Return days after day 0 as a fractional calendar year, within a day."""
    return _YEAR_OF_DAY_0 + days / DAYS_PER_YEAR


def participant_ids(rows: Index) -> pl.Series:
    """Return the ids of participants."""
    return _ids("sim-", rows)


def snapshot_frame(observed: Observed) -> pl.DataFrame:
    """Return the table ``snapshots``."""
    population = observed.population
    owner = population.owner
    columns: dict[str, Any] = {
        "snapshot_id": _ids("s-", np.arange(len(owner))),
        "participant_id": participant_ids(owner),
        "observed_time": _times(population.time_days),
        "region": _words([r.code for r in REGIONS], population.region[owner]),
        "language": _words([r.language for r in REGIONS], population.region[owner]),
        "entry_path": _words([e.name for e in ENTRY_PATHS], population.entry[owner]),
        "cluster_id": _ids("c-", population.cluster[owner]),
        "interests": _interest_lists(observed)[owner],
        "audit.sex": _words(["male", "female"], population.female[owner].astype(np.int64)),
    }
    for name, values in observed.behaviour.signals.items():
        columns[f"signal.{name}"] = pl.Series(values, dtype=pl.Float64).fill_nan(None)
    for name, texts in observed.behaviour.attributes.items():
        series = pl.Series(texts, dtype=pl.String)
        columns[f"attribute.{name}"] = series.set(series == "", None)
    return pl.DataFrame(columns)


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
    times = _times(joined["days"].to_numpy())
    return joined.with_columns(
        snapshot_id=_ids("s-", joined["snapshot"].to_numpy()),
        evidence_id=_ids("e-", joined["item"].to_numpy()),
        observed_time=times,
        declared_time=pl.when(pl.col("kind") == "self_declared").then(times),
    ).drop("snapshot", "participant", "now_days", "item", "days")


def label_frame(observed: Observed, evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the table ``age_labels``; the check's evidence id is empty until a session shows it."""
    rows = np.flatnonzero(observed.audits.held)
    labels = pl.DataFrame(
        {
            "participant_id": participant_ids(rows),
            "age_years": observed.audits.age_years[rows].astype(np.float64),
            "verified_time": _times(observed.audits.time_days[rows]),
            "method": _words(list(audits.METHODS), observed.audits.method[rows]),
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
            "snapshot_id": _ids("s-", np.arange(len(owner))),
            "participant_id": participant_ids(owner),
        }
    )


def pair_frame(meetings: encounters.Encounters) -> pl.DataFrame:
    """Return the table ``pairs``."""
    return pl.DataFrame(
        {
            "pair_id": _ids("p-", np.arange(len(meetings.first))),
            "snapshot_a": _ids("s-", meetings.first),
            "snapshot_b": _ids("s-", meetings.second),
            "proposed_time": _times(meetings.time_days),
            "modality": _words(list(encounters.MODALITIES), meetings.modality),
            "wait_seconds": meetings.wait_seconds,
            "decision": _words(list(encounters.DECISIONS), meetings.decision),
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
            category=_words(list(harm.CATEGORIES), happened.category[rows, side]),
            reporter_id=participant_ids(sides[rows, side]),
            reported_id=participant_ids(sides[rows, 1 - side]),
        )
        seen = happened.reviewed[rows, side]
        reviewed = rows[seen]
        decided = received[seen] + happened.review_delay_days[reviewed, side]
        reviews = _outcome_rows(reviewed, "review_verdict", decided, decided).with_columns(
            category=_words(list(harm.CATEGORIES), happened.category[reviewed, side]),
            verdict=_words(list(harm.VERDICTS), happened.verdict[reviewed, side]),
            reported_id=participant_ids(sides[reviewed, 1 - side]),
        )
        frames += [reports, reviews]
    result = pl.concat(frames, how="diagonal").filter(pl.col("received_days") <= days + 1)
    result = result.sort("received_days", "pair_id", "kind", "reported_id")
    return result.with_columns(
        observed_time=_times(result["observed_days"].to_numpy()),
        received_time=_times(result["received_days"].to_numpy()),
    ).drop("observed_days", "received_days")


def oracle_frames(
    observed: Observed,
    beliefs: Beliefs,
    meetings: encounters.Encounters,
    happened: harm.Outcomes,
) -> dict[str, pl.DataFrame]:
    """Return the oracle's tables: truth, and what could be known from what is observable."""
    population = observed.population
    world = states()
    rows = np.arange(len(population.state))
    people = pl.DataFrame(
        {
            "participant_id": participant_ids(rows),
            "person_id": _ids("person-", population.person),
            "true_age_years_on_day_0": world.age[population.state],
            "intent": _words([i.name for i in Intent], world.intent[population.state]),
            "false_reports_organised": happened.targeted,
        }
    )
    owner = population.owner
    age = world.age[population.state[owner]] + population.time_days / DAYS_PER_YEAR
    sessions = pl.DataFrame(
        {
            "snapshot_id": _ids("s-", np.arange(len(owner))),
            "participant_id": participant_ids(owner),
            "true_age_years": age,
            "probability_minor": _rounded(beliefs.minor),
            "probability_minor_before_labels": _rounded(beliefs.minor_before_labels),
        }
    )
    first, second = meetings.first, meetings.second
    minor = age < ADULT_AGE_YEARS
    truth = true_classes(population)
    exact = harm.rates()
    here = (meetings.modality, truth[first], truth[second])
    pairs = pl.DataFrame(
        {
            "pair_id": _ids("p-", np.arange(len(first))),
            "mixed": minor[first] != minor[second],
            "true_age_a_years": age[first],
            "true_age_b_years": age[second],
            "minor_adult_probability": _rounded(_mixed(beliefs.minor, first, second)),
            "minor_adult_probability_before_labels": _rounded(
                _mixed(beliefs.minor_before_labels, first, second)
            ),
            "harm_probability_clairvoyant": exact.harm[here],
            "harm_probability_bayes": _rounded(_marginal(exact.harm, beliefs, meetings)),
            "label_probability_clairvoyant": exact.label[here],
            "label_probability_bayes": _rounded(_marginal(exact.label, beliefs, meetings)),
            "harm_if_met": happened.harmed.any(axis=1),
        }
    )
    return {"participants": people, "snapshots": sessions, "pairs": pairs}


def _marginal(table: Array, beliefs: Beliefs, meetings: encounters.Encounters) -> Array:
    """Return (p,) the mean of a rate over what the oracle believes of both classes."""
    by_pair = table[meetings.modality]
    first, second = beliefs.classes[meetings.first], beliefs.classes[meetings.second]
    result: Array = np.einsum("pi,pij,pj->p", first, by_pair, second)
    return result


def _mixed(minor: Array, first: Index, second: Index) -> Array:
    a, b = minor[first], minor[second]
    return a * (1.0 - b) + b * (1.0 - a)


def _rounded(values: Array) -> Array:
    """Drop the digits that depend on how a machine orders its sums."""
    return np.clip(np.round(values, 12), 0.0, 1.0)


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
        platform=_words(["APPLE", "GOOGLE"], google),
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
                provider=_words(provider, faces.provider[rows]),
                mean_years=faces.mean_years[rows, frame],
                liveness=_live(faces.liveness[rows]),
                capture_session=_ids("capture-", rows),
            )
        )
    rows = np.flatnonzero(faces.held & (faces.over >= 0))
    answered = _items("age_check", rows, faces.time_days[rows], "LIVE_PERSON").with_columns(
        provider=_words(provider, faces.provider[rows]),
        method=pl.lit("FACIAL_THRESHOLD"),
        threshold_years=pl.lit(face.THRESHOLD_YEARS),
        result=_words(["UNDER", "OVER"], faces.over[rows]),
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
                result=_words(list(checks.RESULTS), held.result[rows, method]),
            )
        )
    return frames


def _verified(observed: Observed) -> pl.DataFrame:
    audit = observed.audits
    rows = np.flatnonzero(audit.held)
    return _items("verified_age", rows, audit.time_days[rows], "LIVE_PERSON").with_columns(
        method=_words(list(audits.METHODS), audit.method[rows]),
        age_years=audit.age_years[rows].astype(np.float64),
    )


def _items(kind: str, rows: Index, days: Array, binding: str) -> pl.DataFrame:
    """Return the columns that every item of evidence has, one row an item."""
    return pl.DataFrame(
        {"participant": rows, "days": days},
        schema={"participant": pl.Int64, "days": pl.Float64},
    ).with_columns(kind=pl.lit(kind), binding=pl.lit(binding))


def _outcome_rows(
    pairs: Index, kind: str, observed: Array, received: Array, duration: Array | None = None
) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "pair_id": _ids("p-", pairs),
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
        {"row": who, "tag": _words(list(INTERESTS), tag)},
        schema={"row": pl.Int64, "tag": pl.String},
    )
    lists = named.group_by("row", maintain_order=True).agg("tag")
    everybody = pl.DataFrame({"row": np.arange(len(observed.population.state))})
    return everybody.join(lists, on="row", how="left", maintain_order="left")["tag"]


def _ids(prefix: str, rows: Index) -> pl.Series:
    numbers = pl.Series("id", rows, dtype=pl.Int64).cast(pl.String).str.zfill(7)
    return (prefix + numbers).alias("id")


def _words(words: list[str], codes: Index) -> pl.Series:
    return pl.Series("word", words, dtype=pl.String)[codes]


def _live(codes: Index) -> pl.Series:
    return _words([*face.LIVENESS, "UNSPECIFIED"], np.where(codes < 0, len(face.LIVENESS), codes))


def _unless_negative(values: Index) -> pl.Series:
    series = pl.Series("bound", values, dtype=pl.Int64)
    return series.set(series < 0, None)


def _times(days: Array) -> pl.Series:
    start = int(DAY_0.timestamp() * 1_000_000)
    micros = start + np.round(days * _DAY_MICROSECONDS).astype(np.int64)
    return pl.Series("time", micros).cast(pl.Datetime("us", "UTC"))
