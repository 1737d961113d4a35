"""Reading a data set: right data from anybody runs, wrong data is refused with every reason."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairguard.errors import TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.harm_labels import harm_rows, newest_time
from pairguard_training.tables import files
from pairguard_training.tables.participants import pair_sides, participants
from pairguard_training.tables.reading import read_tables
from pairguard_training.tables.schema import TABLES
from pairguard_training.tables.writing import write_tables
from tests.unit.training.data_set import NOW, frames, write
from tests.unit.training.tables_of_rows import snapshot, tables_of_rows

Frames = dict[str, pl.DataFrame]


def _refusal(directory: Path) -> str:
    with pytest.raises(TablesRefused) as refused:
        read_tables(directory)
    assert "Traceback" not in str(refused.value)
    return "\n".join(refused.value.problems)


def _set(table: str, **columns: object) -> Callable[[Frames], None]:
    """Return a change of whole columns."""

    def change(tables: Frames) -> None:
        tables[table] = tables[table].with_columns(
            **{name: pl.Series(values) for name, values in columns.items()}  # type: ignore[arg-type]
        )

    return change


def _drop(table: str, *columns: str) -> Callable[[Frames], None]:
    def change(tables: Frames) -> None:
        tables[table] = tables[table].drop(columns)

    return change


def test_valid_tables_are_read_with_every_column_in_its_type(tmp_path: Path) -> None:
    tables = read_tables(write(tmp_path, frames()))
    for schema in TABLES:
        frame = getattr(tables, schema.name)
        assert set(frame.columns) >= {column.name for column in schema.columns}
    assert tables.snapshots.schema["observed_time"] == pl.Datetime("us", "UTC")
    assert tables.pairs["bundle_version"].null_count() == 2
    assert tables.snapshots["signal.session_seconds"].to_list() == [12.5, None, None]


def test_only_snapshots_must_be_there(tmp_path: Path) -> None:
    snapshots = frames()["snapshots"].select("snapshot_id", "participant_id", "observed_time")
    tables = read_tables(write(tmp_path, {"snapshots": snapshots}))
    assert tables.snapshots.height == 3
    assert tables.snapshots["region"].null_count() == 3
    assert [tables.pairs.height, tables.outcomes.height, tables.age_labels.height] == [0, 0, 0]
    assert tables.age_evidence.height == 0


def test_tables_that_were_read_can_be_written_and_read_again(tmp_path: Path) -> None:
    first = read_tables(write(tmp_path / "first", frames()))
    written = {schema.name: getattr(first, schema.name) for schema in TABLES}
    write_tables(tmp_path / "second", written)
    second = read_tables(tmp_path / "second")
    for schema in TABLES:
        again = getattr(second, schema.name)
        assert again.select(sorted(again.columns)).equals(
            written[schema.name].select(sorted(again.columns))
        )


def test_a_folder_of_parts_is_one_table(tmp_path: Path) -> None:
    tables = frames()
    snapshots = tables.pop("snapshots")
    write(tmp_path, tables)
    parts = tmp_path / "snapshots"
    (parts / "day=1").mkdir(parents=True)
    snapshots[:2].write_parquet(parts / "day=1" / "one.parquet")
    # A part without optional columns, and with an integer where others have numbers.
    snapshots[2:].select(
        "snapshot_id", "participant_id", "observed_time", pl.lit(1).alias("signal.vpn")
    ).write_parquet(parts / "two.parquet")
    (parts / "_temporary.parquet").write_bytes(b"half a file")
    read = read_tables(tmp_path)
    assert read.snapshots["snapshot_id"].to_list() == ["s1", "s2", "s3"]
    assert read.snapshots["signal.vpn"].to_list() == [0.0, 1.0, 1.0]
    assert read.warnings == () or "day" not in " ".join(read.warnings)


def test_parts_may_have_their_columns_in_any_order(tmp_path: Path) -> None:
    snapshots = frames()["snapshots"]
    (tmp_path / "snapshots").mkdir()
    snapshots[:2].write_parquet(tmp_path / "snapshots" / "1.parquet")
    snapshots[2:].select(reversed(snapshots.columns)).write_parquet(
        tmp_path / "snapshots" / "2.parquet"
    )
    problems: list[str] = []
    found = files.read_parts(tmp_path, files.table_files(tmp_path, "snapshots"), problems)
    assert found.equals(snapshots)
    assert problems == []
    assert read_tables(tmp_path).snapshots["snapshot_id"].to_list() == ["s1", "s2", "s3"]


def test_the_data_hash_follows_the_bytes(tmp_path: Path) -> None:
    first = read_tables(write(tmp_path / "first", frames())).data_hash
    again = read_tables(write(tmp_path / "again", frames())).data_hash
    changed = frames()
    _set("pairs", wait_seconds=[2.0, 3.5])(changed)
    assert first == again != read_tables(write(tmp_path / "changed", changed)).data_hash
    assert len(first) == 64


def test_harmless_types_are_brought_to_the_schema(tmp_path: Path) -> None:
    tables = frames()
    tables["snapshots"] = tables["snapshots"].with_columns(
        pl.col("region").cast(pl.Categorical),
        pl.col("signal.vpn").cast(pl.Int8),
        pl.col("observed_time").dt.replace_time_zone(None).dt.cast_time_unit("ms"),
        pl.lit(None).alias("language"),
        pl.lit(None).cast(pl.Float64).alias("entry_path"),
        pl.Series("participant_id", [1, 2, 3]),
        pl.Series("attribute.browser", ["chrome", "", None]),
    )
    tables["age_labels"] = tables["age_labels"].with_columns(
        pl.lit("2").alias("participant_id"), pl.lit(17).alias("age_years")
    )
    tables["age_evidence"] = tables["age_evidence"].with_columns(
        pl.col("birth_year").cast(pl.Float64), pl.col("lower_years").cast(pl.Float64)
    )
    tables["pairs"] = tables["pairs"].with_columns(pl.Series("chat_started", [1, 0]))
    read = read_tables(write(tmp_path, tables))
    assert read.snapshots["region"].to_list() == ["GB", "US", None]
    assert read.snapshots["signal.vpn"].to_list() == [0.0, 1.0, None]
    assert read.snapshots["observed_time"][0] == NOW
    assert read.snapshots["participant_id"].to_list() == ["1", "2", "3"]
    assert read.snapshots["attribute.browser"].to_list() == ["chrome", None, None]
    assert read.age_labels["age_years"].to_list() == [17.0]
    assert read.age_evidence["birth_year"].to_list()[0] == 2004
    assert read.pairs["chat_started"].to_list() == [True, False]


def test_signals_may_have_any_name(tmp_path: Path) -> None:
    tables = frames()
    names = ["time, in seconds", "größe (cm)", "Screen Width", "screen width", "年齢", "a.b"]
    tables["snapshots"] = tables["snapshots"].with_columns(
        pl.lit(float(index)).alias(f"signal.{name}") for index, name in enumerate(names)
    )
    read = read_tables(write(tmp_path, tables))
    assert all(f"signal.{name}" in read.snapshots.columns for name in names)
    warned = " ".join(read.warnings)
    assert "one value only" in warned
    assert "differ in case" in warned


def test_columns_outside_the_schema_are_ignored_and_named(tmp_path: Path) -> None:
    tables = frames()
    tables["pairs"] = tables["pairs"].with_columns(pl.lit(1).alias("a note"))
    read = read_tables(write(tmp_path, tables))
    assert "a note" not in read.pairs.columns
    assert any("'a note'" in warning for warning in read.warnings)


def test_times_without_a_zone_are_taken_as_utc_and_named(tmp_path: Path) -> None:
    tables = frames()
    told = read_tables(write(tmp_path / "with", tables))
    assert not any("time zone" in warning for warning in told.warnings)
    without = pl.col("observed_time").dt.replace_time_zone(None)
    tables["snapshots"] = tables["snapshots"].with_columns(without)
    found = read_tables(write(tmp_path / "without", tables))
    assert (
        "snapshots: times without a time zone are taken as UTC: 'observed_time'" in found.warnings
    )
    assert found.snapshots["observed_time"].equals(told.snapshots["observed_time"])


def test_codes_for_missing_become_null(tmp_path: Path) -> None:
    tables = frames()
    _set("snapshots", **{"signal.vpn": [0.0, 1.0, -1.0], "signal.session_seconds": [0, -1, 7]})(
        tables
    )
    _set("age_evidence", birth_year=[2004, 0, 0, 0, 0])(tables)
    codes: dict[str, list[float | str]] = {
        "signal.vpn": [-1],
        "signal.session_seconds": [0, -1],
        "age_evidence.birth_year": [0],
        "attribute.browser": ["chrome"],
    }
    read = read_tables(write(tmp_path, tables), missing_codes=codes)
    assert read.snapshots["signal.vpn"].to_list() == [0.0, 1.0, None]
    assert read.snapshots["signal.session_seconds"].to_list() == [None, None, 7.0]
    assert read.age_evidence["birth_year"].null_count() == 4
    assert read.snapshots["attribute.browser"].null_count() == 3
    with pytest.raises(TablesRefused, match=r"no column 'signal\.other' in snapshots"):
        read_tables(tmp_path, missing_codes={"signal.other": [0]})
    with pytest.raises(TablesRefused, match="should be numbers"):
        read_tables(tmp_path, missing_codes={"signal.vpn": ["none"]})


def test_a_lonely_minus_one_is_pointed_out(tmp_path: Path) -> None:
    tables = frames()
    _set("snapshots", **{"signal.session_seconds": [-1.0, 5.0, 7.0]})(tables)
    read = read_tables(write(tmp_path, tables))
    assert any("'signal.session_seconds' is -1 in 33.3%" in text for text in read.warnings)


def test_signals_outside_the_catalogue_are_named(tmp_path: Path) -> None:
    catalogue = SignalCatalogue.from_mapping(
        {"signals": [{"name": "vpn", "kind": "flag"}, {"name": "height", "kind": "number"}]}
    )
    warnings = " ".join(read_tables(write(tmp_path, frames()), catalogue=catalogue).warnings)
    assert "outside the catalogue are ignored" in warnings
    assert "'session_seconds'" in warnings
    assert "without a column: 'height'" in warnings


_BAD: dict[str, tuple[Callable[[Frames], None], tuple[str, ...]]] = {
    "a required column is missing": (
        _drop("snapshots", "participant_id"),
        ("snapshots.participant_id: the column is missing",),
    ),
    "a required value is missing": (
        _set("snapshots", participant_id=["a", None, ""]),
        ("snapshots.participant_id: is missing", "2 rows (row 1, 2)"),
    ),
    "text where a number is due": (
        _set("snapshots", **{"signal.vpn": ["no", "yes", "no"]}),
        ("snapshots.signal.vpn: holds String, which is no number",),
    ),
    "seconds where a timestamp is due": (
        _set("pairs", proposed_time=[1_700_000_000, 1_700_000_001]),
        ("pairs.proposed_time: holds Int64, which is no timestamp",),
    ),
    "a fraction where a whole number is due": (
        _set("age_evidence", lower_years=[None, None, None, 16.5, None]),
        ("age_evidence.lower_years: holds Float64, which is no whole number",),
    ),
    "texts that are no list": (
        _set("snapshots", interests=["music", None, None]),
        ("snapshots.interests: holds String, which is no list of texts",),
    ),
    "a flag that is neither": (
        _set("pairs", chat_started=[2, 0]),
        ("pairs.chat_started: holds Int64, which is no true or false",),
    ),
    "an id twice": (
        _set("snapshots", snapshot_id=["s1", "s2", "s2"]),
        ("snapshots.snapshot_id: holds an id that another row holds too: 2 rows (row 1, 2)",),
    ),
    "two labels of one participant": (
        lambda t: t.update(age_labels=pl.concat([t["age_labels"], t["age_labels"]])),
        ("age_labels.participant_id: holds an id that another row holds too",),
    ),
    "evidence of nobody": (
        _set("age_evidence", snapshot_id=["s1", "s1", "s1", "s2", "s9"]),
        ("age_evidence.snapshot_id: refers to nothing in snapshots.snapshot_id: 1 row (row 4)",),
    ),
    "a pair with nobody": (
        _set("pairs", snapshot_b=["s2", "s9"]),
        ("pairs.snapshot_b: refers to nothing",),
    ),
    "an outcome of no pair": (
        _set("outcomes", pair_id=["p1", "p9"]),
        ("outcomes.pair_id: refers to nothing in pairs.pair_id",),
    ),
    "a participant with themself": (
        _set("pairs", snapshot_b=["s1", "s3"]),
        ("pairs: both snapshots belong to one participant: 1 row (row 0)",),
    ),
    "unknown words": (
        _set("age_evidence", binding=["ACCOUNT", "BINDING_DEVICE", None, "device", None]),
        ("age_evidence.binding: unknown word 'BINDING_DEVICE', 'device' in 2 rows", "LIVE_PERSON"),
    ),
    "an unknown kind": (
        _set("age_evidence", kind=["horoscope"] * 5),
        ("age_evidence.kind: unknown word 'horoscope'", "self_declared"),
    ),
    "a decision in other words": (
        _set("pairs", decision=["allow", "REROUTE"]),
        ("pairs.decision: unknown word 'allow'",),
    ),
    "a method of another kind": (
        _set("age_evidence", method=[None, None, "MODERATOR", None, "ID_DOCUMENT"]),
        ("method of age_check must be one of",),
    ),
    "a birth year out of range": (
        _set("age_evidence", birth_year=[1066, None, None, None, None]),
        ("age_evidence.birth_year: is below 1890",),
    ),
    "somebody born tomorrow": (
        _set("age_evidence", birth_year=[2027, None, None, None, None]),
        ("age_evidence.birth_year: gives an age outside 0-120 years",),
    ),
    "an age out of range": (
        _set("age_labels", age_years=[121.0]),
        ("age_labels.age_years: is above 120",),
    ),
    "an age below nothing": (
        _set("age_evidence", mean_years=[None, -3.0, None, None, None]),
        ("age_evidence.mean_years: is below 0",),
    ),
    "NaN where null is due": (
        _set("age_evidence", mean_years=[None, float("nan"), None, None, None]),
        ("age_evidence.mean_years: is NaN; a value that is absent is null",),
    ),
    "an infinite signal": (
        _set("snapshots", **{"signal.session_seconds": [float("inf"), 1.0, float("-inf")]}),
        ("snapshots.signal.session_seconds: is infinite: 2 rows (row 0, 2)",),
    ),
    "a time before time": (
        _set("pairs", proposed_time=[datetime(1969, 1, 1), datetime(2026, 1, 1)]),  # noqa: DTZ001
        ("pairs.proposed_time: is before 1970",),
    ),
    "a negative duration": (
        _set("outcomes", duration_seconds=[-1.0, None]),
        ("outcomes.duration_seconds: is below 0",),
    ),
    "a probability above one": (
        _set("pairs", allow_probability=[1.5, 0.0]),
        ("pairs.allow_probability: is above 1",),
    ),
    "bounds that cross": (
        _set("age_evidence", upper_years=[None, None, None, 15, None]),
        ("age_evidence: lower_years is above upper_years: 1 row (row 3)",),
    ),
    "a range without bounds": (
        _set("age_evidence", upper_years=[None] * 5, lower_years=[None] * 5),
        ("platform_age_range needs lower_years or upper_years",),
    ),
    "an age and a birth year": (
        _set("age_evidence", age_years=[21.0, None, None, None, 17.0]),
        ("self_declared needs one of age_years and birth_year, not both",),
    ),
    "an estimate without a mean": (
        _set("age_evidence", mean_years=[None] * 5),
        ("facial_age_estimate needs mean_years",),
    ),
    "evidence from the future": (
        _set("age_evidence", observed_time=[NOW + timedelta(days=1)] * 5),
        ("age_evidence.observed_time: is later than the observed_time of its snapshot",),
    ),
    "no rows": (
        lambda t: t.update({name: frame.clear() for name, frame in t.items()}),
        ("snapshots: has no rows",),
    ),
}


@pytest.mark.parametrize("case", _BAD)
def test_bad_data_is_refused_with_what_where_and_what_would_be_right(
    tmp_path: Path, case: str
) -> None:
    change, expected = _BAD[case]
    tables = frames()
    change(tables)
    message = _refusal(write(tmp_path, tables))
    for part in expected:
        assert part in message


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    tables = frames()
    for case in ("an id twice", "unknown words", "a negative duration", "an age out of range"):
        _BAD[case][0](tables)
    problems = _refusal(write(tmp_path, tables)).splitlines()
    tables_named = {problem.split(".")[0].split(":")[0] for problem in problems}
    assert tables_named >= {"snapshots", "age_evidence", "outcomes", "age_labels"}


@pytest.mark.parametrize("case", _BAD)
def test_problems_are_the_same_however_small_the_parts_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    tables = frames()
    _BAD[case][0](tables)
    write(tmp_path, tables)
    at_once = _refusal(tmp_path)
    for rows in (1, 2):
        monkeypatch.setattr(files, "_ROWS_AT_ONCE", rows)
        assert _refusal(tmp_path) == at_once
        with pytest.raises(TablesRefused) as refused:
            read_tables(tmp_path, for_fitting=True)
        assert "\n".join(refused.value.problems) == at_once


def test_rows_are_counted_over_all_parts_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_ROWS_AT_ONCE", 2)
    tables = frames()
    _set("age_evidence", binding=["a", "DEVICE", "c", "b", "a"], snapshot_id=["s9"] * 5)(tables)
    _set("snapshots", snapshot_id=["s1", "s2", "s1"])(tables)
    problems = _refusal(write(tmp_path, tables))
    assert "unknown word 'a', 'b', 'c' in 4 rows (row 0, 2, 3, 4)" in problems
    assert "refers to nothing in snapshots.snapshot_id: 5 rows (row 0, 1, 2, 3, 4)" in problems
    assert "an id that another row holds too: 2 rows (row 0, 2)" in problems


def test_a_part_without_any_value_takes_the_type_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_ROWS_AT_ONCE", 1)
    tables = frames()
    values = [None, 2.5, None]
    tables["snapshots"] = tables["snapshots"].with_columns(pl.Series("audit.height", values))
    read = read_tables(write(tmp_path, tables))
    assert read.snapshots["audit.height"].to_list() == values
    assert read.snapshots["audit.sex"].to_list() == ["male", "female", None]


def test_what_is_kept_for_a_fit_is_what_the_whole_tables_say(
    small_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_tables(small_world)
    monkeypatch.setattr(files, "_ROWS_AT_ONCE", 1_000)
    kept = read_tables(small_world, for_fitting=True)
    assert kept.data_hash == whole.data_hash
    assert kept.warnings == whole.warnings
    assert kept.rows == {schema.name: getattr(whole, schema.name).height for schema in TABLES}
    for before_labels in (False, True):
        assert participants(kept, before_labels=before_labels) == participants(
            whole, before_labels=before_labels
        )
    for one, other in zip(pair_sides(kept), pair_sides(whole), strict=True):
        assert np.array_equal(one, other)
    assert newest_time(kept) == newest_time(whole)
    found, expected = harm_rows(kept), harm_rows(whole)
    assert found.pair_ids == expected.pair_ids
    assert found.reports == expected.reports
    for name in ("first", "second", "seconds", "harmed", "by_a", "by_b", "allow_probability"):
        assert np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=True)
    assert kept.outcomes.height < whole.outcomes.height / 2
    assert kept.snapshots.estimated_size() < whole.snapshots.estimated_size()


def test_ids_of_people_are_never_repeated_in_a_message(tmp_path: Path) -> None:
    tables = frames()
    _set("snapshots", snapshot_id=["secret-1"] * 3, participant_id=["secret-2"] * 3)(tables)
    assert "secret" not in _refusal(write(tmp_path, tables))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "no such folder" in _refusal(tmp_path / "nowhere")
    assert "snapshots: no file" in _refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", b"PAR1" * 50])
def test_unreadable_files_are_named_and_nothing_else_is_blamed(
    tmp_path: Path, content: bytes
) -> None:
    write(tmp_path, frames())
    (tmp_path / "snapshots.parquet").write_bytes(content)
    problems = _refusal(tmp_path).splitlines()
    assert len(problems) == 1
    assert problems[0].startswith("snapshots.parquet: ")


def test_damaged_files_are_refused_or_read_but_never_crash(tmp_path: Path) -> None:
    write(tmp_path, frames())
    path = tmp_path / "snapshots.parquet"
    whole = path.read_bytes()
    rng = random.Random(5)
    refused = 0
    for _ in range(120):
        damaged = bytearray(whole[: rng.choice([len(whole), rng.randrange(len(whole))])])
        for _ in range(rng.randrange(1, 6)):
            if damaged:
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            read_tables(tmp_path)
        except TablesRefused:
            refused += 1
    assert refused > 60


def test_a_column_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, frames())
    table = frames()["snapshots"].to_arrow()
    doubled = table.append_column("signal.vpn", table.column("signal.vpn"))
    pq.write_table(doubled, tmp_path / "snapshots.parquet")
    assert "more than once: 'signal.vpn'" in _refusal(tmp_path)


def test_parts_that_disagree_are_refused(tmp_path: Path) -> None:
    tables = frames()
    snapshots = tables.pop("snapshots")
    write(tmp_path, tables)
    (tmp_path / "snapshots").mkdir()
    snapshots[:2].write_parquet(tmp_path / "snapshots" / "1.parquet")
    snapshots[2:].with_columns(pl.Series("interests", [1.5])).write_parquet(
        tmp_path / "snapshots" / "2.parquet"
    )
    assert "'interests' (Float64, List(String))" in _refusal(tmp_path)


def test_types_from_other_systems_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, frames())
    table = pa.table({"snapshot_id": [b"\xff", b"s2", b"s3"]})
    rest = frames()["snapshots"].drop("snapshot_id").to_arrow()
    for name in rest.column_names:
        table = table.append_column(name, rest.column(name))
    pq.write_table(table, tmp_path / "snapshots.parquet")
    assert "snapshots.snapshot_id: holds Binary" in _refusal(tmp_path)


def test_labels_that_do_not_age_are_told(tmp_path: Path) -> None:
    labels = [
        {"participant_id": "x", "age_years": 17.0, "verified_time": None, "method": "ID_DOCUMENT"},
        {"participant_id": "y", "age_years": 17.0, "verified_time": NOW, "method": "ID_DOCUMENT"},
    ]
    snapshots = [snapshot("x"), snapshot("y")]
    told = tables_of_rows(tmp_path / "one", snapshots=snapshots, age_labels=labels).warnings
    silent = tables_of_rows(tmp_path / "two", snapshots=snapshots, age_labels=labels[1:]).warnings
    assert any("1 of 2 labels have none" in warning for warning in told)
    assert not any("verified_time" in warning for warning in silent)


def test_labels_of_nobody_with_a_snapshot_are_told(tmp_path: Path) -> None:
    labels = [
        {"participant_id": each, "age_years": 17.0, "verified_time": NOW, "method": "ID_DOCUMENT"}
        for each in ("x", "1001", "1002")
    ]
    told = tables_of_rows(tmp_path / "one", snapshots=[snapshot("x")], age_labels=labels).warnings
    silent = tables_of_rows(tmp_path / "two", snapshots=[snapshot("x")], age_labels=labels[:1])
    assert any("2 of 3 labelled people have no snapshot" in warning for warning in told)
    assert not any("labelled people" in warning for warning in silent.warnings)


def test_an_empty_table_of_snapshots_is_told_before_what_refers_to_it(tmp_path: Path) -> None:
    tables = frames()
    tables["snapshots"] = tables["snapshots"].clear()
    write(tmp_path, tables)
    with pytest.raises(TablesRefused) as refused:
        read_tables(tmp_path)
    assert refused.value.problems[0] == "snapshots: has no rows"
    assert any("refers to nothing in snapshots" in line for line in refused.value.problems)
