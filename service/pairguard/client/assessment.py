"""What a caller reads about somebody's age, and the reasons and checks an answer carries.

Owns the values. It must not know how they came over the wire, except that the raw message rides
along for whoever wants it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pairguard.client.vocabulary import Admission, CheckMethod, EvidenceKind, ParticipantRole
from pairguard.v1.age_assurance_service_pb2 import AssessAgeResponse


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was decided or is believed.

    Attributes:
        code: Stable UPPER_SNAKE name; an open set.
        participant: Whom it concerns. None: nobody in particular, or the only participant.
        analyst_text: For trust and safety staff. Never show it to a participant.
        participant_text: For the participant concerned. Empty: there is nothing to tell.
    """

    code: str
    participant: ParticipantRole | None = None
    analyst_text: str = ""
    participant_text: str = ""


@dataclass(frozen=True, slots=True)
class AgeCheckOption:
    """One way to meet a requested age check.

    Attributes:
        method: How to check. None: a method that this version does not know; offer another.
        threshold_years: Age to check against. None: not told.
        cost: In the policy's unit, 0 is free. None: the policy states none.
        document_free: Whether it needs no identity document.
        settle_probability: Probability, 0-1, that it settles the question. None: not computed.
    """

    method: CheckMethod | None
    threshold_years: float | None
    cost: float | None
    document_free: bool
    settle_probability: float | None


@dataclass(frozen=True, slots=True)
class RequestedAgeCheck:
    """An age check to ask a participant for; any one of the options suffices.

    Attributes:
        participant: Whom to ask. None: the only participant of the request.
        options: What to offer, the cheapest first.
        reason: Why; its ``participant_text`` may be shown. None: not told.
    """

    participant: ParticipantRole | None
    options: tuple[AgeCheckOption, ...]
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class AgeBand:
    """The probability of a band of ages in whole years; ``upper_years`` None is open above."""

    lower_years: int
    upper_years: int | None
    probability: float


@dataclass(frozen=True, slots=True)
class EvidenceContribution:
    """What one item of evidence did to the belief, compared with leaving only it out.

    Attributes:
        evidence_id: The caller's id of the item. Empty: it had none.
        evidence_index: Position in the request. None: recorded earlier, or no item of evidence.
        kind: What kind of evidence. None: a kind that this version does not know.
        provider: Who observed it. Empty: not told.
        contribution_nats: Change of the log odds of being a minor; above 0 is towards minor.
    """

    evidence_id: str
    evidence_index: int | None
    kind: EvidenceKind | None
    provider: str
    contribution_nats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeAssessment:
    """What is believed about the age of one participant, now.

    Attributes:
        bands: Probability of each age band, youngest first.
        probability_minor: Probability, above 0 and below 1, of being under ``adult_age_years``.
        adult_age_years: The adult age that was used.
        admission: Whom the participant may meet as far as age goes.
        entropy_nats: 0 (certain) to ln 101 (nothing known). None: not told.
        conflict: Whether items of evidence contradict each other.
        contributions: What each item did.
        next_best_check: The check that would help most. None: see ``no_next_check``.
        no_next_check: Why no check is proposed. None: one is, or not told.
        reasons: Why the admission is as it is, the leading reason first.
    """

    bands: tuple[AgeBand, ...]
    probability_minor: float
    adult_age_years: int
    admission: Admission
    entropy_nats: float | None
    conflict: bool
    contributions: tuple[EvidenceContribution, ...]
    next_best_check: RequestedAgeCheck | None
    no_next_check: Reason | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedAge:
    """The answer to ``assess_age``.

    Attributes:
        assessment: The belief.
        bundle_version: Version of the model bundle.
        policy_version: Version of the policy.
        degradations: What had to be done without, as UPPER_SNAKE codes; an open set.
        unknown_signals: Names that were sent and ignored.
        message: The answer as it came.
    """

    assessment: AgeAssessment
    bundle_version: str
    policy_version: str
    degradations: tuple[str, ...]
    unknown_signals: tuple[str, ...]
    message: AssessAgeResponse = field(repr=False, compare=False)
