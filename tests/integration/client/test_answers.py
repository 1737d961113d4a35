"""Answers of a service that works, through both clients."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from pairguard.client import (
    Client,
    ClientOptions,
    DecidedBy,
    Decision,
    Modality,
    ParticipantInput,
    View,
    self_declared,
)
from pairguard.v1.assessment_pb2 import MODALITY_TEXT, VIEW_BASIC, VIEW_FULL
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from tests.integration.client.either_client import ClientMaker
from tests.integration.client.scripted_service import ScriptedService, answering, serving
from tests.unit.client.answers import age, allow, block

A, B = ParticipantInput("a"), ParticipantInput("b")


def requests(service: ScriptedService) -> list[ScorePairRequest]:
    """Return the requests to judge pairs that a service saw."""
    found = [arrival.request for arrival in service.arrivals]
    assert all(isinstance(request, ScorePairRequest) for request in found)
    return [request for request in found if isinstance(request, ScorePairRequest)]


def test_a_pair_is_judged(make_client: ClientMaker) -> None:
    service = ScriptedService(answering(allow()), answering(block()))
    with serving(service) as address:
        client = make_client(address)
        allowed = client.score_pair(ParticipantInput("a", [self_declared(age_years=30)]), B)
        blocked = client.score_pair(A, B, modality=Modality.TEXT, request_id="r-1")

    assert (allowed.decision, allowed.decided_by) == (Decision.ALLOW, DecidedBy.SERVICE)
    assert allowed.allowed
    assert allowed.error is None
    assert allowed.message == allow()
    assert (blocked.decision, blocked.decided_by) == (Decision.BLOCK, DecidedBy.SERVICE)
    first, second = requests(service)
    assert first.participant_a.age_evidence[0].self_declared.age_years == 30
    assert first.view == VIEW_BASIC
    assert second.request_id == "r-1"
    assert second.context.modality == MODALITY_TEXT


def test_a_request_has_the_id_that_the_caller_gave_and_no_other(make_client: ClientMaker) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address)
        client.score_pair(A, B)
        client.score_pair(A, B, request_id="r-7")

    assert [request.request_id for request in requests(service)] == ["", "r-7"]


def test_the_full_view_is_asked_for_and_read(make_client: ClientMaker) -> None:
    seen = allow(lambda m: m.participant_b_assessment.CopyFrom(age()))
    service = ScriptedService(answering(seen))
    with serving(service) as address:
        decision = make_client(address).score_pair(A, B, view=View.FULL)

    assert decision.participant_b_assessment is not None
    assert decision.participant_b_assessment.probability_minor == 0.25
    assert requests(service)[0].view == VIEW_FULL


def test_an_age_is_judged(make_client: ClientMaker) -> None:
    service = ScriptedService()
    with serving(service) as address:
        answer = make_client(address).assess_age(A)

    assert answer.assessment.probability_minor == 0.25
    assert answer.bundle_version == "b-1"


def test_each_call_tells_the_server_how_long_it_may_take(make_client: ClientMaker) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address, timeout_seconds=5.0)
        client.score_pair(A, B)
        client.score_pair(A, B, timeout_seconds=20.0)
        client.assess_age(A)
        client.assess_age(A, timeout_seconds=20.0)

    short, long, short_age, long_age = (arrival.remaining_seconds for arrival in service.arrivals)
    assert 0 < short <= 5
    assert 0 < short_age <= 5
    assert 5 < long <= 20
    assert 5 < long_age <= 20


def test_a_token_is_fetched_for_each_call_and_sent(make_client: ClientMaker) -> None:
    tokens = iter(["first", "second"])
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address, bearer_token=lambda: next(tokens))
        client.score_pair(A, B)
        client.assess_age(A)

    assert [arrival.metadata["authorization"] for arrival in service.arrivals] == [
        "Bearer first",
        "Bearer second",
    ]
    assert all(
        str(arrival.metadata["user-agent"]).startswith("pairguard-client/")
        for arrival in service.arrivals
    )


def test_one_client_serves_many_threads() -> None:
    service = ScriptedService()
    start = threading.Barrier(8)

    def ask(client: Client) -> list[bool]:
        start.wait(10)
        return [client.score_pair(A, B).allowed for _ in range(10)]

    with (
        serving(service) as address,
        Client(ClientOptions(address, timeout_seconds=10)) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = [threads.submit(ask, client) for _ in range(8)]
        allowed = [one for answer in answers for one in answer.result(30)]

    assert allowed == [True] * 80
    assert len(requests(service)) == 80


def test_an_address_alone_is_enough() -> None:
    with serving(ScriptedService()) as address, Client(address) as client:
        assert client.score_pair(A, B, timeout_seconds=10).allowed


def test_a_channel_of_the_callers_own_stays_open() -> None:
    with serving(ScriptedService()) as address, grpc.insecure_channel(address) as channel:
        options = ClientOptions(address, timeout_seconds=10)
        with Client(options, channel=channel) as first:
            assert first.score_pair(A, B).allowed
        with Client(options, channel=channel) as second:
            assert second.score_pair(A, B).allowed
        assert not first.score_pair(A, B).allowed


@pytest.mark.parametrize("arguments", [{"timeout_seconds": float("inf")}, {"on_failure": "allow"}])
def test_wrong_arguments_raise_before_any_call(
    make_client: ClientMaker, arguments: dict[str, Any]
) -> None:
    service = ScriptedService()
    with serving(service) as address:
        client = make_client(address)
        with pytest.raises(ValueError, match="must be"):
            client.score_pair(A, B, **arguments)
        with pytest.raises(TypeError, match="participant_b"):
            client.score_pair(A, "b")  # type: ignore[arg-type]

    assert service.arrivals == []
