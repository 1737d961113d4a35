from __future__ import annotations

import json
from pathlib import Path

import pytest

from pairguard_training.__main__ import main
from pairguard_training.commands import quality as command
from pairguard_training.quality.measuring import OURS, SIDE_BY_SIDE, Quality
from pairguard_training.quality.sizes import SIZES, Platform, Sizes
from pairguard_training.resampling import Estimate

TINY = Sizes(
    mixed=((1.25, Platform(900, 1_000, 700)),),
    mixed_judged=Platform(300, 400),
    harm=Platform(1_200, 14_000),
    harm_judged=Platform(500, 3_000),
    negatives=0.3,
    resamples=5,
)


def test_both_measurements_are_printed_with_seeds_and_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SIZES, "small", TINY)
    out = tmp_path / "quality.json"
    assert main(["quality", "--size", "small", "--seed", "7", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    for words in ("SIMULATED", "seed 7, judged on seed 1007", "oracle", "ratio", "verified people"):
        assert words in shown
    mixed, harm = json.loads(out.read_bytes())["measurements"]
    assert mixed["learned_seed"] == 7
    assert mixed["judged_seed"] == 1007
    assert 600 < mixed["counts"]["verified people"] < 800
    # Another platform is judged, so that nobody is held out.
    assert mixed["counts"]["of them taught ages"] == mixed["counts"]["verified people"]
    for found in (*mixed["measures"].values(), *harm["measures"].values()):
        assert set(found) == {"value", "low", "high"}
    assert {OURS, "oracle", SIDE_BY_SIDE, "ratio"} <= set(harm["measures"])
    assert harm["counts"]["judged true positives"] > 0
    assert not list(tmp_path.glob(".*"))


def test_what_the_aim_is_stands_beside_the_ratio() -> None:
    one = Quality("mixed", 1, 2, {"people": 3}, {"ratio": Estimate(1.2, 1.1, 1.3)}, 1.25)
    other = Quality("harm", 1, 2, {}, {"ratio": Estimate(0.6, 0.5, 0.7)}, 0.55)
    assert "1.2000 [1.1000, 1.3000]  (at most 1.25 is the aim)" in command.quality_text(one)
    assert "(at least 0.55 is the aim)" in command.quality_text(other)


def test_the_full_size_is_that_of_the_aims() -> None:
    full = SIZES["full"]
    assert [platform.verified for _, platform in full.mixed] == [30_000, 4_000]
    assert [bound for bound, _ in full.mixed] == [1.25, 1.5]
