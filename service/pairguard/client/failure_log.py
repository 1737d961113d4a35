"""What the client says in the log when it decides by itself.

Owns the messages, which are fixed texts with fields, and how often they are said. No id, age or
text of the caller's or the service's is ever logged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from pairguard.client.failure import CallFailure, FailureKind

_LOGGER = logging.getLogger("pairguard.client")
_INTERVAL_SECONDS = 1.0

# These do not pass by themselves: somebody has to change something.
_NEEDS_A_CHANGE = frozenset(
    {
        FailureKind.ACCESS_REFUSED,
        FailureKind.CLIENT_FAILED,
        FailureKind.REQUEST_REFUSED,
        FailureKind.RESPONSE_INVALID,
        FailureKind.SERVICE_INCOMPATIBLE,
        FailureKind.TOKEN_UNAVAILABLE,
    }
)


class FailureLog:
    """Says why pairs are rerouted, each kind of failure at most once a second.

    An outage fails every call, and a line for each would be an outage of its own. The lines left
    out are counted in the next one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next_time: dict[FailureKind, float] = {}
        self._left_out: dict[FailureKind, int] = {}

    def rerouted(self, failure: CallFailure) -> None:
        """Say that a pair was rerouted because of ``failure``."""
        kind = failure.kind
        with self._lock:
            now = self._clock()
            if now < self._next_time.get(kind, now):
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return
            self._next_time[kind] = now + _INTERVAL_SECONDS
            left_out = self._left_out.pop(kind, 0)
        _LOGGER.log(
            logging.ERROR if kind in _NEEDS_A_CHANGE else logging.WARNING,
            "pair rerouted by the client: no usable answer from the service",
            extra={
                "failure_kind": str(kind),
                "failure_reason": failure.reason,
                "grpc_code": failure.code.name if failure.code else "",
                "attempts": failure.attempts,
                "refused_fields": tuple(item.field for item in failure.field_violations),
                "left_out": left_out,
            },
        )
