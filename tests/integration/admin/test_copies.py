"""Backups and what is made from them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pairguard.store.identity import read_keys
from tests.integration.admin.deployment import Deployment, decision_id, decisions, hold_placed


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    with deployment.store() as store:
        store.append(decisions(store.keys.current, range(5)))
        store.append([hold_placed(store.keys.current, "held")])
    return deployment


def count(deployment: Deployment) -> int:
    (figures,) = deployment.run("journal", "stats", "--json").documents
    return int(figures["records"]["decision"])


def test_a_store_in_use_is_copied_and_comes_back(filled: Deployment, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    with filled.store() as store:
        store.append(decisions(store.keys.current, range(5, 8)))  # still in the log
        result = filled.process("journal", "backup", str(copy))
        assert result.code == 0, result.err
        store.append(decisions(store.keys.current, range(8, 20)))
    assert {path.name for path in tmp_path.glob("copy*")} == {"copy.sqlite3", "copy.sqlite3.key"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("copy*")} == {0o600}

    assert filled.run("journal", "restore", str(copy), "--force").code == 0

    assert count(filled) == 8
    assert filled.run("journal", "verify").code == 0
    assert filled.run("hold", "show", "--id", "held", "--json").documents[0]["reason"]


def test_a_copy_becomes_a_store_where_there_is_none(filled: Deployment, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    filled.run("journal", "backup", str(copy))
    other = tmp_path / "elsewhere" / "new.sqlite3"

    result = filled.process("journal", "restore", str(copy), PAIRGUARD_STORE=f"sqlite:{other}")

    assert result.code == 0, result.err
    shown = filled.process("journal", "decision", decision_id(4), PAIRGUARD_STORE=f"sqlite:{other}")
    assert shown.code == 0
    assert other.with_name("new.sqlite3.key").read_bytes() == filled.key_file.read_bytes()


def test_nothing_is_overwritten_by_a_backup(filled: Deployment, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    copy.write_text("mine")

    result = filled.run("journal", "backup", str(copy))

    assert result.code == 2
    assert copy.read_text() == "mine"


def test_a_store_is_replaced_only_when_told(filled: Deployment, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    filled.run("journal", "backup", str(copy))
    with filled.store() as store:
        store.append(decisions(store.keys.current, [9]))

    result = filled.run("journal", "restore", str(copy))

    assert result.code == 2
    assert count(filled) == 6


def test_a_store_in_use_is_not_replaced(filled: Deployment, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    filled.run("journal", "backup", str(copy))
    with filled.store() as store:
        store.append(decisions(store.keys.current, [9]))
        result = filled.process("journal", "restore", str(copy), "--force")
        assert result.code == 2
        assert "in use" in result.err
        store.append(decisions(store.keys.current, [10]))
    assert count(filled) == 7


def test_a_damaged_copy_replaces_nothing(filled: Deployment, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    filled.run("journal", "backup", str(copy))
    content = bytearray(copy.read_bytes())
    content[4096 : 4096 * 3] = bytes(4096 * 2)
    copy.write_bytes(content)

    result = filled.run("journal", "restore", str(copy), "--force")

    assert result.code == 2
    assert count(filled) == 5


def test_a_copy_of_before_a_new_key_does_not_take_the_key_away(
    filled: Deployment, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite3"
    filled.run("journal", "backup", str(copy))
    (added,) = filled.run("keys", "add", "--json").documents
    filled.run("keys", "promote", added["key_id"])

    result = filled.run("journal", "restore", str(copy), "--force")

    assert result.code == 0, result.err
    assert read_keys(filled.key_file).current.key_id == added["key_id"]
    assert filled.run("hold", "show", "--id", "held", "--json").documents[0]["reason"]


def test_a_log_of_the_replaced_store_is_not_taken_for_the_copys(
    filled: Deployment, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite3"
    filled.run("journal", "backup", str(copy))
    with filled.store() as store:
        store.append(decisions(store.keys.current, range(30, 60)))
        wal = filled.database.with_name(filled.database.name + "-wal")
        log = wal.read_bytes()
    wal.write_bytes(log)

    assert filled.run("journal", "restore", str(copy), "--force").code == 0

    assert count(filled) == 5
    with closing(sqlite3.connect(filled.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_of_a_store_in_redis_it_is_said_how_it_is_copied(
    deployment: Deployment, tmp_path: Path, command: str
) -> None:
    key = tmp_path / "identity.key"
    result = deployment.process(
        "journal",
        command,
        str(tmp_path / "copy"),
        PAIRGUARD_STORE="redis://127.0.0.1:1/0",
        PAIRGUARD_IDENTITY_KEY_FILE=str(key),
    )

    assert result.code == 2
    assert "dump.rdb" in result.err
    assert str(key) in result.err
