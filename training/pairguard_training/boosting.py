"""LightGBM as it is run here: the same rows and seed give the same model text.

Owns the settings that make training repeatable, and the number of rounds. It must not know what the
rows mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard_training.progress import progress

Array = NDArray[np.float64]

_THREADS = re.compile(r"^\[num_threads: \d+\]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to learn from.

    Attributes:
        features: (n, f), NaN: unknown.
        labels: (n,) class or 0 / 1.
        weights: (n,) each above 0.
    """

    features: Array
    labels: Array
    weights: Array


class Cluster(Protocol):
    """Machines that train together (``pairguard_training.distributed``)."""

    def train(
        self,
        rows: Rows,
        parameters: Mapping[str, Any],
        *,
        rounds: int,
        categorical: Sequence[int],
    ) -> lightgbm.Booster:
        """Train for a fixed number of rounds."""


@dataclass(frozen=True, slots=True)
class Compute:
    """What training may use.

    Attributes:
        threads: Threads of LightGBM; the result does not depend on it.
        seed: Seed of everything random.
        cluster: Trains instead of this process; its bytes are not promised to repeat.
    """

    threads: int
    seed: int
    cluster: Cluster | None = None


def train(
    rows: Rows,
    settings: Mapping[str, Any],
    *,
    rounds: int,
    compute: Compute,
    categorical: Sequence[int] = (),
    title: str,
) -> lightgbm.Booster:
    """Train for a fixed number of rounds, here or where ``compute`` says."""
    if compute.cluster is not None:
        return compute.cluster.train(
            rows, _parameters(settings, compute), rounds=rounds, categorical=categorical
        )
    with progress(rounds, title) as advance:
        return lightgbm.train(
            _parameters(settings, compute),
            _dataset(rows, settings, categorical, compute),
            num_boost_round=rounds,
            callbacks=[_advancing(advance)],
        )


def best_rounds(
    rows: Rows,
    held_out: Rows,
    settings: Mapping[str, Any],
    *,
    most: int,
    compute: Compute,
    categorical: Sequence[int] = (),
    title: str,
) -> int:
    """Return the number of rounds after which the loss on held-out rows was least.

    It is found in this process, whatever trains the model: a cluster cannot stop early.
    """
    dataset = _dataset(rows, settings, categorical, compute)
    valid = dataset.create_valid(
        held_out.features,
        label=held_out.labels,
        weight=held_out.weights,
        params=_binning(settings, compute),
    )
    with progress(most, title) as advance:
        booster = lightgbm.train(
            _parameters(settings, compute),
            dataset,
            num_boost_round=most,
            valid_sets=[valid],
            callbacks=[
                lightgbm.early_stopping(stopping_rounds=max(most // 8, 10), verbose=False),
                _advancing(advance),
            ],
        )
    return max(int(booster.best_iteration), 1)


def model_text(booster: lightgbm.Booster, *, rounds: int | None = None) -> str:
    """Return the model's text without the one line that names how many threads made it.

    ``rounds``: of so many first rounds only; None: of all.
    """
    return _THREADS.sub("[num_threads: 1]", booster.model_to_string(num_iteration=rounds))


def raw_scores(booster: lightgbm.Booster, features: Array, *, rounds: int | None = None) -> Array:
    """Return LightGBM's own raw scores, (n,) or (n, classes), with one thread.

    ``rounds``: of so many first rounds only; None: of all.
    """
    scores = booster.predict(features, raw_score=True, num_iteration=rounds, num_threads=1)
    return np.asarray(scores, dtype=np.float64)


def feature_names(count: int) -> list[str]:
    """Return what columns are called in a model: a signal's name may hold commas and spaces."""
    return [f"f{column}" for column in range(count)]


def _parameters(settings: Mapping[str, Any], compute: Compute) -> dict[str, Any]:
    return {
        **settings,
        "deterministic": True,
        # Each histogram is summed by one thread, in the order of the rows; with few threads this is
        # a third faster than by rows, and needs no second copy of the bins.
        "force_col_wise": True,
        "num_threads": compute.threads,
        "seed": compute.seed,
        # Said, and not left to what LightGBM draws from the seed.
        "data_random_seed": compute.seed,
        "verbosity": -1,
    }


def _binning(settings: Mapping[str, Any], compute: Compute) -> dict[str, Any]:
    chosen = {key: settings[key] for key in ("max_bin", "min_data_in_leaf") if key in settings}
    return {
        **chosen,
        "data_random_seed": compute.seed,
        "feature_pre_filter": False,
        "verbosity": -1,
    }


def _dataset(
    rows: Rows, settings: Mapping[str, Any], categorical: Sequence[int], compute: Compute
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        rows.features,
        label=rows.labels,
        weight=rows.weights,
        feature_name=feature_names(rows.features.shape[1]),
        categorical_feature=list(categorical),
        params=_binning(settings, compute),
        free_raw_data=False,
    )


def _advancing(advance: Callable[[int], None]) -> Callable[[Any], None]:
    def after_round(_: Any) -> None:
        advance(1)

    return after_round
