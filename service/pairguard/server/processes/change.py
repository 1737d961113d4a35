"""One change of bundle and policy: tried by one worker, loaded by all, taken by all at once.

Owns the order, and what becomes of the change when a worker refuses, ends or does not answer. It
must not know how a worker is reached, started or replaced.

A worker answers calls by what it has until it is told to switch, and it is told when every other
has loaded the same. So two workers differ for no longer than it takes to write a line to each. The
first tries alone: what it refuses costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Generic, Protocol, TypeVar

from pairguard.server.processes.messages import (
    MOVED,
    Order,
    OrderKind,
    Prepared,
    Release,
    Switched,
)

ANSWER_SECONDS: Final = 60.0
"""A worker that has not answered an order by then is not waited for: it is to be replaced."""
LOST: Final = "WORKER_LOST"
_MOST_LOST: Final = 1


class ToldWorker(Protocol):
    """A worker, as far as a change knows it."""

    def order(self, order: Order) -> None:
        """Tell it to do something; returns at once."""


W = TypeVar("W", bound=ToldWorker)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change.

    Attributes:
        result: ``switched``; ``refused``: it cannot be used; ``again``: it moved while it was
            loaded, or nobody is left who could say, and is to be tried again.
        release: What was to be taken, with the version that the workers found.
        answer: Of the worker that decided it.
    """

    result: str
    release: Release
    answer: Prepared


class GenerationChange(Generic[W]):
    """One change; times are seconds of one monotonic clock, given by the caller.

    Args:
        release: What is to be taken.
        workers: All that answer calls; nobody else begins to before there is an outcome.
        now: The time.

    Attributes:
        outcome: What became of it; None: it is under way.
        is_switching: Whether it is what counts from now on.
    """

    def __init__(self, release: Release, workers: Iterable[W], *, now: float) -> None:
        self.release = release
        self.outcome: Outcome | None = None
        self.is_switching = False
        self._waiting = list(workers)
        self._asked: dict[W, float] = {}
        self._ready: list[W] = []
        self._lost = 0
        self._answer = Prepared(release.number)
        self._go_on(now)

    def hear(self, worker: W, answer: Prepared | Switched, now: float) -> None:
        """Take in what a worker answers."""
        if answer.number != self.release.number or worker not in self._asked or self.outcome:
            return
        if isinstance(answer, Switched) != self.is_switching:
            return
        del self._asked[worker]
        if isinstance(answer, Prepared):
            self._answer = answer
            if answer.reason:
                # That worker has nothing to forget, but is to know like all the others.
                self._ready.append(worker)
                self._give_up("again" if answer.reason == MOVED else "refused")
                return
            self.release = replace(self.release, bundle_version=answer.bundle_version)
        self._ready.append(worker)
        self._go_on(now)

    def lose(self, worker: W, now: float) -> None:
        """Take in that a worker has ended."""
        if self.outcome is not None:
            return
        was_asked = self._asked.pop(worker, None) is not None
        for group in (self._waiting, self._ready):
            if worker in group:
                group.remove(worker)
        if was_asked and not self.is_switching:
            # It may be what it was loading. A second one is not risked for that.
            self._lost += 1
            if self._lost > _MOST_LOST:
                problem = "workers ended while they loaded it"
                self._answer = Prepared(self.release.number, reason=LOST, problems=(problem,))
                self._give_up("refused")
                return
        self._go_on(now)

    def late(self, now: float) -> list[W]:
        """Return the workers that should have answered by now: they are to be ended."""
        return [worker for worker, by in self._asked.items() if now >= by]

    def _go_on(self, now: float) -> None:
        if self._asked:
            return
        if self._waiting:
            # One alone at first, then all the others.
            count = len(self._waiting) if self._ready else 1
            chosen, self._waiting = self._waiting[:count], self._waiting[count:]
            self._tell(chosen, Order(OrderKind.PREPARE, self.release.number, self.release), now)
        elif self.is_switching:
            self._end("switched")
        elif self._ready:
            self.is_switching = True
            chosen, self._ready = self._ready, []
            self._tell(chosen, Order(OrderKind.SWITCH, self.release.number), now)
        else:
            self._end("again")

    def _give_up(self, result: str) -> None:
        refused = self._answer.reason if result == "refused" else ""
        order = Order(OrderKind.DROP, self.release.number, refused=refused)
        for worker in (*self._ready, *self._asked, *self._waiting):
            worker.order(order)
        self._end(result)

    def _end(self, result: str) -> None:
        self._asked.clear()
        self.outcome = Outcome(result, self.release, self._answer)

    def _tell(self, workers: Iterable[W], order: Order, now: float) -> None:
        for worker in workers:
            self._asked[worker] = now + ANSWER_SECONDS
            worker.order(order)
