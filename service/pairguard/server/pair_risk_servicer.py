"""``PairRiskService``: each call from message to message.

Owns which part serves which call. It must not do any of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc

from pairguard.server.assessing import AssessedAge, assessed_age
from pairguard.server.errors import CallNotBuilt, FullViewNotAllowed
from pairguard.server.request_conversion import ScorePairCall, read_score_pair
from pairguard.server.response_conversion import score_pair_response
from pairguard.server.scoring import PairScoring, ScoredPair
from pairguard.v1 import pair_risk_service_pb2 as messages
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceServicer


class PairRiskServicer(PairRiskServiceServicer):
    """Serves proposed pairs.

    Args:
        scoring: What judges them.
        clock: Seconds since 1970.
        full_view_allowed: Whether callers may see what is believed about an age.
    """

    def __init__(
        self, scoring: PairScoring, *, clock: Callable[[], float], full_view_allowed: bool
    ) -> None:
        self._scoring = scoring
        self._clock = clock
        self._full_view_allowed = full_view_allowed

    def ScorePair(
        self, request: messages.ScorePairRequest, context: grpc.ServicerContext
    ) -> messages.ScorePairResponse:
        """Judge one proposed pair."""
        call = read_score_pair(request, self._clock())
        if call.full_view and not self._full_view_allowed:
            raise FullViewNotAllowed
        scored = self._scoring.score(call.a, call.b, request_id=call.request_id)
        return score_pair_response(scored, _ages(call, scored) if call.full_view else None)

    def ScorePairs(
        self, request: messages.ScorePairsRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.ScorePairsResponse]:
        """Refuse: not built yet."""
        raise CallNotBuilt

    def RankCandidates(
        self, request: messages.RankCandidatesRequest, context: grpc.ServicerContext
    ) -> messages.RankCandidatesResponse:
        """Refuse: not built yet."""
        raise CallNotBuilt

    def GetDecision(
        self, request: messages.GetDecisionRequest, context: grpc.ServicerContext
    ) -> messages.GetDecisionResponse:
        """Refuse: not built yet."""
        raise CallNotBuilt


def _ages(call: ScorePairCall, scored: ScoredPair) -> tuple[AssessedAge, AssessedAge]:
    generation, judgement = scored.generation, scored.judgement
    return (
        assessed_age(generation, call.a, judgement.a, full_view=True),
        assessed_age(generation, call.b, judgement.b, full_view=True),
    )
