"""Errors of gRPC as a caller reads them."""

from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from pairguard.client import CallFailure, ClientError, FailureKind, FieldViolation
from pairguard.client.failure import LocalFailure, failure_of
from pairguard.client.fallback import fallback_decision
from tests.unit.client.answers import DECIDED


class Refusal(grpc.RpcError):
    """An error as gRPC raises it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: tuple[Any, ...]) -> None:
        super().__init__()
        self._code, self._details, self._trailing = code, details, trailing

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[Any, ...]:
        return self._trailing


def refusal(*details: BadRequest | ErrorInfo) -> Refusal:
    """Return an INVALID_ARGUMENT with these details."""
    packed = []
    for detail in details:
        message = AnyMessage()
        message.Pack(detail)
        packed.append(message)
    trailer = Status(code=3, message="no", details=packed).SerializeToString()
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        "no",
        (("other", "x"), ("grpc-status-details-bin", trailer)),
    )


def test_reason_and_fields_are_read() -> None:
    violation = BadRequest.FieldViolation(field="participant_a.signals", description="Too many.")

    failure = failure_of(
        refusal(
            ErrorInfo(reason="FIELD_INVALID", domain="pairguard"),
            BadRequest(field_violations=[violation]),
        ),
        1,
    )

    assert failure == CallFailure(
        kind=FailureKind.REQUEST_REFUSED,
        reason="FIELD_INVALID",
        code=grpc.StatusCode.INVALID_ARGUMENT,
        details="no",
        field_violations=(FieldViolation("participant_a.signals", "Too many."),),
        attempts=1,
    )


@pytest.mark.parametrize("reason", ["", "free text", "lower_case", "A" * 65])
def test_a_reason_that_is_no_constant_is_not_taken(reason: str) -> None:
    assert failure_of(refusal(ErrorInfo(reason=reason)), 1).reason == "REQUEST_REFUSED"


@pytest.mark.parametrize(
    "trailing",
    [
        (),
        (("grpc-status-details-bin", b"\xff\xff\xff"),),
        (("grpc-status-details-bin", "text"),),
        (
            (
                "grpc-status-details-bin",
                Status(
                    details=[
                        AnyMessage(
                            type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff"
                        )
                    ]
                ).SerializeToString(),
            ),
        ),
    ],
)
def test_details_that_cannot_be_read_are_left_out(trailing: tuple[Any, ...]) -> None:
    failure = failure_of(Refusal(grpc.StatusCode.INTERNAL, "broken", trailing), 1)

    assert failure.reason == "SERVICE_FAILED"
    assert failure.field_violations == ()
    assert failure.details == "broken"


def test_an_error_without_a_status_is_a_failure_of_the_service() -> None:
    failure = failure_of(grpc.RpcError(), 1)

    assert failure.kind is FailureKind.SERVICE_FAILED
    assert failure.code is grpc.StatusCode.UNKNOWN


def test_an_unforeseen_error_keeps_its_text_to_itself() -> None:
    failure = failure_of(KeyError("participant-4711"), 0)

    assert failure.kind is FailureKind.CLIENT_FAILED
    assert "4711" not in repr(failure)


def test_an_error_of_the_client_says_what_it_is() -> None:
    error = ClientError(failure_of(refusal(ErrorInfo(reason="REQUEST_ID_REUSED")), 1))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "REQUEST_ID_REUSED"
    assert error.field_violations == ()
    assert str(error) == "REQUEST_REFUSED (INVALID_ARGUMENT, REQUEST_ID_REUSED): no"


@pytest.mark.parametrize("kind", FailureKind)
def test_each_kind_of_failure_has_its_reroute(kind: FailureKind) -> None:
    failure = failure_of(LocalFailure(kind, "x"), 0)

    decision = fallback_decision(failure, received_time=DECIDED, message=None)

    assert not decision.allowed
    assert decision.decision == "REROUTE"
    assert decision.decided_by == "CLIENT"
    assert [reason.code for reason in decision.reasons] == [kind]
    assert decision.reasons[0].analyst_text
    assert decision.reasons[0].participant_text == ""
    assert decision.degradations == ("CLIENT_FALLBACK",)
    assert decision.minor_adult_probability is None
    assert decision.risk_score is None
    assert decision.error is failure
