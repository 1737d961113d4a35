"""The answer to ``ScorePair``, as a message and as it is recorded.

Owns what of a judged pair is answered, and what of the answer a record leaves out: the words of
reasons, which follow from their codes and would be a third of it, the names that nobody knows, and
the beliefs about the two persons, which stand beside it. It must not decide anything.

Reasons and age checks come again and again: their bytes are kept and joined to answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pairguard.policy.checks import CheckPlan
from pairguard.policy.reasons import Party
from pairguard.server.assessing import AssessedAge
from pairguard.server.response_conversion import (
    DECISIONS,
    REASONS,
    ROLES,
    requested_check,
    set_time,
    write_age,
)
from pairguard.server.scoring import HeldParty, ScoredPair
from pairguard.store.wire import enclosed, tag
from pairguard.v1 import assessment_pb2, pair_risk_service_pb2

_Assessment = assessment_pb2.PairAssessment
_Response = pair_risk_service_pb2.ScorePairResponse

_ANSWER: Final = tag(_Response, "assessment")
_REASON: Final = tag(_Assessment, "reasons")
_CHECK: Final = tag(_Assessment, "age_checks")
_HELD: Final = tag(_Assessment, "held_participants")
_MOST_CHECKS: Final = 2_048


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """An answer about a pair.

    Attributes:
        response: What is answered.
        recorded: Its assessment as it is recorded, a serialized ``PairAssessment``.
    """

    response: pair_risk_service_pb2.ScorePairResponse
    recorded: bytes


@dataclass(frozen=True, slots=True)
class _Written:
    """A part of an answer.

    Attributes:
        answered: The field with all its words.
        recorded: The same without words.
    """

    answered: bytes
    recorded: bytes


def pair_answer(scored: ScoredPair, ages: tuple[AssessedAge, AssessedAge] | None) -> PairAnswer:
    """Return the answer about a judged pair; ``ages`` only for the full view."""
    judgement = scored.judgement
    decision, risk = judgement.decision, judgement.decision.risk
    head = _Assessment()
    head.decision_id = scored.decision_id
    head.decision = DECISIONS[decision.kind]
    set_time(head.decision_time, scored.decision_time)
    if scored.expire_time is not None:
        set_time(head.expire_time, scored.expire_time)
    head.minor_adult_probability = risk.minor_adult_probability
    if risk.harm_probability is not None:
        head.harm_probability = risk.harm_probability
    head.risk_score = risk.risk_score
    head.bundle_version = scored.generation.bundle_version
    head.policy_version = scored.generation.policy_version
    if scored.degradations:
        head.degradations.extend(scored.degradations)
    written = [_REASONS[reason.code, reason.party] for reason in decision.reasons]
    written += [_check(plan, party) for party, plan in judgement.checks if plan.forecasts]
    written += [_held(each) for each in scored.held]
    common = head.SerializeToString()
    answered = [common, *[each.answered for each in written]]
    if ages is not None or judgement.a.unknown_names or judgement.b.unknown_names:
        answered.append(_told_to_caller(scored, ages).SerializeToString())
    return PairAnswer(
        _Response.FromString(enclosed(_ANSWER, b"".join(answered))),
        b"".join([common, *[each.recorded for each in written]]),
    )


def _told_to_caller(
    scored: ScoredPair, ages: tuple[AssessedAge, AssessedAge] | None
) -> assessment_pb2.PairAssessment:
    """Return what is answered and not recorded."""
    judgement, told = scored.judgement, _Assessment()
    for party, assessed in ((Party.A, judgement.a), (Party.B, judgement.b)):
        if assessed.unknown_names:
            told.unknown_signals.add(participant=ROLES[party], names=assessed.unknown_names)
    if ages is not None:
        write_age(told.participant_a_assessment, ages[0], Party.A)
        write_age(told.participant_b_assessment, ages[1], Party.B)
    return told


def _check(plan: CheckPlan, party: Party) -> _Written:
    """Return a requested check; written once, since people are asked again."""
    key = (id(plan), party)
    found = _CHECKS.get(key)
    # The plan is kept beside its words, so that no other plan can have its place in memory.
    if found is not None and found[0] is plan:
        return found[1]
    message = requested_check(plan, party)
    wordless = assessment_pb2.RequestedAgeCheck()
    wordless.CopyFrom(message)
    _take_words(wordless.reason)
    written = _Written(
        enclosed(_CHECK, message.SerializeToString()),
        enclosed(_CHECK, wordless.SerializeToString()),
    )
    if len(_CHECKS) >= _MOST_CHECKS:
        _CHECKS.clear()
    _CHECKS[key] = (plan, written)
    return written


def _held(held: HeldParty) -> _Written:
    message = assessment_pb2.HeldParticipant(
        participant=ROLES[held.reason.party], reason=REASONS[held.reason.code, held.reason.party]
    )
    if held.expire_time is not None:
        set_time(message.expire_time, held.expire_time)
    answered = enclosed(_HELD, message.SerializeToString())
    _take_words(message.reason)
    return _Written(answered, enclosed(_HELD, message.SerializeToString()))


def _reason(worded: assessment_pb2.Reason) -> _Written:
    wordless = assessment_pb2.Reason()
    wordless.CopyFrom(worded)
    _take_words(wordless)
    return _Written(
        enclosed(_REASON, worded.SerializeToString()),
        enclosed(_REASON, wordless.SerializeToString()),
    )


def _take_words(reason: assessment_pb2.Reason) -> None:
    reason.ClearField("analyst_text")
    reason.ClearField("participant_text")


_REASONS: Final[Mapping[tuple[object, object], _Written]] = {
    key: _reason(worded) for key, worded in REASONS.items()
}
_CHECKS: Final[dict[tuple[int, Party], tuple[CheckPlan, _Written]]] = {}
