"""A call is tried again only where that helps, and never beyond its timeout; both clients."""

import time

import grpc
import pytest

from pairguard.client import ParticipantInput
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from tests.integration.client.either_client import ClientMaker
from tests.integration.client.scripted_service import (
    ScriptedService,
    aborting,
    answering,
    serving,
)
from tests.unit.client.answers import allow

A, B = ParticipantInput("a"), ParticipantInput("b")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_the_third_attempt_is_answered(make_client: ClientMaker, code: grpc.StatusCode) -> None:
    service = ScriptedService(aborting(code), aborting(code), answering(allow()))
    with serving(service) as address:
        decision = make_client(address).score_pair(A, B, request_id="r-3")

    assert decision.allowed
    assert len(service.arrivals) == 3
    ids = {
        arrival.request.request_id
        for arrival in service.arrivals
        if isinstance(arrival.request, ScorePairRequest)
    }
    assert ids == {"r-3"}


def test_each_attempt_is_told_what_the_ones_before_it_left(make_client: ClientMaker) -> None:
    refuse = aborting(grpc.StatusCode.UNAVAILABLE, after_seconds=0.25)
    service = ScriptedService(refuse, refuse, answering(allow()))
    with serving(service) as address:
        assert make_client(address, timeout_seconds=5.0).score_pair(A, B).allowed

    # gRPC rounds what it tells up, to a tenth of a second at most here.
    first, second, third = (arrival.remaining_seconds for arrival in service.arrivals)
    assert second < first - 0.1
    assert third < second - 0.1


def test_an_age_is_asked_for_again(make_client: ClientMaker) -> None:
    service = ScriptedService(aborting(grpc.StatusCode.UNAVAILABLE), answering(allow()))
    with serving(service) as address:
        answer = make_client(address).assess_age(A)

    assert answer.assessment.probability_minor == 0.25
    assert len(service.arrivals) == 2


@pytest.mark.parametrize("max_attempts", [1, 2, 5])
def test_no_call_is_tried_more_often_than_it_may(
    make_client: ClientMaker, max_attempts: int
) -> None:
    service = ScriptedService(aborting(grpc.StatusCode.UNAVAILABLE))
    with serving(service) as address:
        decision = make_client(address, max_attempts=max_attempts).score_pair(A, B)

    assert not decision.allowed
    assert len(service.arrivals) == max_attempts


def test_another_failure_ends_the_attempts(make_client: ClientMaker) -> None:
    service = ScriptedService(
        aborting(grpc.StatusCode.UNAVAILABLE),
        aborting(grpc.StatusCode.INTERNAL),
        answering(allow()),
    )
    with serving(service) as address:
        decision = make_client(address).score_pair(A, B)

    assert decision.error is not None
    assert decision.error.code is grpc.StatusCode.INTERNAL
    assert len(service.arrivals) == 2


def test_attempts_stay_within_the_timeout(make_client: ClientMaker) -> None:
    timeout_seconds = 0.3
    service = ScriptedService(aborting(grpc.StatusCode.UNAVAILABLE, after_seconds=0.08))
    with serving(service) as address:
        client = make_client(address, max_attempts=10, timeout_seconds=timeout_seconds)
        start = time.monotonic()
        decision = client.score_pair(A, B)
        elapsed_seconds = time.monotonic() - start

    assert not decision.allowed
    # Attempts take 0.08 s or more, so ten do not fit; the server saw no deadline beyond the call's.
    assert 1 <= len(service.arrivals) <= 4
    for arrival in service.arrivals:
        assert arrival.time + arrival.remaining_seconds < start + timeout_seconds + 0.1
    assert elapsed_seconds < timeout_seconds + 2
