from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from pairguard_training.age_labels import SNAPSHOTS_PER_PERSON, age_rows
from tests.unit.training.tables_of_rows import DAY_0, snapshot, tables_of_rows


def test_an_age_moves_with_the_time_between_check_and_snapshot(tmp_path: Path) -> None:
    tables = tables_of_rows(
        tmp_path,
        snapshots=[snapshot("a"), snapshot("b"), snapshot("c"), snapshot("nobody")],
        age_labels=[
            {"participant_id": "a", "age_years": 17.25, "verified_time": DAY_0},
            {
                "participant_id": "b",
                "age_years": 17.0,
                "verified_time": DAY_0 - timedelta(days=365.25 * 2),
            },
            {"participant_id": "c", "age_years": 30.0, "verified_time": None},
        ],
    )
    rows = age_rows(tables)
    assert rows.snapshot_ids == ["a", "b", "c"]
    # A whole number is a whole year of life: its middle.
    assert rows.ages == pytest.approx([17.25, 19.5, 30.5])


def test_a_person_weighs_its_sampling_probability_however_many_snapshots(tmp_path: Path) -> None:
    times = [DAY_0 + timedelta(days=day) for day in range(9)]
    snapshots = [
        snapshot(f"a{i}", participant_id="a", observed_time=time) for i, time in enumerate(times)
    ]
    snapshots += [snapshot("b"), snapshot("c"), snapshot("d")]
    labels = [("a", 0.25), ("b", 0.5), ("c", None), ("d", 0.0)]
    tables = tables_of_rows(
        tmp_path,
        snapshots=snapshots,
        age_labels=[
            {"participant_id": name, "age_years": 20.0, "sampling_probability": probability}
            for name, probability in labels
        ],
    )
    rows = age_rows(tables)
    assert rows.participants.count("a") == SNAPSHOTS_PER_PERSON
    of_a = np.array(rows.participants) == "a"
    assert rows.weights[of_a].sum() == pytest.approx(4.0)
    assert rows.where(~of_a).weights == pytest.approx([2.0, 1.0, 200.0])
    assert rows.people == 4
    assert age_rows(tables, snapshots_per_person=None).participants.count("a") == 9


def test_unequal_weights_count_as_fewer_people(tmp_path: Path) -> None:
    tables = tables_of_rows(
        tmp_path,
        snapshots=[snapshot(f"p{i}") for i in range(10)],
        age_labels=[
            {
                "participant_id": f"p{i}",
                "age_years": 20.0,
                "sampling_probability": 0.01 if i == 0 else 1.0,
            }
            for i in range(10)
        ],
    )
    assert age_rows(tables).effective_people == pytest.approx(109**2 / (100**2 + 9))
