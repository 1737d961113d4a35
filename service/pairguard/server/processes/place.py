"""One place for a worker: the process that is in it now, and when the next one may begin.

Owns the back-off between processes that failed. It must not know what other places do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pairguard.server.processes.messages import Order, OrderKind, Release
from pairguard.server.processes.worker_process import WorkerProcess

FIRST_BACKOFF_SECONDS: Final = 0.5
MOST_BACKOFF_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""After a process that served so long, the back-off begins anew."""


class Place:
    """A numbered place; times are seconds of one monotonic clock, given by the caller.

    Args:
        number: From 0. The processes of 0 lead: they do what one does for all.
        environment: Of its processes.

    Attributes:
        worker: The process that is in it; None: there is none.
        start_at: When the next may begin.
        was_silent: Whether the process was killed because it was not heard of.
    """

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self.number = number
        self._environment = environment
        self._backoff = 0.0
        self.worker: WorkerProcess | None = None
        self.start_at = 0.0
        self.was_silent = False

    @property
    def serves(self) -> bool:
        """Whether calls are answered by the process in it."""
        worker = self.worker
        return worker is not None and worker.serving is not None and not worker.is_stopping

    def start(self, now: float, release: Release) -> WorkerProcess:
        """Put a process in it, which loads a release and serves it.

        Raises:
            OSError: None can be started.
        """
        self.was_silent = False
        self.worker = WorkerProcess(self._environment, leads=self.number == 0, now=now)
        self.worker.order(Order(OrderKind.PREPARE, release.number, release))
        return self.worker

    def put_off(self, now: float) -> None:
        """Let the next process wait, twice as long each time that one failed soon."""
        self._backoff = min(max(2.0 * self._backoff, FIRST_BACKOFF_SECONDS), MOST_BACKOFF_SECONDS)
        self.start_at = now + self._backoff

    def empty(self, worker: WorkerProcess, now: float) -> int:
        """Take a process that has ended out of it; return its exit code."""
        self.worker = None
        if worker.serving is not None and now - worker.serving_since >= STEADY_SECONDS:
            self._backoff = 0.0
        if worker.is_stopping:
            self.start_at = now
        else:
            self.put_off(now)
        return worker.close()
