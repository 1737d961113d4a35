"""What went wrong with a call, in words a program can read.

Owns the kinds of failure and how an error of gRPC is read. It must not know what is done about
one: ``pairguard.client.fallback`` answers, ``pairguard.client.retry`` repeats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import auto, unique
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from pairguard.client.vocabulary import Word

_DETAILS_KEY = "grpc-status-details-bin"
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@unique
class FailureKind(Word):
    """Why there is no usable answer; also the reason code of the client's own REROUTE."""

    SERVICE_UNAVAILABLE = auto()
    SERVICE_TIMEOUT = auto()
    SERVICE_OVERLOADED = auto()
    SERVICE_FAILED = auto()
    SERVICE_INCOMPATIBLE = auto()
    REQUEST_REFUSED = auto()
    NOT_FOUND = auto()
    ACCESS_REFUSED = auto()
    RESPONSE_INVALID = auto()
    TOKEN_UNAVAILABLE = auto()
    CLIENT_CLOSED = auto()
    CLIENT_FAILED = auto()


_KIND_BY_CODE = {
    grpc.StatusCode.UNAVAILABLE: FailureKind.SERVICE_UNAVAILABLE,
    # By a server that goes down: this library cancels no call of its own.
    grpc.StatusCode.CANCELLED: FailureKind.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: FailureKind.SERVICE_TIMEOUT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: FailureKind.SERVICE_OVERLOADED,
    grpc.StatusCode.UNIMPLEMENTED: FailureKind.SERVICE_INCOMPATIBLE,
    grpc.StatusCode.INVALID_ARGUMENT: FailureKind.REQUEST_REFUSED,
    grpc.StatusCode.FAILED_PRECONDITION: FailureKind.REQUEST_REFUSED,
    grpc.StatusCode.OUT_OF_RANGE: FailureKind.REQUEST_REFUSED,
    grpc.StatusCode.NOT_FOUND: FailureKind.NOT_FOUND,
    grpc.StatusCode.UNAUTHENTICATED: FailureKind.ACCESS_REFUSED,
    grpc.StatusCode.PERMISSION_DENIED: FailureKind.ACCESS_REFUSED,
}


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request that the service cannot accept.

    Attributes:
        field: Path from the request, e.g. ``participant_a.age_evidence[2].provider``.
        description: What was wrong and what would be right.
    """

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class CallFailure:
    """What happened to a call that got no usable answer.

    Attributes:
        kind: What kind of failure, of a closed set.
        reason: The service's reason, such as ``REQUEST_ID_REUSED``; the kind if it gave none.
        code: Status of the last attempt. None: it failed on this side, or its answer was unusable.
        details: In English, for whoever investigates; may name addresses, never an age.
        field_violations: What is wrong with the request, by field.
        attempts: How often the service was asked, 0 or more.
    """

    kind: FailureKind
    reason: str
    code: grpc.StatusCode | None = None
    details: str = ""
    field_violations: tuple[FieldViolation, ...] = ()
    attempts: int = 0


class ClientError(Exception):
    """Raised where there is no usable answer and no answer that would be safe without one.

    Attributes:
        failure: What happened.
    """

    def __init__(self, failure: CallFailure) -> None:
        code = failure.code.name if failure.code else "no status"
        super().__init__(f"{failure.kind} ({code}, {failure.reason}): {failure.details}")
        self.failure = failure

    @property
    def code(self) -> grpc.StatusCode | None:
        """Status of the last attempt; see ``CallFailure``."""
        return self.failure.code

    @property
    def reason(self) -> str:
        """The service's reason; see ``CallFailure``."""
        return self.failure.reason

    @property
    def field_violations(self) -> tuple[FieldViolation, ...]:
        """What is wrong with the request; see ``CallFailure``."""
        return self.failure.field_violations


class LocalFailure(Exception):
    """A call failed on this side, before or after the wire."""

    def __init__(
        self, kind: FailureKind, details: str, *, code: grpc.StatusCode | None = None
    ) -> None:
        super().__init__(details)
        self.kind = kind
        self.code = code


def failure_of(error: BaseException, attempts: int) -> CallFailure:
    """Return what an error says. Anything that nobody foresaw is ``CLIENT_FAILED``."""
    if isinstance(error, LocalFailure):
        return CallFailure(error.kind, error.kind, error.code, str(error), (), attempts)
    if isinstance(error, grpc.RpcError):
        code = status_code(error)
        kind = _KIND_BY_CODE.get(code, FailureKind.SERVICE_FAILED)
        reason, violations = _error_details(error)
        return CallFailure(kind, reason or kind, code, _call_text(error), violations, attempts)
    kind = FailureKind.CLIENT_FAILED
    # Not the error's text, which may hold what the caller sent.
    return CallFailure(kind, kind, None, type(error).__name__, (), attempts)


def status_code(error: grpc.RpcError) -> grpc.StatusCode:
    """Return the status of an error; UNKNOWN if it has none."""
    code = getattr(error, "code", None)
    status = code() if callable(code) else None
    return status if isinstance(status, grpc.StatusCode) else grpc.StatusCode.UNKNOWN


def _call_text(error: grpc.RpcError) -> str:
    details = getattr(error, "details", None)
    return str((details() if callable(details) else None) or "")


def _error_details(error: grpc.RpcError) -> tuple[str, tuple[FieldViolation, ...]]:
    """Return the service's reason and field violations, as far as they can be read."""
    status = Status()
    try:
        for key, value in _trailing_metadata(error):
            if key == _DETAILS_KEY and isinstance(value, bytes):
                status.ParseFromString(value)
        return _reason(status), tuple(_violations(status))
    except DecodeError:
        return "", ()


def _trailing_metadata(error: grpc.RpcError) -> Iterable[Any]:
    metadata = getattr(error, "trailing_metadata", None)
    return (metadata() if callable(metadata) else None) or ()


def _reason(status: Status) -> str:
    for detail in status.details:
        info = ErrorInfo()
        if detail.Unpack(info) and _REASON.fullmatch(info.reason):
            return info.reason
    return ""


def _violations(status: Status) -> Iterable[FieldViolation]:
    for detail in status.details:
        bad_request = BadRequest()
        if detail.Unpack(bad_request):
            for violation in bad_request.field_violations:
                yield FieldViolation(violation.field, violation.description)
