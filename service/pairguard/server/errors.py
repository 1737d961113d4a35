"""From errors of the domain to what a caller is answered: the one table.

Owns status codes, fixed messages and details. The text of an exception is never sent: only what
this module or a field violation says, and neither repeats a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from pairguard.errors import (
    BundleRefused,
    FieldViolation,
    InvalidInput,
    PairguardError,
    StoreUnavailable,
)

DOMAIN: Final = "pairguard"

# Details travel in a trailer, and clients refuse more than 8 KiB of those.
_MAX_VIOLATION_BYTES: Final = 3_000


class CallerLimited(PairguardError):
    """Raise when a known caller asks for more than its share."""

    def __init__(self, reason: str) -> None:
        super().__init__("the caller asks for more than it may", reason=reason)


class CallerRefused(PairguardError):
    """Raise when a call does not say who makes it, or says so wrongly."""

    def __init__(self, reason: str) -> None:
        super().__init__("the caller is not known", reason=reason)


class DeadlinePassed(PairguardError):
    """Raise when nobody waits for the answer any more, before work or between its parts."""

    def __init__(self) -> None:
        super().__init__("the deadline has passed", reason="DEADLINE_PASSED")


class DecisionNotFound(PairguardError):
    """Raise for the id of a decision that was never made or is no longer kept."""

    def __init__(self) -> None:
        super().__init__("there is no such decision", reason="DECISION_NOT_FOUND")


class FullViewNotAllowed(PairguardError):
    """Raise when a caller asks for beliefs about an age that it may not see."""

    def __init__(self) -> None:
        super().__init__("the full view is not allowed", reason="FULL_VIEW_NOT_ALLOWED")


class ScopeMissing(PairguardError):
    """Raise when a known caller asks for what it may not have."""

    def __init__(self, scope: str) -> None:
        super().__init__("a scope is missing", reason="SCOPE_MISSING", metadata={"scope": scope})


class RequestUnreadable(PairguardError):
    """Raise for bytes that are not the message of the call."""

    def __init__(self) -> None:
        super().__init__("the request cannot be parsed", reason="REQUEST_UNREADABLE")


class TooManyBatches(PairguardError):
    """Raise for a batch while as many run as may; it would keep other calls from being answered."""

    def __init__(self) -> None:
        super().__init__("too many batches run", reason="TOO_MANY_BATCHES")


_TABLE: Final[Mapping[type[PairguardError], tuple[int, str]]] = {
    InvalidInput: (code_pb2.INVALID_ARGUMENT, "the request is invalid"),
    RequestUnreadable: (
        code_pb2.INVALID_ARGUMENT,
        "the request is not a message of this call, or a text in it is not UTF-8",
    ),
    FullViewNotAllowed: (
        code_pb2.PERMISSION_DENIED,
        "beliefs about an age are not disclosed to this caller",
    ),
    CallerRefused: (
        code_pb2.UNAUTHENTICATED,
        "the call does not say who makes it in a way that this server accepts",
    ),
    ScopeMissing: (code_pb2.PERMISSION_DENIED, "the caller lacks the scope that this call needs"),
    DecisionNotFound: (
        code_pb2.NOT_FOUND,
        "there is no such decision, or it is no longer kept",
    ),
    DeadlinePassed: (code_pb2.DEADLINE_EXCEEDED, "the deadline passed before the work was done"),
    CallerLimited: (
        code_pb2.RESOURCE_EXHAUSTED,
        "the caller asks for more than it may; form no pair, and ask less",
    ),
    TooManyBatches: (
        code_pb2.RESOURCE_EXHAUSTED,
        "as many batches run as may at once; send it again later",
    ),
    BundleRefused: (code_pb2.UNAVAILABLE, "no model bundle is loaded; form no pair"),
    StoreUnavailable: (
        code_pb2.UNAVAILABLE,
        "the store cannot be had or does not promise to keep this; send it again",
    ),
}

INTERNAL: Final = status_pb2.Status(
    code=code_pb2.INTERNAL, message="an internal error; it is logged on the server; form no pair"
)
INTERNAL_REASON: Final = "INTERNAL"
INTERNAL.details.add().Pack(error_details_pb2.ErrorInfo(reason=INTERNAL_REASON, domain=DOMAIN))


def status_of(error: PairguardError) -> status_pb2.Status:
    """Return the status that answers an error of the domain; one not in the table is INTERNAL."""
    row = _TABLE.get(type(error))
    if row is None:
        return INTERNAL
    code, message = row
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata)
    )
    details: list[error_details_pb2.ErrorInfo | error_details_pb2.BadRequest] = [info]
    if isinstance(error, InvalidInput) and error.violations:
        message = _summary(error.violations)
        info.metadata["violation_count"] = str(len(error.violations))
        details.append(_bad_request(error.violations))
    return status_pb2.Status(code=code, message=message, details=map(_packed, details))


def _summary(violations: Sequence[FieldViolation]) -> str:
    first = violations[0]
    text = f"{first.field}: {first.description}"
    return text if len(violations) == 1 else f"{text} (and {len(violations) - 1} more)"


def _bad_request(violations: Sequence[FieldViolation]) -> error_details_pb2.BadRequest:
    """Return as many of the violations as a trailer can carry, the first ones."""
    detail = error_details_pb2.BadRequest()
    for violation in violations:
        detail.field_violations.add(field=violation.field, description=violation.description)
        if detail.ByteSize() > _MAX_VIOLATION_BYTES:
            del detail.field_violations[-1]
            break
    return detail


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
