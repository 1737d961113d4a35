"""The blocking client.

Owns how a thread waits for an answer. Everything that does not wait is in ``session``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from pairguard.client.assessment import AssessedAge
from pairguard.client.channel import open_channel
from pairguard.client.decision import PairDecision
from pairguard.client.events import Event
from pairguard.client.evidence import AgeEvidence
from pairguard.client.failure import ClientError, status_code
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


class Client:
    """Asks the service before two strangers are paired; blocks the calling thread.

    One client serves all threads of a process and keeps one connection. Make it after a fork, never
    before: a child that uses its parent's client may hang (servers that fork workers make one in
    each worker). Close it, or use it in a ``with`` statement.

    Args:
        options: Options, or only the address.
        channel: A channel of the caller's own, which the caller closes. None: one by ``options``.
    """

    def __init__(
        self, options: ClientOptions | str, *, channel: grpc.Channel | None = None
    ) -> None:
        options = ClientOptions(options) if isinstance(options, str) else options
        self._session = Session(options)
        self._owns_channel = channel is None
        self._channel = open_channel(options) if channel is None else channel
        self._pair_risk = PairRiskServiceStub(self._channel)
        self._age_assurance = AgeAssuranceServiceStub(self._channel)
        self._feedback = FeedbackServiceStub(self._channel)

    def score_pair(
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
        """Judge one proposed pair. Form it only if the answer is ``allowed``.

        Without a usable answer of the service, whatever the cause, the answer is a REROUTE that
        says ``DecidedBy.CLIENT`` and why.

        Args:
            participant_a: One of the two. Which one is a changes nothing.
            participant_b: The other one.
            modality: How the two would talk. None: unknown, the riskiest.
            wait_seconds: How long the longer waiting one has waited. Recorded only.
            proposed_time: When the pair was proposed. Recorded only.
            request_id: The caller's id of this request; a service that keeps ids gives a repeat
                the same answer, and one that does not says so in the degradations. Empty: none.
            view: How much to return.
            timeout_seconds: For all attempts together. None: as in the options.
            on_failure: ``raise``: a ``ClientError`` in place of the REROUTE. None: as in the
                options.

        Raises:
            TypeError: An argument has another type; raised before any call.
            ValueError: An argument cannot be sent; raised before any call.
            ClientError: There is no usable answer, and ``on_failure`` is ``raise``.
        """
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
            response = self._answer(self._pair_risk.ScorePair, request, call)
            return self._session.decision(call, response)
        except Exception as error:  # noqa: BLE001 - whatever it is, an unjudged pair is not formed
            return self._session.decision_without_answer(call, error)

    def rank_candidates(
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
        """Find whom a seeker may meet. Nobody who is not in the answer.

        Without a usable answer of the service, whatever the cause, nobody is in it, and it says
        ``DecidedBy.CLIENT`` and why.

        Args:
            seeker: Who looks for a partner.
            candidates: Whom the seeker could meet, 1-1,000.
            max_results: Most candidates to return. 0: all that are allowed.
            modality: How the two would talk. None: unknown, the riskiest.
            wait_seconds: How long the seeker has waited. Recorded only.
            proposed_time: When it was proposed. Recorded only.
            request_id: As in ``score_pair``.
            timeout_seconds: For all attempts together. None: as in the options; give more for
                hundreds of candidates.
            on_failure: ``raise``: a ``ClientError`` in place of the answer that offers nobody.
                None: as in the options.

        Raises:
            TypeError: An argument has another type; raised before any call.
            ValueError: An argument cannot be sent; raised before any call.
            ClientError: There is no usable answer, and ``on_failure`` is ``raise``.
        """
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
            response = self._answer(self._pair_risk.RankCandidates, request, call)
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
    ) -> Iterator[ScoredPairs]:
        """Judge many pairs of one pool, in parts as they come. Advice and no decision.

        Args:
            participants: The pool, 2-2,000, no id twice.
            pairs: Which pairs, by their places in the pool, at most 500,000. None: each once, row
                by row: (0, 1), (0, 2), ... (1, 2), ...
            modality: As in ``score_pair``, the same for all.
            wait_seconds: Likewise.
            proposed_time: Likewise.
            timeout_seconds: For the whole answer with all attempts. None: as the options have it
                for calls that record.

        Raises:
            TypeError: An argument has another type; raised before any call.
            ValueError: An argument cannot be sent; raised before any call.
            ClientError: The answer, or the rest of it, cannot be had. Raised while it is read.
        """
        request = score_pairs_request(
            participants,
            pairs,
            modality=modality,
            wait_seconds=wait_seconds,
            proposed_time=proposed_time,
        )
        return self._parts(request, self._session.start_record(timeout_seconds))

    def _parts(self, request: ScorePairsRequest, call: Call) -> Iterator[ScoredPairs]:
        """Return the parts of an answer; only until the first has come is it tried again."""
        reading = PairsReading()
        has_begun = False
        try:
            while True:
                try:
                    for message in self._pair_risk.ScorePairs(
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
                time.sleep(delay_seconds)
            reading.end()
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    def assess_age(
        self,
        participant: ParticipantInput,
        *,
        view: View = View.BASIC,
        timeout_seconds: float | None = None,
    ) -> AssessedAge:
        """Judge the age of one participant. Needs the scope of the full view.

        Args:
            participant: Who, with what is known.
            view: How much to return.
            timeout_seconds: For all attempts together. None: as in the options.

        Raises:
            TypeError: An argument has another type; raised before any call.
            ValueError: An argument cannot be sent; raised before any call.
            ClientError: There is no usable answer; no age is safe to make up.
        """
        request = assess_age_request(participant, view=view)
        call = self._session.start(timeout_seconds)
        try:
            return assessed_age(self._answer(self._age_assurance.AssessAge, request, call))
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    def record_events(
        self, events: Sequence[Event], *, timeout_seconds: float | None = None
    ) -> tuple[RecordResult, ...]:
        """Record what happened. Sending an event again is safe: each id counts once.

        More events than one request takes go in several, one after the other. A request without an
        answer ends the call.

        Args:
            events: What happened, in any order.
            timeout_seconds: For each request with all its attempts. None: as in the options.

        Returns:
            One result for each event, in order. Look at those that were not ``recorded``: they were
            refused for their content, which the log says too.

        Raises:
            TypeError: An argument has another type; raised before any request.
            ValueError: An argument cannot be sent; raised before any request.
            NotRecorded: The service did not answer for every event. It carries the events to send
                again and the results of the others.
        """
        batches = event_batches(events, max_message_bytes=self._session.options.max_message_bytes)
        recording = Recording(events)
        for batch in batches:
            call = self._session.start_record(timeout_seconds)
            try:
                response = self._answer(self._feedback.RecordEvents, batch.request, call)
                recording.take(batch.start, len(batch.request.events), response.results)
            except Exception as error:
                raise self._session.not_recorded(call, error, recording) from error
        return self._session.recorded(recording)

    def record_age_evidence(
        self,
        participant: ParticipantReference,
        evidence: Sequence[AgeEvidence],
        *,
        timeout_seconds: float | None = None,
    ) -> RecordedEvidence:
        """Keep evidence, so that later calls need only ids. End the ``unsafe_chats`` at once.

        Args:
            participant: Whose evidence it is.
            evidence: What to keep, each item with an ``evidence_id``.
            timeout_seconds: For all attempts together. None: as in the options.

        Raises:
            TypeError: An argument has another type; raised before any call.
            ValueError: An argument cannot be sent; raised before any call.
            NotRecorded: The service did not answer for every item; see ``record_events``.
        """
        request = record_age_evidence_request(participant, evidence)
        recording = Recording(evidence)
        call = self._session.start_record(timeout_seconds)
        try:
            response = self._answer(self._age_assurance.RecordAgeEvidence, request, call)
            recording.unsafe_chats = unsafe_chats(response.unsafe_chats)
            recording.take(0, len(evidence), response.results)
        except Exception as error:
            raise self._session.not_recorded(call, error, recording) from error
        return RecordedEvidence(self._session.recorded(recording), recording.unsafe_chats)

    def erase_participant(
        self, participant: ParticipantReference, *, timeout_seconds: float | None = None
    ) -> Erasure:
        """Remove what is kept of somebody. Repeating it is harmless. Needs a scope of its own.

        Args:
            participant: Who.
            timeout_seconds: For all attempts together. None: as in the options.

        Raises:
            TypeError: An argument has another type; raised before any call.
            ValueError: An argument cannot be sent; raised before any call.
            ClientError: There is no usable answer; the erasure is to be asked for again.
        """
        request = erase_participant_request(participant)
        call = self._session.start_record(timeout_seconds)
        try:
            return erasure(self._answer(self._feedback.EraseParticipant, request, call))
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    def get_decision(
        self, decision_id: str, *, timeout_seconds: float | None = None
    ) -> RecordedDecision:
        """Return a decision with its inputs as used, for an appeal. Needs a scope of its own.

        Args:
            decision_id: The service's id of the decision.
            timeout_seconds: For all attempts together. None: as in the options.

        Raises:
            TypeError: An argument has another type; raised before any call.
            ValueError: An argument cannot be sent; raised before any call.
            ClientError: There is no usable answer. ``FailureKind.NOT_FOUND``: there is no such
                decision, or it is no longer kept.
        """
        request = get_decision_request(decision_id)
        call = self._session.start_record(timeout_seconds)
        try:
            response = self._answer(self._pair_risk.GetDecision, request, call)
            return recorded_decision(decision_id, response)
        except Exception as error:
            raise ClientError(self._session.failure(call, error)) from error

    def close(self) -> None:
        """Give up the connection. Calls under way, and later ones, get no answer."""
        self._session.closed = True
        if self._owns_channel:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self, method: Callable[..., _Response], request: Any, call: Call) -> _Response:
        """Return the answer of the first attempt that gets one; raises the last one's error."""
        metadata = self._session.metadata()
        while True:
            try:
                return method(
                    request,
                    timeout=call.budget.start_attempt(),
                    metadata=metadata,
                    wait_for_ready=self._session.options.wait_for_ready,
                )
            except grpc.RpcError as error:
                delay_seconds = call.budget.delay_before_retry(status_code(error))
                if delay_seconds is None or self._session.closed:
                    raise
            time.sleep(delay_seconds)
            self._session.require_open()
