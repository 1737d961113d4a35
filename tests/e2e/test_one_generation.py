"""Several processes, and one bundle and policy for all of them, whatever happens meanwhile."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest

from pairguard.bundle.publication import publish
from pairguard.client import DecidedBy, PairDecision, ParticipantInput
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from tests.e2e.changing_platform import Platform, Versions
from tests.e2e.server_process import ServerProcess, started
from tests.e2e.workers import all_serve, called, figures, leader_of, workers_of
from tests.unit.server.requests import pair_request
from tests.waiting import wait_until

A, B = ParticipantInput("a"), ParticipantInput("b")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


@contextmanager
def two_workers(platform: Platform) -> Iterator[ServerProcess]:
    # One that is stopped for a while is not to be taken as stuck; looked is when it is asked for,
    # so that bundle and policy are one change however slow the machine is.
    environ = platform.environment(
        worker_processes="2", worker_silence_seconds="600", reload_check_seconds="3600"
    )
    with started(platform.directory, environ) as server:
        assert server.address
        wait_until(all_serve(server, 2), "two workers serve")
        yield server
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def versions_of(answers: list[PairDecision]) -> set[Versions]:
    return {(each.bundle_version, each.policy_version) for each in answers}


def versions_of_anybody(address: str) -> Versions:
    """Return what a worker answers by that answers, over a connection of its own."""
    found: list[Versions] = []

    def is_answered() -> bool:
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            try:
                answer = PairRiskServiceStub(channel).ScorePair(pair_request(), timeout=1.0)
            except grpc.RpcError:
                return False
        assessment = answer.assessment
        found.append((assessment.bundle_version, assessment.policy_version))
        return True

    wait_until(is_answered, "somebody answers")
    return found[-1]


@contextmanager
def stopped(process_id: int) -> Iterator[None]:
    """Stop a process for a while; it can still be killed."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def is_told(server: ServerProcess, name: str, worker: str, value: float) -> bool:
    return figures(server).get((name, worker)) == value


def both_serve(server: ServerProcess, answers: list[PairDecision], versions: Versions) -> None:
    """Wait until both workers say that they serve something, and somebody was answered by it."""

    def told() -> bool:
        with_labels = server_lines(server)
        return all(
            f'pairguard_{what}_info{{version="{version}",worker="{worker}"}} 1.0' in with_labels
            for worker in "01"
            for what, version in zip(("bundle", "policy"), versions, strict=True)
        )

    wait_until(told, f"both serve {versions}")
    before = len(answers)
    wait_until(lambda: len(answers) > before + 20, "calls go on")


def server_lines(server: ServerProcess) -> set[str]:
    with urllib.request.urlopen(server.metrics_url, timeout=10) as answer:  # noqa: S310
        return set(answer.read().decode().splitlines())


def test_nobody_switches_before_all_are_ready_and_who_is_killed_then_comes_back_with_the_new(
    platform: Platform,
) -> None:
    old, new = (platform.versions[0], "policy-0"), (platform.versions[1], "policy-1")
    with two_workers(platform) as server, called(server.address, timeout_seconds=60.0) as answers:
        leader = leader_of(server)
        (other,) = workers_of(server) - {leader}
        with stopped(other):
            platform.write_policy("policy-1")
            publish(platform.root, platform.bundles[1])
            server.signal(signal.SIGHUP)
            ready = partial(is_told, server, "pairguard_generation_prepared", "0", 1.0)
            wait_until(ready, "the first is ready")
            # It is ready and waits; whoever answers, answers by the one before.
            assert versions_of_anybody(server.address) == old
            assert versions_of(answers) == {old}
            os.kill(leader, signal.SIGKILL)
        both_serve(server, answers, new)
        assert versions_of_anybody(server.address) == new
        assert figures(server)["pairguard_worker_ends_total", ""] == 1.0
    assert versions_of(answers) == {old, new}
    assert {each.decided_by for each in answers} == {DecidedBy.SERVICE}


def test_what_one_worker_refuses_nobody_takes_and_who_begins_begins_with_what_the_others_serve(
    platform: Platform,
) -> None:
    old = (platform.versions[0], "policy-0")
    with two_workers(platform) as server, called(server.address, timeout_seconds=60.0) as answers:
        leader = leader_of(server)
        (other,) = workers_of(server) - {leader}
        with stopped(other):
            version = publish(platform.root, platform.bundles[1])
            server.signal(signal.SIGHUP)
            ready = partial(is_told, server, "pairguard_generation_prepared", "0", 1.0)
            wait_until(ready, "the first is ready")
            (platform.root / version / "calibration.json").write_bytes(b"{}")
        server.wait_for("refused (BUNDLE_HASH_MISMATCH)")
        for worker in "01":
            stale = partial(is_told, server, "pairguard_generation_stale", worker, 1.0)
            wait_until(stale, "both say that they are stale")
        assert figures(server)["pairguard_generation_prepared", "0"] == 0.0

        os.kill(leader_of(server), signal.SIGKILL)
        wait_until(lambda: leader not in workers_of(server), "the first has ended")
        wait_until(all_serve(server, 2), "another has begun")
        both_serve(server, answers, old)
        assert is_told(server, "pairguard_generation_stale", "0", 1.0)

        publish(platform.root, platform.bundles[0])
        server.signal(signal.SIGHUP)
        for worker in "01":
            fresh = partial(is_told, server, "pairguard_generation_stale", worker, 0.0)
            wait_until(fresh, "both serve what there is")
    assert versions_of(answers) == {old}
    assert {each.decided_by for each in answers} == {DecidedBy.SERVICE}
