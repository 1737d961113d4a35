"""A store, a local journal and their settings in one directory, and the command run on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pairguard.admin.__main__ import main
from pairguard.store.identity import IdentityKey
from pairguard.store.opening import open_store
from pairguard.store.ports import JournalRecord, ParticipantStore
from pairguard.store.records import decision_record, event_record
from pairguard.store.segments.writing import SegmentWriter
from pairguard.v1 import assessment_pb2, feedback_service_pb2, journal_pb2

DAY = 86_400.0


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Deployment:
    directory: Path
    capture: pytest.CaptureFixture[str]
    redis_url: str = ""
    """Where the store is; empty: in the directory."""

    @property
    def database(self) -> Path:
        return self.directory / "state" / "pairguard.sqlite3"

    @property
    def key_file(self) -> Path:
        if self.redis_url:
            return self.directory / "identity.key"
        return self.database.with_name(self.database.name + ".key")

    @property
    def segments(self) -> Path:
        return self.directory / "state" / "journal"

    @property
    def environment(self) -> dict[str, str]:
        journal = {"PAIRGUARD_JOURNAL_DIRECTORY": str(self.segments)}
        if self.redis_url:
            key = {"PAIRGUARD_IDENTITY_KEY_FILE": str(self.key_file)}
            return {"PAIRGUARD_STORE": self.redis_url} | key | journal
        return {"PAIRGUARD_STORE": f"sqlite:{self.database}"} | journal

    @contextmanager
    def store(self) -> Iterator[ParticipantStore]:
        """Open the store; it is made if it is not there."""
        self.database.parent.mkdir(parents=True, exist_ok=True)
        store = open_store(
            self.environment["PAIRGUARD_STORE"],
            key_path=self.key_file if self.redis_url else None,
        )
        try:
            yield store
        finally:
            store.close()

    def append(self, *records: JournalRecord) -> None:
        with self.store() as store:
            assert all(store.append(records))

    def write_locally(self, *payloads: bytes) -> Path:
        """Leave a segment as a server does that ended before it was imported."""
        writer = SegmentWriter(self.segments, on_sync_error=pytest.fail)
        try:
            names = {writer.append(each).segment for each in payloads}
        finally:
            writer.close()
        (name,) = names
        return self.segments / name

    def run(self, *arguments: str) -> Result:
        """Run the command in this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [each for each in os.environ if each.startswith("PAIRGUARD_")]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            self.capture.readouterr()
            try:
                code = main(arguments)
            except SystemExit as ended:
                code = int(ended.code or 0)
            captured = self.capture.readouterr()
        return Result(code, captured.out, captured.err)

    def process(self, *arguments: str, stdin: str = "", **changes: str) -> Result:
        """Run the command in a process of its own; a variable changed to "" is left out."""
        environment = self.process_environment | changes
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "pairguard.admin", *arguments],
            env={name: value for name, value in environment.items() if value},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    @property
    def process_environment(self) -> dict[str, str]:
        others = {k: v for k, v in os.environ.items() if not k.startswith("PAIRGUARD_")}
        return others | self.environment


def decision(
    key: IdentityKey,
    decision_id: str,
    *people: str,
    time: float | None = None,
    verdict: assessment_pb2.Decision.ValueType = assessment_pb2.DECISION_ALLOW,
) -> journal_pb2.DecisionRecord:
    """Return the record of a decision on two people."""
    message = journal_pb2.DecisionRecord(
        record_version=1,
        decision_id=decision_id,
        hash_key_id=key.key_id,
        bundle_version="b1",
        policy_version="p1",
    )
    _set(message.decision_time, time)
    pair = message.pair
    pair.assessment.decision = verdict
    pair.assessment.minor_adult_probability = 0.01
    pair.participant_a_probability_minor = 0.02
    pair.participant_b_probability_minor = 0.03
    for side, name in zip((pair.participant_a, pair.participant_b), people, strict=True):
        side.participant.participant_id = key.hash(name).hex()
    return message


def chat_started(
    key: IdentityKey,
    event_id: str,
    *people: str,
    decision_id: str = "",
    time: float | None = None,
    agreement: journal_pb2.Reconciliation.ValueType = journal_pb2.RECONCILIATION_WITHOUT_DECISION,
) -> journal_pb2.EventRecord:
    """Return the record of a started chat."""
    message = journal_pb2.EventRecord(
        record_version=1, hash_key_id=key.key_id, reconciliation=agreement
    )
    _set(message.receive_time, time)
    message.event.event_id = key.hash(f"event:{event_id}").hex()
    message.event.chat_id = key.hash(f"chat:{event_id}").hex()
    message.event.decision_id = decision_id
    started = message.event.chat_started
    started.participant_a.participant_id = key.hash(people[0]).hex()
    started.participant_b.participant_id = key.hash(people[1]).hex()
    return message


def hold_placed(key: IdentityKey, who: str, *, time: float | None = None) -> JournalRecord:
    message = journal_pb2.EventRecord(record_version=1, hash_key_id=key.key_id)
    _set(message.receive_time, time)
    message.event.event_id = key.hash(f"event:hold {who}").hex()
    placed = message.event.hold_placed
    placed.kind = feedback_service_pb2.HOLD_KIND_PAIRING
    placed.reason_code = "SPAM_RING"
    placed.participant.participant_id = key.hash(who).hex()
    return event_record(message)


def decisions(
    key: IdentityKey, numbers: Sequence[int], *, time: float | None = None
) -> list[JournalRecord]:
    """Return records of decisions on people of whom each is in one."""
    return [
        decision_record(decision(key, decision_id(n), f"a{n}", f"b{n}", time=time)) for n in numbers
    ]


def decision_id(number: int) -> str:
    return f"{number:032x}"


def _set(timestamp: Any, seconds: float | None) -> None:
    timestamp.FromNanoseconds(int((time.time() if seconds is None else seconds) * 1e9))
