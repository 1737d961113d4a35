"""Rows become the domain's values: what a table says is what serving would have seen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.risk.participant import Participant
from pairguard_training.tables.participants import (
    age_evidence_before_labels,
    observed_seconds,
    participants,
)
from pairguard_training.tables.reading import Tables, read_tables
from tests.unit.training.data_set import NOW, frames, write

_DAY = 86_400.0


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return read_tables(write(tmp_path, frames()))


def test_every_field_of_a_row_arrives(tables: Tables) -> None:
    now = NOW.timestamp()
    assert participants(tables)[0] == Participant(
        participant_id="a",
        age_evidence=(
            AgeEvidence(
                SelfDeclared(birth_year=2004, declared_time=now - 40 * _DAY, gate_years=18.0),
                evidence_id="e1",
                observed_time=now - 30 * _DAY,
                binding=Binding.ACCOUNT,
            ),
            AgeEvidence(
                FacialAgeEstimate(21.5, Liveness.PASSED, quality=2.5, capture_session="k1"),
                evidence_id="e2",
                observed_time=now - 3 * _DAY,
                provider="yoti",
                binding=Binding.LIVE_PERSON,
            ),
            AgeEvidence(
                AgeCheck(CheckMethod.CREDIT_CARD, 18.0, CheckResult.OVER),
                evidence_id="e3",
                observed_time=now - 2 * _DAY,
                expire_time=now + 300 * _DAY,
                binding=Binding.ACCOUNT,
            ),
        ),
        signals={"session_seconds": 12.5, "vpn": 0.0},
        attributes={"browser": "chrome"},
        interests=("music", "films"),
        region="GB",
        language="en",
        entry_path="random_video",
        history={"history.reports_received_30d": 2.0},
    )
    assert [item.observation for item in participants(tables)[1].age_evidence] == [
        PlatformAgeRange(Platform.APPLE, PlatformAssurance.CONFIRMED, 16, 17),
        VerifiedAge(VerificationMethod.ID_DOCUMENT, age_years=17.0),
    ]


def test_what_is_absent_is_unknown_and_never_zero(tables: Tables) -> None:
    assert participants(tables)[2] == Participant(participant_id="c")
    second = participants(tables)[1]
    assert second.signals == {"vpn": 1.0}
    assert second.history is None
    assert second.interests == ()


def test_snapshots_come_in_the_order_asked_for(tables: Tables) -> None:
    found = participants(tables, ["s3", "s1", "s3"])
    assert [one.participant_id for one in found] == ["c", "a", "c"]
    assert len(found[1].age_evidence) == 3
    assert list(observed_seconds(tables, ["s3", "s1"])) == [
        NOW.timestamp() + 120.0,
        NOW.timestamp(),
    ]
    with pytest.raises(KeyError):
        participants(tables, ["s9"])


def test_audit_columns_never_reach_a_participant(tables: Tables) -> None:
    assert "audit.sex" in tables.snapshots.columns
    assert all("sex" not in str(one) for one in participants(tables))


def test_evidence_without_a_time_or_an_id_is_kept(tmp_path: Path) -> None:
    bare = frames()
    bare["age_evidence"] = bare["age_evidence"].drop("observed_time", "evidence_id", "expire_time")
    tables = read_tables(write(tmp_path, bare))
    items = participants(tables)[0].age_evidence
    assert [item.observed_time for item in items] == [None] * 3
    assert [item.evidence_id for item in items] == [""] * 3


def test_a_label_is_not_learned_from_the_check_that_gave_it_nor_from_anything_later(
    tmp_path: Path,
) -> None:
    labelled = frames()
    verified = NOW - timedelta(days=2, hours=12)
    labelled["age_labels"] = pl.DataFrame(
        {
            "participant_id": ["a", "b"],
            "age_years": [22.0, 17.0],
            "verified_time": [verified, NOW],
            "evidence_id": [None, "e5"],
        }
    )
    tables = read_tables(write(tmp_path, labelled))
    kept = age_evidence_before_labels(tables)["evidence_id"].to_list()
    # e3 came after a's label; e5 gave b's. What came before stays.
    assert kept == ["e1", "e2", "e4"]
    found = participants(tables, ["s1", "s2"], before_labels=True)
    assert [[item.evidence_id for item in one.age_evidence] for one in found] == [
        ["e1", "e2"],
        ["e4"],
    ]


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        # The check that it names tells when; what came later is left out.
        ({"evidence_id": "e2"}, ["e1", "document"]),
        # Nothing is told: whatever may have labelled is left out.
        ({}, ["e1", "e2", "e3"]),
        ({"method": "ID_DOCUMENT"}, ["e1", "e2", "e3"]),
        ({"method": "MODERATOR"}, ["e1", "e2", "e3", "document", "timeless"]),
        # A time tells what came before, but not of what has none.
        ({"verified_time": NOW - timedelta(days=2, hours=12)}, ["e1", "e2", "document"]),
        ({"verified_time": NOW, "evidence_id": "e9"}, ["e1", "e2", "e3", "document"]),
        # A label that was written down days after its check, under another name or none.
        ({"verified_time": NOW - timedelta(days=15)}, ["e1"]),
        ({"verified_time": NOW - timedelta(days=15), "evidence_id": "e9"}, ["e1"]),
        # The check was found: one of some days before is another.
        ({"verified_time": NOW - timedelta(days=15), "evidence_id": "e2"}, ["e1", "document"]),
    ],
)
def test_a_label_that_tells_little_is_not_learned_from_what_may_have_given_it(
    tmp_path: Path, label: dict[str, object], kept: list[str]
) -> None:
    told = frames()
    document = {
        "snapshot_id": "s1",
        "evidence_id": "document",
        "kind": "age_check",
        "observed_time": NOW - timedelta(days=20),
        "method": "ID_DOCUMENT",
        "threshold_years": 18.0,
        "result": "OVER",
    }
    timeless = document | {"evidence_id": "timeless", "observed_time": None}
    schema = told["age_evidence"].schema
    checks = pl.DataFrame([document, timeless], schema_overrides=schema)
    told["age_evidence"] = pl.concat([told["age_evidence"], checks], how="diagonal")
    told["age_labels"] = pl.DataFrame([{"participant_id": "a", "age_years": 22.0, **label}])
    tables = read_tables(write(tmp_path, told))
    found = age_evidence_before_labels(tables).filter(pl.col("snapshot_id") == "s1")
    assert found["evidence_id"].to_list() == kept
    # Nobody else is touched.
    assert age_evidence_before_labels(tables).filter(pl.col("snapshot_id") == "s2").height == 2


def test_repeated_items_stay_with_their_snapshots_in_order(tmp_path: Path) -> None:
    repeated = frames()
    evidence = repeated["age_evidence"]
    again = evidence.filter(pl.col("snapshot_id") == "s1").with_columns(snapshot_id=pl.lit("s3"))
    repeated["age_evidence"] = pl.concat([again[::-1], evidence])
    tables = read_tables(write(tmp_path, repeated))
    first, _, third = participants(tables)
    assert third.age_evidence == first.age_evidence[::-1]
