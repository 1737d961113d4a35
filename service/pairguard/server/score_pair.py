"""What ``ScorePair`` does, from request to answer.

Owns the order: look for an earlier answer, score, record, keep the answer, tell what was missing.
The record is kept before the answer leaves, and so is the answer where it may be asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from pairguard.errors import StoreUnavailable
from pairguard.policy.decision import DecisionKind
from pairguard.server.assessing import AssessedAge, assessed_age
from pairguard.server.call_facts import current_call
from pairguard.server.decision_journal import DecisionJournal
from pairguard.server.decision_records import DECISION_NOT_JOURNALED
from pairguard.server.disclosure import require_full_view
from pairguard.server.metrics import Metrics
from pairguard.server.pair_answer import pair_answer
from pairguard.server.repeats import HARD_REASONS, REQUEST_ID_NOT_KEPT, Repeats, RequestKey
from pairguard.server.request_conversion import ScorePairCall, read_score_pair
from pairguard.server.response_conversion import degrade
from pairguard.server.scoring import PairScoring, ScoredPair
from pairguard.v1 import assessment_pb2
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest, ScorePairResponse


class ScorePair:
    """Answers for proposed pairs.

    Args:
        scoring: What judges them.
        journal: What records them.
        repeats: What keeps answers.
        metrics: Where decisions are counted.
        observers: Called with each pair that was judged, before its answer; they never wait and
            never fail: a challenger that judges it afterwards, a look at who it is made on.
        clock: Seconds since 1970.
        full_view_allowed: Whether callers may see what is believed about an age.
    """

    def __init__(
        self,
        scoring: PairScoring,
        journal: DecisionJournal,
        repeats: Repeats,
        metrics: Metrics,
        *,
        observers: Sequence[Callable[[ScoredPair], None]],
        clock: Callable[[], float],
        full_view_allowed: bool,
    ) -> None:
        self._scoring = scoring
        self._journal = journal
        self._repeats = repeats
        self._metrics = metrics
        self._observers = tuple(observers)
        self._clock = clock
        self._full_view_allowed = full_view_allowed

    def answer(self, request: ScorePairRequest) -> ScorePairResponse:
        """Answer one request.

        Raises:
            InvalidInput: The request is wrong, or its id came with another one.
            FullViewNotAllowed: Nobody is told beliefs about an age.
            ScopeMissing: This caller is not told them.
            BundleRefused: No bundle is loaded yet.
        """
        received = perf_counter()
        call = read_score_pair(request, self._clock())
        if call.full_view:
            require_full_view(allowed=self._full_view_allowed)
        if not call.request_id:
            return self._decided(request, call, received)
        key, earlier = self._repeats.look_up(request, ScorePairResponse)
        if earlier is not None and self._still_stands(call, earlier):
            self._metrics.count_repeat()
            return earlier
        return self._decided(request, call, received, key, repeatable=True)

    def _decided(
        self,
        request: ScorePairRequest,
        call: ScorePairCall,
        received: float,
        key: RequestKey | None = None,
        *,
        repeatable: bool = False,
    ) -> ScorePairResponse:
        scored = self._scoring.score(call.a, call.b)
        answer = pair_answer(scored, _ages(call, scored) if call.full_view else None)
        response = answer.response
        if not self._journal.keep(request, answer, scored, received=received):
            degrade(response.assessment, DECISION_NOT_JOURNALED)
        if repeatable:
            response = self._kept(key, response)
        self._observe(call, scored, tuple(response.assessment.degradations))
        for observer in self._observers:
            observer(scored)
        return response

    def _kept(self, key: RequestKey | None, response: ScorePairResponse) -> ScorePairResponse:
        try:
            if key is not None:
                kept = self._repeats.keep(key, response)
                if kept is response or _severity(kept) >= _severity(response):
                    return kept
                # Between the two something has become stricter: the milder one is not repeated.
                return response
        except StoreUnavailable:
            self._metrics.count_store_error("keep_answer")
        degrade(response.assessment, REQUEST_ID_NOT_KEPT)
        return response

    def _still_stands(self, call: ScorePairCall, earlier: ScorePairResponse) -> bool:
        if earlier.assessment.decision != assessment_pb2.DECISION_ALLOW:
            return True
        decision = self._scoring.judge(call.a, call.b).decision
        return decision.kind is not DecisionKind.BLOCK and HARD_REASONS.isdisjoint(
            reason.code for reason in decision.reasons
        )

    def _observe(
        self, call: ScorePairCall, scored: ScoredPair, degradations: tuple[str, ...]
    ) -> None:
        judgement, metrics = scored.judgement, self._metrics
        decision = judgement.decision
        leading = decision.reasons[0].code.value
        facts = current_call.get()
        facts.decision = decision.kind.name
        facts.leading_reason = leading
        facts.bundle_version = scored.generation.bundle_version
        facts.policy_version = scored.generation.policy_version
        facts.degradations = degradations
        metrics.observe_pair(facts.decision, leading, decision.risk)
        metrics.count_evidence((call.a, call.b))
        metrics.count_unknown_signals((judgement.a, judgement.b))
        metrics.count_degradations(degradations)


def _severity(response: ScorePairResponse) -> int:
    return int(response.assessment.decision)


def _ages(call: ScorePairCall, scored: ScoredPair) -> tuple[AssessedAge, AssessedAge]:
    generation, judgement, known = scored.generation, scored.judgement, scored.known
    return (
        assessed_age(
            generation,
            known.a.participant,
            judgement.a,
            sent=call.a.age_evidence,
            full_view=True,
        ),
        assessed_age(
            generation,
            known.b.participant,
            judgement.b,
            sent=call.b.age_evidence,
            full_view=True,
        ),
    )
