"""A small whole bundle, made as training makes one: real models of a few trees on random rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.bundle.arrays import write_arrays
from pairguard.bundle.defaults import default_age_tables, default_catalogue
from pairguard.bundle.documents import canonical_json
from pairguard.bundle.loading import PARITY_ROWS
from pairguard.bundle.manifest import Manifest
from pairguard.bundle.writing import write_bundle
from pairguard.risk.danger import Dangers, SignalWeight
from pairguard.risk.features import PairFeatures

Array = NDArray[np.float64]

BAND_EDGES = (0, 13, 18, 25)
KNOTS_YEARS = (10.0, 15.5, 18.0, 21.0, 30.0)
CREATED = "2026-01-31T12:00:00Z"
DATA_HASH = "d" * 64


@dataclass(frozen=True)
class Example:
    """Files of a bundle and what their manifest needs to be told."""

    files: Mapping[str, bytes]
    schema_hash: str

    def write(self, directory: Path, **changes: Any) -> Manifest:
        arguments: dict[str, Any] = {
            "created": CREATED,
            "schema_hash": self.schema_hash,
            "data_hash": DATA_HASH,
            "seeds": {"fit": 7},
            "metrics": {"brier_skill": 0.25, "pr_auc": None},
            "notes": ["made for a test"],
        } | changes
        return write_bundle(directory, self.files, **arguments)

    def with_files(self, **changes: bytes | None) -> Example:
        """Change files, their names with ``__`` for the dot; None: leave the file out."""
        files = dict(self.files)
        for name, content in changes.items():
            if content is None:
                del files[name.replace("__", ".")]
            else:
                files[name.replace("__", ".")] = content
        return Example(files, self.schema_hash)


def train(rows: Array, labels: Array, **parameters: Any) -> lightgbm.Booster:
    """Fit six small trees."""
    settings = {
        "num_leaves": 4,
        "min_data_in_leaf": 5,
        "num_threads": 1,
        "deterministic": True,
        "seed": 1,
        "verbose": -1,
    }
    return lightgbm.train(settings | parameters, lightgbm.Dataset(rows, labels), 6)


def raw_scores(booster: lightgbm.Booster, rows: Array) -> Array:
    return np.asarray(booster.predict(rows, raw_score=True), dtype=np.float64)


def random_rows(seed: int, columns: int) -> Array:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(600, columns))
    rows[generator.random(rows.shape) < 0.2] = math.nan
    return rows


def example_features() -> PairFeatures:
    """Return what the harm model of the example reads."""
    catalogue = default_catalogue()
    weights = [SignalWeight("vpn", False, 0.1, 0.3, 0.2, 0.4, 0.01, 0.02)]
    return PairFeatures(
        catalogue, Dangers(catalogue.number_columns, anybody=-6.0, minors=-5.0, weights=weights)
    )


@functools.cache
def example() -> Example:
    """Return a bundle with both models."""
    catalogue = default_catalogue()
    columns = catalogue.age_columns
    features = example_features()
    assert features.dangers is not None
    age_rows, harm_rows = random_rows(1, len(columns)), random_rows(2, len(features.names))
    bands = np.clip(np.floor(np.nan_to_num(age_rows[:, 0]) + 2), 0, 3)
    age = train(age_rows, bands, objective="multiclass", num_class=len(BAND_EDGES))
    harm = train(
        harm_rows,
        (np.nan_to_num(harm_rows[:, 0]) > 0.5).astype(np.float64),
        objective="binary",
        monotone_constraints=list(features.monotone_constraints),
        monotone_constraints_method="basic",
    )
    parity_age, parity_harm = age_rows[:PARITY_ROWS], harm_rows[:PARITY_ROWS]
    files = {
        "signals.toml": catalogue.to_toml().encode(),
        "age_tables.json": canonical_json(default_age_tables().document),
        "age_model.txt": age.model_to_string().encode(),
        "harm_model.txt": harm.model_to_string().encode(),
        "dangers.json": canonical_json(features.dangers.to_mapping()),
        "parity.npz": write_arrays(
            {
                "age_rows": parity_age,
                "age_raw": raw_scores(age, parity_age),
                "harm_rows": parity_harm,
                "harm_raw": raw_scores(harm, parity_harm),
            }
        ),
        "calibration.json": canonical_json(
            {
                "harm": {"kind": "beta", "a": 0.9, "b": 1.1, "c": -2.0},
                "behaviour": {
                    "columns": list(columns),
                    "knots_years": list(KNOTS_YEARS),
                    "knot_shares": [0.2] * 5,
                    "temperature": 0.8,
                    "clip_nats": 4.0,
                },
            }
        ),
        "certificate.json": canonical_json({"promises": []}),
        "reference.json": canonical_json({"signals": {}}),
        "report.html": b"<!doctype html><title>report</title>",
    }
    return Example(files, catalogue.schema_hash())


@functools.cache
def example_without_models() -> Example:
    """Return a bundle that knows ages by evidence alone."""
    return example().with_files(
        age_model__txt=None,
        harm_model__txt=None,
        dangers__json=None,
        report__html=None,
        parity__npz=write_arrays({}),
        calibration__json=canonical_json({"harm": None, "behaviour": None}),
    )
