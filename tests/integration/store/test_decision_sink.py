"""Records of segments that no program of this version can read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.decision_sink import ASIDE_SUFFIX, DecisionSink
from pairguard.store.sqlite import SqliteStore

SEGMENT = "00000000000000000001-1-0000000000000000.segment"
UNREADABLE = b"\xff\xff\xff"


def test_an_unreadable_record_is_set_aside_once_however_often_its_import_fails(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pairguard.sqlite3"
    store = SqliteStore(path)
    sink = DecisionSink(store, tmp_path, accept_weak_durability=False, owns_store=True)
    assert sink.imported_end(SEGMENT) == 0
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                sink.import_records(SEGMENT, 0, 100, (UNREADABLE,))
        other.execute("ROLLBACK")
    sink.import_records(SEGMENT, 0, 100, (UNREADABLE, UNREADABLE))
    sink.import_records(SEGMENT, 100, 200, (UNREADABLE,))
    assert sink.imported_end(SEGMENT) == 200
    sink.close()
    framed = len(UNREADABLE).to_bytes(4, "little") + UNREADABLE
    aside = sorted(tmp_path.glob(f"*{ASIDE_SUFFIX}"))
    assert [each.read_bytes() for each in aside] == [framed * 2, framed]
    assert {each.stat().st_mode & 0o777 for each in aside} == {0o600}
    assert not [*tmp_path.glob("*.partial")]
