"""What is found wrong with local files, records and rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import pytest

from pairguard.store.records import event_record
from tests.integration.admin.deployment import (
    Deployment,
    chat_started,
    decision,
    decision_id,
    decisions,
)


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    with deployment.store() as store:
        key = store.keys.current
        store.append(decisions(key, range(5)))
        store.append([event_record(chat_started(key, "e1", "a1", "b1"))])
        payloads = [
            decision(key, decision_id(n), f"a{n}", f"b{n}").SerializeToString()
            for n in range(10, 13)
        ]
    deployment.write_locally(*payloads)
    return deployment


def execute(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement, values).rowcount == 1
        connection.commit()


def findings(deployment: Deployment) -> list[str]:
    result = deployment.run("journal", "verify", "--json")
    *found, summary = [each for each in result.documents if each.keys() != {"repaired"}]
    assert summary["findings"] == len(found)
    assert result.code == (1 if found else 0)
    return [each["finding"] for each in found]


def test_nothing_is_wrong_with_what_was_left_alone(filled: Deployment) -> None:
    result = filled.run("journal", "verify", "--json")

    assert result.code == 0
    assert result.documents == [
        {
            "findings": 0,
            "local_records": 3,
            "records": 6,
            "repaired": 0,
            "rows_compared": 10,
            "rows_not_comparable": 0,
            "segments": 1,
        }
    ]
    assert "nothing is wrong" in filled.run("journal", "verify").out


def test_a_row_that_is_not_what_the_journal_says_is_named(filled: Deployment) -> None:
    with filled.store() as store:
        a, b = store.keys.hash("a1"), store.keys.hash("b4")
    with closing(sqlite3.connect(filled.database)) as connection:
        (row,) = connection.execute(
            "SELECT row FROM participant_rows WHERE id_hash = ?", (b,)
        ).fetchone()
    execute(filled.database, "UPDATE participant_rows SET row = ? WHERE id_hash = ?", row, a)

    (finding,) = findings(filled)

    assert a.hex() in finding
    assert "not what the journal says" in finding


def test_a_row_that_cannot_be_read_is_made_anew_when_told(filled: Deployment) -> None:
    with filled.store() as store:
        a = store.keys.hash("a1")
        before = store.read([[a]], now=0.0)
    execute(filled.database, "UPDATE participant_rows SET row = x'010203' WHERE id_hash = ?", a)

    (finding,) = findings(filled)
    assert a.hex() in finding
    assert "is damaged" in finding

    result = filled.run("journal", "verify", "--repair")
    assert result.code == 0
    assert "made anew" in result.out
    assert findings(filled) == []
    with filled.store() as store:
        assert store.read([[a]], now=0.0) == before


def test_a_record_that_cannot_be_read_is_named(filled: Deployment) -> None:
    execute(
        filled.database,
        "UPDATE records SET payload = x'ff' WHERE record_id = ?",
        decision_id(3),
    )

    found = findings(filled)

    assert any(decision_id(3) in each and "cannot be read" in each for each in found)


def test_a_record_under_another_id_is_named(filled: Deployment) -> None:
    execute(
        filled.database,
        "UPDATE records SET record_id = ? WHERE record_id = ?",
        decision_id(99),
        decision_id(3),
    )

    (finding,) = findings(filled)

    assert decision_id(99) in finding


def segment(deployment: Deployment) -> Path:
    (path,) = deployment.segments.glob("*.segment")
    return path


def test_a_changed_byte_of_a_segment_is_found_and_what_follows_is_read(filled: Deployment) -> None:
    path = segment(filled)
    content = bytearray(path.read_bytes())
    content[120] ^= 1
    path.write_bytes(content)

    (finding,) = findings(filled)

    assert path.name in finding
    assert "damaged" in finding


def test_a_torn_end_is_found_and_left_as_it_is(filled: Deployment) -> None:
    path = segment(filled)
    content = path.read_bytes()[:-5]
    path.write_bytes(content)

    (finding,) = findings(filled)

    assert "torn" in finding
    assert path.read_bytes() == content


def test_a_lost_header_is_found(filled: Deployment) -> None:
    path = segment(filled)
    path.write_bytes(bytes(80) + path.read_bytes()[80:])

    (finding,) = findings(filled)

    assert "header" in finding


def test_a_file_that_was_set_aside_is_named(filled: Deployment) -> None:
    segment(filled).rename(filled.segments / "old.segment.damaged")

    (finding,) = findings(filled)

    assert "old.segment.damaged" in finding


def test_what_a_living_writer_has_not_finished_is_no_finding(filled: Deployment) -> None:
    path = segment(filled)
    path.write_bytes(path.read_bytes()[:-5])
    with path.open("rb") as writer:
        flock(writer, LOCK_EX | LOCK_NB)
        assert findings(filled) == []
    assert len(findings(filled)) == 1
