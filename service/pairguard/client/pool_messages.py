"""Requests about many participants as messages of the contract, from the values of a caller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pairguard.client.arguments import require_number, require_text, require_whole_number
from pairguard.client.failure import FieldViolation
from pairguard.client.participant import ParticipantInput
from pairguard.client.ranking import (
    CandidateInput,
    CandidateRanking,
    InvalidCandidate,
    RankedCandidate,
)
from pairguard.client.request_messages import pair_context, participant_message
from pairguard.client.response_values import (
    age_check_value,
    invalid_response,
    moment_value,
    probability_value,
    reason_values,
)
from pairguard.client.vocabulary import DecidedBy, Modality
from pairguard.v1 import pair_risk_service_pb2

_HARM_MODEL_UNAVAILABLE = "HARM_MODEL_UNAVAILABLE"


def rank_candidates_request(
    seeker: ParticipantInput,
    candidates: Sequence[CandidateInput],
    *,
    max_results: int,
    request_id: str,
    modality: Modality | None,
    wait_seconds: float | None,
    proposed_time: datetime | None,
) -> pair_risk_service_pb2.RankCandidatesRequest:
    """Return the request to rank candidates; raises ``TypeError`` and ``ValueError``."""
    require_text("request_id", request_id)
    require_whole_number("max_results", max_results)
    return pair_risk_service_pb2.RankCandidatesRequest(
        seeker=participant_message("seeker", seeker),
        candidates=[_candidate(index, each) for index, each in enumerate(candidates)],
        context=pair_context(modality, wait_seconds, proposed_time),
        request_id=request_id,
        max_results=max_results,
    )


def _candidate(index: int, value: CandidateInput) -> pair_risk_service_pb2.Candidate:
    place = f"candidates[{index}]"
    if not isinstance(value, CandidateInput):
        raise TypeError(f"{place} must be a CandidateInput, not {type(value).__name__}")
    if value.affinity is not None:
        require_number(f"{place}.affinity", value.affinity)
    return pair_risk_service_pb2.Candidate(
        participant=participant_message(f"{place}.participant", value.participant),
        affinity=value.affinity,
    )


def score_pairs_request(
    participants: Sequence[ParticipantInput],
    pairs: Sequence[tuple[int, int]] | None,
    *,
    modality: Modality | None,
    wait_seconds: float | None,
    proposed_time: datetime | None,
) -> pair_risk_service_pb2.ScorePairsRequest:
    """Return the request to judge pairs of a pool; raises ``TypeError`` and ``ValueError``."""
    request = pair_risk_service_pb2.ScorePairsRequest(
        participants=[
            participant_message(f"participants[{index}]", each)
            for index, each in enumerate(participants)
        ],
        context=pair_context(modality, wait_seconds, proposed_time),
    )
    if pairs is None:
        request.all_pairs = True
    else:
        request.pairs.SetInParent()
        request.pairs.first_indices.extend([first for first, _ in pairs])
        request.pairs.second_indices.extend([second for _, second in pairs])
    return request


def candidate_ranking(
    message: pair_risk_service_pb2.RankCandidatesResponse, *, sent: int
) -> CandidateRanking:
    """Return a ranking as a value.

    Args:
        message: The answer.
        sent: How many candidates were asked about.

    Raises:
        LocalFailure: A part that an offer rests on is missing or cannot be read.
    """
    unread: list[str] = []
    degradations = tuple(message.degradations)
    offered = tuple([_ranked(each, degradations, unread) for each in message.ranked_candidates])
    places = [each.candidate_index for each in offered]
    if len(set(places)) != len(places) or not all(0 <= place < sent for place in places):
        unread.append("ranked_candidates.candidate_index")
    decision_time = moment_value(message, "decision_time", unread)
    expire_time = moment_value(message, "expire_time", unread)
    if not message.decision_id:
        unread.append("decision_id")
    if not message.bundle_version or not message.policy_version:
        unread.append("bundle_version or policy_version")
    if offered and (expire_time is None or decision_time is None or expire_time <= decision_time):
        unread.append("expire_time")
    check = (
        age_check_value(message.seeker_age_check, unread)
        if message.HasField("seeker_age_check")
        else None
    )
    if unread:
        raise invalid_response(dict.fromkeys(unread))
    return CandidateRanking(
        decided_by=DecidedBy.SERVICE,
        received_time=datetime.now(UTC),
        decision_id=message.decision_id,
        decision_time=decision_time,
        expire_time=expire_time,
        candidates=offered,
        excluded_counts={each.code: each.count for each in message.excluded_counts},
        invalid_candidates=tuple(
            [
                InvalidCandidate(
                    each.candidate_index,
                    tuple([FieldViolation(v.field, v.description) for v in each.field_violations]),
                )
                for each in message.invalid_candidates
            ]
        ),
        seeker_reasons=reason_values(message.seeker_reasons),
        seeker_age_check=check,
        bundle_version=message.bundle_version,
        policy_version=message.policy_version,
        degradations=degradations,
        unknown_signals=tuple(message.unknown_signals),
        message=message,
    )


def _ranked(
    message: pair_risk_service_pb2.RankedCandidate,
    degradations: tuple[str, ...],
    unread: list[str],
) -> RankedCandidate:
    mixed = probability_value(message, "minor_adult_probability", unread)
    harm = probability_value(message, "harm_probability", unread)
    score = probability_value(message, "risk_score", unread)
    if message.risk_band < 1:
        unread.append("risk_band")
    if mixed is None:
        unread.append("minor_adult_probability")
    if harm is None and _HARM_MODEL_UNAVAILABLE not in degradations:
        unread.append("harm_probability")
    if score is None:
        unread.append("risk_score")
    # What is not known is not used: whatever is unread refuses the answer.
    return RankedCandidate(
        message.candidate_index,
        message.risk_band,
        1.0 if mixed is None else mixed,
        harm,
        1.0 if score is None else score,
    )
