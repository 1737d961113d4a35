"""What the journal is shown as."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from google.protobuf import json_format

from pairguard.admin.viewing import last_cursor, latest
from pairguard.store.ports import RecordKind, Retention
from pairguard.store.records import decision_record, event_record
from pairguard.v1 import journal_pb2
from tests.integration.admin.deployment import (
    DAY,
    Deployment,
    chat_started,
    decision,
    decision_id,
    decisions,
)

READ_SECONDS = 20.0


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    """Thirty decisions, then a chat."""
    with deployment.store() as store:
        key = store.keys.current
        store.append(decisions(key, range(30)))
        store.append([event_record(chat_started(key, "e1", "a1", "b1"))])
    return deployment


def test_the_latest_entries_are_shown_in_their_order(filled: Deployment) -> None:
    result = filled.run("journal", "tail", "--limit", "3", "--json")

    assert result.code == 0
    assert [next(iter({"decision", "event"} & set(d))) for d in result.documents] == [
        "decision",
        "decision",
        "event",
    ]
    assert [d["decision"]["decisionId"] for d in result.documents[:2]] == [
        decision_id(28),
        decision_id(29),
    ]


def test_without_a_limit_the_latest_twenty_are_shown_a_line_each(filled: Deployment) -> None:
    lines = filled.run("journal", "tail").out.splitlines()

    assert len(lines) == 20
    assert decision_id(29) in lines[-2]
    assert "ALLOW" in lines[-2]
    assert "chat_started" in lines[-1]
    assert "WITHOUT_DECISION" in lines[-1]


def test_an_entry_is_what_protobuf_reads_back(filled: Deployment) -> None:
    result = filled.run("journal", "tail", "--kind", "decision", "--limit", "1", "--json")

    entry = json_format.Parse(result.out, journal_pb2.JournalEntry())
    assert entry.decision.decision_id == decision_id(29)
    assert entry.decision.pair.participant_a.participant.participant_id


def test_going_on_behind_a_cursor_misses_and_repeats_nothing(filled: Deployment) -> None:
    seen: list[str] = []
    after = ""
    while True:
        result = filled.run("journal", "tail", "--after", after, "--limit", "7", "--json")
        if not result.documents:
            break
        seen += [d["cursor"] for d in result.documents]
        after = seen[-1]

    assert len(seen) == len(set(seen)) == 31
    assert seen == sorted(seen)


def test_a_kind_that_stands_far_back_is_found(filled: Deployment) -> None:
    with filled.store() as store:
        store.append(decisions(store.keys.current, range(100, 400)))

    result = filled.run("journal", "tail", "--kind", "event", "--json")

    assert len(result.documents) == 1
    assert "event" in result.documents[0]


def test_the_end_is_found_where_the_beginning_is_gone(filled: Deployment) -> None:
    with filled.store() as store:
        kept = store.read_journal("", 100)
        later = time.time() + 10 * DAY
        store.append(decisions(store.keys.current, [77], time=later))
        nothing_else = Retention(DAY, DAY, DAY, 1e3 * DAY)
        store.purge(now=later + 0.5 * DAY, retention=nothing_else)
        left = store.read_journal("", 100)
        assert len(left) == 1
        assert last_cursor(store) == left[0].cursor > kept[-1].cursor
        assert latest(store, 5, frozenset({RecordKind.DECISION})) == list(left)


def test_nothing_is_shown_of_an_empty_journal(deployment: Deployment) -> None:
    with deployment.store() as store:
        store.check()

    for arguments in (("tail",), ("tail", "--kind", "event"), ("tail", "--after", "")):
        result = deployment.run("journal", *arguments)
        assert (result.code, result.out) == (0, "")


def test_a_word_that_is_no_cursor_is_refused(filled: Deployment) -> None:
    result = filled.run("journal", "tail", "--after", "yesterday")

    assert result.code == 2
    assert "cursor" in result.err


def test_what_comes_is_shown_until_it_is_interrupted(filled: Deployment) -> None:
    command = [sys.executable, "-m", "pairguard.admin", "journal", "tail", "--follow"]
    with subprocess.Popen(
        [*command, "--limit", "1"],
        env=filled.process_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "chat_started" in process.stdout.readline()
            with filled.store() as store:
                store.append(decisions(store.keys.current, [500]))
            assert decision_id(500) in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=READ_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0
    assert complaints == ""


def test_a_reader_that_leaves_early_is_no_error(filled: Deployment) -> None:
    with filled.store() as store:
        store.append(decisions(store.keys.current, range(1_000, 3_000)))
    command = [sys.executable, "-m", "pairguard.admin", "journal", "tail", "--after", "", "--json"]
    with subprocess.Popen(
        command, env=filled.process_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.wait(READ_SECONDS) == 0
        assert process.stderr.read() == b""


def test_figures_tell_what_is_kept_and_what_is_not_imported(filled: Deployment) -> None:
    with filled.store() as store:
        key = store.keys.current
    filled.write_locally(decision(key, decision_id(900), "x", "y").SerializeToString())
    (filled.segments / "1.segment.damaged").write_bytes(b"?")

    (figures,) = filled.run("journal", "stats", "--json").documents

    assert figures["records"] == {"decision": 30, "event": 1, "evidence": 0}
    assert figures["rows"] == 60
    assert figures["reconciliations"] == {"WITHOUT_DECISION": 1}
    assert figures["bytes"] > 0
    assert figures["local_segments"] == 1
    assert figures["local_bytes"] > 50
    assert 0 <= figures["local_oldest_seconds"] < 60
    assert figures["set_aside_files"] == ["1.segment.damaged"]
    assert "30" in filled.run("journal", "stats").out


def test_chats_that_were_not_as_decided_are_listed_the_latest_first(
    deployment: Deployment,
) -> None:
    with deployment.store() as store:
        key = store.keys.current
        for name, agreement in (
            ("first", journal_pb2.RECONCILIATION_WITHOUT_DECISION),
            ("second", journal_pb2.RECONCILIATION_AS_DECIDED),
            ("third", journal_pb2.RECONCILIATION_AFTER_EXPIRY),
            ("fourth", journal_pb2.RECONCILIATION_AGAINST_DECISION),
        ):
            store.append([event_record(chat_started(key, name, "a", "b", agreement=agreement))])

    def agreements(*arguments: str) -> list[str]:
        result = deployment.run("journal", "unreconciled", "--json", *arguments)
        assert result.code == 0
        return [
            d["event"]["reconciliation"].removeprefix("RECONCILIATION_") for d in result.documents
        ]

    assert agreements() == ["AGAINST_DECISION", "AFTER_EXPIRY", "WITHOUT_DECISION"]
    assert agreements("--limit", "1") == ["AGAINST_DECISION"]
    assert agreements("--agreement", "AFTER_EXPIRY") == ["AFTER_EXPIRY"]
    assert deployment.run("journal", "unreconciled", "--agreement", "AS_DECIDED").code == 2


def test_a_decision_is_shown_with_what_followed(deployment: Deployment) -> None:
    with deployment.store() as store:
        key = store.keys.current
        store.append([decision_record(decision(key, decision_id(7), "a", "b"))])
        chat = chat_started(
            key,
            "e",
            "a",
            "b",
            decision_id=decision_id(7),
            agreement=journal_pb2.RECONCILIATION_AS_DECIDED,
        )
        store.append([event_record(chat)])

    result = deployment.run("journal", "decision", decision_id(7), "--json")

    assert result.code == 0
    first, second = result.documents
    assert first["decision"]["decisionId"] == decision_id(7)
    assert second["event"]["event"]["chatStarted"]


def test_a_decision_that_is_not_kept_is_told_as_missing(filled: Deployment) -> None:
    with filled.store() as store:
        key = store.keys.current
    filled.write_locally(decision(key, decision_id(900), "x", "y").SerializeToString())

    result = filled.run("journal", "decision", decision_id(900))

    assert result.code == 1
    assert "journal import" in result.err
