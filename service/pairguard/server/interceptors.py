"""What surrounds every call of pairguard's services: errors inside, figures and the log outside.

Owns that each call ends in a status of the table and is measured once. It must not know what a
call does. Calls of other services (health, reflection) pass untouched.

A handler is wrapped at its first call and kept: wrapping anew costs more than the wrapper does.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import grpc
from grpc_status import rpc_status

from pairguard.errors import PairguardError
from pairguard.server.call_facts import CallFacts, current_call
from pairguard.server.canonical_log import CanonicalLog
from pairguard.server.errors import (
    INTERNAL,
    INTERNAL_REASON,
    DeadlinePassed,
    RequestUnreadable,
    status_of,
)
from pairguard.server.metrics import Metrics

_OURS: Final = "/pairguard.v1."
_UNREADABLE: Final = object()
_OK: Final = "OK"

_Behaviour = Callable[[Any, grpc.ServicerContext], Any]
_Handler = grpc.RpcMethodHandler[Any, Any]
_Continuation = Callable[[grpc.HandlerCallDetails], _Handler | None]


class _WrappingInterceptor(grpc.ServerInterceptor):
    """Wraps each handler of pairguard's services once."""

    def __init__(self) -> None:
        self._wrapped: dict[str, _Handler] = {}

    def intercept_service(  # type: ignore[override]  # the stubs say that None is never answered
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """Return the handler of a method; None: there is none."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = continuation(handler_call_details)
        if handler is None or not method.startswith(_OURS):
            return handler
        wrapped = self._wrap(method.removeprefix("/"), handler)
        self._wrapped[method] = wrapped
        return wrapped

    def _wrap(self, method: str, handler: _Handler) -> _Handler:
        raise NotImplementedError


class ErrorInterceptor(_WrappingInterceptor):
    """Turns whatever a call raises into the status that the table names.

    Args:
        log: Where errors that nobody raised on purpose are written.
    """

    def __init__(self, log: CanonicalLog) -> None:
        super().__init__()
        self._log = log

    def _wrap(self, method: str, handler: _Handler) -> _Handler:
        behaviour = _behaviour(handler)

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                if request is _UNREADABLE:
                    raise RequestUnreadable  # noqa: TRY301 - it is answered like any other
                remaining_seconds = context.time_remaining()
                # None, which the stubs do not know, without a deadline.
                if remaining_seconds is not None and remaining_seconds <= 0.0:
                    raise DeadlinePassed  # noqa: TRY301
                return behaviour(request, context)
            except PairguardError as error:
                status, reason = status_of(error), error.reason
                if status is INTERNAL:
                    self._log.failure("unexpected error in a call", error)
            except Exception as error:  # noqa: BLE001 - nothing else may reach the caller
                status, reason = INTERNAL, INTERNAL_REASON
                self._log.failure("unexpected error in a call", error)
            current_call.get().leading_reason = reason
            return context.abort_with_status(rpc_status.to_status(status))

        return _handler(handler, call, _tolerant(handler.request_deserializer))


class MeasuringInterceptor(_WrappingInterceptor):
    """Times each call and writes its line.

    Of an answer in several messages, only the time to the first of them is measured.

    Args:
        metrics: Where durations are kept.
        log: Where lines are written.
    """

    def __init__(self, metrics: Metrics, log: CanonicalLog) -> None:
        super().__init__()
        self._metrics = metrics
        self._log = log

    def _wrap(self, method: str, handler: _Handler) -> _Handler:
        behaviour = _behaviour(handler)

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            start = perf_counter()
            facts = CallFacts()
            current_call.set(facts)
            code = _OK
            try:
                return behaviour(request, context)
            except BaseException:
                code = context.code().name
                raise
            finally:
                duration_seconds = perf_counter() - start
                self._metrics.observe_rpc(method, code, duration_seconds)
                self._log.call(method, code, duration_seconds, facts)

        return _handler(handler, call, handler.request_deserializer)


def _behaviour(handler: _Handler) -> _Behaviour:
    behaviour = handler.unary_stream if handler.response_streaming else handler.unary_unary
    assert behaviour is not None, "the contract has no call that streams requests"
    return behaviour


def _handler(
    handler: _Handler, behaviour: _Behaviour, request_deserializer: Callable[[bytes], Any] | None
) -> _Handler:
    make = (
        grpc.unary_stream_rpc_method_handler
        if handler.response_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return make(
        behaviour,
        request_deserializer=request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Return a deserializer that lets the call answer for bytes that it cannot read."""
    assert deserialize is not None

    def read(content: bytes) -> Any:
        try:
            return deserialize(content)
        except Exception:  # noqa: BLE001 - protobuf's own, and it has nothing to tell
            return _UNREADABLE

    return read
