"""A real server on this machine that answers by a script, for tests of the client."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

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
from pairguard.v1.feedback_service_pb2 import (
    ERASURE_STATUS_ERASED,
    EraseParticipantRequest,
    EraseParticipantResponse,
    RecordEventsRequest,
    RecordEventsResponse,
)
from pairguard.v1.feedback_service_pb2_grpc import (
    FeedbackServiceServicer,
    add_FeedbackServiceServicer_to_server,
)
from pairguard.v1.journal_pb2 import DecisionRecord
from pairguard.v1.pair_risk_service_pb2_grpc import (
    PairRiskServiceServicer,
    add_PairRiskServiceServicer_to_server,
)
from pairguard.v1.record_result_pb2 import (
    RECORD_STATUS_DUPLICATE,
    RECORD_STATUS_RECORDED,
    RecordResult,
)
from tests.unit.client.answers import allow, assessed

Step: TypeAlias = Callable[[grpc.ServicerContext], Message | None]
"""What one call meets with.

The answer if it is the message of the call; an assessment stands for an ordinary answer of a call
that answers something else, None for an empty one.
"""

Request: TypeAlias = (
    pair_risk.ScorePairRequest
    | pair_risk.GetDecisionRequest
    | pair_risk.RankCandidatesRequest
    | pair_risk.ScorePairsRequest
    | AssessAgeRequest
    | RecordAgeEvidenceRequest
    | RecordEventsRequest
    | EraseParticipantRequest
)
_Response = TypeVar("_Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call as the server saw it; times are seconds of this process's monotonic clock."""

    time: float
    remaining_seconds: float
    request: Request
    metadata: dict[str, str | bytes]


class ScriptedService(
    PairRiskServiceServicer, AgeAssuranceServiceServicer, FeedbackServiceServicer
):
    """Takes one step of the script for each call, and the last one again and again.

    Attributes:
        recorded: Ids of the items that ordinary answers said to be recorded.
    """

    def __init__(self, *steps: Step) -> None:
        self.script: Sequence[Step] = steps or (lambda _: allow(),)
        self.arrivals: list[Arrival] = []
        self.arrived = threading.Event()
        self.recorded: set[str] = set()
        self._lock = threading.Lock()

    def ScorePair(  # noqa: N802 - the contract's name
        self, request: pair_risk.ScorePairRequest, context: grpc.ServicerContext
    ) -> pair_risk.ScorePairResponse:
        answer = self._step(request, context)(context)
        assert answer is None or isinstance(answer, PairAssessment)
        return pair_risk.ScorePairResponse(assessment=answer)

    def AssessAge(  # noqa: N802
        self, request: AssessAgeRequest, context: grpc.ServicerContext
    ) -> AssessAgeResponse:
        return self._answer(request, context, assessed())

    def RecordEvents(  # noqa: N802
        self, request: RecordEventsRequest, context: grpc.ServicerContext
    ) -> RecordEventsResponse:
        step = self._step(request, context)
        answer = self._scripted(step, context, RecordEventsResponse)
        ids = [event.event_id for event in request.events]
        return RecordEventsResponse(results=self._record(ids)) if answer is None else answer

    def RecordAgeEvidence(  # noqa: N802
        self, request: RecordAgeEvidenceRequest, context: grpc.ServicerContext
    ) -> RecordAgeEvidenceResponse:
        step = self._step(request, context)
        answer = self._scripted(step, context, RecordAgeEvidenceResponse)
        ids = [item.evidence_id for item in request.age_evidence]
        return RecordAgeEvidenceResponse(results=self._record(ids)) if answer is None else answer

    def EraseParticipant(  # noqa: N802
        self, request: EraseParticipantRequest, context: grpc.ServicerContext
    ) -> EraseParticipantResponse:
        return self._answer(
            request, context, EraseParticipantResponse(status=ERASURE_STATUS_ERASED)
        )

    def GetDecision(  # noqa: N802
        self, request: pair_risk.GetDecisionRequest, context: grpc.ServicerContext
    ) -> pair_risk.GetDecisionResponse:
        record = DecisionRecord(decision_id=request.decision_id)
        return self._answer(request, context, pair_risk.GetDecisionResponse(decision=record))

    def _answer(
        self, request: Request, context: grpc.ServicerContext, ordinary: _Response
    ) -> _Response:
        step = self._step(request, context)
        answer = self._scripted(step, context, type(ordinary))
        return ordinary if answer is None else answer

    def _scripted(
        self, step: Step, context: grpc.ServicerContext, kind: type[_Response]
    ) -> _Response | None:
        """Return what the script answers; None: an ordinary answer."""
        answer = step(context)
        if answer is None:
            return kind()
        return answer if isinstance(answer, kind) else None

    def _record(self, ids: Sequence[str]) -> list[RecordResult]:
        results = []
        with self._lock:
            for index, item_id in enumerate(ids):
                known = item_id in self.recorded
                self.recorded.add(item_id)
                status = RECORD_STATUS_DUPLICATE if known else RECORD_STATUS_RECORDED
                results.append(RecordResult(index=index, item_id=item_id, status=status))
        return results

    def _step(self, request: Request, context: grpc.ServicerContext) -> Step:
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
        """Answer with one part for each step from the one on that is due."""
        self._step(request, context)
        due = min(len(self.arrivals) - 1, len(self.script) - 1)
        for step in self.script[due:]:
            part = step(context)
            assert isinstance(part, pair_risk.ScorePairsResponse)
            yield part

    def RankCandidates(  # noqa: N802
        self, request: pair_risk.RankCandidatesRequest, context: grpc.ServicerContext
    ) -> pair_risk.RankCandidatesResponse:
        return self._answer(request, context, pair_risk.RankCandidatesResponse())


def answering(message: Message | None) -> Step:
    """Return a step that answers this."""
    return lambda _: message


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
    add_FeedbackServiceServicer_to_server(service, server)
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
