"""A chat backend: proposes pairs, starts and ends chats, reports, repeats what was not answered.

Owns one thread of traffic over all servers. What the service does not acknowledge is sent again
under the same ids, to whichever server, until it is.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from pairguard.client import (
    CandidateInput,
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
    evidence,
)
from tests.soak.ledger import Counted, Happened, Ledger
from tests.soak.people import Person

_BATCH = 40
_RANKED = 8
_DRAIN_SECONDS = 60.0
_SKIP_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


class Backend(threading.Thread):
    """Traffic of one thread until it is told to stop; then everything unacknowledged is sent.

    Args:
        addresses: Of all servers.
        people: Who chats; the same for all backends.
        leavers: Who meets each other alone, and leaves for good; of this backend alone.
        ledger: What is told is written there.
        seed: Of what happens.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        people: Sequence[Person],
        leavers: Sequence[Person],
        ledger: Ledger,
        *,
        seed: int,
    ) -> None:
        super().__init__(name=f"backend-{seed}")
        self._clients = [
            Client(ClientOptions(each, timeout_seconds=0.5, record_timeout_seconds=3.0))
            for each in addresses
        ]
        self._people = people
        self._leavers = list(leavers)
        self._ledger = ledger
        self._draw = random.Random(seed)
        self._waiting: list[Event] = []
        self._happened: dict[str, Happened] = {}
        self._stopping = threading.Event()
        self.drained = False

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        with ExitStack() as clients:
            for each in self._clients:
                clients.enter_context(each)
            while not self._stopping.is_set():
                a, b = self._draw.sample(self._people, 2)
                if a.ids[-1] != b.ids[-1]:
                    self._propose(a, b)
                if self._draw.random() < 0.1:
                    self._rank(*self._draw.sample(self._people, _RANKED + 1))
                if self._draw.random() < 0.02:
                    self._check_age(self._draw.choice(self._people))
                if self._draw.random() < 0.02 and len(self._leavers) >= 2:
                    self._leave(self._leavers.pop(), self._leavers[-1])
                if len(self._waiting) >= _BATCH:
                    self._send()
            self.drained = self._until(self._send_all)

    @property
    def _client(self) -> Client:
        return self._draw.choice(self._clients)

    def _until(self, attempt: Callable[[], bool]) -> bool:
        """Try again until something is acknowledged; False: it was not within the bound."""
        end = time.monotonic() + _DRAIN_SECONDS
        while not attempt():
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def _propose(self, a: Person, b: Person) -> None:
        draw = self._draw
        request_id = uuid.uuid4().hex if draw.random() < 0.2 else ""
        answer = self._client.score_pair(a.participant, b.participant, request_id=request_id)
        if answer.decided_by is DecidedBy.CLIENT:
            self._ledger.answered("by the client")
            time.sleep(0.02)
            return
        lost = "DECISION_NOT_JOURNALED" in answer.degradations
        self._ledger.decided(answer.decision_id, answer.decision.name, a.ids, b.ids, lost=lost)
        if "STORE_UNAVAILABLE" in answer.degradations:
            self._ledger.answered("on unread state")
            if answer.decision is Decision.ALLOW:
                self._ledger.violated(f"{answer.decision_id} was allowed on unread state")
        if request_id and "REQUEST_ID_NOT_KEPT" not in answer.degradations:
            self._repeat(a, b, request_id, answer.decision_id)
        # Some backends connect whom they like: those chats must be counted, too.
        if answer.decision is Decision.ALLOW or draw.random() < 0.3:
            self._chat(a, b, answer.decision_id)

    def _rank(self, seeker: Person, *others: Person) -> None:
        """Have somebody's candidates ranked; the seeker meets the best of them."""
        candidates = [each for each in others if each.ids[-1] != seeker.ids[-1]]
        answer = self._client.rank_candidates(
            seeker.participant,
            [CandidateInput(each.participant, affinity=self._draw.random()) for each in candidates],
        )
        if answer.decided_by is DecidedBy.CLIENT:
            self._ledger.answered("ranking by the client")
            return
        lost = "DECISION_NOT_JOURNALED" in answer.degradations
        # Who shares a device with one before it is not judged, and told apart.
        invalid = {each.candidate_index for each in answer.invalid_candidates}
        judged = [each.ids for place, each in enumerate(candidates) if place not in invalid]
        people = (seeker.ids, *judged)
        self._ledger.decided(answer.decision_id, "ranking", *people, lost=lost)
        if "STORE_UNAVAILABLE" in answer.degradations:
            self._ledger.answered("ranking on unread state")
            if answer.candidates:
                self._ledger.violated(f"{answer.decision_id} offers somebody on unread state")
        if answer.candidates:
            best = candidates[answer.candidates[0].candidate_index]
            self._chat(seeker, best, answer.decision_id)

    def _repeat(self, a: Person, b: Person, request_id: str, decision_id: str) -> None:
        again = self._client.score_pair(a.participant, b.participant, request_id=request_id)
        if again.decided_by is DecidedBy.CLIENT:
            return
        if again.decision_id == decision_id:
            self._ledger.answered("repeated")
            return
        lost = "DECISION_NOT_JOURNALED" in again.degradations
        self._ledger.decided(again.decision_id, again.decision.name, a.ids, b.ids, lost=lost)
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
        self._tell(start, Happened(tuple((each, Counted.CHATS) for each in (*a.ids, *b.ids))))
        # Whole microseconds, as a duration has.
        lasted = timedelta(microseconds=int(draw.expovariate(1 / 60) * 1e6))
        ends_it, is_left = (a, b) if draw.random() < 0.5 else (b, a)
        end = Event(
            ChatEnded(
                participant_a=one,
                participant_b=other,
                duration=lasted,
                ender=ChatEnder.PARTICIPANT_A if ends_it is a else ChatEnder.PARTICIPANT_B,
                manner=ChatEndManner.SKIPPED,
            ),
            chat_id=chat_id,
        )
        skips: list[tuple[str, Counted]] = []
        if lasted.total_seconds() <= _SKIP_SECONDS:
            skips += ((each, Counted.SKIPS_MADE) for each in ends_it.ids)
            skips += ((each, Counted.SKIPS_SUFFERED) for each in is_left.ids)
        self._tell(end, Happened(tuple(skips), chat_seconds=lasted.total_seconds()))
        if draw.random() < 0.05:
            report = Report(reporter=one, reported=other, category=ReportCategory.SEXUAL_CONDUCT)
            made = tuple((each, Counted.REPORTS_MADE) for each in a.ids)
            self._tell(Event(report, chat_id=chat_id), Happened(made, report=(a.ids, b.ids)))
        if draw.random() < 0.02:
            block = PersonalBlock(blocker=one, blocked=other)
            self._tell(Event(block), Happened(block=(a.ids, b.ids)))
        # An answer that is lost on its way makes a backend send the same again.
        if draw.random() < 0.1:
            self._waiting.append(start)

    def _tell(self, event: Event, happened: Happened) -> None:
        self._happened[event.event_id] = happened
        self._waiting.append(event)

    def _check_age(self, person: Person) -> None:
        """Tell of an age check, again and again until it is acknowledged."""
        item = evidence.AgeEvidence(
            evidence.SelfDeclared(age_years=self._draw.choice((19.0, 20.0))),
            uuid.uuid4().hex,
            datetime.now(UTC) - timedelta(hours=1),
        )

        def record() -> bool:
            try:
                said = self._client.record_age_evidence(person.participant.reference, [item])
            except ClientError:
                return False
            if any(not each.recorded for each in said.results):
                self._ledger.violated(f"evidence was refused: {said.results[0].reason_code}")
            return True

        if self._until(record):
            self._ledger.kept(person.ids, {item.evidence_id})
        else:
            self._ledger.violated("evidence was never acknowledged")

    def _leave(self, leaver: Person, other: Person) -> None:
        """Let somebody be decided on, chat, be reported, and leave for good."""
        self._propose(leaver, other)
        self._chat(leaver, other, "")
        self._check_age(leaver)
        self._until(self._send_all)
        # Its decision may be on its way to the store yet.
        self._propose(leaver, other)
        self._until(self._send_all)

        def erase() -> bool:
            try:
                self._client.erase_participant(leaver.participant.reference)
            except ClientError:
                return False
            return True

        if self._until(erase):
            self._ledger.left(leaver.ids)
        else:
            self._ledger.violated("an erasure was never acknowledged")

    def _send_all(self) -> bool:
        while self._waiting:
            if not self._send():
                return False
        return True

    def _send(self) -> bool:
        """Send a batch and return whether all of it was answered."""
        batch = list({event.event_id: event for event in self._waiting[:_BATCH]}.values())
        rest = self._waiting[_BATCH:]
        unanswered: Sequence[Event] = ()
        try:
            results = self._client.record_events(batch)
        except NotRecorded as failure:
            results, unanswered = failure.results, failure.unrecorded_events
            time.sleep(_PAUSE_SECONDS)
        except ClientError:
            results, unanswered = (), batch
        self._waiting = [*rest, *unanswered]
        for result in results:
            if result.recorded:
                self._ledger.acknowledged(result.item_id, self._happened[result.item_id])
            else:
                self._ledger.violated(f"an event was refused: {result.reason_code}")
        return not unanswered
