"""More calls than can be answered: the rest are refused at once, none hangs, and it passes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import grpc

from pairguard.client import Client, ClientOptions, DecidedBy, Decision, ParticipantInput
from pairguard.client.failure import FailureKind
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from tests.e2e.server_process import environment, started
from tests.unit.server.requests import pair_request

_ALLOWED = 4
_FLOOD = 60
_FLOOD_SECONDS = 2.0


def test_a_flood_is_refused_at_once_and_leaves_nothing_behind(tmp_path: Path, bundle: Path) -> None:
    environ = environment(tmp_path, bundle, worker_threads="1", max_concurrent_rpcs=str(_ALLOWED))
    codes: Counter[grpc.StatusCode] = Counter()
    lock, over = threading.Lock(), threading.Event()

    def flood(address: str) -> None:
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            call = PairRiskServiceStub(channel).ScorePair
            while not over.is_set():
                calls = [call.future(pair_request(), timeout=10.0) for _ in range(4)]
                found = [each.code() for each in calls]
                with lock:
                    codes.update(found)

    with started(tmp_path, environ) as server:
        address = server.address
        callers = [threading.Thread(target=flood, args=(address,)) for _ in range(_FLOOD // 4)]
        for caller in callers:
            caller.start()
        time.sleep(_FLOOD_SECONDS)
        with Client(ClientOptions(address)) as client:
            during = [
                client.score_pair(ParticipantInput("a"), ParticipantInput("b")) for _ in range(20)
            ]
        over.set()
        for caller in callers:
            caller.join(30)
            assert not caller.is_alive()
        with Client(ClientOptions(address, timeout_seconds=5.0)) as client:
            after = client.score_pair(ParticipantInput("a"), ParticipantInput("b"))

    # Refused with one code alone: nobody waited for a deadline.
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert min(codes.values()) > 0
    for answer in during:
        if answer.decided_by is DecidedBy.CLIENT:
            assert answer.decision is Decision.REROUTE
            assert answer.error is not None
            assert answer.error.kind is FailureKind.SERVICE_OVERLOADED
    assert after.decided_by is DecidedBy.SERVICE
