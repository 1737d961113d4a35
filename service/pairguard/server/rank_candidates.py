"""What ``RankCandidates`` does, from request to answer.

Owns the order: look for an earlier answer, rank, record, keep the answer, tell what was missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Protocol

from pairguard.errors import StoreUnavailable
from pairguard.policy.decision import DecisionKind
from pairguard.server.call_facts import current_call
from pairguard.server.decision_records import DECISION_NOT_JOURNALED
from pairguard.server.metrics import Metrics
from pairguard.server.pool_conversion import RankCandidatesCall, read_rank_candidates
from pairguard.server.pool_memory import PoolMemory
from pairguard.server.ranked_pair import ranked_pair
from pairguard.server.ranking import CandidateRanking, Ranking
from pairguard.server.ranking_journal import RankingJournal
from pairguard.server.ranking_response import ranking_response
from pairguard.server.repeats import HARD_REASONS, REQUEST_ID_NOT_KEPT, Repeats, RequestKey
from pairguard.server.response_conversion import degrade
from pairguard.server.scoring import ScoredPair
from pairguard.v1.pair_risk_service_pb2 import RankCandidatesRequest, RankCandidatesResponse


class PairObserver(Protocol):
    """Looks at some of the pairs that were judged; it never waits and never fails."""

    def wants(self, decision_id: str) -> bool:
        """Return whether it would look at one of this decision."""

    def offer(self, scored: ScoredPair) -> None:
        """Take a pair to look at later."""


class RankCandidates:
    """Answers for seekers and their candidates.

    Args:
        ranking: What ranks them.
        journal: What records rankings.
        memory: What is remembered of participants.
        repeats: What keeps answers.
        metrics: Where rankings are counted.
        observers: What looks at one pair of each ranking, chosen by chance.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        ranking: CandidateRanking,
        journal: RankingJournal,
        memory: PoolMemory,
        repeats: Repeats,
        metrics: Metrics,
        *,
        observers: Sequence[PairObserver],
        clock: Callable[[], float],
    ) -> None:
        self._ranking = ranking
        self._journal = journal
        self._memory = memory
        self._repeats = repeats
        self._metrics = metrics
        self._observers = tuple(observers)
        self._clock = clock

    def answer(self, request: RankCandidatesRequest) -> RankCandidatesResponse:
        """Answer one request.

        Raises:
            InvalidInput: The request is wrong, or its id came with another one.
            BundleRefused: No bundle is loaded yet.
        """
        received = perf_counter()
        call = read_rank_candidates(request, self._clock(), self._memory)
        if not call.request_id:
            response, _ = self._decided(request, call, received)
            return response
        key, earlier = self._repeats.look_up(request, RankCandidatesResponse)
        if earlier is not None and self._still_stands(call, earlier):
            self._metrics.count_repeat()
            return earlier
        response, ranking = self._decided(request, call, received)
        # The outdated answer stays what is kept: it is checked again, and found outdated again.
        return self._kept(key, response, ranking) if earlier is None else response

    def _decided(
        self, request: RankCandidatesRequest, call: RankCandidatesCall, received: float
    ) -> tuple[RankCandidatesResponse, Ranking]:
        ranking = self._ranking.rank(call.seeker, call.candidates, max_results=call.max_results)
        response = ranking_response(ranking, call.invalid)
        if not self._journal.keep(request, ranking, received=received):
            degrade(response, DECISION_NOT_JOURNALED)
        self._observe(call, ranking, tuple(response.degradations))
        self._show(ranking)
        return response, ranking

    def _show(self, ranking: Ranking) -> None:
        wanting = [each for each in self._observers if each.wants(ranking.decision_id)]
        scored = ranked_pair(ranking) if wanting else None
        if scored is not None:
            for observer in wanting:
                observer.offer(scored)

    def _kept(
        self,
        key: RequestKey | None,
        response: RankCandidatesResponse,
        ranking: Ranking,
    ) -> RankCandidatesResponse:
        try:
            if key is not None:
                kept = self._repeats.keep(key, response)
                # Between the two something may have become stricter: the milder is not repeated.
                stands = kept is response or not _stopped(ranking, _offered_in(kept))
                return kept if stands else response
        except StoreUnavailable:
            self._metrics.count_store_error("keep_answer")
        degrade(response, REQUEST_ID_NOT_KEPT)
        return response

    def _still_stands(self, call: RankCandidatesCall, earlier: RankCandidatesResponse) -> bool:
        """Return whether nobody in an answer is stopped by a hard rule by now."""
        offered = _offered_in(earlier)
        if not offered:
            return True
        candidates = tuple([each for each in call.candidates if each.index in offered])
        if len(candidates) < len(offered):
            return False  # one of them cannot be judged any more, by a clock that went back
        return not _stopped(self._ranking.rank(call.seeker, candidates), offered)

    def _observe(
        self, call: RankCandidatesCall, ranking: Ranking, degradations: tuple[str, ...]
    ) -> None:
        metrics, generation = self._metrics, ranking.pool.generation
        facts = current_call.get()
        facts.bundle_version = generation.bundle_version
        facts.policy_version = generation.policy_version
        facts.degradations = degradations
        metrics.observe_ranking(
            ranking.columns, offered=len(ranking.offered), invalid=len(call.invalid)
        )
        people = [call.seeker, *[each.person for each in call.candidates]]
        metrics.count_evidence([each.remembered.reading for each in people])
        metrics.count_unknown_signals(ranking.pool.assessed)
        metrics.count_degradations(degradations)


def _offered_in(response: RankCandidatesResponse) -> frozenset[int]:
    return frozenset(each.candidate_index for each in response.ranked_candidates)


def _stopped(ranking: Ranking, offered: frozenset[int]) -> bool:
    """Return whether one of those who were offered is stopped for more than what wanders."""
    columns = ranking.columns
    return any(
        columns.kinds[place] == DecisionKind.BLOCK
        or not HARD_REASONS.isdisjoint(columns.reason_codes(place))
        for place, candidate in enumerate(ranking.candidates)
        if candidate.index in offered
    )
