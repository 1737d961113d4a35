from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairguard.bundle.defaults import default_age_tables, default_catalogue
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard_training.bundle_build import write_fit
from pairguard_training.catalogue_choice import fitting_catalogue
from pairguard_training.damage import tables_with_preset
from pairguard_training.fitting import Fit, FitSettings, fit_model
from pairguard_training.harm_labels import newest_time
from pairguard_training.splitting import split_tables
from pairguard_training.tables.reading import Tables
from tests.unit.training.small_world import default_policy
from tests.unit.training.tables_of_rows import DAY_0, snapshot, tables_of_rows


def fit_and_load(tables: Tables, directory: Path) -> tuple[Fit, Bundle]:
    fit = fit_model(
        tables,
        age_tables=default_age_tables(),
        catalogue=fitting_catalogue(tables.snapshots, split_tables(tables, seed=1)),
        policy=default_policy(),
        settings=FitSettings(),
        say=lambda _: None,
    )
    write_fit(directory, fit, created=newest_time(tables), data_hash=tables.data_hash, seed=1)
    return fit, load_bundle(directory)


def people(count: int, **columns: Any) -> list[dict[str, object]]:
    return [
        snapshot(f"p{i}", **{name: values(i) for name, values in columns.items()})
        for i in range(count)
    ]


def labels(count: int) -> list[dict[str, object]]:
    return [
        {"participant_id": f"p{i}", "age_years": float(13 + i % 30), "verified_time": DAY_0}
        for i in range(count)
    ]


def test_bare_snapshots_make_a_bundle_that_says_what_it_lacks(tmp_path: Path) -> None:
    tables = tables_of_rows(tmp_path / "tables", snapshots=people(3))
    fit, bundle = fit_and_load(tables, tmp_path / "bundle")
    assert bundle.model.behaviour is None
    assert bundle.model.harm is None
    text = " ".join(bundle.manifest.notes)
    for sentence in ("No prior learned", "No behaviour age model", "No harm model"):
        assert sentence in text
    assert bundle.model.tables.document == default_age_tables().document
    assert bundle.model.catalogue.to_mapping() == default_catalogue().to_mapping()
    assert fit.metrics["harm"]["training_positives"] == 0


def test_names_with_commas_constant_and_empty_columns_and_a_lone_category(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    columns = {
        "signal.time on page, in seconds": lambda i: float(30 + i % 30 + rng.normal()),
        "signal.Größe (cm)": lambda _: 170.0,
        "signal.never known": lambda _: None,
        "signal.flag": lambda i: float(i % 2),
        "attribute.browser": lambda i: "one" if i % 3 else "two, or three",
        "attribute.only": lambda _: "the same",
    }
    tables = tables_of_rows(
        tmp_path / "tables", snapshots=people(900, **columns), age_labels=labels(900)
    )
    _, bundle = fit_and_load(tables, tmp_path / "bundle")
    assert bundle.model.behaviour is not None
    names = {signal.name for signal in bundle.model.catalogue.signals}
    assert names == {
        "time on page, in seconds",
        "Größe (cm)",
        "flag",
        "browser",
        "only",
    }
    # Nothing that is the same for everybody is looked at.
    used = {bundle.model.catalogue.columns[c] for c in bundle.model.behaviour.columns}
    assert "Größe (cm)" not in used
    assert "only" not in used
    assert any("too few times" in note for note in bundle.manifest.notes)


def test_columns_that_the_default_catalogue_knows_keep_their_direction(tmp_path: Path) -> None:
    tables = tables_of_rows(
        tmp_path,
        snapshots=people(
            50,
            **{
                "signal.account_age_days": float,
                "signal.my own": lambda i: float(i % 7),
            },
        ),
    )
    catalogue = fitting_catalogue(tables.snapshots, split_tables(tables, seed=1))
    found = {signal.name: signal for signal in catalogue.signals}
    default = {signal.name: signal for signal in default_catalogue().signals}
    assert found["account_age_days"] == default["account_age_days"]
    assert set(found) == {"account_age_days", "my own"}


def test_pairs_without_outcomes_and_few_harmed_pairs_make_no_harm_model(tmp_path: Path) -> None:
    snapshots = people(300, **{"signal.speed": lambda i: float(i % 11)})
    pairs = [
        {
            "pair_id": f"{i}-{step}",
            "snapshot_a": f"p{i}",
            "snapshot_b": f"p{(i + step) % 300}",
            "proposed_time": DAY_0 + timedelta(days=i / 10),
            "decision": "ALLOW",
        }
        for i in range(300)
        for step in (1, 7, 30)
    ]
    late = DAY_0 + timedelta(days=100)
    outcomes = [
        {"pair_id": f"{i}-7", "kind": "report", "observed_time": DAY_0, "received_time": late}
        for i in range(0, 300, 10)
    ]
    for name, table in (("without", []), ("few", outcomes)):
        tables = tables_of_rows(tmp_path / name, snapshots=snapshots, pairs=pairs, outcomes=table)
        fit, bundle = fit_and_load(tables, tmp_path / f"{name}-bundle")
        assert bundle.model.harm is None
        assert any("No harm model" in note for note in bundle.manifest.notes)
        assert "harm_model.txt" not in bundle.manifest.files
        assert fit.reference.harm is None


def test_sixty_verified_people_tell_that_the_configured_preset_is_too_kind(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    ages = [float(13 + i % 12) for i in range(60)]
    tables = tables_of_rows(
        tmp_path / "tables",
        snapshots=people(60),
        age_evidence=[
            {
                "snapshot_id": f"p{i}",
                "evidence_id": f"e{i}",
                "kind": "facial_age_estimate",
                "observed_time": DAY_0 - timedelta(days=1),
                "provider": "acme",
                "mean_years": float(round(age + 4.0 + rng.normal(0.0, 2.0), 1)),
                "liveness": "PASSED",
                "binding": "LIVE_PERSON",
            }
            for i, age in enumerate(ages)
        ],
        age_labels=labels(60),
    )
    fit = fit_model(
        tables,
        age_tables=tables_with_preset(default_age_tables(), "vendor_selfie"),
        catalogue=default_catalogue(),
        policy=default_policy(),
        settings=FitSettings(),
        say=lambda _: None,
    )
    (note,) = [note for note in fit.notes if "KINDER" in note]
    assert "'vendor_selfie'" in note
    assert "use the independent" in note


def test_all_labelled_people_of_one_age_teach_no_behaviour(tmp_path: Path) -> None:
    everybody = [
        {"participant_id": f"p{i}", "age_years": 40.0, "verified_time": DAY_0} for i in range(500)
    ]
    tables = tables_of_rows(
        tmp_path / "tables",
        snapshots=people(500, **{"signal.speed": lambda i: float(i % 11)}),
        age_labels=everybody,
    )
    _, bundle = fit_and_load(tables, tmp_path / "bundle")
    assert bundle.model.behaviour is None
    assert any("No behaviour age model" in note for note in bundle.manifest.notes)


@pytest.mark.parametrize(("youngest", "side"), [(25, "under"), (5, "over")])
def test_labels_on_one_side_of_the_line_teach_nothing_of_the_other(
    tmp_path: Path, youngest: int, side: str
) -> None:
    ages = [float(youngest + i % 12) for i in range(1_000)]
    tables = tables_of_rows(
        tmp_path / "tables",
        snapshots=people(1_000, **{"signal.speed": lambda i: ages[i] + i % 3}),
        age_labels=[
            {"participant_id": f"p{i}", "age_years": age, "verified_time": DAY_0}
            for i, age in enumerate(ages)
        ],
    )
    _, bundle = fit_and_load(tables, tmp_path / "bundle")
    assert bundle.model.behaviour is None
    text = " ".join(bundle.manifest.notes)
    assert f"0 labelled people {side} 18" in text
    assert f"Hardly anybody {side} 18" in text
    minors = [
        float(of.prior("", "")[:18].sum()) for of in (default_age_tables(), bundle.model.tables)
    ]
    assert minors[0] == pytest.approx(minors[1], rel=1e-6)


def test_odd_times_and_copies_of_evidence_stop_nothing(tmp_path: Path) -> None:
    """Labels without a time, long ago and long after all else; evidence twice."""
    rng = np.random.default_rng(1)
    ages = [float(12 + i % 20) for i in range(400)]
    label_times = (None, DAY_0, DAY_0 + timedelta(days=4_000), DAY_0 - timedelta(days=4_000))
    evidence = [
        {
            "snapshot_id": f"p{i}",
            "evidence_id": f"e{i}" if i % 3 else None,
            "kind": "facial_age_estimate",
            "observed_time": DAY_0 - timedelta(days=i % 5 * 400),
            "mean_years": float(round(ages[i] + rng.normal(1.0, 2.0), 1)),
            "liveness": "PASSED",
            "binding": "LIVE_PERSON",
        }
        for i in range(400)
    ]
    tables = tables_of_rows(
        tmp_path / "tables",
        snapshots=people(400, **{"signal.speed": lambda i: float(i % 7)}),
        age_evidence=evidence + evidence[:200],
        age_labels=[
            {
                "participant_id": f"p{i}",
                "age_years": age,
                "verified_time": label_times[i % 4],
                "sampling_probability": (None, 1.0, 0.01)[i % 3],
            }
            for i, age in enumerate(ages)
        ],
    )
    fit, bundle = fit_and_load(tables, tmp_path / "bundle")
    assert bundle.manifest.metrics["faces"][""]["people"] > 50
    assert np.isfinite(bundle.model.tables.prior("", "")).all()
    assert fit.metrics == bundle.manifest.metrics


def test_behaviour_that_tells_nothing_of_age_is_not_believed(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tables = tables_of_rows(
        tmp_path / "tables",
        snapshots=people(1_200, **{"signal.noise": lambda _: float(rng.normal())}),
        age_labels=labels(1_200),
    )
    _, bundle = fit_and_load(tables, tmp_path / "bundle")
    behaviour = bundle.model.behaviour
    assert behaviour is None or behaviour.temperature < 0.6
