"""Scores of whole tables, against the service's own judge of single pairs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from pairguard.age.admission import admission
from pairguard.bundle.loading import load_bundle
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.policy.state import StoredState
from pairguard_training.__main__ import EXIT_REFUSED, main
from pairguard_training.commands import score
from pairguard_training.fitting import Fit
from pairguard_training.scoring import pair_scores as module
from pairguard_training.scoring.age_scores import BANDS, age_scores
from pairguard_training.scoring.pair_scores import PAIR_SCORES, pair_scores
from pairguard_training.tables.participants import observed_seconds, participants
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.tables.writing import write_tables
from tests.domain import default_policy_document, merged
from tests.unit.training.small_world import default_policy

LENIENT = {
    "thresholds": {"reroute_harm": 0.5, "block_harm": 0.5, "reroute_risk": 0.5},
    "unknown_may_meet": "ADULTS_AND_UNKNOWN",
}


@pytest.fixture(scope="module")
def few(small_fit: tuple[Tables, Fit], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tables of a few pairs."""
    tables, _ = small_fit
    pairs = tables.pairs.head(400)
    names = pl.concat([pairs["snapshot_a"], pairs["snapshot_b"]]).implode()
    snapshots = tables.snapshots.filter(pl.col("snapshot_id").is_in(names))
    evidence = tables.age_evidence.filter(pl.col("snapshot_id").is_in(names))
    directory = tmp_path_factory.mktemp("few")
    write_tables(directory, {"snapshots": snapshots, "age_evidence": evidence, "pairs": pairs})
    return directory


def judge_of(bundle: Path, policy: Policy) -> Judge:
    return Judge(load_bundle(bundle).model, policy)


@pytest.mark.parametrize("lines", [{}, LENIENT])
def test_scores_of_pairs_have_the_bits_of_each_judged_alone(
    few: Path,
    small_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: dict[str, object],
) -> None:
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 150)
    tables = read_tables(few)
    policy = Policy.from_mapping(merged(default_policy_document(), {"default": lines}))
    scores = pl.concat(pair_scores(judge_of(small_bundle, policy), tables))
    assert scores.schema == PAIR_SCORES
    assert scores["pair_id"].equals(tables.pairs["pair_id"])
    assert scores["decision"].n_unique() > 1
    alone = judge_of(small_bundle, policy)
    sample = scores[::3]
    people = [participants(tables, sample[f"snapshot_{side}"].to_list()) for side in "ab"]
    seconds = sample["proposed_time"].dt.epoch("us").to_numpy() / 1e6
    for row, a, b, now in zip(sample.iter_rows(named=True), *people, seconds, strict=True):
        decision = alone.judge_pair(a, b, now=float(now), state=StoredState()).decision
        assert row["minor_adult_probability"] == decision.risk.minor_adult_probability
        assert row["harm_probability"] == decision.risk.harm_probability
        assert row["risk_score"] == decision.risk.risk_score
        assert row["decision"] == decision.kind.name
        assert row["reasons"] == list(dict.fromkeys(r.code.value for r in decision.reasons))


def test_ages_of_snapshots_are_those_that_serve(few: Path, small_bundle: Path) -> None:
    tables = read_tables(few)
    policy = default_policy()
    scores = pl.concat(age_scores(judge_of(small_bundle, policy), tables))
    assert scores["snapshot_id"].equals(tables.snapshots["snapshot_id"])
    assert scores["admission"].n_unique() > 1
    model = judge_of(small_bundle, policy).model
    sample = scores[::3]
    names = sample["snapshot_id"].to_list()
    people, times = participants(tables, names), observed_seconds(tables, names).tolist()
    for row, person, now in zip(sample.iter_rows(named=True), people, times, strict=True):
        age = model.assess_participant(person, now).age
        lines = policy.for_participant(person.located_region)
        assert row["participant_id"] == person.participant_id
        assert row["probability_minor"] == age.probability_below(max(lines.adult_ages))
        assert tuple(row[band] for band in BANDS) == age.band_probabilities()
        assert row["admission"] == admission(age, lines).value
        assert row["conflict"] == age.conflict


def test_files_say_what_made_them(few: Path, small_bundle: Path, tmp_path: Path) -> None:
    out, ages = tmp_path / "scores.parquet", tmp_path / "ages.parquet"
    call = ["score", "--tables", str(few), "--bundle", str(small_bundle)]
    assert main([*call, "--out", str(out), "--ages", str(ages)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ages.parquet", "scores.parquet"]
    for path in (out, ages):
        metadata = pq.read_schema(path).metadata
        version = load_bundle(small_bundle).version
        assert metadata[b"pairguard.bundle_version"] == version.encode()
    assert pl.read_parquet(out).height == pl.read_parquet(few / "pairs.parquet").height
    again = tmp_path / "again.parquet"
    assert main([*call, "--out", str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()
    assert main([*call, "--out", str(out)]) == EXIT_REFUSED
    assert main([*call]) == EXIT_REFUSED
    assert main([*call, "--out", str(tmp_path), "--replace"]) == EXIT_REFUSED
    assert main([*call, "--out", str(out), "--ages", str(out), "--replace"]) == EXIT_REFUSED


def test_a_run_that_fails_late_leaves_no_file(
    few: Path, small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(score, "age_scores", stop)  # after all pairs are scored
    files = ["--out", str(tmp_path / "scores.parquet"), "--ages", str(tmp_path / "ages.parquet")]
    call = ["score", "--tables", str(few), "--bundle", str(small_bundle)]
    assert main([*call, *files]) == EXIT_REFUSED
    assert list(tmp_path.iterdir()) == []
