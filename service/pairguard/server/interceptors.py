"""What surrounds every call of pairguard's services: errors inside, figures and the log outside.

Owns that each call ends in a status of the table and is measured once. It must not know what a
call does. Calls of other services (health, reflection) pass untouched.

A handler is wrapped at its first call and kept: wrapping anew costs more than the wrapper does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Final, TypeAlias, cast

import grpc
from google.rpc import code_pb2
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

_Behaviour = Callable[[Any, grpc.ServicerContext], Any]
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_Continuation = Callable[[grpc.HandlerCallDetails], "_Handler | None"]


class WrappingInterceptor(grpc.ServerInterceptor):
    """Puts something around each handler of pairguard's services, once.

    Args:
        wrap: Makes the new handler from the method, ``package.Service/Method``, and the old one.
    """

    def __init__(self, wrap: Callable[[str, _Handler], _Handler]) -> None:
        self._wrap = wrap
        self._wrapped: dict[str, _Handler] = {}

    def intercept_service(
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


class ErrorBoundary:
    """Turns whatever a call raises into the status that the table names.

    Args:
        log: Where errors that nobody raised on purpose are written.
    """

    def __init__(self, log: CanonicalLog) -> None:
        self._log = log

    def wrap(self, method: str, handler: _Handler) -> _Handler:
        """Return a handler whose errors are answered."""
        behaviour, log = behaviour_of(handler), self._log

        def require_awaited(request: Any, context: grpc.ServicerContext) -> None:
            if request is _UNREADABLE:
                raise RequestUnreadable
            if _deadline_has_passed(context):
                raise DeadlinePassed

        def refuse(error: Exception, context: grpc.ServicerContext) -> Any:
            status, reason = INTERNAL, INTERNAL_REASON
            if isinstance(error, PairguardError):
                status, reason = status_of(error), error.reason
            if status is INTERNAL:
                log.failure("unexpected error in a call", error, method=method)
            facts = current_call.get()
            facts.code = code_pb2.Code.Name(status.code)
            facts.leading_reason = reason
            return context.abort_with_status(rpc_status.to_status(status))

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                require_awaited(request, context)
                return behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - nothing else may reach the caller
                return refuse(error, context)

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            try:
                require_awaited(request, context)
                yield from behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - nothing else may reach the caller
                refuse(error, context)

        answered = stream if handler.response_streaming else call
        return handler_like(handler, answered, _tolerant(handler.request_deserializer))


class CallRecorder:
    """Times each call and writes its line.

    Of an answer in several messages the time to the end of the last one is measured, which the
    caller's reading is part of.

    Args:
        metrics: Where durations are kept.
        log: Where lines are written.
    """

    def __init__(self, metrics: Metrics, log: CanonicalLog) -> None:
        self._metrics = metrics
        self._log = log

    def wrap(self, method: str, handler: _Handler) -> _Handler:
        """Return a handler whose calls are recorded."""
        behaviour, metrics, log = behaviour_of(handler), self._metrics, self._log

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            start = perf_counter()
            facts = CallFacts()
            current_call.set(facts)
            try:
                return behaviour(request, context)
            finally:
                duration_seconds = perf_counter() - start
                metrics.observe_rpc(method, facts.code, duration_seconds)
                log.call(method, duration_seconds, facts)

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            start = perf_counter()
            facts = CallFacts()
            current_call.set(facts)
            try:
                yield from behaviour(request, context)
            except GeneratorExit:
                facts.code = code_pb2.Code.Name(code_pb2.CANCELLED)  # nobody reads on
                raise
            finally:
                duration_seconds = perf_counter() - start
                metrics.observe_rpc(method, facts.code, duration_seconds)
                log.call(method, duration_seconds, facts)

        recorded = stream if handler.response_streaming else call
        return handler_like(handler, recorded, handler.request_deserializer)


def behaviour_of(handler: _Handler) -> _Behaviour:
    """Return the function that a handler calls."""
    behaviour = handler.unary_stream if handler.response_streaming else handler.unary_unary
    if behaviour is None:
        raise TypeError("the contract has no call that streams requests")
    return behaviour


def _deadline_has_passed(context: grpc.ServicerContext) -> bool:
    # None without a deadline, which the stubs do not know.
    remaining_seconds = cast("float | None", context.time_remaining())
    return remaining_seconds is not None and remaining_seconds <= 0.0


def handler_like(
    handler: _Handler, behaviour: _Behaviour, request_deserializer: Callable[[bytes], Any] | None
) -> _Handler:
    """Return a handler of the same kind that calls another function."""
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

    def read(content: bytes) -> Any:
        try:
            return content if deserialize is None else deserialize(content)
        except Exception:  # noqa: BLE001 - protobuf's own, and it has nothing to tell
            return _UNREADABLE

    return read
