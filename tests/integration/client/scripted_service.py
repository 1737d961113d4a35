"""A real server on this machine that answers by a script, for tests of the client."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import grpc

from pairguard.v1 import pair_risk_service_pb2 as pair_risk
from pairguard.v1.age_assurance_service_pb2 import (
    AssessAgeRequest,
    AssessAgeResponse,
    RecordAgeEvidenceRequest,
    RecordAgeEvidenceResponse,
)
from pairguard.v1.age_assurance_service_pb2_grpc import (
    AgeAssuranceServiceServicer,
    add_AgeAssuranceServiceServicer_to_server,
)
from pairguard.v1.assessment_pb2 import PairAssessment
from pairguard.v1.pair_risk_service_pb2_grpc import (
    PairRiskServiceServicer,
    add_PairRiskServiceServicer_to_server,
)
from tests.unit.client.answers import allow, assessed

Step: TypeAlias = Callable[[grpc.ServicerContext], PairAssessment | None]
"""What one call meets with; None is an answer without an assessment."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call as the server saw it; times are seconds of this process's monotonic clock."""

    time: float
    remaining_seconds: float
    request: pair_risk.ScorePairRequest | AssessAgeRequest
    metadata: dict[str, str | bytes]


class ScriptedService(PairRiskServiceServicer, AgeAssuranceServiceServicer):
    """Takes one step of the script for each call, and the last one again and again."""

    def __init__(self, *steps: Step) -> None:
        self.script: Sequence[Step] = steps or (lambda _: allow(),)
        self.arrivals: list[Arrival] = []
        self.arrived = threading.Event()
        self._lock = threading.Lock()

    def ScorePair(  # noqa: N802 - the contract's name
        self, request: pair_risk.ScorePairRequest, context: grpc.ServicerContext
    ) -> pair_risk.ScorePairResponse:
        return pair_risk.ScorePairResponse(assessment=self._step(request, context)(context))

    def AssessAge(  # noqa: N802
        self, request: AssessAgeRequest, context: grpc.ServicerContext
    ) -> AssessAgeResponse:
        if self._step(request, context)(context) is None:
            return AssessAgeResponse()
        return assessed()

    def _step(
        self, request: pair_risk.ScorePairRequest | AssessAgeRequest, context: grpc.ServicerContext
    ) -> Step:
        now = time.monotonic()
        remaining_seconds = context.time_remaining()
        assert remaining_seconds is not None
        with self._lock:
            index = len(self.arrivals)
            self.arrivals.append(
                Arrival(now, remaining_seconds, request, dict(context.invocation_metadata() or ()))
            )
        self.arrived.set()
        return self.script[min(index, len(self.script) - 1)]

    def ScorePairs(  # noqa: N802
        self, request: pair_risk.ScorePairsRequest, context: grpc.ServicerContext
    ) -> Iterator[pair_risk.ScorePairsResponse]:
        del request
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in the script")

    def RankCandidates(  # noqa: N802
        self, request: pair_risk.RankCandidatesRequest, context: grpc.ServicerContext
    ) -> pair_risk.RankCandidatesResponse:
        del request
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in the script")

    def GetDecision(  # noqa: N802
        self, request: pair_risk.GetDecisionRequest, context: grpc.ServicerContext
    ) -> pair_risk.GetDecisionResponse:
        del request
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in the script")

    def RecordAgeEvidence(  # noqa: N802
        self, request: RecordAgeEvidenceRequest, context: grpc.ServicerContext
    ) -> RecordAgeEvidenceResponse:
        del request
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not in the script")


def answering(assessment: PairAssessment | None) -> Step:
    """Return a step that answers this."""
    return lambda _: assessment


def aborting(code: grpc.StatusCode, *, after_seconds: float = 0.0) -> Step:
    """Return a step that refuses the call with this status."""

    def step(context: grpc.ServicerContext) -> NoReturn:
        time.sleep(after_seconds)
        context.abort(code, "as scripted")

    return step


class Hanging:
    """A step that answers only when its call is over, which is too late."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __call__(self, context: grpc.ServicerContext) -> PairAssessment:
        over = threading.Event()
        if context.add_callback(over.set):
            over.wait(20)
        self.ended.set()
        return allow()


@contextmanager
def serving(
    service: ScriptedService,
    *,
    port: int = 0,
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[str]:
    """Serve on this machine and yield the address; calls under way are cut at the end."""
    with ThreadPoolExecutor(8) as threads:
        server, address = start_server(service, threads, port=port, credentials=credentials)
        try:
            yield address
        finally:
            server.stop(None).wait(5)


def start_server(
    service: ScriptedService,
    threads: ThreadPoolExecutor,
    *,
    port: int = 0,
    credentials: grpc.ServerCredentials | None = None,
) -> tuple[grpc.Server, str]:
    """Return a server that serves, and its address."""
    server = grpc.server(threads)
    add_PairRiskServiceServicer_to_server(service, server)
    add_AgeAssuranceServiceServicer_to_server(service, server)
    if credentials is None:
        port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    server.start()
    return server, f"127.0.0.1:{port}"


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a port that nobody listens on and that only a server of this user's can take."""
    with closing(socket.socket()) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
