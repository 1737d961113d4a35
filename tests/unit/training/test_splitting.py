from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from pairguard_training.splitting import Part, hash_fraction, split_tables
from tests.unit.training.tables_of_rows import DAY_0, snapshot, tables_of_rows


def test_everybody_connected_through_households_falls_into_one_part(tmp_path: Path) -> None:
    rows = [
        snapshot(f"{home}-{person}", cluster_id=f"home-{home}")
        for home in range(100)
        for person in range(3)
    ]
    # One person of each home is seen in the next home too, for the first fifty: a long chain.
    rows += [
        snapshot(f"again-{home}", participant_id=f"{home}-0", cluster_id=f"home-{home + 1}")
        for home in range(50)
    ]
    split = split_tables(tables_of_rows(tmp_path, snapshots=rows), seed=1)
    for home in range(51, 100):
        assert len({split.parts[f"{home}-{person}"] for person in range(3)}) == 1
    chain = {split.parts[f"{home}-{person}"] for home in range(51) for person in range(3)}
    assert len(chain) == 1
    assert len({split.groups[f"{home}-0"] for home in range(51)}) == 1


def test_shares_are_about_those_wanted_and_follow_the_seed(tmp_path: Path) -> None:
    tables = tables_of_rows(tmp_path, snapshots=[snapshot(f"p{i}") for i in range(4_000)])
    first, again, other = (split_tables(tables, seed=seed).parts for seed in (1, 1, 2))
    assert first == again
    assert first != other
    shares = {part: sum(p is part for p in first.values()) / 4_000 for part in Part}
    assert shares[Part.TRAIN] == pytest.approx(0.5, abs=0.04)
    assert shares[Part.CALIBRATION] == pytest.approx(0.25, abs=0.04)


def test_pairs_across_parts_are_left_out_and_the_test_is_later(tmp_path: Path) -> None:
    people = [f"p{i}" for i in range(60)]
    pairs = [
        {
            "pair_id": f"{a}-{b}",
            "snapshot_a": a,
            "snapshot_b": b,
            "proposed_time": DAY_0 + timedelta(hours=hash_fraction(f"{a}{b}", seed=9) * 240),
        }
        for a in people
        for b in people
        if a < b
    ]
    tables = tables_of_rows(tmp_path, snapshots=[snapshot(p) for p in people], pairs=pairs)
    split = split_tables(tables, seed=1)
    line = split.later_from
    assert line is not None
    seconds = np.array([pair["proposed_time"].timestamp() for pair in pairs])  # type: ignore[attr-defined]
    parts = split.of_pairs(
        [str(p["snapshot_a"]) for p in pairs], [str(p["snapshot_b"]) for p in pairs], seconds
    )
    assert set(parts) == {"", *(part.value for part in Part)}
    for pair, part, time in zip(pairs, parts, seconds, strict=True):
        if part:
            sides = {split.parts[str(pair[side])] for side in ("snapshot_a", "snapshot_b")}
            assert sides == {Part(part)}
            assert (time >= line) == (part == Part.TEST.value)


def test_data_of_one_time_are_divided_by_person_only(tmp_path: Path) -> None:
    tables = tables_of_rows(tmp_path, snapshots=[snapshot(f"p{i}") for i in range(50)])
    split = split_tables(tables, seed=1)
    assert split.later_from is None
    assert all(split.admits(part, 0.0) for part in Part)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_so_many_are_tested_as_are_asked_for_and_fewer_are_among_more(
    tmp_path: Path, share: float
) -> None:
    tables = tables_of_rows(tmp_path, snapshots=[snapshot(f"p{i}") for i in range(4_000)])
    parts = split_tables(tables, seed=1, test_share=share).parts
    shares = {part: sum(p is part for p in parts.values()) / 4_000 for part in Part}
    assert shares[Part.TEST] == pytest.approx(share, abs=0.03)
    assert shares[Part.TRAIN] == pytest.approx(2.0 * shares[Part.CALIBRATION], abs=0.06)
    most = split_tables(tables, seed=1, test_share=0.5).parts
    assert all(most[person] is Part.TEST for person, part in parts.items() if part is Part.TEST)


def test_where_nobody_is_tested_every_time_teaches(tmp_path: Path) -> None:
    rows = [snapshot(f"p{i}", observed_time=DAY_0 + timedelta(hours=i)) for i in range(200)]
    tables = tables_of_rows(tmp_path, snapshots=rows)
    assert split_tables(tables, seed=1).later_from is not None
    split = split_tables(tables, seed=1, test_share=0.0)
    assert Part.TEST not in split.parts.values()
    assert split.later_from is None
