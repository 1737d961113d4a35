"""The answer to ``RankCandidates`` from values to a message."""

from __future__ import annotations

from collections.abc import Sequence

from pairguard.server.ranking import Ranking
from pairguard.server.response_conversion import REASONS, requested_check, set_time
from pairguard.server.violations import RefusedItem
from pairguard.v1 import pair_risk_service_pb2


def ranking_response(
    ranking: Ranking, invalid: Sequence[tuple[int, RefusedItem]]
) -> pair_risk_service_pb2.RankCandidatesResponse:
    """Write the answer to ``RankCandidates``."""
    pool, risk = ranking.pool, ranking.columns.risk
    response = pair_risk_service_pb2.RankCandidatesResponse(
        decision_id=ranking.decision_id,
        bundle_version=pool.generation.bundle_version,
        policy_version=pool.generation.policy_version,
        degradations=ranking.degradations,
        unknown_signals=pool.unknown_names,
    )
    set_time(response.decision_time, pool.now)
    if ranking.expire_time is not None:
        set_time(response.expire_time, ranking.expire_time)
    for place in ranking.offered:
        ranked = response.ranked_candidates.add(
            candidate_index=ranking.candidates[place].index,
            risk_band=ranking.bands[place],
            minor_adult_probability=risk.minor_adult.item(place),
            risk_score=risk.scores.item(place),
        )
        if risk.harm is not None:
            ranked.harm_probability = risk.harm.item(place)
    for code, count in ranking.leading_counts:
        response.excluded_counts.add(code=code, count=count)
    for index, refused in invalid:
        item = response.invalid_candidates.add(candidate_index=index)
        for violation in refused.violations:
            item.field_violations.add(field=violation.field, description=violation.description)
    response.seeker_reasons.extend([REASONS[code, None] for code in ranking.seeker_reasons])
    if ranking.seeker_plan is not None:
        response.seeker_age_check.CopyFrom(requested_check(ranking.seeker_plan, None))
    return response
