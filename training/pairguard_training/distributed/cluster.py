"""A Dask cluster that trains trees: the same model as here within noise, not to the byte.

Owns the connection, how rows reach the workers, and what is asked of these before. It must not know
what the rows mean. Dask is an extra, so it is imported when somebody asks for it.

Rows are made here and sent part by part, so that this process never holds them; the workers need
LightGBM and Dask, nothing of this project. Each worker finds the bins of some features from its own
rows, which is why a model differs a little from one that was trained in one place.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.errors import ConfigurationRefused
from pairguard_training.boosting import Rows, feature_names

Array = NDArray[np.float64]

CONNECT_SECONDS = 10.0
_ROWS_OF_A_PART = 65_536
_PARTS_OF_A_WORKER = 4
"""At least, so that each worker's rows are a fair sample of all."""

_NAMES_IN_SCIKIT_LEARN = {
    "feature_fraction": "colsample_bytree",
    "lambda_l1": "reg_alpha",
    "lambda_l2": "reg_lambda",
    "min_data_in_leaf": "min_child_samples",
    "min_gain_to_split": "min_split_gain",
    "min_sum_hessian_in_leaf": "min_child_weight",
    "seed": "random_state",
}
"""Under their first names LightGBM's estimators would pass their own defaults beside ours."""
_OF_ONE_PROCESS = frozenset({"num_threads", "force_col_wise"})
_QUANTIZED = "use_quantized_grad"


class DaskCluster:
    """A connected cluster.

    Args:
        client: A ``distributed.Client``.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def workers(self) -> tuple[str, ...]:
        """Addresses of the workers, sorted."""
        return tuple(sorted(self._client.scheduler_info(n_workers=-1)["workers"]))

    def train(
        self,
        rows: Rows,
        parameters: Mapping[str, Any],
        *,
        rounds: int,
        categorical: Sequence[int],
    ) -> lightgbm.Booster:
        """Train for a fixed number of rounds on rows with labels 0 and 1 or numbers.

        Args:
            rows: What to learn from.
            parameters: Of LightGBM, with an objective by name.
            rounds: Boosting rounds.
            categorical: Columns that hold codes.

        Raises:
            ConfigurationRefused: A parameter cannot be used here.
        """
        if not isinstance(parameters.get("objective"), str):
            raise ConfigurationRefused(["--dask: only objectives that LightGBM has by name"])
        if parameters.get(_QUANTIZED):
            raise ConfigurationRefused([f"--dask: {_QUANTIZED} cannot be used; leave it out"])
        dask_lightgbm = import_module("lightgbm.dask")
        # The regressor, whatever the objective: the classifier numbers the classes by those that a
        # worker happens to hold, which for rare events may be one.
        model = dask_lightgbm.DaskLGBMRegressor(
            client=self._client, n_estimators=rounds, **_named(parameters)
        )
        frame = self._frame(rows)
        with warnings.catch_warnings():
            # Each worker uses the threads that its cluster gives it.
            warnings.filterwarnings("ignore", message="Parameter n_jobs will be ignored")
            model.fit(
                frame[:, :-2],
                frame[:, -2],
                sample_weight=frame[:, -1],
                feature_name=feature_names(rows.features.shape[1]),
                categorical_feature=list(categorical),
            )
        booster: lightgbm.Booster = model.to_local().booster_
        return booster

    def _frame(self, rows: Rows) -> Any:
        """Return features, labels and weights as one array that the workers hold.

        It is there before it is split: parts of features and of labels that were computed apart
        could come to lie on different workers.
        """
        arrays, distributed = import_module("dask.array"), import_module("distributed")
        workers = self.workers
        count, width = rows.features.shape[0], rows.features.shape[1] + 2
        parts = max(len(workers) * _PARTS_OF_A_WORKER, -(-count // _ROWS_OF_A_PART))
        blocks = []
        for part in range(min(parts, count)):
            block = _block(rows, np.arange(part, count, parts))
            future = self._client.scatter(
                block, workers=[workers[part % len(workers)]], hash=False, direct=False
            )
            blocks.append(
                arrays.from_delayed(future, shape=(block.shape[0], width), dtype=np.float64)
            )
        frame = self._client.persist(arrays.concatenate(blocks, axis=0))
        distributed.wait(frame)
        return frame


@contextmanager
def connected(address: str) -> Iterator[DaskCluster]:
    """Connect to a cluster that runs already, and leave it running afterwards.

    Args:
        address: Of its scheduler, such as ``tcp://10.0.0.7:8786``.

    Raises:
        ConfigurationRefused: Dask is not installed, nobody answers, or the workers cannot train.
    """
    try:
        distributed = import_module("distributed")
        import_module("dask.array")
        import_module("pandas")  # lightgbm.dask wants it
    except ImportError as error:
        raise ConfigurationRefused(
            [f"--dask: {error.name} is not installed: pip install 'pairguard[training,dask]'"]
        ) from error
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationRefused(
            [f"--dask {address}: no scheduler answers there ({str(error).splitlines()[0][:200]})"]
        ) from error
    with client, client.as_current():  # LightGBM waits for whatever client is the current one
        cluster = DaskCluster(client)
        _check(cluster, client, address)
        yield cluster


def _check(cluster: DaskCluster, client: Any, address: str) -> None:
    if not cluster.workers:
        raise ConfigurationRefused([f"--dask {address}: the scheduler has no workers"])
    found: dict[str, str | None] = client.run(_version_of_lightgbm)
    others = {
        worker: version for worker, version in found.items() if version != lightgbm.__version__
    }
    if others:
        raise ConfigurationRefused(
            [
                f"--dask {address}: worker {worker} has "
                + (f"LightGBM {version}" if version else "no LightGBM")
                + f"; {lightgbm.__version__} is wanted"
                for worker, version in sorted(others.items())
            ]
        )


def _version_of_lightgbm() -> str | None:
    """Return the version on a worker, which need not have this project installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("lightgbm")
    except PackageNotFoundError:
        return None


def _block(rows: Rows, places: NDArray[np.intp]) -> Array:
    return np.column_stack([rows.features[places], rows.labels[places], rows.weights[places]])


def _named(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _NAMES_IN_SCIKIT_LEARN.get(name, name): value
        for name, value in parameters.items()
        if name not in _OF_ONE_PROCESS
    }
