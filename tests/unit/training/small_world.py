"""A small simulated platform with more reports than it would have, so that harm can be learned."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import polars as pl

from pairguard.bundle.defaults import default_age_tables, default_catalogue, default_policy_text
from pairguard.policy.regions import Policy
from pairguard_training.fitting import Fit, FitSettings, fit_model
from pairguard_training.simulation.platform import simulate
from pairguard_training.splitting import hash_fraction
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.tables.writing import write_frame

PARTICIPANTS = 2_000
PAIRS = 8_000
REPORTED_SHARE = 0.06


def write_small_world(directory: Path) -> Path:
    simulate(directory, participants=PARTICIPANTS, pairs=PAIRS, seed=3)
    pairs = pl.read_parquet(directory / "pairs.parquet")
    outcomes = pl.read_parquet(directory / "outcomes.parquet")
    chosen = [
        pair_id for pair_id in pairs["pair_id"] if hash_fraction(pair_id, seed=5) < REPORTED_SHARE
    ]
    added = pairs.filter(pl.col("pair_id").is_in(chosen)).select(
        "pair_id",
        kind=pl.lit("report"),
        category=pl.lit("HARASSMENT"),
        observed_time=pl.col("proposed_time") + timedelta(hours=1),
        received_time=pl.col("proposed_time") + timedelta(hours=2),
    )
    write_frame(directory / "outcomes.parquet", pl.concat([outcomes, added], how="diagonal"))
    return directory


def default_policy() -> Policy:
    return Policy.from_mapping(tomllib.loads(default_policy_text()))


def fit_tables(tables: Tables, *, threads: int = 1, seed: int = 1) -> Fit:
    return fit_model(
        tables,
        age_tables=default_age_tables(),
        catalogue=default_catalogue(),
        policy=default_policy(),
        settings=FitSettings(seed=seed, threads=threads),
        say=lambda _: None,
    )


def fit_directory(directory: Path) -> tuple[Tables, Fit]:
    tables = read_tables(directory)
    return tables, fit_tables(tables)
