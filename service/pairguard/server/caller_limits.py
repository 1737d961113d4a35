"""How much one caller may ask at once and in a second, so that it leaves room for the others.

Owns the counting, by the caller's name and in this process. It must not know who calls nor what.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

from pairguard.server.callers import Caller
from pairguard.server.errors import CallerLimited


@dataclass(slots=True)
class _Use:
    """What a caller uses now: calls under way, and how many more it may begin at ``time``."""

    under_way: int
    left: float
    time: float


class CallerLimits:
    """The limits of all callers; safe for threads.

    Args:
        clock: Seconds that only rise.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: dict[str, _Use] = {}

    @contextmanager
    def call(self, caller: Caller) -> Iterator[None]:
        """Count a call while it is worked on.

        A caller may begin as many calls at once as it may in a second, and then one whenever the
        next is due: a token bucket that holds a second's worth, at least one call.

        Raises:
            CallerLimited: It has as many under way as it may, or began as many as it may.
        """
        if not caller.is_limited:
            yield
            return
        use = self._begin(caller)
        try:
            yield
        finally:
            with self._lock:
                use.under_way -= 1

    def _begin(self, caller: Caller) -> _Use:
        rate = caller.max_calls_per_second
        most = max(rate, 1.0)
        with self._lock:
            now = self._clock()
            use = self._uses.get(caller.name)
            if use is None:
                use = self._uses[caller.name] = _Use(0, most, now)
            if use.under_way >= caller.max_concurrent_calls:
                raise CallerLimited("CALLER_CONCURRENCY_EXCEEDED")
            if rate < inf:
                use.left = min(most, use.left + rate * (now - use.time))
                use.time = now
                if use.left < 1.0:
                    raise CallerLimited("CALLER_RATE_EXCEEDED")
                use.left -= 1.0
            use.under_way += 1
            return use
