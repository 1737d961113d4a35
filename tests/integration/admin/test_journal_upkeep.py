"""Imports, pruning and exports by hand."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]

from pairguard.admin import exporting
from pairguard.errors import StoreUnavailable
from pairguard.store.segments.directory import directory_lock
from pairguard.store.segments.worker import ImportProcess, SinkSource
from pairguard.store.sqlite import SqliteStore
from pairguard.v1 import journal_pb2
from tests.integration.admin.deployment import (
    DAY,
    Deployment,
    decision,
    decision_id,
    decisions,
)


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    with deployment.store() as store:
        store.append(decisions(store.keys.current, range(25)))
    return deployment


def local_payloads(deployment: Deployment, *numbers: int) -> list[bytes]:
    with deployment.store() as store:
        key = store.keys.current
    return [decision(key, decision_id(n), "x", "y").SerializeToString() for n in numbers]


def test_local_decisions_are_taken_over_once(filled: Deployment) -> None:
    filled.write_locally(*local_payloads(filled, 100, 101))

    (first,) = filled.run("journal", "import", "--json").documents
    (second,) = filled.run("journal", "import", "--json").documents

    assert (first["records"], first["deleted_segments"], first["complete"]) == (2, 1, True)
    assert second["records"] == 0
    assert filled.run("journal", "decision", decision_id(101)).code == 0


def test_an_import_beside_that_of_a_running_server_counts_nothing_twice(
    filled: Deployment,
) -> None:
    source = SinkSource(
        "pairguard.store.decision_sink:build_sink",
        (f"sqlite:{filled.database}", "", "", str(filled.segments), "false"),
    )
    importer = ImportProcess(
        filled.segments, source, interval_seconds=0.02, on_report=lambda _report: None
    )
    payloads = local_payloads(filled, *range(100, 130))
    importer.start()
    try:
        for start in range(0, 30, 10):
            filled.write_locally(*payloads[start : start + 10])
            result = filled.run("journal", "import", "--json")
            assert result.code == 0, result.err
    finally:
        importer.stop(10.0)

    (figures,) = filled.run("journal", "stats", "--json").documents
    assert figures["records"]["decision"] == 55
    assert figures["local_bytes"] == 0
    assert filled.run("journal", "verify").code == 0


def test_an_import_says_that_another_keeps_the_lock(
    filled: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairguard.admin.upkeep._LOCK_SECONDS", 0.05)
    filled.segments.mkdir()
    with directory_lock(filled.segments, timeout_seconds=0.0) as has_lock:
        assert has_lock
        result = filled.run("journal", "import")

    assert result.code == 1
    assert "another process" in result.err


def test_what_would_go_is_counted_and_then_goes(deployment: Deployment) -> None:
    now = time.time()
    with deployment.store() as store:
        key = store.keys.current
        store.append(decisions(key, range(10), time=now - 100 * DAY))
        store.append(decisions(key, range(10, 14), time=now - 50 * DAY))

    (would,) = deployment.run("journal", "prune", "--dry-run", "--json").documents
    (figures,) = deployment.run("journal", "stats", "--json").documents
    (done,) = deployment.run("journal", "prune", "--json").documents

    assert would["records"] == {"decision": 10, "event": 0, "evidence": 0}
    assert figures["records"]["decision"] == 14
    assert done["records"] == would["records"]
    assert done["rows"] == 0
    (figures,) = deployment.run("journal", "stats", "--json").documents
    assert figures["records"]["decision"] == 4


def test_retention_is_that_of_the_settings(deployment: Deployment) -> None:
    with deployment.store() as store:
        store.append(decisions(store.keys.current, range(3), time=time.time() - 10 * DAY))

    result = deployment.process(
        "journal", "prune", "--dry-run", "--json", PAIRGUARD_DECISIONS_KEPT_DAYS="5"
    )

    assert result.documents[0]["records"]["decision"] == 3


def entries(path: Path) -> list[journal_pb2.JournalEntry]:
    content, place, found = path.read_bytes(), 0, []
    while place < len(content):
        length, place = _DecodeVarint32(content, place)
        found.append(journal_pb2.JournalEntry.FromString(content[place : place + length]))
        place += length
    return found


def exported(directory: Path) -> list[str]:
    assert not list(directory.glob("*.partial"))
    files = sorted(directory.glob("*.entries"))
    return [entry.decision.decision_id for path in files for entry in entries(path)]


def test_an_export_goes_on_where_the_last_one_ended(filled: Deployment, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("journal", "export", "--consumer", "training", "--out", str(out))

    assert filled.run(*arguments, "--limit", "10").code == 0
    assert exported(out) == [decision_id(n) for n in range(10)]
    assert filled.run(*arguments).code == 0
    assert exported(out) == [decision_id(n) for n in range(25)]
    assert filled.run(*arguments, "--json").documents == []
    with filled.store() as store:
        store.append(decisions(store.keys.current, [25]))
    (document,) = filled.run(*arguments, "--json").documents
    assert document["entries"] == 1
    assert exported(out) == [decision_id(n) for n in range(26)]
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}


def test_consumers_do_not_share_a_place(filled: Deployment, tmp_path: Path) -> None:
    for consumer in ("one", "other"):
        filled.run("journal", "export", "--consumer", consumer, "--out", str(tmp_path / consumer))

    assert exported(tmp_path / "one") == exported(tmp_path / "other")


def test_an_export_that_was_not_confirmed_comes_again_whole(
    filled: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ENTRIES_PER_FILE", 10)
    confirm = SqliteStore.confirm_export

    def crash(store: SqliteStore, consumer: str, cursor: str) -> None:
        if cursor.endswith("20"):
            raise StoreUnavailable("gone")
        confirm(store, consumer, cursor)

    arguments = ("journal", "export", "--consumer", "training", "--out", str(tmp_path / "out"))
    with monkeypatch.context() as broken:
        broken.setattr(SqliteStore, "confirm_export", crash)
        assert filled.run(*arguments).code == 2
    assert exported(tmp_path / "out") == [decision_id(n) for n in range(20)]

    assert filled.run(*arguments).code == 0
    assert exported(tmp_path / "out") == [decision_id(n) for n in range(25)]


def test_a_file_of_before_a_restore_is_not_overwritten(filled: Deployment, tmp_path: Path) -> None:
    out, copy = tmp_path / "out", tmp_path / "copy.sqlite3"
    arguments = ("journal", "export", "--consumer", "training", "--out", str(out))
    filled.run("journal", "backup", str(copy))
    with filled.store() as store:
        store.append(decisions(store.keys.current, [100]))
    filled.run(*arguments)
    filled.run("journal", "restore", str(copy), "--force")
    with filled.store() as store:
        store.append(decisions(store.keys.current, [200]))

    assert filled.run(*arguments).code == 0

    assert len(list(out.iterdir())) == 2
    assert {decision_id(100), decision_id(200)} <= set(exported(out))


def test_two_exports_into_one_directory_do_not_meet(filled: Deployment, tmp_path: Path) -> None:
    with directory_lock(tmp_path, timeout_seconds=0.0):
        result = filled.run("journal", "export", "--consumer", "c", "--out", str(tmp_path))

    assert result.code == 2
    assert "under way" in result.err


@pytest.mark.parametrize("consumer", ["", "../x", "UPPER", "a b"])
def test_a_consumer_that_is_no_word_is_refused(
    filled: Deployment, tmp_path: Path, consumer: str
) -> None:
    result = filled.run("journal", "export", "--consumer", consumer, "--out", str(tmp_path))

    assert result.code == 2


def test_where_nothing_can_be_written_nothing_is_confirmed(
    filled: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    result = filled.run("journal", "export", "--consumer", "c", "--out", str(tmp_path / "file"))

    assert result.code == 2
    with filled.store() as store:
        assert store.exported_to("c") == ""
