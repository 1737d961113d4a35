"""Importing a CSV file: a mapping says what its columns mean; what is wrong is named."""

from __future__ import annotations

import gzip
import lzma
import tomllib
from pathlib import Path

import pytest

from pairguard.age.evidence import Binding, FacialAgeEstimate, Liveness, VerifiedAge
from pairguard.errors import TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.signal import Direction
from pairguard_training.tables.csv_import import CATALOGUE_FILE, import_csv
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables

_CSV = """user,country,age,"wait, seconds",E1,E2,browser,face
u1,GB,16,3.5,1,0,Chrome,18.25
u2,US,34,-1,5,9,"Mosaic, old",
u3,,200,9999,,3,,41
"""
_MAPPING = """
[file]
observed_time = 2026-02-01T00:00:00Z
[participant]
participant_id = "user"
region = "country"
[participant_constants]
entry_path = "survey"
[age_label]
column = "age"
range = [13, 90]
method = "MODERATOR"
sampling_probability = 0.5
[[signals]]
columns = ["wait, seconds"]
missing = [-1]
clip = [0, 600]
[[signals]]
pattern = "E[0-9]+"
missing = [0]
[[attributes]]
columns = ["browser"]
[[age_evidence]]
kind = "facial_age_estimate"
columns = { mean_years = "face" }
constants = { liveness = "PASSED", binding = "LIVE_PERSON", provider = "somebody" }
"""


def _import(directory: Path, csv: str = _CSV, mapping: str = _MAPPING) -> Tables:
    (directory / "people.csv").write_text(csv, encoding="utf-8")
    (directory / "mapping.toml").write_text(mapping, encoding="utf-8")
    return import_csv(directory / "people.csv", directory / "mapping.toml", directory / "out")


def _problems(directory: Path, csv: str = _CSV, mapping: str = _MAPPING) -> str:
    with pytest.raises(TablesRefused) as refused:
        _import(directory, csv, mapping)
    return "\n".join(refused.value.problems)


def test_rows_become_participants_evidence_and_labels(tmp_path: Path) -> None:
    tables = _import(tmp_path)
    first, second, third = participants(tables)
    assert first.participant_id == "u1"
    assert first.region == "GB"
    assert first.entry_path == "survey"
    assert first.signals == {"wait, seconds": 3.5, "E1": 1.0}
    assert first.attributes == {"browser": "Chrome"}
    assert second.signals == {"E1": 5.0, "E2": 9.0}
    assert second.age_evidence == ()
    assert third.signals == {"wait, seconds": 600.0, "E2": 3.0}
    assert third.region == ""
    item = first.age_evidence[0]
    assert item.observation == FacialAgeEstimate(18.25, Liveness.PASSED)
    assert item.binding is Binding.LIVE_PERSON
    assert tables.age_labels["participant_id"].to_list() == ["u1", "u2"]
    assert tables.age_labels["age_years"].to_list() == [16.0, 34.0]
    assert tables.age_labels["sampling_probability"].to_list() == [0.5, 0.5]


def test_a_rows_evidence_is_known_before_its_label_unless_it_may_have_given_it(
    tmp_path: Path,
) -> None:
    document = """
[[age_evidence]]
kind = "verified_age"
columns = { age_years = "age" }
constants = { method = "MODERATOR" }
"""
    first_two = "".join(_CSV.splitlines(keepends=True)[:3])
    tables = _import(tmp_path, csv=first_two, mapping=_MAPPING + document)
    assert {type(i.observation) for i in participants(tables)[0].age_evidence} == {
        FacialAgeEstimate,
        VerifiedAge,
    }
    (kept,) = participants(tables, before_labels=True)[0].age_evidence
    assert isinstance(kept.observation, FacialAgeEstimate)


def test_the_catalogue_lies_beside_the_tables(tmp_path: Path) -> None:
    tables = _import(tmp_path)
    text = (tmp_path / "out" / CATALOGUE_FILE).read_text(encoding="utf-8")
    catalogue = SignalCatalogue.from_mapping(tomllib.loads(text))
    assert {signal.name for signal in catalogue.signals} == {
        "wait, seconds", "E1", "E2", "browser",
    }  # fmt: skip
    assert all(not catalogue.vector(one).unknown_names for one in participants(tables))


def test_rows_are_numbered_where_nobody_has_an_id(tmp_path: Path) -> None:
    tables = _import(tmp_path, mapping='[[signals]]\ncolumns = ["E1"]\n')
    assert tables.snapshots["participant_id"].n_unique() == 3
    assert tables.age_labels.height == 0


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_files_are_read(tmp_path: Path, suffix: str, pack: object) -> None:
    assert callable(pack)
    (tmp_path / "mapping.toml").write_text(_MAPPING)
    path = tmp_path / f"people.csv{suffix}"
    path.write_bytes(pack(_CSV.encode()))
    assert import_csv(path, tmp_path / "mapping.toml", tmp_path / "out").snapshots.height == 3
    path.write_bytes(pack(_CSV.encode())[:-12])
    with pytest.raises(TablesRefused, match="not a readable CSV file"):
        import_csv(path, tmp_path / "mapping.toml", tmp_path / "out")


def test_every_problem_of_the_columns_is_named_at_once(tmp_path: Path) -> None:
    mapping = """
[participant]
region = "land"
[age_label]
column = "years"
[[signals]]
columns = ["height", "browser"]
[[signals]]
pattern = "Q[0-9]+"
[[attributes]]
columns = ["country"]
[[attributes]]
columns = ["country"]
"""
    problems = _problems(tmp_path, mapping=mapping)
    for part in (
        "the file has no column 'land'",
        "the file has no column 'years'",
        "the file has no column 'height', which signals names",
        "column 'browser': should hold numbers, but does not in 2 rows (row 0, 1)",
        "no column matches the pattern 'Q[0-9]+'",
        "'attribute.country' is mapped more than once",
    ):
        assert part in problems
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ("[file", "mapping.toml: not a readable TOML document"),
        ("[people]", "unknown section 'people'"),
        ('[file]\nseparator = ","', "file has no key 'separator'"),
        ('[file]\ndelimiter = "tab"', "file.delimiter should be one character"),
        ('[file]\nobserved_time = "now"', "file.observed_time should be a time"),
        ("[signals]\nx = 1", "signals should be a list of tables"),
        ("[[signals]]\nmissing = [0]", "signals[0] should have columns or a pattern"),
        ('[[signals]]\npattern = "("', "signals[0].pattern is no regular expression"),
        ('[[signals]]\ncolumns = ["E1"]\nclip = [5, 1]', "signals[0].clip should be two numbers"),
        ('[age_label]\ncolumn = "age"\nsampling_probability = 2', "should be a number from 0 to 1"),
        ("[participant]\nregion = 3", "participant.region should be a text"),
        (
            '[[age_evidence]]\nkind = "facial_age_estimate"\ncolumns = { quality = "face" }\n\
constants = { mean_years = "old" }',
            "age_evidence[0]: a constant is of the wrong type",
        ),
        ("[age_label]\nrange = [1, 2]", "age_label.column should name the column"),
        ('[[age_evidence]]\nkind = "guess"', "age_evidence[0].kind should be one of"),
        (
            '[[age_evidence]]\nkind = "age_check"\ncolumns = { colour = "E1" }',
            "age_evidence[0].columns has no 'colour'",
        ),
    ],
)
def test_a_bad_mapping_is_refused(tmp_path: Path, mapping: str, expected: str) -> None:
    assert expected in _problems(tmp_path, mapping=mapping)


@pytest.mark.parametrize(
    ("csv", "expected"),
    [
        ("", "not a readable CSV file"),
        ("user,age\n", "has no rows"),
        ("user,user,E1\nu1,u2,1\n", "more than once: 'user'"),
        ("user,E1\nu1,1,2,3\n", "not a readable CSV file"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, csv: str, expected: str) -> None:
    mapping = '[[signals]]\ncolumns = ["E1"]\n'
    assert expected in _problems(tmp_path, csv=csv, mapping=mapping)


def test_what_the_tables_refuse_the_import_refuses(tmp_path: Path) -> None:
    csv = "user,face\nu1,18\nu2,130\n"
    mapping = """
[[age_evidence]]
kind = "facial_age_estimate"
columns = { mean_years = "face" }
"""
    assert "age_evidence.mean_years: is above 120" in _problems(tmp_path, csv, mapping)


def test_counts_of_the_service_arrive_as_history_with_their_directions(tmp_path: Path) -> None:
    csv = """user,history.reports_received_30d,history.minor_time_share_7d,E1
u1,2,0.5,1
u2,0,,2
u3,,,3
"""
    mapping = """
[file]
observed_time = 2026-02-01T00:00:00Z
[participant]
participant_id = "user"
[[signals]]
pattern = "history[.].+"
[[signals]]
columns = ["E1"]
"""
    first, second, third = participants(_import(tmp_path, csv, mapping))
    assert first.history == {
        "history.reports_received_30d": 2.0,
        "history.minor_time_share_7d": 0.5,
    }
    assert first.signals == {"E1": 1.0}
    assert second.history == {"history.reports_received_30d": 0.0}
    assert third.history is None
    document = tomllib.loads((tmp_path / "out" / CATALOGUE_FILE).read_text("utf-8"))
    signals = {signal.name: signal for signal in SignalCatalogue.from_mapping(document).signals}
    for name in ("history.reports_received_30d", "history.minor_time_share_7d"):
        assert signals[name].direction is Direction.INCREASING
        assert not signals[name].age_input
