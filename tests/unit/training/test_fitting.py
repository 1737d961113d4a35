from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairguard.bundle.loading import load_bundle
from pairguard_training import fitting, splitting
from pairguard_training.age_labels import AgeRows
from pairguard_training.boosting import Compute, Rows, model_text, train
from pairguard_training.bundle_build import bundle_files
from pairguard_training.evidence_rows import EvidenceRows, evidence_rows
from pairguard_training.fitting import Fit
from pairguard_training.splitting import Part, split_tables
from pairguard_training.stacking_fit import StackingFit
from pairguard_training.tables import files
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.verified_evidence import VerifiedItem, verified_items
from tests.unit.training.small_world import fit_tables


def without_outcomes(tables: Tables) -> Tables:
    """Return tables of which harm cannot be learned, which is most of the time of a fit."""
    return replace(tables, outcomes=tables.outcomes.clear())


def test_everything_that_the_data_teach_is_in_the_bundle(
    small_fit: tuple[Tables, Fit], small_bundle: Path
) -> None:
    tables, fit = small_fit
    bundle = load_bundle(small_bundle)
    assert bundle.model.behaviour is not None
    assert bundle.model.harm is not None
    assert bundle.manifest.data_hash == tables.data_hash
    assert bundle.manifest.seeds == {"fit": 1}
    assert bundle.certificate["certified"] is False
    assert bundle.reference["harm_probability"]["quantiles"] is not None
    assert set(bundle.reference["columns"]) == set(bundle.model.catalogue.columns)
    assert fit.metrics["harm"]["training_positives"] >= 20
    assert bundle.model.tables.document["prior"]["default"]["source"].startswith("fitted")


def test_the_same_tables_and_seed_give_the_same_bytes_read_whole_or_for_a_fit(
    small_world: Path, small_fit: tuple[Tables, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, fit = small_fit
    monkeypatch.setattr(files, "_ROWS_AT_ONCE", 1_000)
    again = fit_tables(read_tables(small_world, for_fitting=True))
    assert bundle_files(again) == bundle_files(fit)


def test_threads_change_no_byte_of_a_model() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(0.0, 1.0, (2_000, 10))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    labels = (rng.random(2_000) < 0.2).astype(np.float64)
    settings = {"objective": "binary", "num_leaves": 15, "feature_fraction": 0.7}
    one, two = (
        model_text(
            train(
                Rows(rows, labels, np.ones(2_000)),
                settings,
                rounds=10,
                compute=Compute(threads=threads, seed=1),
                title="",
            )
        )
        for threads in (1, 2)
    )
    assert one == two


def test_another_seed_divides_the_people_otherwise(small_fit: tuple[Tables, Fit]) -> None:
    tables, fit = small_fit
    other, first = bundle_files(fit_tables(without_outcomes(tables), seed=2)), bundle_files(fit)
    assert other["age_tables.json"] != first["age_tables.json"]
    assert other["age_model.txt"] != first["age_model.txt"]


def test_what_is_weighed_against_evidence_is_judged_on_people_who_taught_no_table(
    small_fit: tuple[Tables, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, _ = small_fit
    taught: set[str] = set()
    judged: set[str] = set()

    def items_of(tables: Tables, rows: AgeRows) -> list[VerifiedItem]:
        taught.update(rows.participants)
        return verified_items(tables, rows)

    def rows_of(*arguments: Any) -> EvidenceRows:
        judged.update(arguments[-1].participants)
        return evidence_rows(*arguments)

    monkeypatch.setattr(fitting, "verified_items", items_of)
    monkeypatch.setattr(fitting, "evidence_rows", rows_of)
    fit_tables(without_outcomes(tables))
    split = split_tables(tables, seed=1)
    assert {split.parts[person] for person in taught} == {Part.TRAIN}
    assert {split.parts[person] for person in judged} == {Part.CALIBRATION}
    groups = [{split.groups[person] for person in people} for people in (taught, judged)]
    assert not groups[0] & groups[1]


def test_behaviour_that_repeats_the_evidence_whole_is_not_served(
    small_fit: tuple[Tables, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, _ = small_fit
    nothing_new = StackingFit(500, behaviour_weight=0.0)
    monkeypatch.setattr(fitting, "fit_stacking", lambda *_, **__: nothing_new)
    fit = fit_tables(without_outcomes(tables))
    assert fit.model.behaviour is None
    assert any("nothing that other evidence does not tell" in note for note in fit.notes)


def test_nobody_of_the_test_part_is_learned_from(
    small_fit: tuple[Tables, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, fit = small_fit
    split = split_tables(tables, seed=1)
    tested = {person for person, part in split.parts.items() if part is Part.TEST}
    # Without them the fit is the same to the byte, but for the hash of the data.
    kept = tables.snapshots.filter(~tables.snapshots["participant_id"].is_in(list(tested)))
    names = kept["snapshot_id"].implode()
    pairs = tables.pairs.filter(
        tables.pairs["snapshot_a"].is_in(names) & tables.pairs["snapshot_b"].is_in(names)
    )
    without = Tables(
        snapshots=kept,
        age_evidence=tables.age_evidence.filter(tables.age_evidence["snapshot_id"].is_in(names)),
        pairs=pairs,
        outcomes=tables.outcomes.filter(
            tables.outcomes["pair_id"].is_in(pairs["pair_id"].implode())
        ),
        age_labels=tables.age_labels.filter(
            ~tables.age_labels["participant_id"].is_in(list(tested))
        ),
    )
    line = split.later_from
    assert line is not None
    # The line between earlier and later follows from the pairs: it is kept as it was.
    monkeypatch.setattr(splitting, "_later_from", lambda _: line)
    refit, first = bundle_files(fit_tables(without)), bundle_files(fit)
    for name in ("age_tables.json", "age_model.txt", "harm_model.txt", "calibration.json"):
        assert refit[name] == first[name]
