"""Whatever goes wrong, an unjudged pair is rerouted; through both clients."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from math import nan

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from pairguard.client import (
    ClientError,
    DecidedBy,
    Decision,
    FailureKind,
    FieldViolation,
    PairDecision,
    ParticipantInput,
)
from tests.integration.client.either_client import ClientMaker
from tests.integration.client.scripted_service import (
    Hanging,
    ScriptedService,
    aborting,
    answering,
    reserved_port,
    serving,
)
from tests.unit.client.answers import allow, block, clearing, setting

A, B = ParticipantInput("participant-4711"), ParticipantInput("participant-4712")

RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
KINDS = {
    grpc.StatusCode.CANCELLED: FailureKind.SERVICE_UNAVAILABLE,
    grpc.StatusCode.UNKNOWN: FailureKind.SERVICE_FAILED,
    grpc.StatusCode.INVALID_ARGUMENT: FailureKind.REQUEST_REFUSED,
    grpc.StatusCode.DEADLINE_EXCEEDED: FailureKind.SERVICE_TIMEOUT,
    grpc.StatusCode.NOT_FOUND: FailureKind.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: FailureKind.SERVICE_FAILED,
    grpc.StatusCode.PERMISSION_DENIED: FailureKind.ACCESS_REFUSED,
    grpc.StatusCode.UNAUTHENTICATED: FailureKind.ACCESS_REFUSED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: FailureKind.SERVICE_OVERLOADED,
    grpc.StatusCode.FAILED_PRECONDITION: FailureKind.REQUEST_REFUSED,
    grpc.StatusCode.ABORTED: FailureKind.SERVICE_FAILED,
    grpc.StatusCode.OUT_OF_RANGE: FailureKind.REQUEST_REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: FailureKind.SERVICE_INCOMPATIBLE,
    grpc.StatusCode.INTERNAL: FailureKind.SERVICE_FAILED,
    grpc.StatusCode.UNAVAILABLE: FailureKind.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS: FailureKind.SERVICE_FAILED,
}


def assert_rerouted(decision: PairDecision, kind: FailureKind) -> None:
    """Check that this is the client's own REROUTE for this kind of failure."""
    assert decision.decision is Decision.REROUTE
    assert decision.decided_by is DecidedBy.CLIENT
    assert not decision.allowed
    assert decision.decision_id == ""
    assert [reason.code for reason in decision.reasons] == [kind]
    assert decision.degradations == ("CLIENT_FALLBACK",)
    assert decision.error is not None
    assert decision.error.kind is kind


def test_each_status_but_ok_is_known() -> None:
    assert set(KINDS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize("code", KINDS, ids=lambda code: code.name)
def test_a_refused_call_is_a_reroute(make_client: ClientMaker, code: grpc.StatusCode) -> None:
    service = ScriptedService(aborting(code))
    with serving(service) as address:
        decision = make_client(address).score_pair(A, B)

    assert_rerouted(decision, KINDS[code])
    assert decision.error is not None
    assert decision.error.code is code
    assert decision.error.details == "as scripted"
    attempts = 3 if code in RETRIED else 1
    assert decision.error.attempts == attempts
    assert len(service.arrivals) == attempts


@pytest.mark.parametrize("code", KINDS, ids=lambda code: code.name)
def test_a_refused_call_raises_where_that_is_wanted(
    make_client: ClientMaker, code: grpc.StatusCode
) -> None:
    service = ScriptedService(aborting(code))
    with serving(service) as address:
        client = make_client(address, max_attempts=1)
        with pytest.raises(ClientError) as of_pair:
            client.score_pair(A, B, on_failure="raise")
        with pytest.raises(ClientError) as of_age:
            client.assess_age(A)

    assert of_pair.value.code is of_age.value.code is code
    assert of_pair.value.reason == of_age.value.reason == KINDS[code]
    assert len(service.arrivals) == 2


def test_the_option_to_raise_can_be_taken_back_for_a_call(make_client: ClientMaker) -> None:
    with serving(ScriptedService(aborting(grpc.StatusCode.INTERNAL))) as address:
        client = make_client(address, on_failure="raise")
        with pytest.raises(ClientError):
            client.score_pair(A, B)
        decision = client.score_pair(A, B, on_failure="reroute")

    assert_rerouted(decision, FailureKind.SERVICE_FAILED)


def test_a_refused_request_says_which_field_is_wrong(make_client: ClientMaker) -> None:
    info, wrong = AnyMessage(), AnyMessage()
    info.Pack(ErrorInfo(reason="FIELD_INVALID", domain="pairguard"))
    violation = BadRequest.FieldViolation(field="participant_a.language", description="Too long.")
    wrong.Pack(BadRequest(field_violations=[violation]))
    status = Status(code=3, message="The request is invalid.", details=[info, wrong])

    def refuse(context: grpc.ServicerContext) -> None:
        context.abort_with_status(rpc_status.to_status(status))

    service = ScriptedService(refuse)
    with serving(service) as address:
        client = make_client(address)
        decision = client.score_pair(A, B)
        with pytest.raises(ClientError) as caught:
            client.assess_age(A)

    expected = (FieldViolation("participant_a.language", "Too long."),)
    assert_rerouted(decision, FailureKind.REQUEST_REFUSED)
    assert decision.error is not None
    assert decision.error.reason == caught.value.reason == "FIELD_INVALID"
    assert decision.error.field_violations == caught.value.field_violations == expected
    assert decision.error.details == "The request is invalid."
    assert len(service.arrivals) == 2


def test_a_crash_of_the_service_is_a_reroute(make_client: ClientMaker) -> None:
    def crash(_: grpc.ServicerContext) -> None:
        raise RuntimeError("as scripted")

    service = ScriptedService(crash)
    with serving(service) as address:
        decision = make_client(address).score_pair(A, B)

    assert_rerouted(decision, FailureKind.SERVICE_FAILED)
    assert len(service.arrivals) == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        allow(setting("decision", 0)),
        allow(setting("decision", 99)),
        allow(clearing("decision_id")),
        allow(setting("minor_adult_probability", nan)),
        allow(setting("risk_score", 1.5)),
        allow(clearing("expire_time")),
        allow(clearing("minor_adult_probability")),
        allow(setting("minor_adult_probability", 0.99)),
    ],
    ids=[
        "nothing",
        "unspecified",
        "unknown",
        "no id",
        "nan",
        "above one",
        "no end",
        "no probability",
        "score below its part",
    ],
)
def test_an_answer_that_cannot_be_relied_on_is_a_reroute(
    make_client: ClientMaker, answer: object
) -> None:
    service = ScriptedService(answering(answer))  # type: ignore[arg-type]
    with serving(service) as address:
        client = make_client(address)
        decision = client.score_pair(A, B)
        with pytest.raises(ClientError) as caught:
            client.score_pair(A, B, on_failure="raise")

    assert_rerouted(decision, FailureKind.RESPONSE_INVALID)
    assert decision.message is not None
    assert caught.value.failure.kind is FailureKind.RESPONSE_INVALID
    assert caught.value.code is None
    assert len(service.arrivals) == 2


def test_a_block_is_obeyed_even_if_parts_of_it_are_unusable(make_client: ClientMaker) -> None:
    broken = block(setting("minor_adult_probability", nan))
    with serving(ScriptedService(answering(broken))) as address:
        decision = make_client(address).score_pair(A, B)

    assert decision.decision is Decision.BLOCK
    assert decision.decided_by is DecidedBy.SERVICE
    assert len(decision.held_participants) == 1


def test_an_empty_answer_about_an_age_raises(make_client: ClientMaker) -> None:
    with serving(ScriptedService(answering(None))) as address:
        client = make_client(address)
        with pytest.raises(ClientError) as caught:
            client.assess_age(A)

    assert caught.value.failure.kind is FailureKind.RESPONSE_INVALID


class _Noise(grpc.GenericRpcHandler):
    """Answers each call with bytes that are no message."""

    def service(
        self, details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        del details

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            return b"\xff" * 8

        return grpc.unary_unary_rpc_method_handler(answer)


def test_bytes_that_are_no_message_are_a_reroute(make_client: ClientMaker) -> None:
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads, handlers=[_Noise()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            decision = make_client(f"127.0.0.1:{port}").score_pair(A, B)
        finally:
            server.stop(None).wait(5)

    assert not decision.allowed
    assert decision.decided_by is DecidedBy.CLIENT


def test_an_answer_beyond_the_size_limit_is_a_reroute(make_client: ClientMaker) -> None:
    large = allow(lambda m: m.degradations.extend(["LARGE"] * 1000))
    with serving(ScriptedService(answering(large))) as address:
        decision = make_client(address, max_message_bytes=1024).score_pair(A, B)

    assert_rerouted(decision, FailureKind.SERVICE_OVERLOADED)


def test_a_slow_service_is_a_reroute_in_time(make_client: ClientMaker) -> None:
    hanging = Hanging()
    service = ScriptedService(hanging)
    with serving(service) as address:
        client = make_client(address)
        start = time.monotonic()
        decision = client.score_pair(A, B, timeout_seconds=0.2)
        elapsed_seconds = time.monotonic() - start
        with pytest.raises(ClientError) as caught:
            client.assess_age(A, timeout_seconds=0.2)
        assert hanging.ended.wait(10)

    assert_rerouted(decision, FailureKind.SERVICE_TIMEOUT)
    assert decision.error is not None
    assert decision.error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(service.arrivals) <= 2
    # Not near the 10 s of the client: the loose bound is for a busy machine.
    assert elapsed_seconds < 5


def test_a_service_that_is_down_is_a_reroute(make_client: ClientMaker) -> None:
    with reserved_port() as port:
        client = make_client(f"127.0.0.1:{port}", timeout_seconds=0.2)
        waited = client.score_pair(A, B)
        at_once = make_client(f"127.0.0.1:{port}", wait_for_ready=False).score_pair(A, B)
        with pytest.raises(ClientError):
            client.assess_age(A)

    assert_rerouted(waited, FailureKind.SERVICE_TIMEOUT)
    assert_rerouted(at_once, FailureKind.SERVICE_UNAVAILABLE)
    assert at_once.error is not None
    assert at_once.error.attempts == 3


@contextmanager
def listening_and_silent() -> Iterator[str]:
    """Yield the address of something that takes connections and never says anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_connection_that_stays_silent_is_a_reroute(make_client: ClientMaker) -> None:
    with listening_and_silent() as address:
        decision = make_client(address, timeout_seconds=0.2).score_pair(A, B)

    assert_rerouted(decision, FailureKind.SERVICE_TIMEOUT)


@pytest.mark.parametrize("token", ["", "line\nbreak", "é", None, 7])
def test_a_token_that_cannot_be_sent_is_a_reroute(make_client: ClientMaker, token: object) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address, bearer_token=lambda: token)
        decision = client.score_pair(A, B)

    assert_rerouted(decision, FailureKind.TOKEN_UNAVAILABLE)
    assert service.arrivals == []


def test_a_token_that_cannot_be_had_is_a_reroute(make_client: ClientMaker) -> None:
    def fail() -> str:
        raise OSError("hidden")

    service = ScriptedService()
    with serving(service) as address:
        decision = make_client(address, bearer_token=fail).score_pair(A, B)

    assert_rerouted(decision, FailureKind.TOKEN_UNAVAILABLE)
    assert "hidden" not in repr(decision)
    assert service.arrivals == []


def test_a_token_that_takes_all_the_time_leaves_none_for_a_call(make_client: ClientMaker) -> None:
    def late() -> str:
        time.sleep(0.1)
        return "token"

    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address, bearer_token=late)
        decision = client.score_pair(A, B, timeout_seconds=0.05)

    assert_rerouted(decision, FailureKind.SERVICE_TIMEOUT)
    assert service.arrivals == []


def test_a_closed_client_reroutes(make_client: ClientMaker) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address)
        client.close()
        client.close()
        decision = client.score_pair(A, B)
        with pytest.raises(ClientError):
            client.assess_age(A)

    assert_rerouted(decision, FailureKind.CLIENT_CLOSED)
    assert service.arrivals == []


def test_a_client_closed_during_a_call_reroutes(make_client: ClientMaker) -> None:
    service = ScriptedService(Hanging())
    with serving(service) as address, ThreadPoolExecutor(1) as caller:
        client = make_client(address)
        answer = caller.submit(client.score_pair, A, B)
        assert service.arrived.wait(10)
        client.close()
        decision = answer.result(10)

    assert_rerouted(decision, FailureKind.CLIENT_CLOSED)
    assert len(service.arrivals) == 1


def test_a_reroute_is_logged_without_ids(
    make_client: ClientMaker, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(ScriptedService(aborting(grpc.StatusCode.INTERNAL))) as address:
        client = make_client(address)
        client.score_pair(A, B)
        with pytest.raises(ClientError):
            client.score_pair(A, B, on_failure="raise")

    (record,) = [one for one in caplog.records if one.name == "pairguard.client"]
    assert record.getMessage() == "pair rerouted by the client: no usable answer from the service"
    assert vars(record)["grpc_code"] == "INTERNAL"
    assert "471" not in str(
        {
            name: str(value)
            for name, value in vars(record).items()
            if name in {"msg", "args", "refused_fields", "failure_reason"}
        }
    )
