"""The asynchronous client.

Owns how a task waits for an answer. Everything that does not wait is in ``session``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from pairguard.client.assessment import AssessedAge
from pairguard.client.channel import open_aio_channel
from pairguard.client.decision import PairDecision
from pairguard.client.events import Event
from pairguard.client.evidence import AgeEvidence
from pairguard.client.failure import ClientError, FailureKind, LocalFailure, status_code
from pairguard.client.options import ClientOptions, OnFailure
from pairguard.client.participant import ParticipantInput, ParticipantReference
from pairguard.client.pool_messages import rank_candidates_request, score_pairs_request
from pairguard.client.pool_pairs import PairsReading, ScoredPairs
from pairguard.client.ranking import CandidateInput, CandidateRanking
from pairguard.client.record_messages import (
    erase_participant_request,
    event_batches,
    get_decision_request,
    record_age_evidence_request,
)
from pairguard.client.record_values import erasure, recorded_decision, unsafe_chats
from pairguard.client.recording import Recording
from pairguard.client.records import Erasure, RecordedDecision, RecordedEvidence, RecordResult
from pairguard.client.request_messages import assess_age_request, score_pair_request
from pairguard.client.response_values import assessed_age
from pairguard.client.session import Call, Session
from pairguard.client.vocabulary import Modality, View
from pairguard.v1.age_assurance_service_pb2_grpc import AgeAssuranceServiceStub
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from pairguard.v1.pair_risk_service_pb2 import ScorePairsRequest
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub

_Response = TypeVar("_Response")


class AioClient:
    """Asks the service before two strangers are paired; for the event loop that it is made in.

    One client serves all tasks of that loop and keeps one connection. Make it after a fork, never
    before. Close it, or use it in an ``async with`` statement. A task that is cancelled stays
    cancelled: no answer is made up for it.

    Args:
        options: Options, or only the address.
        channel: A channel of the caller's own, which the caller closes. None: one by ``options``.

    Raises:
        RuntimeError: No event loop is running.
    """

    def __init__(
        self, options: ClientOptions | str, *, channel: grpc.aio.Channel | None = None
    ) -> None:
        asyncio.get_running_loop()
        options = ClientOptions(options) if isinstance(options, str) else options
        self._session = Session(options)
        self._owns_channel = channel is None
        self._channel = open_aio_channel(options) if channel is None else channel
        self._pair_risk = PairRiskServiceStub(self._channel)
        self._age_assurance = AgeAssuranceServiceStub(self._channel)
        self._feedback = FeedbackServiceStub(self._channel)

    async def score_pair(
        self,
        participant_a: ParticipantInput,
        participant_b: ParticipantInput,
        *,
        modality: Modality | None = None,
        wait_seconds: float | None = None,
        proposed_time: datetime | None = None,
        request_id: str = "",
        view: View = View.BASIC,
        timeout_seconds: float | None = None,
        on_failure: OnFailure | None = None,
    ) -> PairDecision:
        """Judge one proposed pair; see ``Client.score_pair``."""
        request = score_pair_request(
            participant_a,
            participant_b,
            request_id=request_id,
            modality=modality,
            wait_seconds=wait_seconds,
            proposed_time=proposed_time,
            view=view,
        )
        call = self._session.start(timeout_seconds, on_failure)
        try:
            response = await self._answer(self._pair_risk.ScorePair, request, call)
            return self._session.decision(call, response)
        except Exception as error:  # noqa: BLE001 - whatever it is, an unjudged pair is not formed
            return self._session.decision_without_answer(call, error)

    async def rank_candidates(
        self,
        seeker: ParticipantInput,
        candidates: Sequence[CandidateInput],
        *,
        max_results: int = 0,
        modality: Modality | None = None,
        wait_seconds: float | None = None,
        proposed_time: datetime | None = None,
        request_id: str = "",
        timeout_seconds: float | None = None,
        on_failure: OnFailure | None = None,
    ) -> CandidateRanking:
        """Rank candidates for a seeker; see ``Client.rank_candidates``."""
        request = rank_candidates_request(
            seeker,
            candidates,
            max_results=max_results,
            request_id=request_id,
            modality=modality,
            wait_seconds=wait_seconds,
            proposed_time=proposed_time,
        )
        call = self._session.start(timeout_seconds, on_failure)
        try:
            response = await self._answer(self._pair_risk.RankCandidates, request, call)
            return self._session.ranking(call, response, sent=len(request.candidates))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody unjudged is offered
            return self._session.ranking_without_answer(call, error)

    def score_pairs(
        self,
        participants: Sequence[ParticipantInput],
        pairs: Sequence[tuple[int, int]] | None = None,
        *,
        modality: Modality | None = None,
        wait_seconds: float | None = None,
        proposed_time: datetime | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[ScoredPairs]:
        """Judge many pairs of one pool, in parts; see ``Client.score_pairs``."""
        request = score_pairs_request(
            participants,
            pairs,
            modality=modality,
            wait_seconds=wait_seconds,
            proposed_time=proposed_time,
        )
        return self._parts(request, self._session.start_record(timeout_seconds))

    async def _parts(self, request: ScorePairsRequest, call: Call) -> AsyncIterator[ScoredPairs]:
        """Return the parts of an answer; only until the first has come is it tried again."""
        reading = PairsReading()
        has_begun = False
        try:
            while True:
                try:
                    async for message in self._pair_risk.ScorePairs(
                        request,
                        timeout=call.budget.start_attempt(),
                        metadata=self._session.metadata(),
                        wait_for_ready=self._session.options.wait_for_ready,
                    ):
                        has_begun = True
                        yield reading.part(message)
                    break
                except grpc.RpcError as error:
                    delay_seconds = call.budget.delay_before_retry(status_code(error))
                    if has_begun or delay_seconds is None or self._session.closed:
                        raise
                await asyncio.sleep(delay_seconds)
            reading.end()
        except asyncio.CancelledError as error:
            if _task_is_cancelled():
                raise
            raise ClientError(self._session.failure(call, _closed())) from error
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    async def assess_age(
        self,
        participant: ParticipantInput,
        *,
        view: View = View.BASIC,
        timeout_seconds: float | None = None,
    ) -> AssessedAge:
        """Judge the age of one participant; see ``Client.assess_age``."""
        request = assess_age_request(participant, view=view)
        call = self._session.start(timeout_seconds)
        try:
            return assessed_age(await self._answer(self._age_assurance.AssessAge, request, call))
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    async def record_events(
        self, events: Sequence[Event], *, timeout_seconds: float | None = None
    ) -> tuple[RecordResult, ...]:
        """Record what happened; see ``Client.record_events``."""
        batches = event_batches(events, max_message_bytes=self._session.options.max_message_bytes)
        recording = Recording(events)
        for batch in batches:
            call = self._session.start_record(timeout_seconds)
            try:
                response = await self._answer(self._feedback.RecordEvents, batch.request, call)
                recording.take(batch.start, len(batch.request.events), response.results)
            except Exception as error:
                raise self._session.not_recorded(call, error, recording) from error
        return self._session.recorded(recording)

    async def record_age_evidence(
        self,
        participant: ParticipantReference,
        evidence: Sequence[AgeEvidence],
        *,
        timeout_seconds: float | None = None,
    ) -> RecordedEvidence:
        """Keep evidence; see ``Client.record_age_evidence``."""
        request = record_age_evidence_request(participant, evidence)
        recording = Recording(evidence)
        call = self._session.start_record(timeout_seconds)
        try:
            response = await self._answer(self._age_assurance.RecordAgeEvidence, request, call)
            recording.unsafe_chats = unsafe_chats(response.unsafe_chats)
            recording.take(0, len(evidence), response.results)
        except Exception as error:
            raise self._session.not_recorded(call, error, recording) from error
        return RecordedEvidence(self._session.recorded(recording), recording.unsafe_chats)

    async def erase_participant(
        self, participant: ParticipantReference, *, timeout_seconds: float | None = None
    ) -> Erasure:
        """Remove what is kept of somebody; see ``Client.erase_participant``."""
        request = erase_participant_request(participant)
        call = self._session.start_record(timeout_seconds)
        try:
            return erasure(await self._answer(self._feedback.EraseParticipant, request, call))
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    async def get_decision(
        self, decision_id: str, *, timeout_seconds: float | None = None
    ) -> RecordedDecision:
        """Return a decision that was made; see ``Client.get_decision``."""
        request = get_decision_request(decision_id)
        call = self._session.start_record(timeout_seconds)
        try:
            response = await self._answer(self._pair_risk.GetDecision, request, call)
            return recorded_decision(decision_id, response)
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    async def close(self) -> None:
        """Give up the connection. Calls under way, and later ones, get no answer."""
        self._session.closed = True
        if self._owns_channel:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _answer(
        self, method: Callable[..., Awaitable[_Response]], request: Any, call: Call
    ) -> _Response:
        """Return the answer of the first attempt that gets one; raises the last one's error."""
        metadata = self._session.metadata()
        while True:
            try:
                return await method(
                    request,
                    timeout=call.budget.start_attempt(),
                    metadata=metadata,
                    wait_for_ready=self._session.options.wait_for_ready,
                )
            except grpc.RpcError as error:
                delay_seconds = call.budget.delay_before_retry(status_code(error))
                if delay_seconds is None or self._session.closed:
                    raise
            except asyncio.CancelledError as error:
                if _task_is_cancelled():
                    raise
                # A channel that is closed cancels its calls, though nobody cancelled the task.
                raise _closed() from error
            await asyncio.sleep(delay_seconds)
            self._session.require_open()


def _closed() -> LocalFailure:
    return LocalFailure(
        FailureKind.CLIENT_CLOSED,
        "the channel was closed during the call",
        code=grpc.StatusCode.CANCELLED,
    )


def _task_is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
