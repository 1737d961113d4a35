"""What a caller reads about a proposed pair: the decision and why.

Owns the values of an answer. It must not know how they came over the wire, except that the raw
message rides along for whoever wants it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pairguard.client.assessment import AgeAssessment, Reason, RequestedAgeCheck
from pairguard.client.failure import CallFailure
from pairguard.client.vocabulary import DecidedBy, Decision, ParticipantRole
from pairguard.v1.assessment_pb2 import PairAssessment


@dataclass(frozen=True, slots=True)
class HeldParticipant:
    """A participant who may meet nobody for now.

    Attributes:
        participant: Who is held. None: a participant that this version cannot name.
        reason: Why.
        expire_time: When the hold ends by itself; an age check, a review or a release can end it
            before. None: it does not end by itself.
    """

    participant: ParticipantRole | None
    reason: Reason | None
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class UnknownSignals:
    """Names that a participant was sent with and that the service ignored."""

    participant: ParticipantRole | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDecision:
    """What to do with a proposed pair. Form it only if ``allowed``.

    Attributes:
        decision: ALLOW, REROUTE (not this pair; both may meet others) or BLOCK (those in
            ``held_participants`` meet nobody for now).
        decided_by: SERVICE, or CLIENT if the service gave no usable answer; then the decision is a
            REROUTE, ``error`` says what happened and no figure is known.
        decision_id: Send it back in events and appeals. Empty if the client decided.
        decision_time: When it was decided, by the server's clock.
        expire_time: When an ALLOW ends. None: it is none.
        received_time: When the answer was received, by this machine's clock.
        minor_adult_probability: Probability, 0-1, that exactly one of the two is under the adult
            age. None: not assessed; never 0. Known with an ALLOW.
        harm_probability: Probability, 0-1, of a harm report if the pair meets. None: as
            above, or no usable harm model.
        risk_score: One number, 0-1, to sort by. None: as above.
        reasons: Why, the leading reason first.
        age_checks: Age checks to ask for, at most one for each participant.
        held_participants: Who may meet nobody for now.
        bundle_version: Version of the model bundle. Empty if the client decided.
        policy_version: Version of the policy. Empty if the client decided.
        degradations: What had to be done without, as UPPER_SNAKE codes; an open set.
            ``CLIENT_FALLBACK``: the client decided. ``CLIENT_RESPONSE_INCOMPLETE``: parts of a
            REROUTE or BLOCK could not be read and are missing here.
        unknown_signals: Names that were sent and ignored.
        participant_a_assessment: What is believed about the age of a; only with ``View.FULL``.
        participant_b_assessment: The same of b.
        error: What happened, if the client decided.
        message: The answer as it came. None: there was none.
    """

    decision: Decision
    decided_by: DecidedBy
    received_time: datetime
    decision_id: str = ""
    decision_time: datetime | None = None
    expire_time: datetime | None = None
    minor_adult_probability: float | None = None
    harm_probability: float | None = None
    risk_score: float | None = None
    reasons: tuple[Reason, ...] = ()
    age_checks: tuple[RequestedAgeCheck, ...] = ()
    held_participants: tuple[HeldParticipant, ...] = ()
    bundle_version: str = ""
    policy_version: str = ""
    degradations: tuple[str, ...] = ()
    unknown_signals: tuple[UnknownSignals, ...] = ()
    participant_a_assessment: AgeAssessment | None = None
    participant_b_assessment: AgeAssessment | None = None
    error: CallFailure | None = None
    message: PairAssessment | None = field(default=None, repr=False, compare=False)

    @property
    def allowed(self) -> bool:
        """Whether the pair may be formed at once: an ALLOW that had not ended when it arrived."""
        return self.allowed_at(self.received_time)

    def allowed_at(self, moment: datetime) -> bool:
        """Return whether the pair may be formed at ``moment``, which needs a time zone.

        The end is the server's and is compared with the caller's clock: where clocks differ, take
        the difference off ``moment``.
        """
        if self.decision is not Decision.ALLOW:
            return False
        return self.expire_time is not None and moment < self.expire_time
