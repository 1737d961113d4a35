"""The worked examples of docs/age-assurance.md are what the command prints today."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pairguard_training.__main__ import main
from pairguard_training.worked_examples import WORKED_EXAMPLES
from tests.domain import default_tables_document

PAGE = Path(__file__).parents[2] / "docs" / "age-assurance.md"


def test_the_worked_examples_are_computed(tmp_path: Path) -> None:
    copy = tmp_path / PAGE.name
    shutil.copy(PAGE, copy)
    assert main(["age-examples", "--into", str(copy)]) == 0
    assert copy.read_text("utf-8") == PAGE.read_text("utf-8"), (
        "run pairguard-train age-examples --into docs/age-assurance.md and read what changed"
    )


def test_every_kind_of_evidence_has_an_example() -> None:
    kinds = {item.kind for example in WORKED_EXAMPLES for item in example.evidence}
    assert kinds == {
        "self_declared",
        "platform_age_range",
        "facial_age_estimate",
        "age_check",
        "verified_age",
    }


def test_a_page_without_the_marks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here")
    assert main(["age-examples", "--into", str(page)]) == 2
    assert "worked examples: begin" in capsys.readouterr().err
    assert page.read_text() == "nothing here"


def test_the_tables_are_printed_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["age-tables"]) == 0
    printed = capsys.readouterr().out
    for expected in ("self_declared.adult_claim", "assumed", "NIST FATE AEV", "towards adult"):
        assert expected in printed


def test_tables_of_ones_own_are_read_and_told_whole_where_they_are_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = default_tables_document()
    document["version"] = "mine"
    document["facial_age_estimate"]["providers"] = {"acme": "vendor_selfie"}
    own = tmp_path / "tables.json"
    own.write_text(json.dumps(document))
    assert main(["age-tables", "--age-tables", str(own)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("age tables mine")
    assert "facial_age_estimate.providers.acme = vendor_selfie" in printed

    document["facial_age_estimate"]["providers"] = {"acme": "kindest"}
    del document["one_sitting_share"]["source"]
    own.write_text(json.dumps(document))
    assert main(["age-tables", "--age-tables", str(own)]) == 2
    refused = capsys.readouterr().err
    assert "AGE_TABLES_INVALID" in refused
    assert "kindest" in refused
    assert "one_sitting_share.source" in refused
