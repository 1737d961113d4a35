"""Errors as callers see them: code, reason, field paths, and nothing of the exception's text."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from pairguard.errors import (
    BundleRefused,
    FieldViolation,
    InvalidInput,
    PairguardError,
    PolicyRefused,
    StoreUnavailable,
)
from pairguard.server.errors import (
    INTERNAL,
    CallerLimited,
    CallerRefused,
    DeadlinePassed,
    FullViewNotAllowed,
    RequestUnreadable,
    ScopeMissing,
    TooManyBatches,
    status_of,
)

TEXT = "/var/secret of an exception"


def detail(status: status_pb2.Status, message: Message) -> None:
    """Unpack the one detail of a message's type."""
    (packed,) = [d for d in status.details if d.TypeName() == message.DESCRIPTOR.full_name]
    packed.Unpack(message)


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (InvalidInput([FieldViolation("f", "d")]), code_pb2.INVALID_ARGUMENT, "INVALID_INPUT"),
        (RequestUnreadable(), code_pb2.INVALID_ARGUMENT, "REQUEST_UNREADABLE"),
        (CallerRefused("CREDENTIALS_MISSING"), code_pb2.UNAUTHENTICATED, "CREDENTIALS_MISSING"),
        (ScopeMissing("score"), code_pb2.PERMISSION_DENIED, "SCOPE_MISSING"),
        (FullViewNotAllowed(), code_pb2.PERMISSION_DENIED, "FULL_VIEW_NOT_ALLOWED"),
        (DeadlinePassed(), code_pb2.DEADLINE_EXCEEDED, "DEADLINE_PASSED"),
        (
            CallerLimited("CALLER_RATE_EXCEEDED"),
            code_pb2.RESOURCE_EXHAUSTED,
            "CALLER_RATE_EXCEEDED",
        ),
        (TooManyBatches(), code_pb2.RESOURCE_EXHAUSTED, "TOO_MANY_BATCHES"),
        (BundleRefused(TEXT, reason="BUNDLE_MISSING"), code_pb2.UNAVAILABLE, "BUNDLE_MISSING"),
        (StoreUnavailable(TEXT), code_pb2.UNAVAILABLE, "STORE_UNAVAILABLE"),
        (PolicyRefused([TEXT]), code_pb2.INTERNAL, "INTERNAL"),
        (PairguardError(TEXT, reason="NEW"), code_pb2.INTERNAL, "INTERNAL"),
    ],
)
def test_an_error_has_one_code_and_one_reason(
    error: PairguardError, code: int, reason: str
) -> None:
    status = status_of(error)

    info = error_details_pb2.ErrorInfo()
    detail(status, info)
    assert (status.code, info.reason, info.domain) == (code, reason, "pairguard")
    assert TEXT not in str(status)


def test_metadata_reaches_the_caller() -> None:
    info = error_details_pb2.ErrorInfo()
    detail(status_of(BundleRefused("x", reason="R", metadata={"k": "v"})), info)

    assert dict(info.metadata) == {"k": "v"}


def test_violations_are_named_and_the_first_leads() -> None:
    status = status_of(InvalidInput([FieldViolation("a.b[1]", "is x"), FieldViolation("c", "y")]))

    bad = error_details_pb2.BadRequest()
    detail(status, bad)
    assert [(v.field, v.description) for v in bad.field_violations] == [
        ("a.b[1]", "is x"),
        ("c", "y"),
    ]
    assert status.message == "a.b[1]: is x (and 1 more)"
    assert status_of(InvalidInput([FieldViolation("c", "y")])).message == "c: y"


def test_details_fit_into_a_trailer_however_much_is_wrong() -> None:
    violations = [
        FieldViolation(f"participant_a.age_evidence[{i}].self_declared.age_years", "must be right")
        for i in range(1_000)
    ]

    status = status_of(InvalidInput(violations))

    bad, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
    detail(status, bad)
    detail(status, info)
    assert status.ByteSize() < 4_000
    assert len(bad.field_violations) > 20
    assert info.metadata["violation_count"] == "1000"


def test_the_internal_answer_says_what_to_do() -> None:
    assert "form no pair" in INTERNAL.message
