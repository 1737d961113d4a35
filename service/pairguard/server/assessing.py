"""What ``AssessAge`` does, and the full view of ``ScorePair``: all that is believed about an age.

Owns what is told of a belief: the plan of checks, the contributions, why the admission is as it
is. It must not know messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pairguard.age.admission import Admission
from pairguard.age.belief import log_odds
from pairguard.age.evidence import AgeEvidence
from pairguard.age.posterior import AgeAssessment, contributions
from pairguard.age.told import distinct_evidence
from pairguard.errors import StoreUnavailable
from pairguard.policy.checks import CheckPlan
from pairguard.policy.promises import PromiseKind
from pairguard.policy.reasons import ReasonCode
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.participant import Participant
from pairguard.server.call_facts import current_call
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.server.model_certificate import CERTIFICATE_NOT_USABLE
from pairguard.server.scoring import STORE_UNAVAILABLE

_OF_GATES = frozenset({PromiseKind.MINORS_ADMITTED, PromiseKind.ADULTS_ADMITTED})


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one item of evidence did.

    Attributes:
        item: The item; None: behaviour, attributes and interests together.
        index: Its position in the request; None: it was recorded earlier, or is no item.
        nats: What it added to the log-odds of being a minor; positive: towards minor.
    """

    item: AgeEvidence | None
    index: int | None
    nats: float


@dataclass(frozen=True, slots=True)
class AssessedAge:
    """All that is believed about one participant's age.

    Attributes:
        age: The posterior.
        plan: Admission, adult age and checks, by the participant's own region.
        contributions: What each item did, in the order of the request; None: not computed.
        reasons: Why the admission is as it is, and what made it more cautious.
    """

    age: AgeAssessment
    plan: CheckPlan
    contributions: tuple[Contribution, ...] | None
    reasons: tuple[ReasonCode, ...]


@dataclass(frozen=True, slots=True)
class AnsweredAge:
    """What ``AssessAge`` answers.

    Attributes:
        degradations: What had to be done without, sorted.
    """

    assessed: AssessedAge
    generation: Generation
    unknown_names: tuple[str, ...]
    degradations: tuple[str, ...]


class AgeAssessing:
    """Assesses the age of single participants.

    Args:
        generations: Where what judges is found.
        kept: What is kept of participants.
        metrics: Where evidence is counted.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        generations: GenerationSlot,
        kept: KeptParticipants,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._generations = generations
        self._kept = kept
        self._metrics = metrics
        self._clock = clock

    def assess(self, participant: Participant, *, full_view: bool) -> AnsweredAge:
        """Assess one participant.

        Raises:
            BundleRefused: No bundle is loaded yet.
        """
        generation, now = self._generations.current, self._clock()
        degradations: list[str] = []
        known = participant
        try:
            known = self._kept.read_one(participant, now).participant
        except StoreUnavailable:
            self._metrics.count_store_error("read")
            degradations.append(STORE_UNAVAILABLE)
        lines = generation.judge.policy.for_participant(known.located_region)
        if lines.unkept & _OF_GATES:
            degradations.append(CERTIFICATE_NOT_USABLE)
        degradations.sort()
        assessment = generation.judge.model.assess_participant(known, now)
        assessed = assessed_age(
            generation, known, assessment, sent=participant.age_evidence, full_view=full_view
        )
        facts = current_call.get()
        facts.bundle_version = generation.bundle_version
        facts.policy_version = generation.policy_version
        self._metrics.count_evidence((participant,))
        self._metrics.count_unknown_signals((assessment,))
        if degradations:
            facts.degradations = tuple(degradations)
            self._metrics.count_degradations(degradations)
        return AnsweredAge(assessed, generation, assessment.unknown_names, tuple(degradations))


def assessed_age(
    generation: Generation,
    participant: Participant,
    assessment: ParticipantAssessment,
    *,
    sent: Sequence[AgeEvidence],
    full_view: bool,
) -> AssessedAge:
    """Return all that is believed about an age; below the full view without what nobody needs.

    Args:
        generation: What judged.
        participant: Who, with what is kept.
        assessment: What ``generation`` made of the participant.
        sent: The evidence that was sent, which stands first in that of ``participant``.
        full_view: Whether contributions are wanted where nothing stands in the way, too.
    """
    plan = generation.judge.planner.plan(participant.located_region, assessment.age)
    wanted = full_view or plan.admission is not Admission.ADULTS
    return AssessedAge(
        age=assessment.age,
        plan=plan,
        contributions=(
            _contributions(
                generation, participant.age_evidence, sent, assessment, adult_age=plan.adult_age
            )
            if wanted
            else None
        ),
        reasons=(
            *_reasons(assessment.age, plan.admission),
            *_signs(participant, assessment.age),
        ),
    )


def _contributions(
    generation: Generation,
    evidence: Sequence[AgeEvidence],
    sent: Sequence[AgeEvidence],
    assessment: ParticipantAssessment,
    *,
    adult_age: int,
) -> tuple[Contribution, ...]:
    age = assessment.age
    nats = contributions(generation.judge.model.tables, age, adult_age_years=adult_age)
    positions = {id(item): index for index, item in enumerate(evidence)}
    found = []
    for item, value in zip(distinct_evidence(evidence), nats, strict=True):
        index = positions[id(item)]
        # A sent item keeps the id that it was sent with; a kept one has none but its hash.
        found.append(
            Contribution(sent[index], index, value)
            if index < len(sent)
            else Contribution(replace(item, evidence_id=""), None, value)
        )
    if assessment.behaviour_known:
        with_all = log_odds(age.probability_below(adult_age))
        without = log_odds(age.probability_below_by_evidence(adult_age))
        found.append(Contribution(None, None, with_all - without))
    return tuple(found)


def _signs(participant: Participant, age: AgeAssessment) -> list[ReasonCode]:
    """Return what the session or the items showed that made the answer more cautious."""
    signs = []
    if any(said is not None and not said.usable for said in age.items):
        signs.append(ReasonCode.EVIDENCE_UNUSABLE)
    if participant.location_hidden:
        signs.append(ReasonCode.LOCATION_HIDDEN)
    return signs


def _reasons(age: AgeAssessment, admission: Admission) -> tuple[ReasonCode, ...]:
    if admission is Admission.BARRED:
        return (ReasonCode.BELOW_MINIMUM_AGE,)
    if admission is Admission.UNKNOWN:
        return (ReasonCode.AGE_EVIDENCE_CONFLICT if age.conflict else ReasonCode.AGE_UNKNOWN,)
    return ()
