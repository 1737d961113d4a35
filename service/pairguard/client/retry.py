"""How often a call is tried, and how long, within one deadline for all of it.

Owns the arithmetic of attempts. It must not know channels, requests or what an answer means.

Only UNAVAILABLE and CANCELLED are tried again: both are what a caller sees while a server restarts.
Anything else would be answered the same way again, or the time for it is gone. Delays grow
exponentially and are drawn between 0 and their ceiling ("full jitter"), so that callers who failed
together do not come back together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import grpc

from pairguard.client.failure import FailureKind, LocalFailure

RETRIED_CODES = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})

_FIRST_CEILING_SECONDS = 0.01
_LAST_CEILING_SECONDS = 0.1
# Kept back from what the server is told, so that the caller has its answer within the timeout.
_HEADROOM_SECONDS = 0.02
_HEADROOM_SHARE = 0.1
# An attempt with less time than this would only add load.
_LEAST_ATTEMPT_SECONDS = 0.005


class CallBudget:
    """The attempts and the time of one call.

    Attributes:
        attempts: How often it was tried so far.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        max_attempts: int,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        headroom_seconds = min(_HEADROOM_SECONDS, _HEADROOM_SHARE * timeout_seconds)
        self._deadline = clock() + timeout_seconds - headroom_seconds
        self._max_attempts = max_attempts
        self._clock = clock
        self._uniform = uniform
        self.attempts = 0

    def start_attempt(self) -> float:
        """Count one more attempt and return how many seconds it may take.

        Raises:
            LocalFailure: Nothing is left, for example because a token came late.
        """
        remaining_seconds = self._deadline - self._clock()
        if remaining_seconds <= 0:
            raise LocalFailure(
                FailureKind.SERVICE_TIMEOUT,
                "no time was left to ask the service",
                code=grpc.StatusCode.DEADLINE_EXCEEDED,
            )
        self.attempts += 1
        return remaining_seconds

    def delay_before_retry(self, code: grpc.StatusCode) -> float | None:
        """Return how many seconds to wait before the next attempt; None: make none."""
        if code not in RETRIED_CODES or self.attempts >= self._max_attempts:
            return None
        ceiling = min(_LAST_CEILING_SECONDS, _FIRST_CEILING_SECONDS * 2.0 ** (self.attempts - 1))
        delay_seconds = self._uniform(0.0, ceiling)
        if self._clock() + delay_seconds + _LEAST_ATTEMPT_SECONDS > self._deadline:
            return None
        return delay_seconds
