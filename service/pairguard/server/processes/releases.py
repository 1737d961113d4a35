"""Which bundle and policy the workers have: one for all of them, those that begin included.

Owns what a worker that begins is to load, and the change that is under way. It must not know when a
worker is started, stopped or killed for another reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pairguard.server.announcement import say
from pairguard.server.generation_sources import Sources
from pairguard.server.processes.change import GenerationChange, Outcome
from pairguard.server.processes.merged_metrics import SupervisorMetrics
from pairguard.server.processes.messages import Message, Release, Serving
from pairguard.server.processes.release_watch import ReleaseWatch
from pairguard.server.processes.worker_process import WorkerProcess


class Releases:
    """What is served, and what is to be.

    Args:
        sources: Where bundle and policy lie.
        metrics: Where changes are counted.
        check_seconds: How often is looked.
        on_release: Called, from another thread, when there is something to do.
    """

    def __init__(
        self,
        sources: Sources,
        metrics: SupervisorMetrics,
        *,
        check_seconds: float,
        on_release: Callable[[], None],
    ) -> None:
        self._metrics = metrics
        self._watch = ReleaseWatch(sources, check_seconds=check_seconds, on_release=on_release)
        self._to_load = self._watch.snapshot()
        self._served: Release | None = None
        self._stale = False
        self._change: GenerationChange[WorkerProcess] | None = None

    def start(self) -> None:
        """Look from now on whether there is another."""
        self._watch.start()

    def stop(self) -> None:
        """Look no more."""
        self._watch.stop()

    def ask(self) -> None:
        """Have what there is now taken, whether or not it has changed."""
        self._watch.ask()

    @property
    def to_load(self) -> Release:
        """What a worker that begins is to load: what the others serve."""
        return replace(self._to_load, stale=self._stale)

    @property
    def is_changing(self) -> bool:
        """Whether a change is under way; nobody is to begin meanwhile."""
        return self._change is not None

    def may_begin(self, *, others: bool) -> bool:
        """Return whether another worker may begin; ``others``: whether there are any."""
        if self._change is not None:
            return False
        # What nobody has loaded yet, one loads first: then it is known what the others must find.
        return bool(self._to_load.bundle_version) or not others

    def hear(self, worker: WorkerProcess, message: Message, now: float) -> None:
        """Take in what a worker told."""
        if not isinstance(message, Serving):
            if self._change is not None:
                self._change.hear(worker, message, now)
        elif not self._to_load.bundle_version:
            self._to_load = replace(self._to_load, bundle_version=message.bundle_version)
            self._served = self._to_load

    def lose(self, worker: WorkerProcess, now: float) -> None:
        """Take in that a worker has ended."""
        if self._change is not None:
            self._change.lose(worker, now)

    def refused_by_the_only_one(self) -> None:
        """Take in that a worker could not begin and that nobody serves.

        What served is gone, perhaps, and what there is now may be right; or the other way round.
        """
        if self._to_load is self._served or self._served is None:
            self._to_load = self._watch.snapshot()
        else:
            self._to_load = self._served

    def go_on(self, serving: Sequence[WorkerProcess], *, anybody_begins: bool, now: float) -> None:
        """Begin a change that is due, or see what has become of the one under way.

        Args:
            serving: All workers that answer calls.
            anybody_begins: Whether there is one besides that will soon.
            now: The time, seconds of a monotonic clock.
        """
        if self._change is None:
            if serving and not anybody_begins and (release := self._watch.take()) is not None:
                self._change = GenerationChange(release, serving, now=now)
            return
        for worker in self._change.late(now):
            worker.kill()
        outcome = self._change.outcome
        if outcome is not None:
            self._change = None
            self._ended(outcome)

    def _ended(self, outcome: Outcome) -> None:
        self._metrics.count_change(outcome.result)
        release, answer = outcome.release, outcome.answer
        if outcome.result == "switched":
            before, self._stale = self._to_load, False
            self._to_load = self._served = release
            if _marks(release) != _marks(before):
                versions = f"bundle {answer.bundle_version}, policy {answer.policy_version}"
                say(f"every worker serves {versions}")
        elif outcome.result == "refused":
            self._stale = True
            say(f"refused ({answer.reason}), and every worker serves what it did:")
            for problem in answer.problems:
                say(f"  {problem}")
        elif release.asked:
            self._watch.ask()
        else:
            self._watch.again()


def _marks(release: Release) -> tuple[str, str]:
    return release.bundle_mark, release.policy_mark
