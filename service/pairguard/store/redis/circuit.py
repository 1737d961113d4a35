"""Whether it is worth asking a server that did not answer before.

Owns the pauses between attempts, so that a dead server costs a decision nothing but the attempt of
one in many. It must not know what is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pairguard.errors import StoreUnavailable


class Circuit:
    """Closed while the server answers; open, it lets one attempt through after each pause.

    Args:
        first_pause_seconds: How long nobody asks after a first failure; doubled by each further.
        longest_pause_seconds: The longest pause.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        first_pause_seconds: float = 0.05,
        longest_pause_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._pause_seconds = 0.0
        self._retry_time = 0.0

    def enter(self) -> None:
        """Return when the server may be asked.

        Raises:
            StoreUnavailable: It did not answer before and the pause is not over.
        """
        if not self._pause_seconds:
            return
        with self._lock:
            now = self._clock()
            if self._pause_seconds and now < self._retry_time:
                raise StoreUnavailable("the store did not answer and is not asked for a moment")
            # This one is the attempt; all others go on pausing until it is back.
            self._retry_time = now + self._pause_seconds

    def succeeded(self) -> None:
        """Take note of an answer."""
        if self._pause_seconds:
            with self._lock:
                self._pause_seconds = 0.0

    def failed(self, enter_time: float) -> None:
        """Take note of a failure.

        Args:
            enter_time: When that attempt began, by ``clock``. Of many that began before the
                circuit opened and fail together, one counts.
        """
        with self._lock:
            if self._pause_seconds and enter_time < self._retry_time - self._pause_seconds:
                return
            self._pause_seconds = min(
                max(self._pause_seconds * 2.0, self._first_pause_seconds),
                self._longest_pause_seconds,
            )
            self._retry_time = self._clock() + self._pause_seconds

    def now(self) -> float:
        """Return the time by this circuit's clock, in seconds."""
        return self._clock()
