"""A chat backend in the loop: asks for each proposed pair, forms the allowed, tells what happened.

Owns the calls. It must not know what the answers are used for. What is drawn (who chats how long,
who reports) follows from the seed and the proposal alone, and not from which thread asks.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from pairguard.client import (
    AgeEvidence,
    ChatEnded,
    ChatEnder,
    ChatEndManner,
    ChatStarted,
    Client,
    ClientOptions,
    DecidedBy,
    Decision,
    Event,
    NotRecorded,
    ParticipantReference,
    Report,
    ReportCategory,
    ReviewVerdict,
    Verdict,
)
from tests.loop.platform import Label, Proposal, Session

_EVENTS_A_CALL = 400
_REVIEWED = 0.55
_STARTS = 0.97
_MEAN_CHAT_SECONDS = 90.0
_RECORD_SECONDS = 30.0
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered for one proposal.

    Attributes:
        place: The proposal's place.
        decision: The decision.
        failure: What went wrong where the client had to answer by itself; empty: the service did.
        minor_adult: ``minor_adult_probability``; None: not assessed.
        harm: ``harm_probability``; None: not assessed, or no harm model.
        versions: Of bundle and policy.
        seconds: How long the call took.
        finished: When it was answered, seconds of this process's monotonic clock.
    """

    place: int
    decision: Decision
    failure: str
    minor_adult: float | None
    harm: float | None
    versions: tuple[str, str]
    seconds: float
    finished: float


class ChatBackend:
    """One chat platform's backend.

    Args:
        address: Of the server.
        seed: Of what happens in chats.
        threads: Calls at one time.
    """

    def __init__(self, address: str, *, seed: int, threads: int = 2) -> None:
        self._options = ClientOptions(
            address, timeout_seconds=5.0, record_timeout_seconds=_RECORD_SECONDS
        )
        self._seed = seed
        self._threads = threads
        self._lock = threading.Lock()
        self._recorded: set[str] = set()
        self.events: Counter[str] = Counter()
        self.last_version = ""

    def record_evidence(self, sessions: Iterable[Session]) -> int:
        """Record every item of evidence once; return how many."""
        by_person: dict[ParticipantReference, dict[str, AgeEvidence]] = {}
        for each in sessions:
            for item in each.evidence:
                if item.evidence_id not in self._recorded:
                    self._recorded.add(item.evidence_id)
                    by_person.setdefault(each.reference, {})[item.evidence_id] = item
        with Client(self._options) as client, ThreadPoolExecutor(self._threads) as pool:
            list(
                pool.map(
                    lambda told: client.record_age_evidence(told[0], list(told[1].values())),
                    by_person.items(),
                )
            )
        return sum(map(len, by_person.values()))

    def record_labels(self, labels: Sequence[Label]) -> int:
        """Tell whose ages were established; return how many."""
        reviews = [each.review for each in labels if each.review is not None]
        with Client(self._options) as client, ThreadPoolExecutor(self._threads) as pool:
            list(
                pool.map(
                    lambda each: client.record_age_evidence(each.participant, [each.evidence]),
                    [each for each in labels if each.evidence is not None],
                )
            )
            for start in range(0, len(reviews), _EVENTS_A_CALL):
                self._send(client, reviews[start : start + _EVENTS_A_CALL])
        return len(labels)

    def propose(
        self, proposals: Sequence[Proposal], *, chats: bool, until: Callable[[], bool] | None = None
    ) -> list[Answer]:
        """Ask for each pair, in order; where ``chats``, form the allowed and tell what happened.

        Args:
            proposals: The pairs.
            chats: Whether allowed pairs meet.
            until: Asked before each call; the rest is left out once it says True.
        """
        with Client(self._options) as client, ThreadPoolExecutor(self._threads) as pool:
            parts = [
                pool.submit(self._part, client, proposals, start, chats=chats, until=until)
                for start in range(self._threads)
            ]
            return sorted(
                (each for part in parts for each in part.result()), key=lambda each: each.place
            )

    def _part(
        self,
        client: Client,
        proposals: Sequence[Proposal],
        start: int,
        *,
        chats: bool,
        until: Callable[[], bool] | None,
    ) -> list[Answer]:
        answers: list[Answer] = []
        waiting: list[Event] = []
        for place in range(start, len(proposals), self._threads):
            if until is not None and until():
                break
            proposal = proposals[place]
            began = time.monotonic()
            told = client.score_pair(proposal.a.participant, proposal.b.participant)
            finished = time.monotonic()
            self.last_version = told.bundle_version
            answers.append(
                Answer(
                    place,
                    told.decision,
                    "" if told.decided_by is DecidedBy.SERVICE else str(told.error),
                    told.minor_adult_probability,
                    told.harm_probability,
                    (told.bundle_version, told.policy_version),
                    finished - began,
                    finished,
                )
            )
            if chats and told.decision is Decision.ALLOW:
                waiting += self._chat(proposal, place, told.decision_id)
            if len(waiting) >= _EVENTS_A_CALL:
                self._send(client, waiting)
                waiting = []
        self._send(client, waiting)
        return answers

    def _chat(self, proposal: Proposal, place: int, decision_id: str) -> list[Event]:
        draw = random.Random(f"{self._seed} {place}")
        if draw.random() >= _STARTS:
            return []
        chat_id = f"chat-{self._seed}-{place}"
        a, b = proposal.a.reference, proposal.b.reference
        skipped = draw.random() < 0.3
        seconds = draw.uniform(1.0, 10.0) if skipped else draw.expovariate(1 / _MEAN_CHAT_SECONDS)
        ender = ChatEnder.PARTICIPANT_A if draw.random() < 0.5 else ChatEnder.PARTICIPANT_B
        ended = ChatEnded(
            participant_a=a,
            participant_b=b,
            duration=timedelta(microseconds=int(seconds * 1e6)),
            ender=ender,
            manner=ChatEndManner.SKIPPED,
        )
        events = [
            Event(
                ChatStarted(participant_a=a, participant_b=b),
                chat_id=chat_id,
                decision_id=decision_id,
            ),
            Event(ended, chat_id=chat_id),
        ]
        if draw.random() < proposal.report_probability:
            events += self._report(proposal, chat_id, draw)
        return events

    def _report(self, proposal: Proposal, chat_id: str, draw: random.Random) -> list[Event]:
        """Return a report that counts: not reviewed, or upheld."""
        a, b = proposal.a.reference, proposal.b.reference
        reporter, reported = (b, a) if proposal.reported_is_a else (a, b)
        report = Event(
            Report(reporter=reporter, reported=reported, category=ReportCategory.SEXUAL_CONDUCT),
            chat_id=chat_id,
        )
        if draw.random() >= _REVIEWED:
            return [report]
        verdict = ReviewVerdict(
            participant=reported,
            report_event_ids=[report.event_id],
            verdict=Verdict.UPHELD,
            category=ReportCategory.SEXUAL_CONDUCT,
        )
        return [report, Event(verdict, chat_id=chat_id)]

    def _send(self, client: Client, events: Sequence[Event]) -> None:
        waiting = list(events)
        for _ in range(_ATTEMPTS):
            if not waiting:
                break
            try:
                results = client.record_events(waiting[:_EVENTS_A_CALL])
                waiting = waiting[_EVENTS_A_CALL:]
            except NotRecorded as failure:
                results = failure.results
                waiting = [*failure.unrecorded_events, *waiting[_EVENTS_A_CALL:]]
                time.sleep(0.05)
            with self._lock:
                self.events.update(each.status.name for each in results)
        if waiting:
            raise TimeoutError(f"{len(waiting)} events were never acknowledged")
