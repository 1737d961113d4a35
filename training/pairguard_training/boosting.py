"""LightGBM as it is run here: the same rows and seed give the same model text.

Owns the settings that make training repeatable, the number of rounds, and how rows reach LightGBM:
held as an array, or made part by part. It must not know what the rows mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard_training.progress import progress

Array = NDArray[np.float64]

_THREADS = re.compile(r"^\[num_threads: \d+\]$", re.MULTILINE)


MOST_HELD_BYTES = 1 << 30
"""Rows that come as a stream are held as an array up to this size, which is faster."""
_STREAMED_ROWS = 8_192


class RowStream(Protocol):
    """Rows that are made when they are asked for, so that nobody needs to hold them all."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""

    def take(self, places: NDArray[np.intp]) -> Array:
        """Return (len(places), f) rows; NaN: unknown. The same places give the same bits."""


Features = Array | RowStream
"""(n, f) rows, held or made when they are asked for."""


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


@dataclass(frozen=True, slots=True)
class StreamedRows:
    """Rows to learn from, too many to be held."""

    features: RowStream
    labels: Array
    weights: Array


AnyRows = Rows | StreamedRows


class Cluster(Protocol):
    """Machines that train together (``pairguard_training.distributed``)."""

    def train(
        self,
        rows: AnyRows,
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


def any_rows(features: Features, labels: Array, weights: Array) -> AnyRows:
    """Return rows to learn from, held or not."""
    if isinstance(features, np.ndarray):
        return Rows(features, labels, weights)
    return StreamedRows(features, labels, weights)


def rows_where(rows: AnyRows, mask: NDArray[np.bool_]) -> AnyRows:
    """Return some of the rows."""
    labels, weights = rows.labels[mask], rows.weights[mask]
    if isinstance(rows, Rows):
        return Rows(rows.features[mask], labels, weights)
    return StreamedRows(_Part(rows.features, np.flatnonzero(mask)), labels, weights)


def taken(features: Features, places: NDArray[np.intp]) -> Array:
    """Return some rows of features, held."""
    return features[places] if isinstance(features, np.ndarray) else features.take(places)


def chunks(features: Features, rows_at_once: int = _STREAMED_ROWS) -> Iterator[Array]:
    """Yield the rows of features part by part, in their order."""
    for start in range(0, features.shape[0], rows_at_once):
        end = min(start + rows_at_once, features.shape[0])
        if isinstance(features, np.ndarray):
            yield features[start:end]
        else:
            yield features.take(np.arange(start, end))


def train(
    rows: AnyRows,
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
    rows: AnyRows,
    held_out: AnyRows,
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
        _data(held_out.features),
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
        # Else it is drawn from the seed for an array, and not for rows that are streamed.
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
    rows: AnyRows, settings: Mapping[str, Any], categorical: Sequence[int], compute: Compute
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        _data(rows.features),
        label=rows.labels,
        weight=rows.weights,
        feature_name=feature_names(rows.features.shape[1]),
        categorical_feature=list(categorical),
        params=_binning(settings, compute),
        free_raw_data=False,
    )


def _data(features: Features) -> Array | lightgbm.Sequence:
    """Return features as LightGBM takes them: both ways give the same model to the byte."""
    if isinstance(features, np.ndarray):
        return features
    count, columns = features.shape
    if count * columns * np.dtype(np.float64).itemsize <= MOST_HELD_BYTES:
        return features.take(np.arange(count))
    return _Streamed(features)


class _Streamed(lightgbm.Sequence):
    """A stream as LightGBM reads it: single rows for its bins, rising, then all in order."""

    batch_size = _STREAMED_ROWS

    def __init__(self, stream: RowStream) -> None:
        self._stream = stream
        self._from, self._block = 0, stream.take(np.arange(0))

    def __len__(self) -> int:
        return self._stream.shape[0]

    def __getitem__(self, wanted: int | slice | list[int]) -> Array:
        if isinstance(wanted, slice):
            return self._stream.take(np.arange(*wanted.indices(len(self))))
        if isinstance(wanted, list):
            return self._stream.take(np.array(wanted, dtype=np.intp))
        if not self._from <= wanted < self._from + self._block.shape[0]:
            # The next rows that are asked for stand close behind.
            end = min(wanted + _STREAMED_ROWS, len(self))
            self._from, self._block = wanted, self._stream.take(np.arange(wanted, end))
        row: Array = self._block[wanted - self._from]
        return row


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a stream."""

    whole: RowStream
    places: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        return self.places.size, self.whole.shape[1]

    def take(self, places: NDArray[np.intp]) -> Array:
        return self.whole.take(self.places[places])


def _advancing(advance: Callable[[int], None]) -> Callable[[Any], None]:
    def after_round(_: Any) -> None:
        advance(1)

    return after_round
