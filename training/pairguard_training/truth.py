"""What really was: the ages and harms that a model is judged by.

Owns where the truth comes from: of a simulation its oracle's tables, of a platform its age labels.
It must not know which model is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pairguard.errors import TablesRefused
from pairguard_training.age_labels import age_rows
from pairguard_training.tables.reading import Tables

ORACLE_FOLDER = "oracle"
"""Where a simulation writes what only it knows, beside its tables."""

_PAIR_COLUMNS = ("pair_id", "label_probability_clairvoyant", "label_probability_bayes")
_SNAPSHOT_COLUMNS = (
    "snapshot_id",
    "true_age_years",
    "probability_minor_before_labels",
    "probability_minor_given_15_to_20_before_labels",
)
_PEOPLE_COLUMNS = ("participant_id", "intent")


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth as far as it is known.

    Attributes:
        simulated: Whether it is that of a simulation, which knows all of it.
        ages: Age in years at each snapshot where it is known.
        weights: How many participants each of these stands for.
        oracle_minor: What an oracle could know from what is observable, P(under 18) of each
            snapshot without labels; empty: there is no oracle.
        oracle_minor_near_line: The same, given further that the age is from 15 to 20.
        oracle_label: The same of the label of each pair: P(harm is reported, upheld where it was
            reviewed | they meet).
        label_chance: The chance itself, given who the two are.
        intents: What each participant is after, where a simulation knows it.
    """

    simulated: bool
    ages: dict[str, float]
    weights: dict[str, float]
    oracle_minor: dict[str, float]
    oracle_minor_near_line: dict[str, float]
    oracle_label: dict[str, float]
    label_chance: dict[str, float]
    intents: dict[str, str]


def is_simulated(directory: Path) -> bool:
    """Return whether tables are a simulation's: its oracle's tables lie beside them."""
    return (directory / ORACLE_FOLDER).is_dir()


def read_truth(directory: Path, tables: Tables) -> Truth:
    """Read the oracle's tables below ``oracle/``; without them, the age labels count.

    Raises:
        TablesRefused: The oracle's tables cannot be read.
    """
    if not is_simulated(directory):
        rows = age_rows(tables, snapshots_per_person=None)
        person_rows: dict[str, int] = {}
        for person in rows.participants:
            person_rows[person] = person_rows.get(person, 0) + 1
        weights = rows.weights * np.array([person_rows[p] for p in rows.participants])
        names = rows.snapshot_ids
        return Truth(
            simulated=False,
            ages=dict(zip(names, rows.ages.tolist(), strict=True)),
            weights=dict(zip(names, weights.tolist(), strict=True)),
            oracle_minor={},
            oracle_minor_near_line={},
            oracle_label={},
            label_chance={},
            intents={},
        )
    oracle = directory / ORACLE_FOLDER
    snapshots = _columns(oracle / "snapshots.parquet", _SNAPSHOT_COLUMNS)
    pairs = _columns(oracle / "pairs.parquet", _PAIR_COLUMNS)
    people, intents = _columns(oracle / "participants.parquet", _PEOPLE_COLUMNS)
    ids, ages, minor, near_line = snapshots
    return Truth(
        simulated=True,
        ages=dict(zip(ids, ages, strict=True)),
        weights=dict.fromkeys(ids, 1.0),
        oracle_minor=dict(zip(ids, minor, strict=True)),
        oracle_minor_near_line=dict(zip(ids, near_line, strict=True)),
        oracle_label=dict(zip(pairs[0], pairs[2], strict=True)),
        label_chance=dict(zip(pairs[0], pairs[1], strict=True)),
        intents=dict(zip(people, intents, strict=True)),
    )


def _columns(path: Path, names: tuple[str, ...]) -> list[pl.Series]:
    try:
        frame = pl.read_parquet(path, columns=list(names))
    except (pl.exceptions.PolarsError, OSError) as error:
        line = next(iter(str(error).splitlines()), "")[:200]
        raise TablesRefused([f"{path.parent.name}/{path.name}: cannot be read: {line}"]) from error
    return [frame[name] for name in names]
