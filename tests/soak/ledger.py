"""What a chat backend was told: the truth that the service's own counts are held against.

Owns the list of answered decisions and acknowledged events. Must not know the service's store.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """Counts of one run; safe for several threads.

    Attributes:
        decisions: Ids of the decisions that the service answered and did not mark as lost.
        lost_decisions: Ids of those that it marked as not recorded.
        events: Ids of the events that it acknowledged.
        chats: Acknowledged starts of chats, by id of a participant, linked ones included.
        answers: How often what was answered: decisions, client-made answers, repeats.
    """

    decisions: set[str] = field(default_factory=set)
    lost_decisions: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    chats: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def decided(self, decision_id: str, kind: str, *, lost: bool) -> None:
        with self._lock:
            (self.lost_decisions if lost else self.decisions).add(decision_id)
            self.answers[kind] += 1

    def answered(self, kind: str) -> None:
        with self._lock:
            self.answers[kind] += 1

    def acknowledged(self, event_id: str, started_by: tuple[str, ...]) -> None:
        with self._lock:
            if event_id in self.events:
                return
            self.events.add(event_id)
            self.chats.update(started_by)

    def violated(self, what: str) -> None:
        with self._lock:
            self.violations.append(what)
