"""What the server does beside answering: compare chats with decisions, forget what is too old.

Owns when. It must not know how.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from pairguard.server.journal_reading import JournalReading
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.store.ports import ParticipantStore, Retention

RECONCILE_SECONDS = 30.0
PURGE_SECONDS = 3600.0
_CHATS_SECONDS = 86_400.0


class Upkeep:
    """Reconciles every half minute, and purges at the start and every hour.

    Args:
        store: What is kept.
        reading: What compares chats with decisions.
        kept: Is told whether chats are reported.
        metrics: Where failures are counted.
        clock: Seconds since 1970.
        retention: How long is kept what.
        for_all: Whether this process compares and forgets; of several with one store one is enough.
    """

    def __init__(
        self,
        store: ParticipantStore,
        reading: JournalReading,
        kept: KeptParticipants,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        retention: Retention,
        for_all: bool = True,
    ) -> None:
        self._store = store
        self._reading = reading
        self._kept = kept
        self._metrics = metrics
        self._clock = clock
        self._retention = retention
        self._for_all = for_all
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and return when nothing is under way any more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        waited = PURGE_SECONDS
        while True:
            self._attempt("reconcile", self._reconcile)
            if self._for_all and waited >= PURGE_SECONDS:
                waited = 0.0
                self._attempt("purge", self._purge)
            if self._stopped.wait(RECONCILE_SECONDS):
                return
            waited += RECONCILE_SECONDS

    def _attempt(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - whatever it was, the next turn comes
            self._metrics.count_store_error(name)

    def _reconcile(self) -> None:
        now = self._clock()
        if self._for_all:
            self._reading.reconcile_pending(now)
        last = self._reading.last_chat_time()
        self._kept.chats_are_reported = last is not None and now - last < _CHATS_SECONDS

    def _purge(self) -> None:
        report = self._store.purge(now=self._clock(), retention=self._retention)
        self._metrics.observe_purge(report)
