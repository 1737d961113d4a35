"""A replay over tables: what they tell, what they do not, and what is simulated."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import polars as pl
import pytest

from pairguard.bundle.defaults import default_policy_text
from pairguard.bundle.loading import load_bundle
from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard_training.__main__ import main
from pairguard_training.replaying.deciding_again import decide_again
from pairguard_training.replaying.result import Replay
from pairguard_training.replaying.tables_source import table_decisions, table_outcomes
from pairguard_training.replaying.tally import PERHAPS, replay
from pairguard_training.tables.reading import read_tables
from pairguard_training.tables.writing import write_frame
from pairguard_training.truth import read_truth

PAIRS = 600
LOOSE = {
    "unknown_may_meet": '"ADULTS_AND_UNKNOWN"',
    "reroute_minor_adult": "0.3",
    "reroute_harm": "0.5",
    "block_harm": "0.5",
    "reroute_risk": "0.5",
}


def policy_text() -> str:
    """Return a policy under which some of the simulated pairs may meet."""
    lines = []
    for line in default_policy_text().splitlines():
        name = line.partition("=")[0].strip()
        lines.append(f"{name} = {LOOSE[name]}" if name in LOOSE else line)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def some_tables(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world with few of its pairs, the oracle's folder left out."""
    directory = tmp_path_factory.mktemp("some") / "tables"
    directory.mkdir()
    for path in small_world.glob("*.parquet"):
        write_frame(directory / path.name, pl.read_parquet(path))
    pairs = pl.read_parquet(directory / "pairs.parquet").sort("proposed_time").head(PAIRS)
    ids = pairs["pair_id"].implode()
    outcomes = pl.read_parquet(directory / "outcomes.parquet")
    write_frame(directory / "pairs.parquet", pairs)
    write_frame(directory / "outcomes.parquet", outcomes.filter(pl.col("pair_id").is_in(ids)))
    return directory


@pytest.fixture(scope="module")
def found(some_tables: Path, small_bundle: Path) -> Replay:
    policy = Policy.from_mapping(tomllib.loads(policy_text()))
    judge = Judge(load_bundle(small_bundle).model, policy)
    tables = read_tables(some_tables)
    outcomes = table_outcomes(tables, read_truth(some_tables, tables), policy, window_days=14)
    return replay(table_decisions(tables), judge, outcomes, served=None, draws=50, seed=1)


def test_every_pair_is_decided_again_and_chance_counts_as_allow(
    found: Replay, some_tables: Path
) -> None:
    pairs = pl.read_parquet(some_tables / "pairs.parquet")
    turned_away = pairs.filter(pl.col("decision") == "REROUTE", pl.col("allow_probability") > 0)

    assert found.decisions == sum(found.transitions.values()) == PAIRS
    assert found.explored == turned_away.height > 0
    allowed = sum(count for (before, _), count in found.transitions.items() if before == "ALLOW")
    assert allowed == (pairs["decision"] == "ALLOW").sum() + found.explored


def test_what_was_stopped_for_an_untold_reason_is_perhaps_allowed(
    found: Replay, some_tables: Path, small_bundle: Path
) -> None:
    tables = read_tables(some_tables)
    policy = Policy.from_mapping(tomllib.loads(policy_text()))
    judge = Judge(load_bundle(small_bundle).model, policy)
    stopped = [
        each
        for each in table_decisions(tables)
        if each.kind is not DecisionKind.ALLOW and not each.was_drawn
    ]
    again = [decide_again(judge, each) for each in stopped]
    perhaps = sum(each.decision.kind is DecisionKind.ALLOW for each in again)

    assert all(each.is_certain is (each.decision.kind is not DecisionKind.ALLOW) for each in again)
    assert sum(n for (_, after), n in found.transitions.items() if after == PERHAPS) == perhaps
    assert found.newly_allowed == perhaps
    assert not any(
        before in ("REROUTE", "BLOCK") and after == "ALLOW" for before, after in found.transitions
    )


def test_groups_add_up(found: Replay) -> None:
    assert sum(each.count for each in found.by_region.values()) == PAIRS
    assert sum(each.count for each in found.by_pair.values()) == PAIRS
    assert sum(each.count for each in found.by_participant.values()) == 2 * PAIRS
    assert found.overall.asked_before is None


def test_harm_is_that_of_the_labels(found: Replay) -> None:
    assert found.harmed is not None
    assert 0 < found.harmed.harmed < found.harmed.met < PAIRS
    assert found.harmed.harmed_stopped <= found.harmed.stopped


def test_the_command_names_a_simulation_and_writes_null_for_what_is_unknown(
    small_world: Path,
    some_tables: Path,
    small_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "policy.toml").write_text(policy_text(), encoding="utf-8")
    out = tmp_path / "replay.json"
    texts = ["replay", "--bundle", str(small_bundle), "--policy", str(tmp_path / "policy.toml")]
    few = ["--until", "2026-01-06T00:00:00Z", "--resamples", "10", "--out", str(out)]

    assert main([*texts, "--tables", str(some_tables), *few]) == 0
    said = capsys.readouterr().out
    assert "SIMULATED" not in said
    assert "what would come" in said or "unknown" in said
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["source"] == "tables"
    assert found["overall"]["asked_before"] is None
    assert found["ignored"].startswith("Each decision stands for itself")

    assert main([*texts, "--tables", str(small_world), *few]) == 0
    assert "SIMULATED" in capsys.readouterr().out
