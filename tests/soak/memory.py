"""``make soak``, its part on memory: mixed calls for a quarter of an hour, and a flat line.

Bounded, stops by itself; exit code 1 where the memory of the server or of its importing process may
grow faster than the bound, where a call failed, or where there was too little load to tell.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pairguard.client import (
    CandidateInput,
    ChatEnded,
    ChatEnder,
    ChatEndManner,
    ChatStarted,
    Client,
    ClientOptions,
    DecidedBy,
    Event,
    NotRecorded,
    ParticipantInput,
    facial_age_estimate,
    self_declared,
)
from tests.e2e.server_process import ServerProcess, environment, started
from tests.integration.server.running_server import lenient_policy
from tests.process_facts import children_of, resident_bytes
from tests.soak.growth import growth_a_minute

_MIB = 1024 * 1024
_SAMPLE_SECONDS = 2.0
_BLOCK_SECONDS = 30.0
_RANKED = 20
_BATCH = 20
_REGULARS = 2_000


@dataclass
class _Traffic:
    """Calls of one thread until it is told to stop.

    Half of the people come again until the warm-up is over, so that what is kept of known people
    has filled by then, and a tenth of them afterwards.
    """

    client: Client
    seed: int
    pause_seconds: float
    warm_at: float
    calls: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    people: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        self._draw = random.Random(self.seed)
        self._known: list[str] = []
        self._events: list[Event] = []
        kinds = (self._score, self._score, self._score, self._score_repeatably, self._rank)
        while not self.stopped.wait(self._draw.expovariate(1.0 / self.pause_seconds)):
            self._draw.choice(kinds)()
            if len(self._events) >= _BATCH:
                self._tell()

    def _person(self) -> ParticipantInput:
        draw = self._draw
        again = 0.1 if time.monotonic() > self.warm_at else 0.5
        if len(self._known) > _REGULARS and draw.random() < again:
            return ParticipantInput(draw.choice(self._known))
        name = uuid.UUID(int=draw.getrandbits(128)).hex
        if len(self._known) <= _REGULARS:
            self._known.append(name)
        self.people += 1
        since = datetime.now(UTC) - timedelta(seconds=draw.uniform(60.0, 1e7))
        age = max(draw.gauss(27.0, 6.0), 5.0)  # of a million somebody would not be born yet
        evidence = [
            self_declared(
                age_years=float(round(age)), evidence_id=f"d-{name}", observed_time=since
            ),
            facial_age_estimate(
                mean_years=max(age + draw.gauss(0.0, 2.0), 5.0),
                evidence_id=f"f-{name}",
                observed_time=since,
            ),
        ]
        return ParticipantInput(name, evidence, linked_ids=[f"device-{name}"])

    def _score(self, request_id: str = "") -> None:
        a, b = self._person(), self._person()
        if a.participant_id == b.participant_id:
            return
        answer = self.client.score_pair(a, b, request_id=request_id)
        self._count("ScorePair", ok=answer.decided_by is DecidedBy.SERVICE)
        self._chat(a, b, answer.decision_id)

    def _score_repeatably(self) -> None:
        self._score(uuid.UUID(int=self._draw.getrandbits(128)).hex)

    def _rank(self) -> None:
        candidates = [CandidateInput(self._person()) for _ in range(_RANKED)]
        unique = {each.participant.participant_id: each for each in candidates}
        seeker = self._person()
        unique.pop(seeker.participant_id, None)
        answer = self.client.rank_candidates(seeker, list(unique.values()))
        self._count("RankCandidates", ok=answer.decided_by is DecidedBy.SERVICE)

    def _chat(self, a: ParticipantInput, b: ParticipantInput, decision_id: str) -> None:
        chat_id = uuid.UUID(int=self._draw.getrandbits(128)).hex
        one, other = a.reference, b.reference
        start = ChatStarted(participant_a=one, participant_b=other)
        end = ChatEnded(
            participant_a=one,
            participant_b=other,
            duration=timedelta(seconds=round(self._draw.expovariate(1 / 60), 3)),
            ender=ChatEnder.PARTICIPANT_A,
            manner=ChatEndManner.SKIPPED,
        )
        self._events.append(Event(start, chat_id=chat_id, decision_id=decision_id))
        self._events.append(Event(end, chat_id=chat_id))

    def _tell(self) -> None:
        try:
            recorded = all(each.recorded for each in self.client.record_events(self._events))
        except NotRecorded:
            recorded = False
        self._count("RecordEvents", ok=recorded)
        self._events.clear()

    def _count(self, what: str, *, ok: bool) -> None:
        self.calls[what] += 1
        self.failed += not ok


def main() -> int:
    """Run; return 0 where memory is flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.memory", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("var/bundles"))
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--warm-up", type=float, default=300.0, help="seconds of it, not counted")
    parser.add_argument("--bound", type=float, default=0.5, help="MiB a minute, upper end")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second, at most")
    parser.add_argument("--seed", type=int, default=20_261_123)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        policy = directory / "policy.toml"
        policy.write_text(lenient_policy(unknown_may_meet='"ADULTS_AND_UNKNOWN"'))
        environ = environment(
            directory,
            given.bundle.absolute(),
            policy_file=str(policy),
            log_one_ok_call_in="1000000",
        )
        with started(directory, environ) as server:
            return _soak(given, server)


def _soak(given: argparse.Namespace, server: ServerProcess) -> int:
    options = ClientOptions(server.address, timeout_seconds=20.0, record_timeout_seconds=20.0)
    pause = given.threads / given.rate
    warm_at = time.monotonic() + given.warm_up
    with Client(options) as client:
        traffic = [_Traffic(client, given.seed + n, pause, warm_at) for n in range(given.threads)]
        threads = [threading.Thread(target=each.run) for each in traffic]
        for thread in threads:
            thread.start()
        try:
            samples = _samples(server.process.pid, given.seconds)
        finally:
            for each in traffic:
                each.stopped.set()
            for thread in threads:
                thread.join()
    calls: Counter[str] = sum((each.calls for each in traffic), Counter())
    people, failed = sum(each.people for each in traffic), sum(each.failed for each in traffic)
    _say(
        f"{given.seconds:g} s, seed {given.seed}: {dict(calls)}, {people:,} new people with a "
        f"device each, {failed} calls failed"
    )
    problems = [f"{failed} calls failed"] if failed else []
    for what, values in samples.items():
        problems += _judged(given, what, values, calls=sum(calls.values()))
    for problem in problems:
        _say(f"WRONG: {problem}")
    return 1 if problems else 0


def _samples(process_id: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """Return the memory of the server and of the process that imports, MiB by second."""
    found: dict[str, list[tuple[float, float]]] = {"server": [], "importing process": []}
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        children = sum(resident_bytes(each) for each in children_of(process_id))
        found["server"].append((now, resident_bytes(process_id) / _MIB))
        found["importing process"].append((now, children / _MIB))
        time.sleep(_SAMPLE_SECONDS)
    return found


def _judged(
    given: argparse.Namespace, what: str, samples: list[tuple[float, float]], *, calls: int
) -> list[str]:
    counted = [each for each in samples if each[0] >= given.warm_up]
    seconds, values = [at for at, _ in counted], [value for _, value in counted]
    growth = growth_a_minute(seconds, values, block_seconds=_BLOCK_SECONDS)
    a_call = growth.high * _MIB / (60.0 * calls / given.seconds)
    _say(
        f"{what}: {samples[0][1]:.1f} MiB at first, {values[0]:.1f} after {given.warm_up:g} s, "
        f"{values[-1]:.1f} at the end, at most {max(value for _, value in samples):.1f}; growth "
        f"after the warm-up {growth.slope:+.3f} [{growth.low:+.3f}, {growth.high:+.3f}] MiB a "
        f"minute ({growth.blocks} means of {_BLOCK_SECONDS:g} s), bound {given.bound:g}; at most "
        f"{max(a_call, 0.0):,.0f} bytes a call"
    )
    if growth.high <= given.bound:
        return []
    return [f"{what}: it may grow by {growth.high:.2f} MiB a minute"]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
