"""The same commands on a store in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairguard.store.identity import read_keys
from pairguard.store.records import event_record
from tests.integration.admin.deployment import (
    Deployment,
    chat_started,
    decision,
    decision_id,
    decisions,
    hold_placed,
)
from tests.redis_server import RedisServer, running_redis


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@pytest.fixture
def filled(tmp_path: Path, capsys: pytest.CaptureFixture[str], server: RedisServer) -> Deployment:
    server.client().flushall()
    deployment = Deployment(tmp_path, capsys, server.url)
    with deployment.store() as store:
        store.check()
        key = store.keys.current
        store.append(decisions(key, range(25)))
        store.append([event_record(chat_started(key, "e1", "a1", "b1")), hold_placed(key, "held")])
    return deployment


def test_what_is_kept_is_shown(filled: Deployment) -> None:
    assert len(filled.run("journal", "tail", "--json").documents) == 20
    assert len(filled.run("journal", "tail", "--kind", "event", "--json").documents) == 2
    assert filled.run("journal", "decision", decision_id(3)).code == 0
    assert len(filled.run("journal", "unreconciled", "--json").documents) == 1
    (figures,) = filled.run("journal", "stats", "--json").documents
    assert figures["records"] == {"decision": 25, "event": 2, "evidence": 0}


def test_records_are_verified_and_rows_said_not_to_be(filled: Deployment) -> None:
    filled.write_locally(b"no decision")

    result = filled.run("journal", "verify", "--json")

    assert result.code == 1
    *findings, summary = result.documents
    assert summary["records"] == 27
    assert summary["rows_compared"] is None
    assert len(findings) == 1
    assert "unreadable" in findings[0]["finding"]
    assert "rows are not compared" in result.err


def test_local_decisions_are_taken_over_and_exported(filled: Deployment, tmp_path: Path) -> None:
    key = read_keys(filled.key_file).current
    filled.write_locally(decision(key, decision_id(77), "x", "y").SerializeToString())

    (imported,) = filled.run("journal", "import", "--json").documents
    arguments = ("journal", "export", "--consumer", "training", "--out", str(tmp_path / "out"))
    first = filled.run(*arguments, "--limit", "20", "--json").documents
    second = filled.run(*arguments, "--json").documents
    third = filled.run(*arguments, "--json").documents

    assert imported["records"] == 1
    assert [each["entries"] for each in (*first, *second)] == [20, 8]
    assert third == []


def test_a_record_with_a_damaged_head_is_named_and_stops_nothing(
    filled: Deployment, server: RedisServer, tmp_path: Path
) -> None:
    name = decision_id(3)
    client = server.client()
    key = f"pg:{{journal}}:decision:{name}".encode()
    client.set(key, b"?" + client.get(key)[1:])

    shown = filled.run("journal", "tail", "--limit", "30", "--json")
    exported = filled.run(
        *("journal", "export", "--consumer", "c", "--out", str(tmp_path / "out"), "--json")
    )
    verified = filled.run("journal", "verify", "--json")
    decision_shown = filled.run("journal", "decision", name)

    assert shown.code == 0
    assert len(shown.documents) == 27
    assert [each["recordId"] for each in shown.documents if each.get("unreadable")] == [name]
    assert exported.code == 1
    assert f"left out, since it cannot be read: decision {name}" in exported.err
    assert [each["entries"] for each in exported.documents] == [26]
    assert verified.code == 1
    assert any("cannot be read" in each["finding"] for each in verified.documents[:-1])
    assert decision_shown.code == 0
    assert "UNREADABLE" in decision_shown.out


def test_pruning_and_the_promise(filled: Deployment) -> None:
    assert filled.run("journal", "prune", "--json").documents[0]["records"]["decision"] == 0
    assert filled.run("store", "check").code == 0
    assert filled.run("store", "durability").code == 0


def test_a_server_that_may_forget_promises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_redis("--appendfsync", "everysec") as forgetful:
        deployment = Deployment(tmp_path, capsys, forgetful.url)
        with deployment.store() as store:
            store.check()
        result = deployment.run("store", "durability")
    assert result.code == 1
    assert "appendfsync always" in result.out


def test_the_store_asks_for_the_key_that_stays(filled: Deployment) -> None:
    (old,) = filled.run("keys", "list", "--json").documents
    (new,) = filled.run("keys", "add", "--json").documents
    filled.run("keys", "promote", new["key_id"])
    assert filled.run("keys", "retire", old["key_id"]).code == 2
    assert filled.run("hold", "show", "--id", "held", "--json").documents

    result = filled.run("keys", "retire", old["key_id"], "--force")

    assert result.code == 0, result.err
    assert read_keys(filled.key_file).check_values == {
        read_keys(filled.key_file).current.check_value
    }
    with filled.store() as store:
        store.check()
        assert all(store.append(decisions(store.keys.current, [900])))
    assert filled.run("hold", "show", "--id", "held", "--json").documents == []


def test_a_key_that_was_never_the_current_one_is_taken_out_freely(filled: Deployment) -> None:
    (added,) = filled.run("keys", "add", "--json").documents

    assert filled.run("keys", "retire", added["key_id"]).code == 0
    assert filled.run("store", "check").code == 0


def test_without_the_key_no_other_is_made(filled: Deployment) -> None:
    filled.key_file.unlink()

    result = filled.run("journal", "stats")

    assert result.code == 2
    assert "identity key" in result.err
    assert not filled.key_file.exists()
