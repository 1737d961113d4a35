"""Servers that start late, stop and are killed; both clients."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pairguard.client import FailureKind, ParticipantInput
from tests.integration.client.either_client import ClientMaker
from tests.integration.client.scripted_service import (
    Hanging,
    ScriptedService,
    reserved_port,
    serving,
    start_server,
)

ROOT = Path(__file__).parents[3]
A, B = ParticipantInput("a"), ParticipantInput("b")


def test_a_call_waits_for_a_server_that_starts_late(make_client: ClientMaker) -> None:
    with reserved_port() as port, ThreadPoolExecutor(1) as caller:
        client = make_client(f"127.0.0.1:{port}", timeout_seconds=20.0)
        answer = caller.submit(client.score_pair, A, B)
        time.sleep(0.2)  # so that the first connection is refused
        with serving(ScriptedService(), port=port):
            decision = answer.result(30)

    assert decision.allowed


def test_a_client_comes_back_after_an_outage(make_client: ClientMaker) -> None:
    with reserved_port() as port:
        client = make_client(f"127.0.0.1:{port}", timeout_seconds=0.1)
        outage = [client.score_pair(A, B).allowed for _ in range(3)]
        with serving(ScriptedService(), port=port):
            # gRPC's own way of trying again would leave it alone for longer and longer.
            recovered = client.score_pair(A, B, timeout_seconds=10.0)

    assert outage == [False] * 3
    assert recovered.allowed


def test_a_restart_during_a_call_is_not_seen_by_the_caller(make_client: ClientMaker) -> None:
    old, new = ScriptedService(Hanging()), ScriptedService()
    with (
        reserved_port() as port,
        ThreadPoolExecutor(1) as caller,
        ThreadPoolExecutor(8) as threads,
    ):
        server, address = start_server(old, threads, port=port)
        client = make_client(address, timeout_seconds=20.0)
        answer = caller.submit(client.score_pair, A, B)
        assert old.arrived.wait(10)
        server.stop(None).wait(10)
        with serving(new, port=port):
            decision = answer.result(30)

    assert decision.allowed
    assert [len(old.arrivals), len(new.arrivals)] == [1, 1]
    assert old.arrivals[0].request == new.arrivals[0].request


@pytest.mark.parametrize("wait_for_ready", [True, False])
def test_a_server_that_is_killed_during_a_call_is_a_reroute(
    make_client: ClientMaker, wait_for_ready: bool
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.client.hanging_server"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            client = make_client(address, timeout_seconds=1.0, wait_for_ready=wait_for_ready)
            with ThreadPoolExecutor(1) as caller:
                answer = caller.submit(client.score_pair, A, B)
                assert server.stdout.readline() == "called\n"
                server.kill()
                decision = answer.result(20)
        finally:
            server.kill()

    assert not decision.allowed
    assert decision.error is not None
    # Where it waits, the second attempt waits for a server that does not come back.
    if wait_for_ready:
        assert decision.error.kind is FailureKind.SERVICE_TIMEOUT
        assert decision.error.attempts == 2
    else:
        assert decision.error.code is grpc.StatusCode.UNAVAILABLE
        assert decision.error.attempts == 3
