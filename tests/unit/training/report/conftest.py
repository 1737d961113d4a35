from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pairguard.bundle.loading import load_bundle
from pairguard_training import age_evaluation
from pairguard_training.champion import meet_champion
from pairguard_training.comparison import EvaluationSettings
from pairguard_training.evaluation import evaluate_model
from pairguard_training.fitting import Fit
from pairguard_training.report.facts import ReportFacts, report_facts
from pairguard_training.splitting import split_tables
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import read_truth
from tests.unit.training.small_world import default_policy

SCRIPT = "<script>window.broken = true</script>"
IMAGE = '"><img src="https://example.org/x.png" onerror="window.broken = true">'


@pytest.fixture(scope="session")
def facts(small_world: Path, small_fit: tuple[Tables, Fit], small_bundle: Path) -> ReportFacts:
    """A report on the small world, with markup in every name and text that comes from data."""
    tables, _ = small_fit
    snapshots = tables.snapshots.with_columns(
        language=pl.lit(IMAGE), **{f"audit.{SCRIPT}": pl.lit(f"group {SCRIPT}")}
    )
    tables = replace(tables, snapshots=snapshots, warnings=(f"odd: {SCRIPT}",))
    bundle = load_bundle(small_bundle)
    bundle = replace(
        bundle,
        manifest=replace(bundle.manifest, notes=(f"a note {SCRIPT}",)),
        certificate={
            "certified": True,
            "statements": [SCRIPT],
            "strata": [{"stratum": IMAGE, "alpha": 0.01, "threshold": 0.1, "n": 700, "k": 2}],
        },
    )
    columns = {**bundle.reference["columns"], SCRIPT: {"unknown_share": 0.5, "quantiles": None}}
    serving = replace(
        load_bundle(small_bundle),
        version=f"earlier-{IMAGE}",
        reference={**bundle.reference, "columns": columns},
    )
    split = split_tables(tables, seed=1)
    champion, split = meet_champion(bundle, serving, tables, split, unseen=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(age_evaluation, "BASELINE_PAIRS", 1_000)
        evaluation = evaluate_model(
            bundle.model,
            tables,
            read_truth(small_world, tables),
            policy=default_policy(),
            split=split,
            settings=EvaluationSettings(
                unseen=False, resamples=10, seed=1, threads=1, report_window_days=14.0
            ),
            say=lambda _: None,
            champion=champion,
        )
    return report_facts(bundle, serving, tables, default_policy(), evaluation)
