"""The record of each decision on a pair, kept before it is answered.

Owns how a decision becomes a record, with its inputs as used, and what it counts for until that is
imported. It must not know how records reach the store (``pairguard.server.journal_import``).
"""

from __future__ import annotations

from pairguard.policy.decision import DecisionKind
from pairguard.server.belief_record import belief_record
from pairguard.server.decision_records import DecisionRecords, write_inputs
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.record_hashing import RecordHashing
from pairguard.server.response_conversion import reasons_of
from pairguard.server.scoring import ScoredPair
from pairguard.store.kept_state import write_kept
from pairguard.v1 import journal_pb2, pair_risk_service_pb2


class DecisionJournal:
    """Keeps decisions on pairs.

    Args:
        records: What writes them down.
        recent: Where decisions count until they are imported.
    """

    def __init__(self, records: DecisionRecords, recent: RecentDecisions) -> None:
        self._records = records
        self._recent = recent

    def keep(
        self,
        request: pair_risk_service_pb2.ScorePairRequest,
        response: pair_risk_service_pb2.ScorePairResponse,
        scored: ScoredPair,
        *,
        received: float,
    ) -> bool:
        """Record a decision on a pair and count it; return whether it was recorded.

        Args:
            request: What was asked.
            response: What will be answered.
            scored: What it was decided on.
            received: ``perf_counter`` when the request came.
        """

        def fill(record: journal_pb2.DecisionRecord, hashing: RecordHashing) -> None:
            _write(record.pair, request, response, scored, hashing)

        position = self._records.write(
            request,
            fill,
            decision_id=scored.decision_id,
            decision_time=scored.decision_time,
            generation=scored.generation,
            received=received,
        )
        judgement, known = scored.judgement, scored.known
        decision, adult_age = judgement.decision, max(judgement.lines.adult_ages)
        for who, partner in ((known.a, judgement.b), (known.b, judgement.a)):
            self._recent.add(
                who.ids,
                allowed=decision.kind is DecisionKind.ALLOW,
                exposure=decision.exposure,
                partner_minor=partner.age.probability_below(adult_age),
                position=position,
                now=scored.decision_time,
            )
        return position is not None


def _write(
    pair: journal_pb2.PairDecision,
    request: pair_risk_service_pb2.ScorePairRequest,
    response: pair_risk_service_pb2.ScorePairResponse,
    scored: ScoredPair,
    hashing: RecordHashing,
) -> None:
    judgement, known = scored.judgement, scored.known
    hashing.pair_assessment(response.assessment, into=pair.assessment)
    for reason in reasons_of(pair.assessment):
        # The words follow from the code, and would be a third of the record.
        reason.ClearField("analyst_text")
        reason.ClearField("participant_text")
    decision, adult_age = judgement.decision, max(judgement.lines.adult_ages)
    for written, sent, who, assessed, pool in (
        (pair.participant_a, request.participant_a, known.a, judgement.a, decision.admission_a),
        (pair.participant_b, request.participant_b, known.b, judgement.b, decision.admission_b),
    ):
        written.CopyFrom(belief_record(assessed.age, adult_age, pool))
        write_inputs(hashing, sent, who, into=written)
    if decision.risk.harm_raw_score is not None:
        pair.harm_raw_score = decision.risk.harm_raw_score
    pair.allow_probability = decision.allow_probability
    pair.participant_a_probability_minor = pair.participant_a.assessment.probability_minor
    pair.participant_b_probability_minor = pair.participant_b.assessment.probability_minor
    pair.exposure = decision.exposure
    write_kept(pair, known.state)
