"""Records in one line."""

from __future__ import annotations

import json

import pytest
from google.protobuf import text_format

from pairguard.admin.entries import document_of, entry_of, json_of, line_of
from pairguard.store.ports import KeptRecord, RecordKind
from pairguard.v1 import journal_pb2

A, B = "aa" * 16, "bb" * 16


def decision(text: str) -> KeptRecord:
    message = text_format.Parse(
        f"decision_id: 'd1' decision_time {{ seconds: 1795000000 }} {text}",
        journal_pb2.DecisionRecord(),
    )
    return KeptRecord("007", RecordKind.DECISION, "d1", message.SerializeToString())


def event(text: str) -> KeptRecord:
    message = text_format.Parse(
        f"receive_time {{ seconds: 1795000000 }} event {{ event_id: 'e1' {text} }}",
        journal_pb2.EventRecord(),
    )
    return KeptRecord("008", RecordKind.EVENT, "e1", message.SerializeToString())


def test_a_pair_is_told_with_its_decision_reasons_and_shortened_hashes() -> None:
    line = line_of(
        decision(
            "pair { assessment { decision: DECISION_BLOCK minor_adult_probability: 0.25"
            " reasons { code: 'HELD' } }"
            f" participant_a {{ participant {{ participant_id: '{A}' }} }} }}"
        )
    )

    assert line == (
        "2026-11-18T11:06:40Z  decision  d1  BLOCK  mixed 0.2500  HELD  of aaaaaaaa and (erased)"
    )


def test_a_ranking_is_told_by_its_numbers() -> None:
    line = line_of(decision("ranking { candidates { place: 1 } candidates { } }"))

    assert "ranking of 2, 1 offered" in line
    assert "seeker (erased)" in line


def test_a_challenger_is_told_by_how_often_it_decided_otherwise() -> None:
    allowed, stopped = (
        f"decisions {{ decision: DECISION_ALLOW challenger_decision: DECISION_{name} }}"
        for name in ("ALLOW", "REROUTE")
    )
    versions = "bundle_version: 'b2' policy_version: 'p2'"

    line = line_of(decision(f"shadow {{ {versions} {allowed} {stopped} }}"))

    assert line == (
        "2026-11-18T11:06:40Z  shadow  d1  challenger on 2, 1 decided otherwise"
        "  bundle b2, policy p2"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"personal_block {{ blocker {{ participant_id: '{A}' }} }}", "of aaaaaaaa and (erased)"),
        (
            f"report {{ reported {{ participant_id: '{B}' }} category: REPORT_CATEGORY_SPAM }}",
            "REPORT_CATEGORY_SPAM  of (erased) and bbbbbbbb",
        ),
        ("hold_released { reason_code: 'APPEALED' }", "APPEALED  of (erased)"),
        ("decision_id: 'd9'", "unknown  decision d9"),
    ],
)
def test_an_event_is_told_with_what_it_says(text: str, told: str) -> None:
    assert told in line_of(event(text))


def test_evidence_is_told_by_its_kind() -> None:
    message = journal_pb2.EvidenceRecord()
    message.age_evidence.evidence_id = "x"
    message.age_evidence.verified_age.age_years = 30
    record = KeptRecord("009", RecordKind.EVIDENCE, "x", message.SerializeToString())

    assert "verified_age" in line_of(record)
    assert "30" not in line_of(record).partition("evidence")[2]


@pytest.mark.parametrize("kind", list(RecordKind))
def test_what_cannot_be_read_says_so(kind: RecordKind) -> None:
    record = KeptRecord("010", kind, "r1", b"\xff")

    assert "UNREADABLE" in line_of(record)
    assert json.loads(json_of(record)) == document_of(record)
    assert document_of(record)["unreadable"] is True
    with pytest.raises(ValueError, match="r1"):
        entry_of(record)


def test_an_entry_has_its_kind_even_where_the_record_says_nothing() -> None:
    entry = entry_of(KeptRecord("011", RecordKind.EVIDENCE, "r", b""))

    assert entry.WhichOneof("record") == "evidence"
    assert entry.cursor == "011"
