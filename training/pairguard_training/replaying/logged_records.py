"""A record as logged decisions: one on a pair, or one on each candidate of a ranking.

Owns what is taken from a record. It must not know how records are read.
"""

from __future__ import annotations

from typing import Final

from pairguard.policy.decision import DecisionKind
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.store.kept_state import read_kept
from pairguard.store.record_fields import optional_probability, seconds
from pairguard.v1 import assessment_pb2, journal_pb2
from pairguard_training.replaying.kept_reasons import carried_reasons, state_told_by_reasons
from pairguard_training.replaying.logged import LoggedDecision, LoggedRisk
from pairguard_training.replaying.record_inputs import RecordUnreadable, participant_of

_STORE_UNAVAILABLE: Final = "STORE_UNAVAILABLE"
_KINDS: Final = {
    assessment_pb2.Decision.Value(f"DECISION_{kind.name}"): kind for kind in DecisionKind
}
_PARTIES: Final = {
    assessment_pb2.PARTICIPANT_ROLE_A: Party.A,
    assessment_pb2.PARTICIPANT_ROLE_B: Party.B,
    assessment_pb2.PARTICIPANT_ROLE_BOTH: Party.BOTH,
}


def logged_pair(message: journal_pb2.DecisionRecord) -> LoggedDecision:
    """Return the decision of a record on a pair of which nobody was erased.

    Raises:
        RecordUnreadable: It says what this version does not know.
    """
    pair, answer = message.pair, message.pair.assessment
    kind = _kind(answer.decision)
    reasons = tuple([_reason(each) for each in answer.reasons])
    a, b = participant_of(pair.participant_a), participant_of(pair.participant_b)
    state = read_kept(pair, pair.participant_a, pair.participant_b)
    carried: tuple[Reason, ...] = ()
    is_recorded = state is not None
    if state is None:
        readable = _STORE_UNAVAILABLE not in answer.degradations
        state = state_told_by_reasons(kind, reasons, (a.history, b.history), readable=readable)
        carried = carried_reasons(reasons)
    minor_a = optional_probability(pair, "participant_a_probability_minor")
    minor_b = optional_probability(pair, "participant_b_probability_minor")
    return LoggedDecision(
        decision_id=message.decision_id,
        time=seconds(message.decision_time),
        a=a,
        b=b,
        people=(a.participant_id, b.participant_id),
        state=state,
        state_recorded=is_recorded,
        carried=carried,
        kind=kind,
        reasons=reasons,
        risk=LoggedRisk(
            answer.minor_adult_probability,
            answer.harm_probability if answer.HasField("harm_probability") else None,
            answer.risk_score,
        ),
        minors=None if minor_a is None or minor_b is None else (minor_a, minor_b),
        allow_probability=optional_probability(pair, "allow_probability"),
        asked=frozenset(
            party
            for each in answer.age_checks
            if (party := _PARTIES.get(each.participant)) is not None
        ),
        bundle_version=message.bundle_version,
        policy_version=message.policy_version,
    )


def logged_candidate(
    message: journal_pb2.DecisionRecord, candidate: journal_pb2.RankingCandidate
) -> LoggedDecision | None:
    """Return the decision on a seeker with one candidate; None: its kept state is not recorded.

    A ranking asks nobody for a check because of one candidate, and its reasons name nobody.

    Args:
        message: The record of the ranking.
        candidate: One of it; neither this one nor the seeker was erased.

    Raises:
        RecordUnreadable: It says what this version does not know.
    """
    seeker = message.ranking.seeker
    state = read_kept(candidate, seeker, candidate.participant)
    if state is None:
        return None
    a, b = participant_of(seeker), participant_of(candidate.participant)
    return LoggedDecision(
        decision_id=f"{message.decision_id}-{candidate.candidate_index}",
        time=seconds(message.decision_time),
        a=a,
        b=b,
        people=(a.participant_id, b.participant_id),
        state=state,
        state_recorded=True,
        kind=_kind(candidate.decision),
        reasons=tuple([Reason(_code(each), Party.BOTH) for each in candidate.reason_codes]),
        parties_told=False,
        risk=LoggedRisk(
            candidate.minor_adult_probability,
            optional_probability(candidate, "harm_probability"),
            candidate.risk_score,
        ),
        allow_probability=optional_probability(candidate, "allow_probability"),
        bundle_version=message.bundle_version,
        policy_version=message.policy_version,
    )


def _kind(decision: assessment_pb2.Decision.ValueType) -> DecisionKind:
    kind = _KINDS.get(decision)
    if kind is None:
        raise RecordUnreadable("an unknown decision")
    return kind


def _code(text: str) -> ReasonCode:
    code = ReasonCode.__members__.get(text)
    if code is None:
        raise RecordUnreadable("a reason that this version does not know")
    return code


def _reason(message: assessment_pb2.Reason) -> Reason:
    party = _PARTIES.get(message.participant)
    if party is None:
        raise RecordUnreadable("a reason of nobody that this version knows")
    return Reason(_code(message.code), party)
