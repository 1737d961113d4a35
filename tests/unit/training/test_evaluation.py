from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pairguard.bundle.loading import load_bundle
from pairguard_training import age_evaluation, comparison, harm_evaluation
from pairguard_training.champion import Champion
from pairguard_training.comparison import (
    BASELINES,
    CHAMPION,
    ORACLE,
    OURS,
    EvaluationSettings,
    held_out_pairs,
)
from pairguard_training.evaluation import Evaluation, evaluate_model
from pairguard_training.evaluation_table import evaluation_json, evaluation_text
from pairguard_training.fitting import Fit
from pairguard_training.splitting import Part, split_tables
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import Truth, read_truth
from tests.unit.training.small_world import default_policy

SETTINGS = EvaluationSettings(
    unseen=False, resamples=20, seed=1, threads=1, report_window_days=14.0
)


def evaluated(
    tables: Tables,
    truth: Truth,
    bundle: Path,
    *,
    champion: Champion | None = None,
    report_window_days: float = 14.0,
) -> Evaluation:
    return evaluate_model(
        load_bundle(bundle).model,
        tables,
        truth,
        policy=default_policy(),
        split=split_tables(tables, seed=1),
        settings=replace(SETTINGS, report_window_days=report_window_days),
        say=lambda _: None,
        champion=champion,
    )


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    content = evaluation_json(
        evaluation,
        bundle_version="a-version",
        model_hash="1" * 64,
        data_hash="0" * 64,
        data_until=datetime(2026, 3, 2, 12, tzinfo=UTC),
    )
    document: dict[str, Any] = json.loads(content)
    return document


@pytest.fixture(scope="module", autouse=True)
def smaller() -> Iterator[None]:
    """Fewer pairs than a real evaluation takes; and a few reports will do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(age_evaluation, "BASELINE_PAIRS", 3_000)
        patch.setattr(comparison, "RANDOM_PAIRS", 800)
        patch.setattr(harm_evaluation, "FEWEST_REPORTED", 1)
        yield


@pytest.fixture(scope="module")
def simulated(small_world: Path, small_fit: tuple[Tables, Fit], small_bundle: Path) -> Evaluation:
    tables, _ = small_fit
    return evaluated(tables, read_truth(small_world, tables), small_bundle)


def test_all_models_are_compared_on_the_same_pairs(simulated: Evaluation) -> None:
    mixed, *harm = simulated.comparisons
    assert [found.title.partition(",")[0] for found in harm] == ["harm reports"] * 2
    assert set(mixed.models) == {OURS, ORACLE, *BASELINES}
    assert set(mixed.differences) == set(BASELINES)
    assert [set(found.models) for found in harm] == [{OURS, ORACLE, *BASELINES}] * 2
    bases = {model["base_rate"].value for model in mixed.models.values()}
    assert len(bases) == 1
    for measures in mixed.models.values():
        found = measures["roc_auc"]
        assert found.low <= found.value <= found.high
    best = mixed.models[ORACLE]["roc_auc"].value
    assert best > mixed.models[OURS]["roc_auc"].value > 0.6


def test_only_held_out_people_and_later_times_are_judged(small_fit: tuple[Tables, Fit]) -> None:
    tables, _ = small_fit
    split = split_tables(tables, seed=1)
    pairs = held_out_pairs(tables, split, frozenset({Part.TEST}))
    times = dict(zip(tables.pairs["pair_id"], tables.pairs["proposed_time"], strict=True))
    owners = dict(
        zip(tables.snapshots["snapshot_id"], tables.snapshots["participant_id"], strict=True)
    )
    assert pairs.ids
    assert split.later_from is not None
    assert all(times[name].timestamp() >= split.later_from for name in pairs.ids)
    assert {split.parts[owners[name]] for name in pairs.snapshots} == {Part.TEST}


def test_a_simulation_is_called_one_and_the_seed_is_printed(simulated: Evaluation) -> None:
    text = evaluation_text(simulated)
    assert "SIMULATED" in text
    assert "seed 1" in text
    for word in ("mixed pairs", "oracle", *BASELINES, "true ages 15-20", "good pairs that"):
        assert word in text


def test_the_document_is_json_whatever_could_not_be_told(simulated: Evaluation) -> None:
    document = as_document(simulated)
    assert document["simulated"] is True
    assert document["bundle_version"] == "a-version"
    assert document["champion_version"] is None
    assert document["data_hash"] == "0" * 64
    assert document["data_until"] == "2026-03-02T12:00:00+00:00"
    assert document["seed"] == 1
    assert document["gates"]["mixed_pairs"] is None
    assert set(document["gates"]["slices"]) == {"worst_ratio", "chance_ratio"}
    whole = document["rates"]["overall"]["false_rejection"]
    assert 0 < whole["count"] <= whole["of"]
    assert whole["low"] < whole["count"] / whole["of"] <= whole["high"]
    assert document["comparisons"][0]["models"][OURS]["roc_auc"]["value"] > 0.6


def test_calibration_is_told_overall_and_around_the_line(simulated: Evaluation) -> None:
    found = simulated.calibration[ORACLE]
    assert found["slope"].value == pytest.approx(1.0, abs=0.35)
    assert not math.isnan(found["slope_at_15_to_20"].value)
    assert not math.isnan(found["slope_given_15_to_20"].value)


def test_each_held_out_person_is_counted_once(
    simulated: Evaluation, small_fit: tuple[Tables, Fit]
) -> None:
    tables, _ = small_fit
    split = split_tables(tables, seed=1)
    held_out = sum(part is Part.TEST for part in split.parts.values())
    assert simulated.rates is not None
    assert simulated.reliability is not None
    whole = simulated.rates.overall
    assert 0 < whole.false_acceptance.of + whole.false_rejection.of == simulated.people <= held_out
    for divided_by in ("region", "language", "device_class", "audit.error_group", "audit.sex"):
        rows, few = simulated.rates.slices[divided_by], simulated.rates.unmeasured.get(divided_by)
        counted = sum(row.false_acceptance.of + row.false_rejection.of for row in rows)
        assert counted + sum((few or {}).values()) == simulated.people
        assert sum(row.minors.of for row in simulated.reliability.slices[divided_by]) == counted
    assert simulated.rates.to_minors["adults who pose as minors"].of >= 0


def test_every_line_for_people_fits_the_page(simulated: Evaluation) -> None:
    text = evaluation_text(simulated).partition("calibration of P(under 18)")[2]
    assert max(map(len, text.partition("\nnote:")[0].splitlines())) <= 110


def test_without_an_oracle_the_age_labels_count(
    small_fit: tuple[Tables, Fit], small_bundle: Path, tmp_path: Path
) -> None:
    tables, _ = small_fit
    found = evaluated(tables, read_truth(tmp_path, tables), small_bundle)
    assert not found.simulated
    assert all(ORACLE not in compared.models for compared in found.comparisons)
    assert "SIMULATED" not in evaluation_text(found)


def test_without_pairs_some_are_drawn_and_that_is_said(
    small_world: Path, small_fit: tuple[Tables, Fit], small_bundle: Path
) -> None:
    tables, _ = small_fit
    bare = Tables(
        snapshots=tables.snapshots,
        age_evidence=tables.age_evidence,
        pairs=tables.pairs.clear(),
        outcomes=tables.outcomes.clear(),
        age_labels=tables.age_labels,
    )
    truth = read_truth(small_world.parent, bare)
    found = evaluated(bare, truth, small_bundle)
    assert any("drawn at random" in note for note in found.notes)
    assert [compared.title for compared in found.comparisons] == ["mixed pairs"]


@pytest.fixture(scope="module")
def few_labels(
    small_fit: tuple[Tables, Fit],
    small_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Evaluation:
    """What is said of a platform that knows the ages of sixty people."""
    tables, _ = small_fit
    few = replace(tables, age_labels=tables.age_labels.head(60))
    return evaluated(few, read_truth(tmp_path_factory.mktemp("empty"), few), small_bundle)


def test_of_a_few_labels_it_is_said_what_they_cannot_tell(few_labels: Evaluation) -> None:
    document = as_document(few_labels)
    assert document["gates"] == {
        "mixed_pairs": None,
        "calibration_slope": None,
        "slices": {"worst_ratio": None, "chance_ratio": None},
    }
    assert [c for c in few_labels.comparisons if c.title == "mixed pairs"] == []
    assert any("mixed pairs not measured" in note for note in few_labels.notes)
    assert any("error rates not measured" in note for note in few_labels.notes)
    assert few_labels.exposure is None or few_labels.exposure.true is None


def test_a_test_time_shorter_than_the_report_window_is_told(
    small_fit: tuple[Tables, Fit], small_bundle: Path, tmp_path: Path
) -> None:
    tables, _ = small_fit
    truth = read_truth(tmp_path, tables)
    long = evaluated(tables, truth, small_bundle, report_window_days=60.0)
    assert any("the report window 60" in note for note in long.notes)
    assert any("(over 200 where" in note for note in long.notes)
    assert not any(
        "report window 1" in note for note in evaluated(tables, truth, small_bundle).notes
    )


def test_a_champion_is_judged_on_the_same_pairs_and_draws(
    small_world: Path, small_fit: tuple[Tables, Fit], small_bundle: Path
) -> None:
    tables, _ = small_fit
    model = load_bundle(small_bundle).model
    itself = Champion("the-champion", model, same_scores=True, notes=("It is the same.",))
    found = evaluated(tables, read_truth(small_world, tables), small_bundle, champion=itself)
    document = as_document(found)
    for compared in document["comparisons"]:
        assert compared["models"][CHAMPION] == compared["models"][OURS]
        for difference in compared["differences"][CHAMPION].values():
            assert set(difference.values()) <= {0.0, None}  # None: too few drawn to tell
    differences = document["comparisons"][0]["differences"][CHAMPION]
    assert differences["missed_at_5_percent"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert document["decisions"]["champion"] == document["decisions"]["shares"]
    assert "It is the same." in found.notes
    assert document["champion_version"] == "the-champion"
    assert document["gates"]["mixed_pairs"]["difference_at_1"] == {
        "value": 0.0, "low": 0.0, "high": 0.0,
    }  # fmt: skip
    text = evaluation_text(found)
    assert "champion: bundle the-champion" in text
    assert "difference" in text


def test_every_bin_and_threshold_has_an_interval_that_holds_it(simulated: Evaluation) -> None:
    mixed = simulated.comparisons[0]
    for bin_ in mixed.reliability:
        assert bin_.observed_low <= bin_.observed <= bin_.observed_high or math.isnan(
            bin_.observed_low
        )
    assert len(mixed.trade_off) > 10
    for point in mixed.trade_off:
        for share in (point.good_stopped, point.positives_allowed):
            assert share.low <= share.value <= share.high
            assert share.low < share.high
    recall = mixed.models[OURS]["recall_at_budget_5_percent"]
    assert 0.0 < recall.value <= 0.05 / mixed.models[OURS]["base_rate"].value + 1e-9


def test_exposure_and_price_are_printed_and_the_model_implied_is_called_so(
    simulated: Evaluation,
) -> None:
    assert simulated.price is not None
    whole = simulated.price.overall
    assert whole.stopped.of == whole.asked.of == whole.no_route.of > 0
    assert whole.asked.count + whole.no_route.count <= whole.stopped.count
    for name in ("region", "language", "device_class", "audit.sex"):
        measured = sum(row.stopped.of for row in simulated.price.slices[name])
        assert 0 < measured <= whole.stopped.of
    text = evaluation_text(simulated)
    for words in ("MODEL-IMPLIED", "true (simulated)", "asked for a check", "by device_class"):
        assert words in text
