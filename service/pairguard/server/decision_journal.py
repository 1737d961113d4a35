"""The record of each decision on a pair, kept before it is answered.

Owns how a decision becomes a record, with its inputs as used, and what it counts for until that is
imported. It must not know how records reach the store (``pairguard.server.journal_import``).
"""

from __future__ import annotations

from typing import Final

from pairguard.policy.decision import DecisionKind
from pairguard.risk.pair import PairRisk
from pairguard.server.belief_record import belief_bytes
from pairguard.server.decision_records import DecisionRecords
from pairguard.server.pair_answer import PairAnswer
from pairguard.server.participant_writing import ParticipantWriting
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.scoring import ScoredPair
from pairguard.store.kept_state import between_bytes, counts_bytes
from pairguard.store.wire import Numbers, enclosed, tag
from pairguard.v1 import journal_pb2, pair_risk_service_pb2

_PAIR: Final = tag(journal_pb2.DecisionRecord, "pair")
_PARTICIPANT_A: Final = tag(journal_pb2.PairDecision, "participant_a")
_PARTICIPANT_B: Final = tag(journal_pb2.PairDecision, "participant_b")
_ANSWER: Final = tag(journal_pb2.PairDecision, "assessment")
_NUMBERS: Final = Numbers(
    journal_pb2.PairDecision,
    "allow_probability",
    "participant_a_probability_minor",
    "participant_b_probability_minor",
    "exposure",
)
_RAW_SCORE: Final = Numbers(journal_pb2.PairDecision, "harm_raw_score")


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
        answer: PairAnswer,
        scored: ScoredPair,
        *,
        received: float,
    ) -> bool:
        """Record a decision on a pair and count it; return whether it was recorded.

        Args:
            request: What was asked.
            answer: What will be answered.
            scored: What it was decided on.
            received: ``perf_counter`` when the request came.
        """
        judgement, known, decision = scored.judgement, scored.known, scored.judgement.decision
        adult_age = max(judgement.lines.adult_ages)
        minor_a = judgement.a.age.probability_below(adult_age)
        minor_b = judgement.b.age.probability_below(adult_age)

        def subject(writing: ParticipantWriting) -> bytes:
            return enclosed(
                _PAIR,
                _participants(request, scored, adult_age, writing)
                + enclosed(_ANSWER, answer.recorded)
                + _NUMBERS.written(decision.allow_probability, minor_a, minor_b, decision.exposure)
                + _raw_score(decision.risk)
                + between_bytes(known.state),
            )

        position = self._records.write(
            request,
            subject,
            decision_id=scored.decision_id,
            decision_time=scored.decision_time,
            generation=scored.generation,
            received=received,
        )
        self._recent.add_each(
            ((known.a.ids, minor_b), (known.b.ids, minor_a)),
            allowed=decision.kind is DecisionKind.ALLOW,
            exposure=decision.exposure,
            position=position,
            now=scored.decision_time,
        )
        return position is not None


def _participants(
    request: pair_risk_service_pb2.ScorePairRequest,
    scored: ScoredPair,
    adult_age: int,
    writing: ParticipantWriting,
) -> bytes:
    """Return what was known and believed of both, fields of a ``PairDecision``."""
    judgement, known = scored.judgement, scored.known
    decision = judgement.decision
    return enclosed(
        _PARTICIPANT_A,
        belief_bytes(judgement.a.age, adult_age, decision.admission_a)
        + writing.inputs(request.participant_a, known.a)
        + counts_bytes(known.state.a),
    ) + enclosed(
        _PARTICIPANT_B,
        belief_bytes(judgement.b.age, adult_age, decision.admission_b)
        + writing.inputs(request.participant_b, known.b)
        + counts_bytes(known.state.b),
    )


def _raw_score(risk: PairRisk) -> bytes:
    return b"" if risk.harm_raw_score is None else _RAW_SCORE.written(risk.harm_raw_score)
