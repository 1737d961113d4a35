"""Small catalogues, rows and LightGBM models for the tests of the risk package."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.risk.calibration import Calibration
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.danger import LEAST_MIXED_AT_MOST, Dangers, SignalWeight
from pairguard.risk.features import PairFeatures
from pairguard.risk.harm import HarmModel
from pairguard.risk.members import MemberMatrix
from pairguard.risk.signal import SignalKind
from pairguard.risk.trees import TreeModel

Array = NDArray[np.float64]

SMALL_CATALOGUE: dict[str, Any] = {
    "interests": ["games", "music", "films"],
    "signals": [
        {"name": "vpn", "kind": "flag", "direction": "increasing"},
        {"name": "hour, local", "kind": "number", "minimum": 0, "maximum": 24, "age_input": True},
        {"name": "os", "kind": "category", "categories": ["ios", "android"], "age_input": True},
        {"name": "days", "kind": "number", "minimum": 0, "direction": "decreasing"},
        {
            "name": "history.reports",
            "kind": "number",
            "minimum": 0,
            "maximum": 50,
            "direction": "increasing",
            "source": "history",
        },
        {"name": "history.skips", "kind": "number", "source": "history"},
    ],
}


def small_catalogue() -> SignalCatalogue:
    return SignalCatalogue.from_mapping(SMALL_CATALOGUE)


@functools.cache
def default_catalogue() -> SignalCatalogue:
    text = files("pairguard.risk").joinpath("default_signals.toml").read_text("utf-8")
    return SignalCatalogue.from_mapping(tomllib.loads(text))


def random_values(catalogue: SignalCatalogue, count: int, seed: int, missing: float = 0.3) -> Array:
    """Return ``count`` catalogue vectors with a share of unknown values."""
    draw = np.random.default_rng(seed)
    columns: list[Array] = []
    for signal in catalogue.number_columns:
        low = signal.minimum if signal.minimum is not None else 0.0
        high = min(signal.maximum if signal.maximum is not None else 20.0, low + 20.0)
        values = draw.uniform(low, high, count)
        whole = signal.kind is SignalKind.FLAG or signal.name.startswith("history.")
        columns.append(np.round(values) if whole else values)
    columns += [
        draw.integers(0, len(signal.categories), count).astype(np.float64)
        for signal in catalogue.category_columns
    ]
    columns += [(draw.random(count) < 0.3).astype(np.float64) for _ in catalogue.interests]
    rows = np.column_stack(columns)
    rows[draw.random(rows.shape) < missing] = np.nan
    return rows


def random_members(count: int, seed: int, missing: float = 0.3) -> MemberMatrix:
    draw = np.random.default_rng(seed + 1000)
    minor = np.round(draw.random(count), 1)  # coarse, so that ties happen
    return MemberMatrix(minor, random_values(small_catalogue(), count, seed, missing))


def mixed_rows(count: int, seed: int) -> Array:
    """Return rows of numbers and a category of 40 codes; the last number is never missing."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, 6))
    rows[:, 3] = draw.integers(0, 40, count)
    rows[draw.random(rows.shape) < 0.2] = np.nan
    rows[:, 5] = draw.normal(2.0, 1.0, count)
    return rows


@functools.cache
def booster(objective: str, leaves: int = 8, rounds: int = 12) -> lightgbm.Booster:
    """Train on mixed rows, with numeric and categorical splits and missing values."""
    rows = mixed_rows(900, seed=5)
    draw = np.random.default_rng(6)
    signal = np.nan_to_num(rows[:, 0]) + (rows[:, 3] % 3 == 0) + rows[:, 5] - 2.0
    signal += draw.normal(size=rows.shape[0])
    labels = {
        "regression": signal,
        "binary": (signal > 0.5).astype(np.float64),
        "multiclass": np.digitize(signal, [-0.5, 0.5, 1.5]).astype(np.float64),
    }[objective]
    parameters: dict[str, Any] = {
        "objective": objective,
        "num_leaves": leaves,
        "num_threads": 1,
        "verbose": -1,
        "max_cat_to_onehot": 1,
        "min_data_per_group": 5,
        "cat_smooth": 1.0,
    }
    if objective == "multiclass":
        parameters["num_class"] = 4
    return lightgbm.train(
        parameters, lightgbm.Dataset(rows, labels, categorical_feature=[3]), rounds
    )


def text_of(model: lightgbm.Booster) -> str:
    return str(model.model_to_string())


def expected_scores(model: lightgbm.Booster, rows: Array) -> Array:
    """Return what LightGBM's own package scores, shape (n, outputs)."""
    scores = np.asarray(model.predict(rows, raw_score=True), dtype=np.float64)
    return scores.reshape(rows.shape[0], -1)


def dangers(mixed_at_most: float = LEAST_MIXED_AT_MOST) -> Dangers:
    """Return weights of the small catalogue: one counts logs, one says less danger, one either."""
    return Dangers(
        small_catalogue().number_columns,
        anybody=-5.0,
        minors=-4.0,
        mixed_at_most=mixed_at_most,
        weights=[
            SignalWeight("vpn", False, 0.2, 0.4, 0.3, 0.6, 0.02, 0.1),
            SignalWeight("hour, local", False, 12.0, 5.0, -0.2, 0.1),
            SignalWeight("days", True, 2.0, 0.8, -0.3, 0.0, 0.05, 0.0),
            SignalWeight("history.reports", True, 0.5, 0.9, 0.5, 0.8, 0.2, 0.3),
        ],
    )


def harm_features() -> PairFeatures:
    """Return what ``harm_model`` reads."""
    return PairFeatures(small_catalogue(), dangers())


@functools.cache
def harm_text() -> str:
    """Train a harm model on pairs in which reports, and mixed ages, do harm."""
    features = harm_features()
    count = 3000
    a, b = random_members(count, seed=21), random_members(count, seed=22)
    draw = np.random.default_rng(23)
    mixed = draw.random(count)
    rows = features.rows(a, b, minor_adult_probability=mixed)
    reports = np.nan_to_num(rows[:, features.names.index("max:history.reports")])
    hour = np.nan_to_num(rows[:, features.names.index("minor:hour, local")])
    chance = 0.02 + 0.25 * mixed + 0.02 * reports - 0.01 * (hour > 12) * reports
    labels = (draw.random(count) < chance).astype(np.float64)
    parameters = {
        "objective": "binary",
        "num_leaves": 15,
        "min_data_in_leaf": 10,
        "num_threads": 1,
        "verbose": -1,
        "monotone_constraints": list(features.monotone_constraints),
        "monotone_constraints_method": "basic",
    }
    data = lightgbm.Dataset(rows, labels, categorical_feature=list(features.categorical_columns))
    return text_of(lightgbm.train(parameters, data, 60))


@functools.cache
def harm_model() -> HarmModel:
    calibration = Calibration.from_mapping({"kind": "beta", "a": 0.9, "b": 1.1, "c": -0.2})
    return HarmModel(TreeModel(harm_text()), harm_features(), calibration)
