"""Who calls and whether it may: asked before a request is even parsed.

Owns which call needs which scope, and how a call says who makes it. It must not know where callers
are written down (``pairguard.server.callers``) nor what a call does. Nothing of what a caller
presents is kept, logged or answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import grpc

from pairguard.server.call_facts import current_call
from pairguard.server.caller_limits import CallerLimits
from pairguard.server.callers import Caller, Callers, Scope
from pairguard.server.errors import (
    CallerLimited,
    CallerRefused,
    RequestUnreadable,
    ScopeMissing,
)
from pairguard.server.interceptors import behaviour_of, handler_like
from pairguard.server.metrics import Metrics

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

SCOPES: Final[Mapping[str, Scope]] = MappingProxyType(
    {
        "pairguard.v1.PairRiskService/ScorePair": Scope.SCORE,
        "pairguard.v1.PairRiskService/ScorePairs": Scope.SCORE,
        "pairguard.v1.PairRiskService/RankCandidates": Scope.SCORE,
        "pairguard.v1.PairRiskService/GetDecision": Scope.ADMIN,
        "pairguard.v1.AgeAssuranceService/AssessAge": Scope.FULL_VIEW,
        "pairguard.v1.AgeAssuranceService/RecordAgeEvidence": Scope.FEEDBACK,
        "pairguard.v1.FeedbackService/RecordEvents": Scope.FEEDBACK,
        "pairguard.v1.FeedbackService/EraseParticipant": Scope.ERASE,
    }
)
"""What each call needs. The full view of a pair needs ``Scope.FULL_VIEW`` besides."""

_GRANTED: Final = "GRANTED"
_SCHEME: Final = "bearer "


class Authorization:
    """Lets through the calls of known callers that may make them.

    Args:
        callers: Returns who may call, now.
        metrics: Where calls are counted by caller.
        clock: Seconds since 1970.
        limits: What each may ask at once and in a second.
    """

    def __init__(
        self,
        callers: Callable[[], Callers],
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        limits: CallerLimits,
    ) -> None:
        self._callers = callers
        self._metrics = metrics
        self._clock = clock
        self._limits = limits

    def wrap(self, method: str, handler: _Handler) -> _Handler:
        """Return a handler that answers known callers alone, for a call of the contract."""
        behaviour, read = behaviour_of(handler), handler.request_deserializer
        scope = SCOPES.get(method)

        def answer(content: Any, context: grpc.ServicerContext) -> Any:
            try:
                request = content if read is None else read(content)
            except Exception:  # noqa: BLE001 - protobuf's own, and it has nothing to tell
                raise RequestUnreadable from None
            return behaviour(request, context)

        def call(content: Any, context: grpc.ServicerContext) -> Any:
            with self._admitted(scope, context):
                return answer(content, context)

        def stream(content: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._admitted(scope, context):
                yield from answer(content, context)

        admitted = stream if handler.response_streaming else call
        return handler_like(handler, admitted, request_deserializer=None)

    @contextmanager
    def _admitted(self, scope: Scope | None, context: grpc.ServicerContext) -> Iterator[None]:
        """Let a call through that its caller may make; it counts to its share until the end."""
        count = self._metrics.count_authorization
        try:
            caller = self._caller(context)
        except CallerRefused as error:
            count("", error.reason)
            raise
        current_call.get().caller = caller
        if scope is None or scope not in caller.scopes:
            refused = ScopeMissing(scope or "none")
            count(caller.name, refused.reason)
            raise refused
        with ExitStack() as share:
            try:
                share.enter_context(self._limits.call(caller))
            except CallerLimited as error:
                count(caller.name, error.reason)
                raise
            count(caller.name, _GRANTED)
            yield

    def _caller(self, context: grpc.ServicerContext) -> Caller:
        callers = self._callers()
        token = _bearer_token(context)
        if token is not None:
            # A token, where there is one, says who calls: a wrong one is not made up for.
            caller = callers.with_token(token)
        elif callers.use_certificates:
            caller = callers.with_certificate(context.peer_identities() or ())
        else:
            raise CallerRefused("CREDENTIALS_MISSING")
        if caller is None:
            raise CallerRefused("CREDENTIALS_UNKNOWN")
        if self._clock() >= caller.expire_time:
            raise CallerRefused("CREDENTIALS_EXPIRED")
        return caller


def _bearer_token(context: grpc.ServicerContext) -> str | None:
    """Return the token that a call carries; None: it carries none."""
    header: str | bytes | None = None
    for key, value in context.invocation_metadata():
        if key == "authorization":
            if header is not None:
                raise CallerRefused("CREDENTIALS_UNKNOWN")  # two of them say nothing
            header = value
    if header is None:
        return None
    if not isinstance(header, str) or header[: len(_SCHEME)].lower() != _SCHEME:
        raise CallerRefused("CREDENTIALS_UNKNOWN")
    return header[len(_SCHEME) :].strip()
