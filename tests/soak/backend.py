"""A chat backend: proposes pairs, starts and ends chats, reports, repeats what was not answered.

Owns one thread of traffic. What the service does not acknowledge is sent again under the same ids
until it is.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from datetime import timedelta

from pairguard.client import (
    ChatEnded,
    ChatEnder,
    ChatEndManner,
    ChatStarted,
    Client,
    ClientError,
    ClientOptions,
    DecidedBy,
    Decision,
    Event,
    NotRecorded,
    PersonalBlock,
    Report,
    ReportCategory,
)
from tests.soak.ledger import Ledger
from tests.soak.people import Person

_BATCH = 40
_DRAIN_SECONDS = 60.0


class Backend(threading.Thread):
    """Traffic of one thread until it is told to stop; then everything unacknowledged is sent."""

    def __init__(self, address: str, people: list[Person], ledger: Ledger, *, seed: int) -> None:
        super().__init__(name=f"backend-{seed}")
        self._client = Client(
            ClientOptions(address, timeout_seconds=0.5, record_timeout_seconds=3.0)
        )
        self._people = people
        self._ledger = ledger
        self._draw = random.Random(seed)
        self._waiting: list[Event] = []
        self._chats: dict[str, tuple[str, ...]] = {}
        self._stopping = threading.Event()
        self.drained = False

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        with self._client:
            while not self._stopping.is_set():
                self._propose()
                if len(self._waiting) >= _BATCH:
                    self._send()
            end = time.monotonic() + _DRAIN_SECONDS
            while self._waiting and time.monotonic() < end:
                self._send()
        self.drained = not self._waiting

    def _propose(self) -> None:
        draw = self._draw
        a, b = draw.sample(self._people, 2)
        if a.participant.linked_ids == b.participant.linked_ids:
            return
        request_id = uuid.uuid4().hex if draw.random() < 0.2 else ""
        answer = self._client.score_pair(a.participant, b.participant, request_id=request_id)
        if answer.decided_by is DecidedBy.CLIENT:
            self._ledger.answered("by the client")
            time.sleep(0.02)
            return
        lost = "DECISION_NOT_JOURNALED" in answer.degradations
        self._ledger.decided(answer.decision_id, answer.decision.name, lost=lost)
        if "STORE_UNAVAILABLE" in answer.degradations:
            self._ledger.answered("on unread state")
            if answer.decision is Decision.ALLOW:
                self._ledger.violated(f"{answer.decision_id} was allowed on unread state")
        if request_id and "REQUEST_ID_NOT_KEPT" not in answer.degradations:
            self._repeat(a, b, request_id, answer.decision_id)
        # Some backends connect whom they like: those chats must be counted, too.
        if answer.decision is Decision.ALLOW or draw.random() < 0.3:
            self._chat(a, b, answer.decision_id)

    def _repeat(self, a: Person, b: Person, request_id: str, decision_id: str) -> None:
        again = self._client.score_pair(a.participant, b.participant, request_id=request_id)
        if again.decided_by is DecidedBy.CLIENT:
            return
        if again.decision_id == decision_id:
            self._ledger.answered("repeated")
            return
        lost = "DECISION_NOT_JOURNALED" in again.degradations
        self._ledger.decided(again.decision_id, again.decision.name, lost=lost)
        self._ledger.answered("repeat judged anew")

    def _chat(self, a: Person, b: Person, decision_id: str) -> None:
        draw = self._draw
        chat_id = uuid.uuid4().hex
        one, other = a.participant.reference, b.participant.reference
        start = Event(
            ChatStarted(participant_a=one, participant_b=other),
            chat_id=chat_id,
            decision_id=decision_id if draw.random() < 0.95 else "",
        )
        ids = (one.participant_id, *one.linked_ids, other.participant_id, *other.linked_ids)
        self._chats[start.event_id] = ids
        end = Event(
            ChatEnded(
                participant_a=one,
                participant_b=other,
                duration=timedelta(seconds=draw.expovariate(1 / 60)),
                ender=draw.choice((ChatEnder.PARTICIPANT_A, ChatEnder.PARTICIPANT_B)),
                manner=ChatEndManner.SKIPPED,
            ),
            chat_id=chat_id,
        )
        self._waiting += [start, end]
        if draw.random() < 0.05:
            report = Report(reporter=one, reported=other, category=ReportCategory.SEXUAL_CONDUCT)
            self._waiting.append(Event(report, chat_id=chat_id))
        if draw.random() < 0.02:
            self._waiting.append(Event(PersonalBlock(blocker=one, blocked=other)))
        # An answer that is lost on its way makes a backend send the same again.
        if draw.random() < 0.1:
            self._waiting.append(start)

    def _send(self) -> None:
        batch = list({event.event_id: event for event in self._waiting[:_BATCH]}.values())
        rest = self._waiting[_BATCH:]
        try:
            results = self._client.record_events(batch)
        except NotRecorded as failure:
            results = failure.results
            rest += failure.unrecorded_events
            time.sleep(0.05)
        except ClientError:
            self._waiting = rest + batch
            return
        self._waiting = rest
        for result in results:
            if result.recorded:
                self._ledger.acknowledged(result.item_id, self._chats.get(result.item_id, ()))
            else:
                self._ledger.violated(f"an event was refused: {result.reason_code}")
