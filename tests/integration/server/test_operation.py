"""What operations see: health, metrics, reflection, ports, the end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from pairguard.errors import BundleRefused, ConfigurationRefused, PolicyRefused
from pairguard.server.composition import SERVICES
from pairguard.store.ports import PurgeReport, Retention
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    BrokenStore,
    Running,
    failed_call,
    listening,
    refusal,
    serving,
    until,
)
from tests.integration.server.test_errors import SlowStore
from tests.unit.server.requests import FACE, evidence, pair_request

READY_NAMES = ("", "readiness", *SERVICES)


def test_a_server_is_alive_before_it_is_ready(bundle: Path, tmp_path: Path) -> None:
    with listening(bundle, tmp_path) as server:
        assert server.health("liveness") == "SERVING"
        assert {server.health(name) for name in READY_NAMES} == {"NOT_SERVING"}
        code, info, _ = refusal(server.pair_risk.ScorePair, pair_request())
        assert code is grpc.StatusCode.UNAVAILABLE
        assert info.reason == "BUNDLE_NOT_LOADED"

        server.application.load()
        assert {server.health(name) for name in READY_NAMES} == {"SERVING"}

        server.application.drain()
        assert {server.health(name) for name in READY_NAMES} == {"NOT_SERVING"}
        assert server.health("liveness") == "SERVING"
        answer = server.pair_risk.ScorePair(pair_request(), timeout=TIMEOUT_SECONDS)
        assert answer.assessment.decision_id


def test_a_health_name_that_there_is_not_is_not_found(server: Running) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.health("pairguard.v1.Nothing")
    assert failed_call(caught.value).code() is grpc.StatusCode.NOT_FOUND


def test_health_can_be_watched(bundle: Path, tmp_path: Path) -> None:
    with listening(bundle, tmp_path, worker_threads=1) as server:
        watch = server.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        # More watchers than threads: they occupy none.
        streams = [
            watch(health_pb2.HealthCheckRequest(service="readiness"), timeout=TIMEOUT_SECONDS)
            for _ in range(3)
        ]
        seen: queue.Queue[int] = queue.Queue()

        def follow(stream: Iterable[health_pb2.HealthCheckResponse]) -> None:
            try:
                for answer in stream:
                    seen.put(answer.status)
            except grpc.RpcError:
                pass

        threads = [threading.Thread(target=follow, args=(stream,)) for stream in streams]
        for thread in threads:
            thread.start()
        states = health_pb2.HealthCheckResponse
        assert [seen.get(timeout=5) for _ in streams] == [states.NOT_SERVING] * 3
        server.application.load()
        assert [seen.get(timeout=5) for _ in streams] == [states.SERVING] * 3
        answer = server.pair_risk.ScorePair(pair_request(), timeout=TIMEOUT_SECONDS)
        assert answer.assessment.decision_id
        for stream in streams:
            stream.cancel()
        for thread in threads:
            thread.join(5)


def test_a_bundle_that_does_not_verify_leaves_the_server_not_ready(tmp_path: Path) -> None:
    with listening(tmp_path / "nothing", tmp_path) as server:
        with pytest.raises(BundleRefused) as caught:
            server.application.load()
        assert caught.value.reason == "BUNDLE_MISSING"
        assert server.health("readiness") == "NOT_SERVING"
        assert server.health("liveness") == "SERVING"


@pytest.mark.parametrize("text", ["schema = 2", "schema = ", "\0"])
def test_a_policy_that_does_not_validate_is_refused(
    bundle: Path, tmp_path: Path, text: str
) -> None:
    with (
        listening(bundle, tmp_path, policy=text) as server,
        pytest.raises(PolicyRefused),
    ):
        server.application.load()


def test_a_store_that_cannot_be_opened_ends_the_start(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory should be", encoding="utf-8")
    with listening(bundle, tmp_path) as server:
        with pytest.raises(ConfigurationRefused) as caught:
            server.application.load()
        assert "store" in caught.value.problems[0]
        assert server.health("readiness") == "NOT_SERVING"


def test_a_second_server_on_the_port_fails_loudly(bundle: Path, tmp_path: Path) -> None:
    with listening(bundle, tmp_path, metrics_address="127.0.0.1:0") as first:
        taken = str(first.application.address)
        with (
            pytest.raises(ConfigurationRefused) as caught,
            listening(bundle, tmp_path, listen_address=taken),
        ):
            pass
        assert taken in caught.value.problems[0]
        with (
            pytest.raises(ConfigurationRefused) as caught,
            listening(bundle, tmp_path, metrics_address=str(first.application.metrics_address)),
        ):
            pass
        assert "metrics_address" in caught.value.problems[0]


def test_the_figures_are_served(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, metrics_address="127.0.0.1:0") as server:
        assert server.application.metrics_address is not None
        request = pair_request(evidence(FACE) + evidence("self_declared { age_years: 30 }"))
        answer = server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS).assessment
        refusal(server.pair_risk.ScorePair, pair_request(rest="view: 9"))
        method = "pairguard.v1.PairRiskService/ScorePair"
        counted = "pairguard_rpc_duration_seconds_count"
        assert until(lambda: server.metric(counted, code="INVALID_ARGUMENT") == 1)

        assert server.metric(counted, method=method, code="OK") == 1
        assert (
            server.metric(
                "pairguard_decisions_total",
                decision="REROUTE",
                leading_reason=answer.reasons[0].code,
            )
            == 1
        )
        for part in ("minor_adult", "harm", "risk_score"):
            assert server.metric("pairguard_pair_probability_count", part=part) == 1
        assert server.metric("pairguard_pair_probability_sum", part="risk_score") == (
            answer.risk_score
        )
        for kind in ("facial_age_estimate", "self_declared"):
            assert server.metric("pairguard_evidence_items_total", kind=kind) == 1
        assert server.metric("pairguard_evidence_items_total", kind="age_check") == 0
        assert server.metric("pairguard_bundle_info", version=answer.bundle_version) == 1
        assert server.metric("pairguard_policy_info", version=answer.policy_version) == 1
        assert 0 < server.metric("pairguard_bundle_load_seconds") < 60
        assert server.metric("process_resident_memory_bytes") > 1e6


def test_no_figures_are_served_where_none_are_wanted(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, metrics_address=None) as server:
        assert server.application.metrics_address is None


def services_by_reflection(server: Running) -> set[str]:
    call = server.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = call(iter([request]), timeout=TIMEOUT_SECONDS)
    return {service.name for service in answer.list_services_response.service}


def test_reflection_lists_every_service(server: Running) -> None:
    assert services_by_reflection(server) == {
        "pairguard.v1.PairRiskService",
        "pairguard.v1.AgeAssuranceService",
        "pairguard.v1.FeedbackService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def test_reflection_can_be_turned_off(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, reflection=False) as server:
        with pytest.raises(grpc.RpcError) as caught:
            services_by_reflection(server)
        assert failed_call(caught.value).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_call_under_way_is_answered_while_the_server_stops(bundle: Path, tmp_path: Path) -> None:
    store = SlowStore(tmp_path / "holds.sqlite3")
    with (
        serving(bundle, tmp_path, store=store) as server,
        ThreadPoolExecutor(2) as threads,
    ):
        answer = threads.submit(server.pair_risk.ScorePair, pair_request(), timeout=TIMEOUT_SECONDS)
        assert store.arrived.acquire(timeout=TIMEOUT_SECONDS)
        server.application.drain()
        stopping = threads.submit(server.application.stop)
        store.go.set()

        assert answer.result(TIMEOUT_SECONDS).assessment.decision_id
        stopping.result(TIMEOUT_SECONDS)


def test_holds_that_ended_are_forgotten_at_the_start(bundle: Path, tmp_path: Path) -> None:
    purged = threading.Event()

    class Watched(BrokenStore):
        def purge(self, *, now: float, retention: Retention) -> PurgeReport:
            purged.set()
            return super().purge(now=now, retention=retention)

    with serving(bundle, tmp_path, store=Watched(tmp_path / "holds.sqlite3")):
        assert purged.wait(TIMEOUT_SECONDS)
