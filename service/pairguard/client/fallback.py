"""The answer of the client itself, where the service gave none that can be used.

Owns that this answer is a REROUTE, or a ranking of nobody, and that it says so. It must not know
calls.

Why a REROUTE: a pair that nobody judged is not formed, and nobody is held for a fault of ours.
"""

from __future__ import annotations

from datetime import datetime

from pairguard.client.assessment import Reason
from pairguard.client.decision import PairDecision
from pairguard.client.failure import CallFailure, FailureKind
from pairguard.client.ranking import CandidateRanking
from pairguard.client.vocabulary import DecidedBy, Decision
from pairguard.v1.assessment_pb2 import PairAssessment
from pairguard.v1.pair_risk_service_pb2 import RankCandidatesResponse

FALLBACK_DEGRADATION = "CLIENT_FALLBACK"

ANALYST_TEXTS = {
    FailureKind.SERVICE_UNAVAILABLE: "The service could not be reached.",
    FailureKind.SERVICE_TIMEOUT: "The service did not answer in time.",
    FailureKind.SERVICE_OVERLOADED: "The service had more calls than it takes.",
    FailureKind.SERVICE_FAILED: "The service failed.",
    FailureKind.SERVICE_INCOMPATIBLE: "The service does not know this call.",
    FailureKind.REQUEST_REFUSED: "The service refused the request as it was.",
    FailureKind.NOT_FOUND: "The service has nothing of that id.",
    FailureKind.ACCESS_REFUSED: "The service refused the caller.",
    FailureKind.RESPONSE_INVALID: "The service gave an answer that cannot be relied on.",
    FailureKind.TOKEN_UNAVAILABLE: "There was no token to ask the service with.",
    FailureKind.CLIENT_CLOSED: "The client was closed.",
    FailureKind.CLIENT_FAILED: "The client failed.",
}
"""What each kind of failure is, in words."""


def fallback_decision(
    failure: CallFailure, *, received_time: datetime, message: PairAssessment | None
) -> PairDecision:
    """Return the REROUTE that stands in for an answer.

    Args:
        failure: Why there is no usable answer.
        received_time: Now.
        message: The answer that could not be used. None: there was none.
    """
    text = f"{ANALYST_TEXTS[failure.kind]} The client rerouted the pair without a judgement."
    return PairDecision(
        decision=Decision.REROUTE,
        decided_by=DecidedBy.CLIENT,
        received_time=received_time,
        reasons=(Reason(failure.kind, analyst_text=text),),
        degradations=(FALLBACK_DEGRADATION,),
        error=failure,
        message=message,
    )


def fallback_ranking(
    failure: CallFailure, *, received_time: datetime, message: RankCandidatesResponse | None
) -> CandidateRanking:
    """Return the ranking of nobody that stands in for an answer; arguments as above."""
    text = f"{ANALYST_TEXTS[failure.kind]} The client offers nobody without a judgement."
    return CandidateRanking(
        decided_by=DecidedBy.CLIENT,
        received_time=received_time,
        seeker_reasons=(Reason(failure.kind, analyst_text=text),),
        degradations=(FALLBACK_DEGRADATION,),
        error=failure,
        message=message,
    )
