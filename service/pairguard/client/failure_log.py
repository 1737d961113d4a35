"""What the client says in the log when it decides by itself, or when something is not kept.

Owns the messages, which are fixed texts with fields, and how often they are said. No id, age or
text of the caller's or the service's is ever logged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from pairguard.client.failure import CallFailure, FailureKind
from pairguard.client.records import RecordResult
from pairguard.client.vocabulary import RecordStatus

_LOGGER = logging.getLogger("pairguard.client")
_INTERVAL_SECONDS = 1.0
_MAX_FIELDS = 10

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
    """Says why pairs are rerouted and that items are refused, each at most once a second.

    An outage fails every call, and a line for each would be an outage of its own. The lines left
    out are counted in the next one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next_time: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def rerouted(self, failure: CallFailure) -> None:
        """Say that a pair was rerouted because of ``failure``."""
        kind = failure.kind
        left_out = self._left_out_since(kind)
        if left_out is None:
            return
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

    def refused(self, results: Sequence[RecordResult]) -> None:
        """Say that items were refused, if any were: nobody keeps them unless somebody acts."""
        refused = [result for result in results if not result.recorded]
        if not refused:
            return
        left_out = self._left_out_since(RecordStatus.REFUSED)
        if left_out is None:
            return
        fields = {violation.field for result in refused for violation in result.field_violations}
        _LOGGER.error(
            "items refused by the service and not recorded",
            extra={
                "refused_count": len(refused),
                "refusal_reasons": tuple(sorted({result.reason_code for result in refused})),
                "refused_fields": tuple(sorted(fields)[:_MAX_FIELDS]),
                "left_out": left_out,
            },
        )

    def _left_out_since(self, kind: str) -> int | None:
        """Return how many lines of a kind were left out before this one; None: leave it out."""
        with self._lock:
            now = self._clock()
            if now < self._next_time.get(kind, now):
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return None
            self._next_time[kind] = now + _INTERVAL_SECONDS
            return self._left_out.pop(kind, 0)
