"""What a chat backend was told: the truth that the service's own counts are held against.

Owns the list of answered decisions, acknowledged events, evidence and erasures, and what each of
them must have changed, by the ids that the backend itself uses. Must not know the service's store,
nor how the service counts.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

Ids = tuple[str, ...]
"""A participant: its own id first, then the linked ones."""


class Counted(StrEnum):
    """What is counted for each id."""

    CHATS = "chats"
    SKIPS_MADE = "skips made"
    SKIPS_SUFFERED = "skips suffered"
    REPORTS_MADE = "reports made"


@dataclass(frozen=True, slots=True)
class Happened:
    """What an event is to the one who sent it.

    Attributes:
        counts: What it adds, by id.
        chat_seconds: Of the end of a chat how long it was; None: it is no end.
        report: Reporter and reported of a report.
        block: Blocker and blocked of a personal block.
    """

    counts: tuple[tuple[str, Counted], ...] = ()
    chat_seconds: float | None = None
    report: tuple[Ids, Ids] | None = None
    block: tuple[Ids, Ids] | None = None


@dataclass
class Ledger:
    """Counts of one run; safe for several threads.

    Attributes:
        decisions: Participants of the decisions that the service answered and did not mark as lost,
            by id: the two of a pair, or a seeker and its candidates as they were sent.
        lost_decisions: Ids of those that it marked as not recorded.
        events: Ids of the events that it acknowledged.
        counts: What was acknowledged, by what it is and by id.
        chat_seconds: Duration of the acknowledged ends of chats, by id of the event.
        reporters: Who reported an id, each person by the id of its device.
        blockers: Who blocked an id, in the same way.
        blocks: Acknowledged blocks, blocker first.
        evidence: Ids of the items that it acknowledged, by id of the participant.
        erased: Participants whose erasure it acknowledged.
        answers: How often what was answered: decisions, client-made answers, repeats.
    """

    decisions: dict[str, tuple[Ids, ...]] = field(default_factory=dict)
    lost_decisions: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    counts: dict[Counted, Counter[str]] = field(
        default_factory=lambda: {each: Counter() for each in Counted}
    )
    chat_seconds: dict[str, float] = field(default_factory=dict)
    reporters: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    blockers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    blocks: list[tuple[Ids, Ids]] = field(default_factory=list)
    evidence: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    erased: list[Ids] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def decided(self, decision_id: str, kind: str, *people: Ids, lost: bool) -> None:
        with self._lock:
            if lost:
                self.lost_decisions.add(decision_id)
            else:
                self.decisions[decision_id] = people
            self.answers[kind] += 1

    def answered(self, kind: str) -> None:
        with self._lock:
            self.answers[kind] += 1

    def acknowledged(self, event_id: str, happened: Happened) -> None:
        with self._lock:
            if event_id in self.events:
                return
            self.events.add(event_id)
            for each, what in happened.counts:
                self.counts[what][each] += 1
            if happened.chat_seconds is not None:
                self.chat_seconds[event_id] = happened.chat_seconds
            if happened.report is not None:
                by, of = happened.report
                for each in of:
                    self.reporters[each].add(by[-1])
            if happened.block is not None:
                by, of = happened.block
                self.blocks.append((by, of))
                for each in of:
                    self.blockers[each].add(by[-1])

    def kept(self, ids: Ids, evidence_ids: set[str]) -> None:
        with self._lock:
            for each in ids:
                self.evidence[each] |= evidence_ids

    def left(self, ids: Ids) -> None:
        with self._lock:
            self.erased.append(ids)

    def violated(self, what: str) -> None:
        with self._lock:
            self.violations.append(what)
