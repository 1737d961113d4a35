"""Answers from values to messages; protobuf begins here.

Owns how beliefs and decisions are written in the contract's words. It must not decide anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.age.admission import Admission
from pairguard.age.evidence import EVIDENCE_KINDS, CheckMethod
from pairguard.age.posterior import BAND_LOWER_YEARS
from pairguard.policy.checks import CheckPlan
from pairguard.policy.decision import DecisionKind
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.server.assessing import AnsweredAge, AssessedAge, Contribution
from pairguard.v1 import (
    age_assurance_service_pb2,
    assessment_pb2,
    pair_risk_service_pb2,
    participant_pb2,
)

_Role = assessment_pb2.ParticipantRole
ROLES: Final[Mapping[Party | None, assessment_pb2.ParticipantRole.ValueType]] = {
    None: _Role.PARTICIPANT_ROLE_UNSPECIFIED,
    **{party: _Role.Value(f"PARTICIPANT_ROLE_{party}") for party in Party},
}
"""The contract's role of each party; None: of no party in particular."""
DECISIONS: Final = {
    kind: assessment_pb2.Decision.Value(f"DECISION_{kind.name}") for kind in DecisionKind
}
"""The contract's value of each decision."""
ADMISSIONS: Final = {
    pool: assessment_pb2.Admission.Value(f"ADMISSION_{pool}") for pool in Admission
}
"""The contract's value of each pool."""
_METHODS: Final = {
    method: participant_pb2.CheckMethod.Value(f"CHECK_METHOD_{method}") for method in CheckMethod
}
_KINDS: Final = {
    kind: assessment_pb2.EvidenceKind.Value(f"EVIDENCE_KIND_{kind.upper()}")
    for kind in EVIDENCE_KINDS
}
# Reasons are few and their texts fixed: each is built once and copied into answers.
REASONS: Final = {
    (code, party): assessment_pb2.Reason(
        code=code,
        participant=ROLES[party],
        analyst_text=Reason(code, party or Party.BOTH).analyst_text,
        participant_text=Reason(code, party or Party.BOTH).participant_text,
    )
    for code in ReasonCode
    for party in (None, *Party)
}
"""The contract's form of each reason of each party; None: of no party in particular."""


_MOST_WRITTEN_CHECKS: Final = 2_048
_WRITTEN_CHECKS: dict[
    tuple[int, Party | None], tuple[CheckPlan, assessment_pb2.RequestedAgeCheck]
] = {}


def assess_age_response(answered: AnsweredAge) -> age_assurance_service_pb2.AssessAgeResponse:
    """Write the answer to ``AssessAge``."""
    response = age_assurance_service_pb2.AssessAgeResponse(
        bundle_version=answered.generation.bundle_version,
        policy_version=answered.generation.policy_version,
        unknown_signals=answered.unknown_names,
        degradations=answered.degradations,
    )
    write_age(response.assessment, answered.assessed, None)
    return response


def write_age(
    message: assessment_pb2.AgeAssessment, assessed: AssessedAge, party: Party | None
) -> None:
    """Write what the full view tells of an age."""
    age, plan = assessed.age, assessed.plan
    probabilities = age.band_probabilities()
    for (lower, upper), probability in zip(
        pairwise([*BAND_LOWER_YEARS, None]), probabilities, strict=True
    ):
        message.bands.add(
            lower_years=lower,
            upper_years=None if upper is None else upper - 1,
            probability=probability,
        )
    message.probability_minor = age.probability_below(plan.adult_age)
    message.adult_age_years = plan.adult_age
    message.admission = ADMISSIONS[plan.admission]
    message.entropy_nats = age.entropy_nats
    message.conflict = age.conflict
    _write_contributions(message, assessed.contributions or ())
    if plan.forecasts:
        message.next_best_check.CopyFrom(requested_check(plan, party))
    else:
        message.no_next_check.CopyFrom(REASONS[plan.reason, party])
    message.reasons.extend([REASONS[code, party] for code in assessed.reasons])


def _write_contributions(
    message: assessment_pb2.AgeAssessment, contributions: Iterable[Contribution]
) -> None:
    for contribution in contributions:
        written = message.contributions.add(contribution_nats=contribution.nats)
        item = contribution.item
        if item is None:
            written.kind = assessment_pb2.EVIDENCE_KIND_BEHAVIOUR
            continue
        written.evidence_id = item.evidence_id
        written.kind = _KINDS[item.kind]
        written.provider = item.provider
        if contribution.index is not None:
            written.evidence_index = contribution.index


def requested_check(plan: CheckPlan, party: Party | None) -> assessment_pb2.RequestedAgeCheck:
    """Return a plan in the contract's words; written once, since people are asked again."""
    key = (id(plan), party)
    found = _WRITTEN_CHECKS.get(key)
    # The plan is kept beside its words, so that no other plan can have its place in memory.
    if found is not None and found[0] is plan:
        return found[1]
    message = assessment_pb2.RequestedAgeCheck(
        participant=ROLES[party], reason=REASONS[plan.reason, party]
    )
    for forecast in plan.forecasts:
        option = forecast.option
        message.options.add(
            method=_METHODS[option.method],
            threshold_years=option.threshold_years,
            cost=option.cost,
            document_free=option.document_free,
            settle_probability=forecast.probability_settled,
        )
    if len(_WRITTEN_CHECKS) >= _MOST_WRITTEN_CHECKS:
        _WRITTEN_CHECKS.clear()
    _WRITTEN_CHECKS[key] = (plan, message)
    return message


def reasons_of(answer: assessment_pb2.PairAssessment) -> list[assessment_pb2.Reason]:
    """Return every reason in an answer: its own, those of checks and those of holds."""
    return [
        *answer.reasons,
        *[check.reason for check in answer.age_checks],
        *[held.reason for held in answer.held_participants],
    ]


def put_into_words(reason: assessment_pb2.Reason) -> None:
    """Give a recorded reason the words of its code; a code that is not known here has none."""
    code = ReasonCode.__members__.get(reason.code)
    if code is not None:
        words = REASONS[code, Party.BOTH]
        reason.analyst_text, reason.participant_text = words.analyst_text, words.participant_text


def degrade(
    answer: assessment_pb2.PairAssessment | pair_risk_service_pb2.RankCandidatesResponse,
    degradation: str,
) -> None:
    """Say in an answer what it had to do without."""
    answer.degradations[:] = sorted((*answer.degradations, degradation))


def set_time(message: Timestamp, seconds: float) -> None:
    """Set a time to seconds since 1970."""
    whole = int(seconds)
    message.seconds = whole
    message.nanos = int((seconds - whole) * 1e9)
