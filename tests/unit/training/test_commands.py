from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pairguard.bundle.loading import load_bundle
from pairguard_training.__main__ import EXIT_INTERRUPTED, EXIT_REFUSED, main
from pairguard_training.commands import simulate
from tests.unit.training.tables_of_rows import snapshot, tables_of_rows


def test_from_nothing_to_a_published_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables, fitted, root = (str(tmp_path / name) for name in ("simulated", "fitted", "bundles"))
    size = ["--participants", "600", "--pairs", "2000"]
    assert main(["simulate", "--out", tables, *size]) == 0
    assert main(["fit", "--tables", tables, "--out", fitted]) == 0
    assert main(["evaluate", "--tables", tables, "--bundle", fitted, "--resamples", "5"]) == 0
    page, reported = tmp_path / "report.html", str(tmp_path / "reported")
    report = ["report", "--tables", tables, "--bundle", fitted, "--champion", fitted]
    report += ["--resamples", "5", "--out", str(page), "--with-bundle", reported]
    assert main(report) == 0
    # With the report it is another version of the same models, and the evaluation is still its own.
    metrics = str(tmp_path / "simulated-metrics.json")
    publish = ["publish", reported, "--to", root, "--evaluation", metrics]
    assert main(publish) == EXIT_REFUSED
    for gate in ("real_data", "calibration", "slices"):
        publish += ["--without-gate", gate]
    assert main([*publish, "--why", "simulated, to try it"]) == 0
    shown = capsys.readouterr()
    for step in ("fit --tables", "publish", "SIMULATED", "PAIRGUARD_BUNDLE_PATH"):
        assert step in shown.out
    published = load_bundle(tmp_path / "bundles")
    assert published.version == load_bundle(tmp_path / "reported").version
    assert (
        published.manifest.files["age_tables.json"]
        == (load_bundle(tmp_path / "fitted").manifest.files["age_tables.json"])
    )
    assert (tmp_path / "bundles" / published.version / "report.html").read_bytes() == (
        page.read_bytes()
    )
    assert "something is there" in refused(report, capsys)
    assert json.loads((tmp_path / "simulated-metrics.json").read_bytes())["simulated"] is True


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must be refused without a trace, and return what it said."""
    assert main(arguments) == EXIT_REFUSED
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return shown


def test_every_problem_of_the_tables_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"snapshot_id": ["a", "a"], "participant_id": ["x", "y"]}).write_parquet(
        tmp_path / "snapshots.parquet"
    )
    (tmp_path / "pairs.parquet").write_bytes(b"not parquet")
    said = refused(["fit", "--tables", str(tmp_path), "--out", str(tmp_path / "out")], capsys)
    assert "TABLES_INVALID" in said
    for problem in ("observed_time: the column is missing", "snapshot_id", "pairs.parquet"):
        assert problem in said
    assert not (tmp_path / "out").exists()


def test_a_row_from_the_future_makes_no_pair_look_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    tables_of_rows(tmp_path, snapshots=[snapshot("x"), snapshot("y", observed_time=tomorrow)])
    said = refused(["fit", "--tables", str(tmp_path), "--out", str(tmp_path / "out")], capsys)
    assert "snapshots.observed_time" in said
    assert "is later than" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "--tables", "nowhere", "--out", "x"], "no such folder"),
        (["fit", "--tables", "nowhere", "--out", "x", "--policy", "none.toml"], "none.toml"),
        (["fit", "--tables", "nowhere", "--out", "x", "--catalogue", "no.toml"], "no.toml"),
        (["evaluate", "--tables", "nowhere", "--bundle", "nothing"], "BUNDLE_MISSING"),
        (["report", "--tables", "no", "--bundle", "none", "--out", "x.html"], "BUNDLE_MISSING"),
        (["publish", "nothing", "--to", "root"], "BUNDLE_MISSING"),
        (["import", "no.csv", "--mapping", "no.toml", "--out", "x"], "no.toml"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refused(arguments, capsys)
    assert list(tmp_path.iterdir()) == []


def test_codes_for_missing_are_read_by_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [snapshot(f"p{i}", **{"signal.height": float(i % 3)}) for i in range(30)]
    tables_of_rows(tmp_path / "tables", snapshots=rows)
    fit = ["fit", "--tables", str(tmp_path / "tables"), "--out", str(tmp_path / "out")]
    assert "column=code" in refused([*fit, "--missing", "signal.height"], capsys)
    assert "no column" in refused([*fit, "--missing", "signal.weight=0"], capsys)
    assert main([*fit, "--missing", "signal.height=0"]) == 0
    unknown = load_bundle(tmp_path / "out").reference["columns"]["height"]["unknown_share"]
    assert unknown == pytest.approx(1 / 3, abs=0.2)


def test_nothing_is_overwritten_unasked_and_nothing_foreign_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--participants", "20", "--pairs", "10"]
    out = tmp_path / "world"
    assert main(["simulate", "--out", str(out), *small]) == 0
    before = (out / "snapshots.parquet").read_bytes()
    assert "--replace" in refused(["simulate", "--out", str(out), *small, "--seed", "2"], capsys)
    assert (out / "snapshots.parquet").read_bytes() == before
    assert main(["simulate", "--out", str(out), *small, "--seed", "2", "--replace"]) == 0
    assert (out / "snapshots.parquet").read_bytes() != before
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("years of work")
    refused(["simulate", "--out", str(foreign), *small, "--replace"], capsys)
    assert (foreign / "chapter.txt").read_text() == "years of work"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_a_run_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException | type[BaseException],
) -> None:
    def write_half_and_stop(directory: Path, **_: object) -> None:
        directory.mkdir()
        (directory / "snapshots.parquet").write_bytes(b"half")
        raise error

    monkeypatch.setattr(simulate, "simulate", write_half_and_stop)
    code = main(["simulate", "--out", str(tmp_path / "world")])
    assert code == (EXIT_INTERRUPTED if error is KeyboardInterrupt else EXIT_REFUSED)
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in capsys.readouterr().err


def test_unseen_people_cannot_be_those_of_the_fit(
    small_world: Path, small_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--tables", str(small_world), "--bundle", str(small_bundle)]
    assert "these very tables" in refused([*arguments, "--unseen"], capsys)


def test_a_bundle_is_judged_by_the_report_window_of_its_fit(
    small_world: Path, small_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--tables", str(small_world), "--bundle", str(small_bundle)]
    told = refused([*arguments, "--report-window-days", "7"], capsys)
    assert "fitted with a window of 14 days" in told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["simulate", "--pairs", "-1"],
        ["simulate", "--participants", "none"],
        ["fit", "--tables", "x", "--out", "y", "--created", "yesterday"],
        ["fit", "--tables", "x", "--out", "y", "--report-window-days", "nan"],
        ["fit", "--tables", "x", "--out", "y", "--test-share", "0.05"],
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == EXIT_REFUSED
    assert "usage" in capsys.readouterr().err
