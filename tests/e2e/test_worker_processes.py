"""Several processes on one port: no call of our client fails, whatever happens to one of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pairguard.client import Client, ClientOptions, DecidedBy, ParticipantInput
from tests.e2e.server_process import environment, started
from tests.e2e.workers import WORKER, all_serve, called, figures, workers_of
from tests.process_facts import command_of
from tests.waiting import wait_until


@pytest.fixture
def environ(tmp_path: Path, bundle: Path) -> dict[str, str]:
    return environment(tmp_path, bundle, worker_processes="2", worker_threads="2")


def test_two_workers_share_the_port_and_one_endpoint_tells_of_both(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with started(tmp_path, environ) as server:
        address = server.address
        wait_until(all_serve(server, 2), "two workers serve")
        assert len(workers_of(server)) == 2
        served: dict[str, float] = {}

        def both_served() -> bool:
            with Client(ClientOptions(address, timeout_seconds=20.0)) as client:
                client.score_pair(ParticipantInput("a"), ParticipantInput("b"))
            found = figures(server)
            served.update({w: found.get(("pairguard_decisions_total", w), 0.0) for w in ("0", "1")})
            return min(served.values()) > 0.0

        wait_until(both_served, "both workers answer calls of new connections")
        found = figures(server)
        assert found["process_resident_memory_bytes", "1"] > 0.0
        assert ("pairguard_decisions_total", "") not in found

        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert server.said[-1] == "stopped"
        assert sum(line == "stopped" for line in server.said) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_ends_is_replaced_and_no_call_fails(
    tmp_path: Path, environ: dict[str, str], number: signal.Signals
) -> None:
    with started(tmp_path, environ) as server:
        address = server.address
        wait_until(all_serve(server, 2), "two workers serve")
        with called(address, timeout_seconds=20.0) as answers:
            for _ in range(2):
                before = workers_of(server)
                os.kill(max(before), number)
                wait_until(lambda: workers_of(server) - before != set(), "another began")  # noqa: B023
                wait_until(all_serve(server, 2), "two workers serve again")
            answered = len(answers)
            wait_until(lambda: len(answers) > answered + 20, "calls go on")
        assert {each.decided_by for each in answers} == {DecidedBy.SERVICE}
        assert figures(server)["pairguard_worker_ends_total", ""] == 2.0
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_workers_are_replaced_one_after_the_other_and_no_call_fails(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with started(tmp_path, environ) as server:
        address = server.address
        wait_until(all_serve(server, 2), "two workers serve")
        before = workers_of(server)
        fewest = 2.0
        with called(address, timeout_seconds=20.0) as answers:
            server.signal(signal.SIGUSR2)

            def replaced() -> bool:
                nonlocal fewest
                fewest = min(fewest, figures(server)["pairguard_workers_serving", ""])
                return not workers_of(server) & before and all_serve(server, 2)()

            wait_until(replaced, "all workers are others")
        assert fewest >= 1.0
        assert {each.decided_by for each in answers} == {DecidedBy.SERVICE}
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_a_stuck_worker_is_killed_and_replaced(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["PAIRGUARD_WORKER_SILENCE_SECONDS"] = "2"
    with started(tmp_path, environ) as server:
        assert server.address
        wait_until(all_serve(server, 2), "two workers serve")
        stuck = max(workers_of(server))
        os.kill(stuck, signal.SIGSTOP)
        server.wait_for("(silent)")
        wait_until(all_serve(server, 2), "two workers serve again")
        assert stuck not in workers_of(server)


def test_workers_end_with_a_supervisor_that_is_killed(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with started(tmp_path, environ) as server:
        assert server.address
        wait_until(all_serve(server, 2), "two workers serve")
        workers = workers_of(server)
        server.signal(signal.SIGKILL)
        wait_until(
            lambda: not any(WORKER in command_of(each) for each in workers), "all have ended"
        )


def test_a_second_server_gets_no_share_of_the_port(tmp_path: Path, environ: dict[str, str]) -> None:
    with started(tmp_path, environ) as first:
        address = first.address
        for processes in ("1", "2"):
            other = environ | {
                "PAIRGUARD_LISTEN_ADDRESS": address,
                "PAIRGUARD_WORKER_PROCESSES": processes,
            }
            with started(tmp_path, other) as second:
                assert second.exit_code() == 2
                assert any("is another server there?" in line for line in second.said)


def test_without_a_bundle_no_worker_is_started_again(tmp_path: Path) -> None:
    environ = environment(tmp_path, tmp_path / "none", worker_processes="2")
    with started(tmp_path, environ) as server:
        assert server.exit_code() == 2
        assert server.said[0] == "refused (BUNDLE_MISSING):"
        assert sum("refused" in line for line in server.said) == 1
