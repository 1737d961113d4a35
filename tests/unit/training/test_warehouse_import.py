"""Tables of a warehouse with other names, by a mapping."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pairguard.bundle.defaults import default_catalogue
from pairguard.errors import TablesRefused
from pairguard_training.__main__ import main
from pairguard_training.exporting.warehouse_import import import_warehouse
from pairguard_training.tables.reading import Tables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAPPING = """
[snapshots]
from = "dim_user"
drop_rows_without = ["participant_id"]

[snapshots.columns]
snapshot_id = "row_key"
participant_id = "user"
observed_time = { column = "ts", unit = "ms" }
entry_path = { constant = "app" }
"signal.median_chat_seconds" = { column = "chat_ms", scale = 0.001, missing = [-1] }
"signal.warmth" = { column = "celsius", scale = 1.8, offset = 32 }
"attribute.client_os" = { column = "plat", values = { "1" = "ios", "2" = "android" } }

[age_labels]
from = "id_checks"

[age_labels.columns]
participant_id = "user"
age_years = "age"
verified_time = { column = "checked", format = "%d/%m/%Y %H:%M", zone = "Europe/Berlin" }
method = { column = "kind", values = { passport = "ID_DOCUMENT" }, default = "MODERATOR" }
"""


def warehouse(directory: Path, **changes: Any) -> Path:
    directory.mkdir()
    rows: dict[str, Any] = {
        "row_key": ["r1", "r2", "r3"],
        "user": ["u1", "u2", None],
        "ts": [1772366400000] * 3,
        "region": ["GB", "FR", None],
        "chat_ms": [4000, -1, 7000],
        "celsius": [10.0, None, 0.0],
        "plat": [1, 2, None],
        "nobody_asked": [1, 2, 3],
    }
    pl.DataFrame(rows | changes).write_parquet(directory / "dim_user.parquet")
    (directory / "id_checks").mkdir()
    pl.DataFrame(
        {"user": ["u1"], "age": [20], "checked": ["01/03/2026 13:00"], "kind": ["passport"]}
    ).write_parquet(directory / "id_checks" / "a.parquet")
    pl.DataFrame(
        {"user": ["u2"], "age": [30], "checked": ["01/07/2026 14:00"], "kind": ["talk"]}
    ).write_parquet(directory / "id_checks" / "b.parquet")
    pl.DataFrame(
        {"pair_id": ["p"], "snapshot_a": ["r1"], "snapshot_b": ["r2"], "proposed_time": [NOON]}
    ).write_parquet(directory / "pairs.parquet")
    return directory


def imported(tmp_path: Path, mapping: str = MAPPING, **changes: Any) -> Tables:
    (tmp_path / "mapping.toml").write_text(mapping)
    return import_warehouse(
        warehouse(tmp_path / "warehouse", **changes),
        tmp_path / "mapping.toml",
        tmp_path / "out",
        catalogue=default_catalogue(),
    )


def problems(tmp_path: Path, mapping: str = MAPPING, **changes: Any) -> tuple[str, ...]:
    with pytest.raises(TablesRefused) as caught:
        imported(tmp_path, mapping, **changes)
    return caught.value.problems


def test_names_units_words_and_times_are_translated(tmp_path: Path) -> None:
    found = imported(tmp_path)
    first, second = found.snapshots.iter_rows(named=True)  # a row without a participant is none
    assert (first["snapshot_id"], first["participant_id"]) == ("r1", "u1")
    assert (first["region"], first["entry_path"]) == (
        "GB",
        "app",
    )  # one of the same name, one fixed
    assert first["observed_time"] == NOON
    assert (first["signal.median_chat_seconds"], second["signal.median_chat_seconds"]) == (
        4.0,
        None,
    )
    assert (first["signal.warmth"], second["signal.warmth"]) == (50.0, None)
    assert (first["attribute.client_os"], second["attribute.client_os"]) == ("ios", "android")
    assert found.age_labels["method"].to_list() == ["ID_DOCUMENT", "MODERATOR"]
    # Berlin is an hour ahead in winter and two in summer.
    assert found.age_labels["verified_time"].to_list() == [
        NOON,
        datetime(2026, 7, 1, 12, tzinfo=UTC),
    ]
    assert found.pairs["pair_id"].to_list() == ["p"]  # a table without a section
    assert any("'warmth'" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("2026-03-01T12:00:00Z", 12), ("2026-03-01 12:00:00", 12), ("2026-03-01T12:00:00+02:00", 10)],
)
def test_times_as_texts_are_read(tmp_path: Path, text: str, hours: int) -> None:
    mapping = MAPPING.replace('{ column = "ts", unit = "ms" }', '"ts"')
    found = imported(tmp_path, mapping, ts=[text] * 3)
    assert found.snapshots["observed_time"][0] == NOON.replace(hour=hours)


def test_every_problem_of_the_mapping_is_told_at_once(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        """
        [snapshots]
        source = "dim_user"
        from = "../other"
        keep_same_names = 1
        drop_rows_without = "user"
        [snapshots.columns]
        nickname = "nick"
        region = { column = "land", constant = "GB" }
        language = { column = "lang", scale = 2 }
        entry_path = 5
        observed_time = { column = "ts", unit = "fortnights", zone = "Middle/Earth" }
        "signal.x" = { column = "x", values = { a = "b" }, scale = "much" }
        [people]
        """,
    )
    for words in (
        "snapshots has no key 'source'",
        "snapshots.from should be the name",
        "keep_same_names should be true or false",
        "drop_rows_without should be a list",
        "snapshots has no column 'nickname'",
        "region should have one of column and constant",
        "language.scale is for numbers alone",
        "entry_path should be the name of their column",
        "observed_time.unit should be one of s, ms, us, ns",
        "no time zone 'Middle/Earth'",
        "signal.x.values is for words alone",
        "signal.x.scale should be a number",
        "unknown section 'people'",
    ):
        assert any(words in problem for problem in told), (words, told)
    assert not (tmp_path / "out").exists()


def test_every_problem_of_the_tables_is_told_at_once(tmp_path: Path) -> None:
    mapping = MAPPING.replace('"id_checks"', '"no_checks"').replace('"user"', '"nobody"', 1)
    told = problems(tmp_path, mapping, plat=[1, 3, None], celsius=["warm", "cold", None])
    for words in (
        "snapshots.participant_id: dim_user has no column 'nobody'",
        "attribute.client_os: '3' in 1 row (row 1) stand not in values",
        "signal.warmth: holds String, which cannot be scaled",
        "age_labels: there is no no_checks.parquet",
    ):
        assert any(words in problem for problem in told), (words, told)


def test_a_time_that_cannot_be_read_is_a_problem_and_no_missing_value(tmp_path: Path) -> None:
    mapping = MAPPING.replace("%d/%m/%Y", "%Y-%m-%d")
    (told,) = problems(tmp_path, mapping)
    assert "age_labels.verified_time: is no time in the format '%Y-%m-%d %H:%M': 2 rows" in told


def test_the_result_is_checked_as_any_tables_are(tmp_path: Path) -> None:
    told = problems(tmp_path, row_key=["r1", "r1", "r3"])
    assert any("another row holds too" in problem for problem in told)


def test_the_command_writes_whole_tables_or_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    source = warehouse(tmp_path / "warehouse")
    command = ["import-tables", "--from", str(source), "--out", str(tmp_path / "out")]
    mapping = ["--mapping", str(tmp_path / "mapping.toml")]
    assert main([*command, *mapping]) == 0
    assert "read: 2 snapshots, 0 items of age evidence, 1 pairs" in capsys.readouterr().out
    assert main([*command, *mapping]) == 2  # what is there is not replaced unasked
    (tmp_path / "mapping.toml").write_text("[snapshots]\nfrom = 'nothing'\n")
    assert main([*command, *mapping, "--replace"]) == 2
    assert (tmp_path / "out" / "snapshots.parquet").is_file()
