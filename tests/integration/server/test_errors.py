"""Everything that is no decision: codes, reasons, paths, and that nothing leaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pairguard.store.ports import KeptParticipant
from pairguard.v1.pair_risk_service_pb2 import ScorePairResponse
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    BrokenStore,
    Running,
    failed_call,
    refusal,
    serving,
    until,
)
from tests.unit.server.requests import evidence, pair_request

MARK = "MARKED-4711"


class FailingStore(BrokenStore):
    """A store with a bug: it raises what nobody expects, with an id in the text."""

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        raise KeyError(f"{participants} at {now}")


class SlowStore(BrokenStore):
    """A store whose reads wait until they are let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.arrived = threading.Semaphore(0)
        self.go = threading.Event()

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        self.arrived.release()
        self.go.wait(TIMEOUT_SECONDS)
        return super().read(participants, now=now)


def test_an_invalid_request_is_answered_with_each_field(server: Running) -> None:
    request = pair_request(
        evidence("facial_age_estimate { mean_years: nan }"), "region: 'x'", "view: 8"
    )

    code, info, violations = refusal(server.pair_risk.ScorePair, request)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert (info.reason, info.domain) == ("INVALID_INPUT", "pairguard")
    assert list(violations) == [
        "participant_a.age_evidence[0].facial_age_estimate.mean_years",
        "participant_b.region",
        "view",
    ]


def test_however_much_is_wrong_the_caller_is_told_so(server: Running) -> None:
    items = evidence("age_check { }") * 32
    request = pair_request(items, items)

    code, info, violations = refusal(server.pair_risk.ScorePair, request)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert info.metadata["violation_count"] == str(2 * 32 * 3)
    assert len(violations) > 10


@pytest.mark.parametrize("content", [b"\xff\xff\xff", b"\x0a\x05\x0a\x03\xff\xfe\xfd"])
def test_bytes_that_are_no_message_are_an_invalid_argument(server: Running, content: bytes) -> None:
    call: Callable[..., bytes] = server.channel.unary_unary(
        "/pairguard.v1.PairRiskService/ScorePair"
    )

    code, info, _ = refusal(call, content)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert info.reason == "REQUEST_UNREADABLE"


def test_a_message_that_is_too_large_is_refused(bundle: Path, tmp_path: Path) -> None:
    request = pair_request()
    request.participant_a.linked_ids.extend(["x" * 100] * 200)
    with serving(bundle, tmp_path, max_request_bytes=10_000) as server:
        with pytest.raises(grpc.RpcError) as caught:
            server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS)
        assert failed_call(caught.value).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        answer = server.pair_risk.ScorePair(pair_request(), timeout=TIMEOUT_SECONDS)
        assert answer.assessment.decision_id


def test_a_method_outside_the_contract_is_unimplemented(server: Running) -> None:
    call: Callable[..., bytes] = server.channel.unary_unary("/pairguard.v1.PairRiskService/Nothing")

    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=TIMEOUT_SECONDS)
    assert failed_call(caught.value).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_bug_is_an_internal_error_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    request = pair_request()
    request.participant_a.participant_id = MARK
    store = FailingStore(tmp_path / "holds.sqlite3")
    with serving(bundle, tmp_path, store=store) as server:
        code, info, _ = refusal(server.pair_risk.ScorePair, request)

        assert code is grpc.StatusCode.INTERNAL
        assert info.reason == "INTERNAL"
        assert until(lambda: len(server.log_lines()) == 2)
        failure, call = server.log_lines()
        assert (failure["level"], failure["error"]) == ("error", "KeyError")
        assert any("read_pair" in frame for frame in failure["frames"])
        assert (call["code"], call["leading_reason"]) == ("INTERNAL", "INTERNAL")
        assert MARK not in server.log.getvalue()


def test_a_call_that_nobody_waits_for_any_more_is_not_worked_on(
    bundle: Path, tmp_path: Path
) -> None:
    store = SlowStore(tmp_path / "holds.sqlite3")
    with (
        serving(bundle, tmp_path, store=store, worker_threads=1) as server,
        ThreadPoolExecutor(1) as caller,
    ):
        first = caller.submit(server.pair_risk.ScorePair, pair_request(), timeout=TIMEOUT_SECONDS)
        assert store.arrived.acquire(timeout=TIMEOUT_SECONDS)
        with pytest.raises(grpc.RpcError) as caught:
            server.pair_risk.ScorePair(pair_request(), timeout=0.05)
        assert failed_call(caught.value).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        store.go.set()
        first.result(TIMEOUT_SECONDS)

        # The one thread has passed the second call when the third is answered.
        server.pair_risk.ScorePair(pair_request(), timeout=TIMEOUT_SECONDS)
        assert store.arrived.acquire(blocking=False)
        assert not store.arrived.acquire(blocking=False)


def test_more_calls_than_may_wait_are_refused(bundle: Path, tmp_path: Path) -> None:
    store = SlowStore(tmp_path / "holds.sqlite3")
    with (
        serving(bundle, tmp_path, store=store, worker_threads=1, max_concurrent_rpcs=2) as server,
        ThreadPoolExecutor(2) as callers,
    ):

        def patient() -> ScorePairResponse:
            # The call that looks whether there is room may have taken it for a moment.
            while True:
                try:
                    return server.pair_risk.ScorePair(pair_request(), timeout=TIMEOUT_SECONDS)
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise

        waiting = [callers.submit(patient) for _ in range(2)]
        assert store.arrived.acquire(timeout=TIMEOUT_SECONDS)

        def refused() -> bool:
            call = server.pair_risk.ScorePair.future(pair_request(), timeout=0.2)
            return call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

        assert until(refused)
        store.go.set()
        for answer in waiting:
            assert answer.result(TIMEOUT_SECONDS).assessment.decision_id


def test_nothing_of_a_participant_appears_in_logs_metrics_or_errors(
    bundle: Path, tmp_path: Path
) -> None:
    marked = f"""
    linked_ids: 'link-{MARK}' entry_path: '{MARK}' language: '{MARK}' interests: '{MARK}'
    signals {{ key: '{MARK}' value: 4711.4711 }} attributes {{ key: 'browser' value: '{MARK}' }}
    """ + evidence(
        f"facial_age_estimate {{ mean_years: 47.11 capture_session: '{MARK}' }}",
        f"evidence_id: '{MARK}' provider: '{MARK}'",
    )
    with serving(bundle, tmp_path) as server:
        request = pair_request(marked, rest=f"request_id: '{MARK}'")
        request.participant_a.participant_id = MARK
        server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS)
        request.participant_b.linked_ids.append(MARK)
        request.participant_b.region = MARK
        request.participant_b.language = MARK * 4
        with pytest.raises(grpc.RpcError) as caught:
            server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS)
        failed = failed_call(caught.value)
        told = str(failed.details()) + str(failed.trailing_metadata())
        assert "participant_b.region" in told
        assert until(lambda: len(server.log_lines()) == 2)

        for text in (server.log.getvalue(), server.metrics_text(), told):
            assert "4711" not in text
            assert "47.11" not in text
        files = [p for p in tmp_path.rglob("*") if p.is_file()]
        assert files
        assert not [p for p in files if MARK.encode() in p.read_bytes()]
