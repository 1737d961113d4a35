"""Whatever breaks off an export: readers see the last data set or the next, never a mixture."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pairguard.errors import ConfigurationRefused, StoreUnavailable, TablesRefused
from pairguard.store.ports import (
    JournalRecord,
    KeptRecord,
    ParticipantStore,
    RecordKind,
    Retention,
    StoreStatistics,
)
from pairguard.v1 import journal_pb2
from pairguard_training.__main__ import EXIT_REFUSED, main
from pairguard_training.exporting.export import ExportReport, export_journal
from pairguard_training.exporting.stretches import Limits
from pairguard_training.tables.files import EXPORT_FILE
from pairguard_training.tables.reading import read_tables
from tests.contract.store.adapters import HARNESSES, Harness, opened
from tests.contract.store.told import DAY, decided, told_of_age
from tests.integration.store.meetings import NOON, ended, hashed, reported, started
from tests.redis_server import RedisServer

TINY = Limits(records=3)


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer) -> Harness:
    (tmp_path / "store").mkdir()
    return HARNESSES[request.param](tmp_path / "store", redis_server)


@pytest.fixture
def store(harness: Harness) -> Iterator[ParticipantStore]:
    found = opened(harness.location)
    yield found
    found.close()


def met(number: int) -> list[JournalRecord]:
    """Return the records of two people who met: a decision, a start, an end and a report."""
    a, b, at = [f"a{number}", f"phone{number % 3}"], [f"b{number}"], NOON + number * int(DAY)
    start = started(f"{number}", a, b, at)
    message = journal_pb2.EventRecord.FromString(start.payload)
    message.event.decision_id = f"decision-{number}"
    named = replace(start, payload=message.SerializeToString(), decision_id=f"decision-{number}")
    return [
        decided(f"{number}", a, b, at),
        named,
        ended(f"{number}", a, b, at + 60),
        reported(f"{number}", b, a, at + 70),
    ]


def fill(store: ParticipantStore, numbers: Sequence[int]) -> None:
    for number in numbers:
        store.append(met(number))


def export(store: ParticipantStore, out: Path, limits: Limits = TINY) -> ExportReport:
    return export_journal(store, out, lambda _: None, limits=limits)


def at_once(store: ParticipantStore, out: Path) -> str:
    export(store, out)
    return read_tables(out).data_hash


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_kill_before_any_change_of_a_file_is_made_good_by_the_next_run(
    store: ParticipantStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, range(2))
    first = at_once(store, tmp_path / "first")
    steps = {name: getattr(Path, name) for name in ("replace", "unlink", "mkdir", "rmdir")}
    store.append(met(2))
    store.erase([hashed("a0")], now=NOON + 9 * DAY)
    wanted = at_once(store, tmp_path / "wanted")
    assert wanted != first

    finished = False
    # Each place has been tried; every seventh is enough from day to day.
    for survived in itertools.count(0, 7):
        out = tmp_path / f"killed-{survived}"
        shutil.copytree(tmp_path / "first", out)
        left = survived

        def step(name: str) -> object:
            def counted(*arguments: object, **options: object) -> object:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return steps[name](*arguments, **options)

            return counted

        with monkeypatch.context() as patched:
            for name in steps:
                patched.setattr(Path, name, step(name))
            try:
                export(store, out)
                finished = True
            except Killed:
                pass
        assert read_tables(out).data_hash in (first, wanted)
        export(store, out)
        assert read_tables(out).data_hash == wanted
        if finished:
            break
    assert survived > 20


def test_a_first_export_that_is_killed_shows_nothing_half_written(
    store: ParticipantStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, range(3))
    wanted = at_once(store, tmp_path / "wanted")
    out, original, left = tmp_path / "killed", Path.replace, 9

    def counted(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return original(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", counted)
        with pytest.raises(Killed):
            export(store, out)
    assert list(out.rglob("*.parquet"))
    with pytest.raises(TablesRefused, match="snapshots"):
        read_tables(out)
    export(store, out)
    assert read_tables(out).data_hash == wanted


def test_a_process_that_is_killed_is_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    command = [sys.executable, "-m", "pairguard_training", "export"]
    command += ["--store", f"sqlite:{path}", "--out", str(tmp_path / "killed")]
    store = opened(f"sqlite|{path}")
    fill(store, range(60))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "killed").rglob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    assert main(command[3:]) == 0
    export(store, tmp_path / "wanted", Limits())
    assert read_tables(tmp_path / "killed").data_hash == read_tables(tmp_path / "wanted").data_hash
    store.close()


def test_what_cannot_be_read_is_left_out_and_counted(
    store: ParticipantStore, tmp_path: Path
) -> None:
    fill(store, range(1))
    store.append(
        [
            broken(RecordKind.DECISION, "damaged", b"\xff\xff\xff"),
            broken(RecordKind.DECISION, "another", met(5)[0].payload),
            broken(RecordKind.EVENT, "cut", met(5)[1].payload[:-9]),
            broken(RecordKind.EVIDENCE, "empty", b""),
            later_version(met(6)[0]),
            raw_id(met(7)[0]),
        ]
    )
    result = export(store, tmp_path / "out")
    left_out = result.data_set.ledger.tally.left_out
    assert left_out["decisions: unreadable"] == 3
    assert left_out["decisions: other record version"] == 1
    assert left_out["events: unreadable"] == 1
    assert left_out["evidence: other record version"] == 1
    assert read_tables(tmp_path / "out").pairs.height == 1


def test_a_damaged_head_in_redis_is_left_out_and_counted(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    (tmp_path / "store").mkdir()
    location = HARNESSES["redis"](tmp_path / "store", redis_server).location
    store = opened(location)
    fill(store, range(2))
    prefix = location.split("|")[2]
    with redis_server.client() as client:
        key = f"{prefix}{{journal}}:decision:decision-0"
        client.set(key, client.get(key)[:9])
    result = export(store, tmp_path / "out")
    assert result.data_set.ledger.tally.left_out["decisions: unreadable"] == 1
    assert read_tables(tmp_path / "out").pairs.height == 1
    store.close()


def broken(kind: RecordKind, name: str, payload: bytes) -> JournalRecord:
    return JournalRecord(kind, name, float(NOON), payload, frozenset())


def later_version(record: JournalRecord) -> JournalRecord:
    message = journal_pb2.DecisionRecord.FromString(record.payload)
    message.record_version = 2
    return replace(record, payload=message.SerializeToString())


def raw_id(record: JournalRecord) -> JournalRecord:
    message = journal_pb2.DecisionRecord.FromString(record.payload)
    message.pair.participant_a.participant.participant_id = "somebody@example.org"
    return replace(record, payload=message.SerializeToString())


def test_an_empty_journal_gives_an_export_that_says_so(
    store: ParticipantStore, tmp_path: Path
) -> None:
    result = export(store, tmp_path / "out")
    assert set(result.data_set.ledger.rows().values()) == {0}
    with pytest.raises(TablesRefused, match="snapshots"):
        read_tables(tmp_path / "out")
    fill(store, range(1))
    assert at_once(store, tmp_path / "out") == at_once(store, tmp_path / "other")


class BusyStore:
    """A store into which somebody else records while it is read."""

    def __init__(self, store: ParticipantStore, records: Sequence[JournalRecord]) -> None:
        self._store = store
        self._waiting = list(records)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def read_journal(
        self, after: str, limit: int, *, kinds: frozenset[RecordKind] | None = None
    ) -> tuple[KeptRecord, ...]:
        found = self._store.read_journal(after, limit, kinds=kinds)
        if self._waiting:
            self._store.append([self._waiting.pop(0)])
        return found


def test_what_others_record_meanwhile_is_in_this_export_or_the_next(
    store: ParticipantStore, tmp_path: Path
) -> None:
    fill(store, range(2))
    busy = BusyStore(store, [record for number in (2, 3) for record in met(number)])
    limits = Limits(records=3, chunk_bytes=1)
    export(busy, tmp_path / "out", limits)  # type: ignore[arg-type]
    export(store, tmp_path / "out", limits)
    assert read_tables(tmp_path / "out").pairs.height == 4
    again = at_once(store, tmp_path / "again")
    assert read_tables(tmp_path / "out").data_hash == again


class ForgetfulStore(BusyStore):
    """A store that counts a decision more than it has."""

    def statistics(self) -> StoreStatistics:
        found = self._store.statistics()
        return replace(found, records={**found.records, RecordKind.DECISION: 99})


def test_counts_that_do_not_agree_publish_nothing(store: ParticipantStore, tmp_path: Path) -> None:
    fill(store, range(2))
    before = at_once(store, tmp_path / "out")
    fill(store, [2])
    with pytest.raises(ConfigurationRefused, match="the journal has 99, read were 3"):
        export(ForgetfulStore(store, []), tmp_path / "out")  # type: ignore[arg-type]
    assert read_tables(tmp_path / "out").data_hash == before


def test_a_store_that_breaks_down_leaves_the_last_export(
    harness: Harness, store: ParticipantStore, tmp_path: Path
) -> None:
    fill(store, range(2))
    before = at_once(store, tmp_path / "out")
    fill(store, [2])
    harness.break_down()
    try:
        with pytest.raises(StoreUnavailable):
            export(store, tmp_path / "out")
        assert read_tables(tmp_path / "out").data_hash == before
    finally:
        harness.recover()


def test_what_retention_took_leaves_the_tables(store: ParticipantStore, tmp_path: Path) -> None:
    fill(store, range(4))
    store.append([told_of_age("item", ["a0"], NOON)])
    export(store, tmp_path / "out")
    store.purge(now=NOON + 12 * DAY, retention=Retention(10 * DAY, 10 * DAY, 10 * DAY, 400 * DAY))
    export(store, tmp_path / "out")
    found = read_tables(tmp_path / "out")
    assert found.pairs.height == 1
    assert set(found.outcomes["pair_id"]) == {"decision-3"}
    files = [path for path in (tmp_path / "out").rglob("*.parquet") if "_index" not in path.parts]
    assert {path.relative_to(tmp_path / "out").parts[0] for path in files} == {
        "snapshots", "pairs", "outcomes",
    }  # fmt: skip


def test_two_exports_into_one_folder_do_not_meet(store: ParticipantStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(store, range(1))

    class Nosy(BusyStore):
        def statistics(self) -> StoreStatistics:
            with pytest.raises(ConfigurationRefused, match="another export"):
                export(self._store, out)
            return self._store.statistics()

    export(Nosy(store, []), out)  # type: ignore[arg-type]


def test_a_folder_that_is_something_else_stays_as_it_is(
    store: ParticipantStore, tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ConfigurationRefused, match="something else than an export"):
        export(store, tmp_path)
    export(store, tmp_path / "out")
    other = opened(f"sqlite|{tmp_path / 'other.sqlite3'}")
    fill(other, range(1))
    with pytest.raises(ConfigurationRefused, match="another store"):
        export(other, tmp_path / "out")
    other.close()


def test_no_store_is_made_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["export", "--store", f"sqlite:{tmp_path / 'no.sqlite3'}", *out]) == EXIT_REFUSED
    assert "there is no store" in capsys.readouterr().err
    assert main(["export", "--store", "nothing", *out]) == EXIT_REFUSED
    assert main(["export", "--store", "redis://localhost", *out]) == EXIT_REFUSED
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_what_came_in_and_went_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state.sqlite3"
    store = opened(f"sqlite|{path}")
    fill(store, range(2))
    store.append([broken(RecordKind.EVENT, "damaged", b"\xff")])
    assert main(["export", "--store", f"sqlite:{path}", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    for words in (
        "in the journal: 2 decisions, 7 events, 0 items of evidence; the counts of the store agree",
        "in the tables: 4 snapshots, 0 age_evidence, 2 pairs, 6 outcomes, 0 age_labels",
        "left out: 1 events: unreadable",
        "next: pairguard-train check",
    ):
        assert words in said
    assert main(["check", "--tables", str(tmp_path / "out")]) == 0
    store.close()


def test_what_another_version_made_of_the_journal_is_made_anew(
    store: ParticipantStore, tmp_path: Path
) -> None:
    fill(store, range(2))
    out = tmp_path / "out"
    wanted = at_once(store, out)
    assert export(store, out).new == 0
    ledger = json.loads((out / EXPORT_FILE).read_bytes())
    ledger["conversion_version"] -= 1
    (out / EXPORT_FILE).write_text(json.dumps(ledger))

    result = export(store, out)

    assert result.unchanged == 0
    assert read_tables(out).data_hash == wanted


def test_a_list_of_parts_that_is_damaged_is_refused_and_not_read_around(
    store: ParticipantStore, tmp_path: Path
) -> None:
    fill(store, range(2))
    out = tmp_path / "out"
    export(store, out)
    whole = (out / EXPORT_FILE).read_bytes()
    (out / EXPORT_FILE).write_bytes(whole[:-9])
    with pytest.raises(TablesRefused, match="not a readable list of parts"):
        read_tables(out)
    with pytest.raises(ConfigurationRefused, match="cannot be read"):
        export(store, out)
    (out / EXPORT_FILE).write_bytes(whole)
    next((out / "pairs").rglob("*.parquet")).unlink()
    with pytest.raises(TablesRefused, match="listed and not there"):
        read_tables(out)
    export(store, out)  # makes what is missing anew
    assert read_tables(out).pairs.height == 2
