"""What a caller says and reads about whom a seeker could meet.

Owns the values of a ranking. It must not know how they come over the wire, except that the raw
message rides along for whoever wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pairguard.client.assessment import Reason, RequestedAgeCheck
from pairguard.client.failure import CallFailure, FieldViolation
from pairguard.client.participant import ParticipantInput
from pairguard.client.vocabulary import DecidedBy
from pairguard.v1.pair_risk_service_pb2 import RankCandidatesResponse


@dataclass(frozen=True, slots=True)
class CandidateInput:
    """One whom a seeker could meet.

    Attributes:
        participant: Who.
        affinity: How well the two fit, by the caller, more is better; orders candidates within a
            risk band and does nothing else. None: below every known one.
    """

    participant: ParticipantInput
    affinity: float | None = None


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate whom the seeker may meet.

    Attributes:
        candidate_index: Place in the candidates that were sent.
        risk_band: 1 is the lowest risk.
        minor_adult_probability: Probability, 0-1, that exactly one of the two is under the adult
            age.
        harm_probability: Probability, 0-1, of a harm report if the two meet. None: no usable harm
            model.
        risk_score: One number, 0-1.
    """

    candidate_index: int
    risk_band: int
    minor_adult_probability: float
    harm_probability: float | None
    risk_score: float


@dataclass(frozen=True, slots=True)
class InvalidCandidate:
    """A candidate that could not be judged."""

    candidate_index: int
    field_violations: tuple[FieldViolation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRanking:
    """Whom a seeker may meet; nobody else.

    Attributes:
        decided_by: SERVICE, or CLIENT if the service gave no usable answer; then nobody is offered
            and ``error`` says what happened.
        received_time: When the answer was received, by this machine's clock.
        decision_id: Send it back in the event of a chat that starts from it. Empty if the client
            decided.
        decision_time: When it was decided, by the server's clock.
        expire_time: Until when a chat may start from it. None: nobody is offered.
        candidates: The allowed candidates, the best first.
        excluded_counts: How many others were left out, by leading reason, the most first.
        invalid_candidates: Those that could not be judged.
        seeker_reasons: Reasons that concern the seeker whoever the candidate is.
        seeker_age_check: Age check to ask the seeker for. None: none.
        bundle_version: Version of the model bundle. Empty if the client decided.
        policy_version: Version of the policy. Empty if the client decided.
        degradations: What had to be done without; ``CLIENT_FALLBACK``: the client decided.
        unknown_signals: Names that were sent and ignored.
        error: What happened, if the client decided.
        message: The answer as it came. None: there was none.
    """

    decided_by: DecidedBy
    received_time: datetime
    decision_id: str = ""
    decision_time: datetime | None = None
    expire_time: datetime | None = None
    candidates: tuple[RankedCandidate, ...] = ()
    excluded_counts: Mapping[str, int] = field(default_factory=dict)
    invalid_candidates: tuple[InvalidCandidate, ...] = ()
    seeker_reasons: tuple[Reason, ...] = ()
    seeker_age_check: RequestedAgeCheck | None = None
    bundle_version: str = ""
    policy_version: str = ""
    degradations: tuple[str, ...] = ()
    unknown_signals: tuple[str, ...] = ()
    error: CallFailure | None = None
    message: RankCandidatesResponse | None = field(default=None, repr=False, compare=False)

    def allowed_at(self, moment: datetime) -> tuple[RankedCandidate, ...]:
        """Return whom the seeker may meet at ``moment``, which needs a time zone.

        The end is the server's and is compared with the caller's clock; see ``PairDecision``.
        """
        if self.expire_time is None or not moment < self.expire_time:
            return ()
        return self.candidates
