"""``PairRiskService``: each call from message to message.

Owns which part serves which call. It must not do any of the work.
"""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from pairguard.server.errors import CallNotBuilt, FullViewNotAllowed
from pairguard.server.journal_reading import JournalReading
from pairguard.server.reference_conversion import read_get_decision
from pairguard.server.score_pair import ScorePair
from pairguard.v1 import pair_risk_service_pb2 as messages
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceServicer


class PairRiskServicer(PairRiskServiceServicer):
    """Serves proposed pairs.

    Args:
        score_pair: What answers for them.
        reading: What looks decisions up.
        full_view_allowed: Whether callers may see what is believed about an age.
    """

    def __init__(
        self, score_pair: ScorePair, reading: JournalReading, *, full_view_allowed: bool
    ) -> None:
        self._score_pair = score_pair
        self._reading = reading
        self._full_view_allowed = full_view_allowed

    def ScorePair(
        self, request: messages.ScorePairRequest, context: grpc.ServicerContext
    ) -> messages.ScorePairResponse:
        """Judge one proposed pair."""
        return self._score_pair.answer(request)

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
        """Return a decision with its inputs, which hold beliefs about ages."""
        if not self._full_view_allowed:
            raise FullViewNotAllowed
        return self._reading.get_decision(read_get_decision(request))
