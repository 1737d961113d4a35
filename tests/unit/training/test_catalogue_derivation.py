"""A catalogue for data from anybody: what the columns are, and nothing that they do not say."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest

from pairguard.bundle.defaults import default_catalogue
from pairguard.errors import TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.signal import Direction, SignalKind, SignalSource
from pairguard_training.tables.catalogue_derivation import derive_catalogue
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import read_tables
from tests.unit.training.data_set import NOW, write

Column = Sequence[object] | pl.Series


def _snapshots(columns: Mapping[str, Column]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    fixed: dict[str, Column] = {
        "snapshot_id": [f"s{row}" for row in range(count)],
        "participant_id": [f"p{row}" for row in range(count)],
        "observed_time": [NOW] * count,
    }
    return pl.DataFrame({**fixed, **columns})


def _derive(tmp_path: Path, columns: Mapping[str, Column]) -> SignalCatalogue:
    tables = read_tables(write(tmp_path, {"snapshots": _snapshots(columns)}))
    return derive_catalogue(tables.snapshots)


def test_kinds_and_ranges_come_from_the_values(tmp_path: Path) -> None:
    catalogue = _derive(
        tmp_path,
        {
            "signal.time, in seconds": [float(value) for value in range(1999)] + [1e9],
            "signal.muted": [0.0, 1.0] * 1000,
            "signal.always one": [1.0] * 2000,
            "signal.history.reports": [0.0, 3.0] * 1000,
            "signal.nothing": pl.Series([None] * 2000, dtype=pl.Float64),
            "attribute.browser": ["chrome"] * 1200 + ["safari"] * 800,
            "interests": [["films", "music"]] * 500 + [["music"]] * 1500,
        },
    )
    signals = {signal.name: signal for signal in catalogue.signals}
    assert set(signals) == {
        "time, in seconds", "muted", "always one", "history.reports", "browser",
    }  # fmt: skip
    seconds = signals["time, in seconds"]
    assert seconds.kind is SignalKind.NUMBER
    assert (seconds.minimum, seconds.maximum) == (1.0, 1998.0)
    assert seconds.age_input
    assert signals["muted"].kind is SignalKind.FLAG
    assert signals["always one"].kind is SignalKind.NUMBER
    assert signals["history.reports"].source is SignalSource.HISTORY
    assert not signals["history.reports"].age_input
    assert signals["browser"].categories == ("chrome", "safari")
    assert catalogue.interests == ("music", "films")


def test_categories_are_capped_by_frequency(tmp_path: Path) -> None:
    texts = [f"text {index:02d}" for index in range(40) for _ in range(40 - index)]
    catalogue = _derive(tmp_path, {"attribute.kind": texts})
    assert catalogue.signals[0].categories == tuple(f"text {index:02d}" for index in range(32))


def test_the_document_reads_back_and_knows_its_own_rows(tmp_path: Path) -> None:
    columns: dict[str, Column] = {
        'signal.größe, "x"': [1.0, 2.0, 3.0],
        "attribute.a b": ["x", "y\t", "z"],
    }
    tables = read_tables(write(tmp_path, {"snapshots": _snapshots(columns)}))
    catalogue = derive_catalogue(tables.snapshots)
    again = SignalCatalogue.from_mapping(tomllib.loads(catalogue.to_toml()))
    assert again.schema_hash() == catalogue.schema_hash()
    vectors = [again.vector(one) for one in participants(tables)]
    assert [vector.values[0] for vector in vectors] == [1.0, 2.0, 3.0]
    # A category that cannot be a name is unknown, and is said to be.
    assert [len(vector.unknown_names) for vector in vectors] == [0, 1, 0]


def test_one_name_for_a_number_and_a_category_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TablesRefused, match="repeats the name"):
        _derive(tmp_path, {"signal.x": [1.0, 2.0], "attribute.x": ["a", "b"]})


def test_what_the_service_counts_is_what_the_default_catalogue_says(tmp_path: Path) -> None:
    names = ("history.skips_suffered_7d", "history.adult_skip_rate_7d", "history.known_days")
    own = "history.of somebody else"
    columns = {f"signal.{name}": [0.0, 0.25, 1.0] for name in (*names, own)}
    derived = {s.name: s for s in _derive(tmp_path, columns).signals}
    default = {s.name: s for s in default_catalogue().signals}
    assert {name: derived[name] for name in names} == {name: default[name] for name in names}
    assert derived[own].source is SignalSource.HISTORY
    assert derived[own].direction is Direction.NONE
    assert (derived[own].minimum, derived[own].maximum) == (0.0, 1.0)
