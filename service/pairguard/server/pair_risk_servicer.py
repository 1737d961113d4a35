"""``PairRiskService``: each call from message to message.

Owns which part serves which call. It must not do any of the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

import grpc

from pairguard.server.errors import FullViewNotAllowed
from pairguard.server.journal_reading import JournalReading
from pairguard.server.rank_candidates import RankCandidates
from pairguard.server.reference_conversion import read_get_decision
from pairguard.server.score_pair import ScorePair
from pairguard.server.score_pairs import ScorePairs
from pairguard.v1 import pair_risk_service_pb2 as messages
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceServicer


class PairRiskServicer(PairRiskServiceServicer):
    """Serves proposed pairs.

    Args:
        score_pair: What answers for them.
        score_pairs: What answers for the pairs of pools.
        rank_candidates: What answers for seekers.
        reading: What looks decisions up.
        full_view_allowed: Whether callers may see what is believed about an age.
    """

    def __init__(
        self,
        score_pair: ScorePair,
        score_pairs: ScorePairs,
        rank_candidates: RankCandidates,
        reading: JournalReading,
        *,
        full_view_allowed: bool,
    ) -> None:
        self._score_pair = score_pair
        self._score_pairs = score_pairs
        self._rank_candidates = rank_candidates
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
        """Judge the pairs of a pool."""
        return self._score_pairs.answer(request, is_awaited=partial(_is_awaited, context))

    def RankCandidates(
        self, request: messages.RankCandidatesRequest, context: grpc.ServicerContext
    ) -> messages.RankCandidatesResponse:
        """Rank candidates for a seeker."""
        return self._rank_candidates.answer(request)

    def GetDecision(
        self, request: messages.GetDecisionRequest, context: grpc.ServicerContext
    ) -> messages.GetDecisionResponse:
        """Return a decision with its inputs, which hold beliefs about ages."""
        if not self._full_view_allowed:
            raise FullViewNotAllowed
        return self._reading.get_decision(read_get_decision(request))


def _is_awaited(context: grpc.ServicerContext) -> bool:
    # None without a deadline, which the stubs do not know.
    remaining_seconds = cast("float | None", context.time_remaining())
    return context.is_active() and (remaining_seconds is None or remaining_seconds > 0.0)
