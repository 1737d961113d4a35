"""The check of tables: every problem at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from pairguard_training.__main__ import EXIT_REFUSED, main
from tests.unit.training.tables_of_rows import DAY_0, snapshot, tables_of_rows


def write(directory: Path, **tables: list[dict[str, object]]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, rows in tables.items():
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(directory / f"{name}.parquet")
    return directory


def test_every_problem_of_every_table_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = DAY_0 + timedelta(days=9_999)
    write(
        tmp_path,
        snapshots=[
            snapshot("x", region=7.5),
            snapshot("x"),
            snapshot("z", observed_time=late, **{"signal.typing": "fast"}),
        ],
        age_evidence=[
            {"snapshot_id": "x", "kind": "horoscope"},
            {"snapshot_id": "gone", "kind": "verified_age", "age_years": 200.0},
        ],
        pairs=[
            {
                "pair_id": "p",
                "snapshot_a": "x",
                "snapshot_b": "missing",
                "proposed_time": DAY_0,
                "allow_probability": float("nan"),
                "decision": "PERHAPS",
            }
        ],
        outcomes=[{"pair_id": "q", "kind": "report", "duration_seconds": -1.0}],
        age_labels=[{"participant_id": "x", "age_years": None}, {"participant_id": "x"}],
    )
    assert main(["check", "--tables", str(tmp_path)]) == EXIT_REFUSED
    said = capsys.readouterr().err
    for problem in (
        "snapshots.region: holds Float64, which is no text",
        "snapshots.snapshot_id: holds an id that another row holds too",
        "snapshots.observed_time: is later than",
        "snapshots.signal.typing: holds String, which is no number",
        "age_evidence.kind: unknown word 'horoscope'",
        "age_evidence.age_years: is above 120",
        "age_evidence.snapshot_id: refers to nothing",
        "age_evidence: verified_age needs method",
        "pairs.snapshot_b: refers to nothing",
        "pairs.allow_probability: is NaN",
        "pairs.decision: unknown word 'PERHAPS'",
        "outcomes.pair_id: refers to nothing",
        "outcomes.duration_seconds: is below 0",
        "age_labels.participant_id: holds an id that another row holds too",
        "age_labels.age_years: is missing",
    ):
        assert problem in said


def test_a_table_that_cannot_be_read_hides_no_problem_of_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        tmp_path,
        snapshots=[snapshot("x")],
        age_evidence=[{"snapshot_id": "gone", "kind": "self_declared", "age_years": 20.0}],
        outcomes=[{"pair_id": "q", "kind": "report"}],
    )
    (tmp_path / "pairs.parquet").write_bytes(b"no parquet")
    assert main(["check", "--tables", str(tmp_path)]) == EXIT_REFUSED
    said = capsys.readouterr().err
    assert "pairs.parquet: not a readable Parquet file" in said
    assert "age_evidence.snapshot_id: refers to nothing" in said
    assert "outcomes.pair_id" not in said  # nobody knows which pairs there are


def test_tables_without_a_problem_are_told_with_their_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables_of_rows(tmp_path / "tables", snapshots=[snapshot("x")])
    as_of = ["--as-of", f"{DAY_0 + timedelta(days=1):%Y-%m-%d}"]
    assert main(["check", "--tables", str(tmp_path / "tables"), *as_of]) == 0
    said = capsys.readouterr().out
    assert "no problem was found" in said
    assert f"snapshots: from {DAY_0:%Y-%m-%d}" in said
    assert "no harm model" in said
    # Without a catalogue a fit makes one, and no signal is outside it.
    assert "outside the catalogue" not in said
    before = ["--as-of", f"{DAY_0 - timedelta(days=1):%Y-%m-%d}"]
    assert main(["check", "--tables", str(tmp_path / "tables"), *before]) == EXIT_REFUSED
