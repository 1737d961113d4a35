"""What the blocking and the asynchronous client have in common.

Owns a call from its start to its answer or failure, without waiting for anything: the two clients
wait, each in its way. It must not know channels.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pairguard.client.decision import PairDecision
from pairguard.client.failure import CallFailure, ClientError, FailureKind, LocalFailure, failure_of
from pairguard.client.failure_log import FailureLog
from pairguard.client.fallback import fallback_decision, fallback_ranking
from pairguard.client.options import ClientOptions, OnFailure, require_on_failure, require_timeout
from pairguard.client.pool_messages import candidate_ranking
from pairguard.client.ranking import CandidateRanking
from pairguard.client.recording import Recording
from pairguard.client.records import NotRecorded, RecordResult
from pairguard.client.response_values import pair_decision
from pairguard.client.retry import CallBudget
from pairguard.v1.assessment_pb2 import PairAssessment
from pairguard.v1.pair_risk_service_pb2 import RankCandidatesResponse, ScorePairResponse


class Call:
    """One call: its budget, and the answer that came, if any."""

    def __init__(self, budget: CallBudget, on_failure: OnFailure) -> None:
        self.budget = budget
        self.on_failure = on_failure
        self.message: PairAssessment | None = None
        self.ranking: RankCandidatesResponse | None = None


class Session:
    """The options of a client, and what it does with each call.

    Attributes:
        options: As given.
        closed: Whether the client was closed; set once.
    """

    def __init__(self, options: ClientOptions) -> None:
        self.options = options
        self.closed = False
        self._failure_log = FailureLog()

    def start(self, timeout_seconds: float | None, on_failure: OnFailure | None = None) -> Call:
        """Start the clock of a call; raises ``TypeError`` or ``ValueError`` for what is none."""
        if timeout_seconds is None:
            timeout_seconds = self.options.timeout_seconds
        require_timeout(timeout_seconds)
        if on_failure is None:
            on_failure = self.options.on_failure
        require_on_failure(on_failure)
        budget = CallBudget(timeout_seconds=timeout_seconds, max_attempts=self.options.max_attempts)
        return Call(budget, on_failure)

    def start_record(self, timeout_seconds: float | None) -> Call:
        """Start the clock of a call that records, erases or looks up; raises as ``start`` does."""
        if timeout_seconds is None:
            timeout_seconds = self.options.record_timeout_seconds
        return self.start(timeout_seconds)

    def recorded(self, recording: Recording) -> tuple[RecordResult, ...]:
        """Return the results of a recording that is complete, and log what was refused."""
        self._failure_log.refused(recording.results)
        return recording.results

    def not_recorded(self, call: Call, error: BaseException, recording: Recording) -> NotRecorded:
        """Return the error for a recording that is not complete, and log what was refused."""
        self._failure_log.refused(recording.results)
        return recording.not_recorded(self.failure(call, error))

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call.

        Raises:
            LocalFailure: The client is closed, or there is no token.
        """
        self.require_open()
        if self.options.bearer_token is None:
            return ()
        try:
            token: object = self.options.bearer_token()
        except Exception as error:
            raise LocalFailure(FailureKind.TOKEN_UNAVAILABLE, type(error).__name__) from error
        if (
            not isinstance(token, str)
            or not token
            or not token.isascii()
            or not token.isprintable()
        ):
            raise LocalFailure(FailureKind.TOKEN_UNAVAILABLE, "it is no printable ASCII text")
        return (("authorization", f"Bearer {token}"),)

    def require_open(self) -> None:
        """Raise ``LocalFailure`` if the client was closed."""
        if self.closed:
            raise LocalFailure(FailureKind.CLIENT_CLOSED, "the client was closed")

    def decision(self, call: Call, response: ScorePairResponse) -> PairDecision:
        """Return the decision of an answer; raises ``LocalFailure`` if it cannot be used."""
        call.message = response.assessment
        return pair_decision(response.assessment, received_time=datetime.now(UTC))

    def decision_without_answer(self, call: Call, error: BaseException) -> PairDecision:
        """Return the client's own REROUTE, or raise ``ClientError`` if the caller wants that."""
        failure = self.failure(call, error)
        if call.on_failure == "raise":
            raise ClientError(failure) from error
        self._failure_log.rerouted(failure)
        return fallback_decision(failure, received_time=datetime.now(UTC), message=call.message)

    def ranking(
        self, call: Call, response: RankCandidatesResponse, *, sent: int
    ) -> CandidateRanking:
        """Return the ranking of an answer; raises ``LocalFailure`` if it cannot be used."""
        call.ranking = response
        return candidate_ranking(response, sent=sent)

    def ranking_without_answer(self, call: Call, error: BaseException) -> CandidateRanking:
        """Return the client's own ranking of nobody, or raise ``ClientError``."""
        failure = self.failure(call, error)
        if call.on_failure == "raise":
            raise ClientError(failure) from error
        self._failure_log.rerouted(failure)
        return fallback_ranking(failure, received_time=datetime.now(UTC), message=call.ranking)

    def failure(self, call: Call, error: BaseException) -> CallFailure:
        """Return what an error says about a call."""
        if self.closed and not isinstance(error, LocalFailure):
            error = LocalFailure(FailureKind.CLIENT_CLOSED, "the client was closed during the call")
        return failure_of(error, call.budget.attempts)
