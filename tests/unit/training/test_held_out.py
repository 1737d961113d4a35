from __future__ import annotations

from pathlib import Path

import pytest

from pairguard.bundle.manifest import REQUIRED_FILES, Manifest
from pairguard.errors import ConfigurationRefused
from pairguard_training.commands.fit import held_out_share
from pairguard_training.held_out import judging_split, split_figures
from pairguard_training.splitting import Part, split_tables
from tests.unit.training.tables_of_rows import snapshot, tables_of_rows


def manifest(share: float | None) -> Manifest:
    return Manifest(
        created="2026-01-31T12:00:00Z",
        files=dict.fromkeys(REQUIRED_FILES, "a" * 64),
        schema_hash="b" * 64,
        data_hash="c" * 64,
        seeds={"fit": 3},
        metrics={} if share is None else {"split": split_figures(share)},
    )


def test_a_bundle_is_judged_on_those_that_its_fit_held_out(tmp_path: Path) -> None:
    tables = tables_of_rows(tmp_path, snapshots=[snapshot(f"p{i}") for i in range(500)])
    for share, expected in ((0.4, 0.4), (None, 0.25)):
        split = judging_split(manifest(share), tables, seed=1, unseen=False)
        assert split == split_tables(tables, seed=3, test_share=expected)


def test_a_bundle_that_everybody_taught_is_judged_on_others_only(tmp_path: Path) -> None:
    tables = tables_of_rows(tmp_path, snapshots=[snapshot(f"p{i}") for i in range(500)])
    with pytest.raises(ConfigurationRefused, match="held nobody out"):
        judging_split(manifest(0.0), tables, seed=1, unseen=False)
    others = judging_split(manifest(0.0), tables, seed=1, unseen=True)
    assert Part.TEST in others.parts.values()


def test_the_share_to_hold_out_is_enough_or_nothing() -> None:
    assert held_out_share("0") == 0.0
    assert held_out_share("0.1") == 0.1
    for wrong in ("0.05", "0.51", "1", "-0.2", "nan"):
        with pytest.raises(Exception, match="must be"):
            held_out_share(wrong)
