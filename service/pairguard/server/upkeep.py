"""What the server does beside answering: forget holds that ended.

Owns when. It must not know how.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from pairguard.errors import StoreUnavailable
from pairguard.server.metrics import Metrics
from pairguard.store.ports import HoldStore

INTERVAL_SECONDS = 3600.0


class Upkeep:
    """Purges the store of holds at the start and every hour.

    Args:
        store: Holds.
        metrics: Where failures are counted.
        clock: Seconds since 1970.
    """

    def __init__(self, store: HoldStore, metrics: Metrics, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
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
        while True:
            try:
                self._store.purge_expired(self._clock())
            except StoreUnavailable:
                self._metrics.count_store_error("purge")
            if self._stopped.wait(INTERVAL_SECONDS):
                return
