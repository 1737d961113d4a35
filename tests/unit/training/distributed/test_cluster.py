"""Trees that a cluster of two processes trains, against those that are trained here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

from pairguard.bundle.loading import load_bundle
from pairguard.errors import ConfigurationRefused
from pairguard.risk.monotonicity import features_out_of_order
from pairguard.risk.trees import TreeModel
from pairguard_training.__main__ import EXIT_REFUSED, main
from pairguard_training.boosting import Compute, Rows, model_text, raw_scores, train
from pairguard_training.distributed import cluster as module
from pairguard_training.distributed.cluster import DaskCluster, connected

Array = NDArray[np.float64]

distributed = pytest.importorskip("distributed")

SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "monotone_constraints": [1, 0, 0, 0],
    "monotone_constraints_method": "basic",
}
ROUNDS = 40


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def cluster(address: str) -> Iterator[DaskCluster]:
    with connected(address) as found:
        yield found


def rows(count: int, *, seed: int) -> Rows:
    """Rows with a direction, a category that tells, noise and unknown values."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0.0, 1.0, (count, 4))
    features[:, 1] = rng.integers(0, 4, count)
    danger = features[:, 0] + np.array([0.0, 2.0, -1.0, 0.5])[features[:, 1].astype(int)] - 2.5
    labels = (rng.random(count) < 1.0 / (1.0 + np.exp(-danger))).astype(np.float64)
    features[rng.random(count) < 0.1, 2] = np.nan
    return Rows(features, labels, rng.uniform(0.5, 2.0, count))


def trained(learned: Rows, cluster: DaskCluster | None) -> lightgbm.Booster:
    return train(
        learned,
        SETTINGS,
        rounds=ROUNDS,
        compute=Compute(threads=1, seed=1, cluster=cluster),
        categorical=[1],
        title="",
    )


def test_a_cluster_trains_the_same_model_within_noise(cluster: DaskCluster) -> None:
    learned, judged = rows(6_000, seed=1), rows(4_000, seed=2)
    here, there = trained(learned, None), trained(learned, cluster)
    auc = [roc_auc_score(judged.labels, each.predict(judged.features)) for each in (here, there)]
    loss = [log_loss(judged.labels, each.predict(judged.features)) for each in (here, there)]
    # What another sample of people does to the same figures.
    other = trained(rows(6_000, seed=3), None)
    noise = abs(auc[0] - roc_auc_score(judged.labels, other.predict(judged.features)))
    assert abs(auc[0] - auc[1]) < max(2.0 * noise, 0.005)
    assert loss[1] == pytest.approx(loss[0], abs=0.005)
    assert there.num_trees() == here.num_trees() == ROUNDS


def test_constraints_categories_and_names_are_kept_in_plain_text(cluster: DaskCluster) -> None:
    booster = trained(rows(3_000, seed=1), cluster)
    text = model_text(booster)
    assert any(line.startswith("num_cat=1") for line in text.splitlines())
    assert "feature_names=f0 f1 f2 f3" in text
    served = TreeModel(text)
    assert not features_out_of_order(served.forest, SETTINGS["monotone_constraints"])  # type: ignore[arg-type]
    some = rows(50, seed=5).features
    assert np.array_equal(served.raw_scores(some)[:, 0], raw_scores(booster, some))


def test_what_lightgbm_cannot_do_together_is_refused(cluster: DaskCluster) -> None:
    few = rows(100, seed=1)
    with pytest.raises(ConfigurationRefused, match="use_quantized_grad"):
        cluster.train(few, {**SETTINGS, "use_quantized_grad": True}, rounds=1, categorical=[])
    with pytest.raises(ConfigurationRefused, match="by name"):
        cluster.train(few, {"objective": lambda *_: None}, rounds=1, categorical=[])


def test_fit_trains_on_the_cluster_of_an_address(
    address: str, small_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables, out = tmp_path / "tables", tmp_path / "fitted"
    shutil.copytree(small_world, tables)
    (tables / "age_labels.parquet").unlink()  # no age is learned, which would only take time
    fit = ["fit", "--tables", str(tables), "--out", str(out), "--threads", "1"]
    assert main([*fit, "--dask", address]) == 0
    assert "2 workers" in capsys.readouterr().out
    bundle = load_bundle(out)
    assert bundle.model.harm is not None
    assert any("trained on a cluster" in note for note in bundle.manifest.notes)


def test_where_nobody_answers_the_address_is_named(
    small_world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    fit = ["fit", "--tables", str(small_world), "--out", str(tmp_path / "fitted")]
    for nowhere in ("tcp://127.0.0.1:9", "nonsense://x"):
        assert main([*fit, "--dask", nowhere]) == EXIT_REFUSED
        assert nowhere in capsys.readouterr().err
    assert not (tmp_path / "fitted").exists()


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(module, "import_module", missing)
    with (
        pytest.raises(ConfigurationRefused, match=r"distributed is not installed.*dask"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass


def test_workers_with_another_lightgbm_are_named(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightgbm.__version__", "0.1")
    with (
        pytest.raises(ConfigurationRefused, match=r"worker tcp.*0\.1 is wanted"),
        connected(address),
    ):
        pass
