"""The record of each decision, kept before it is answered.

Owns how a decision becomes a record, with its inputs as used, and that a record which cannot be
kept is counted and marked instead of holding up the answer. It must not know how records reach the
store (``pairguard.server.journal_import``).
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import Final, Protocol

from pairguard.errors import StoreUnavailable
from pairguard.policy.decision import DecisionKind
from pairguard.server.belief_record import belief_record
from pairguard.server.call_facts import calling
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.kept_participants import KeptParticipants, KnownParticipant
from pairguard.server.metrics import Metrics
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.record_hashing import RecordHashing
from pairguard.server.response_conversion import reasons_of, set_time
from pairguard.server.scoring import ScoredPair
from pairguard.store.segments.framing import Position
from pairguard.v1 import journal_pb2, pair_risk_service_pb2, participant_pb2

RECORD_VERSION: Final = 1
_NOT_RECORDED: Final = ("unknown_signals", "participant_a_assessment", "participant_b_assessment")
DECISION_NOT_JOURNALED: Final = "DECISION_NOT_JOURNALED"
"""The decision could not be recorded: it is missing in the journal, and its exposure is counted by
this process alone."""


class JournalFile(Protocol):
    """Where records are written before they reach the store."""

    def append(self, payload: bytes) -> Position:
        """Write a record; it survives the end of this process when this returns.

        Raises:
            StoreUnavailable: It was not written.
        """


class DecisionJournal:
    """Keeps decisions.

    Args:
        file: Where records are written.
        kept: Where the keys come from.
        hashing: What hashes messages.
        recent: Where decisions count until they are imported.
        metrics: Where lost records are counted.
    """

    def __init__(
        self,
        file: JournalFile,
        kept: KeptParticipants,
        hashing: CurrentHashing,
        recent: RecentDecisions,
        metrics: Metrics,
    ) -> None:
        self._file = file
        self._kept = kept
        self._recent = recent
        self._metrics = metrics
        self._hashing = hashing

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
        position: Position | None = None
        try:
            record = self._record(request, response, scored)
            latency_nanos = int((perf_counter() - received) * 1e9)
            record.latency.seconds, record.latency.nanos = divmod(latency_nanos, 1_000_000_000)
            position = self._file.append(record.SerializeToString())
        except StoreUnavailable:
            self._metrics.count_lost_decision()
        self._count(scored, position)
        return position is not None

    def _record(
        self,
        request: pair_risk_service_pb2.ScorePairRequest,
        response: pair_risk_service_pb2.ScorePairResponse,
        scored: ScoredPair,
    ) -> journal_pb2.DecisionRecord:
        hashing = self._hashing.of(scored.generation)
        judgement, known = scored.judgement, scored.known
        record = journal_pb2.DecisionRecord(
            record_version=RECORD_VERSION,
            decision_id=scored.decision_id,
            caller=calling().name,
            hash_key_id=self._kept.keys.current.key_id,
            bundle_version=scored.generation.bundle_version,
            policy_version=scored.generation.policy_version,
        )
        set_time(record.decision_time, scored.decision_time)
        if request.request_id:
            record.request_id_hash = hashing.request_id(request.request_id)
        if request.HasField("context"):
            record.context.CopyFrom(request.context)
            record.context.DiscardUnknownFields()
        pair = record.pair
        pair.assessment.CopyFrom(response.assessment)
        for name in _NOT_RECORDED:
            pair.assessment.ClearField(name)
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
        # No decision is drawn at random: the policy would always decide so.
        pair.allow_probability = float(decision.kind is DecisionKind.ALLOW)
        pair.participant_a_probability_minor = pair.participant_a.assessment.probability_minor
        pair.participant_b_probability_minor = pair.participant_b.assessment.probability_minor
        pair.exposure = decision.exposure
        return record

    def _count(self, scored: ScoredPair, position: Position | None) -> None:
        judgement, known = scored.judgement, scored.known
        decision, adult_age = judgement.decision, max(judgement.lines.adult_ages)
        for who, partner in ((known.a, judgement.b), (known.b, judgement.a)):
            self._recent.add(
                who.ids,
                allowed=decision.kind is DecisionKind.ALLOW,
                exposure=decision.exposure,
                partner_minor=partner.age.probability_below(adult_age),
                position=None if position is None else (position.segment, position.end),
                now=scored.decision_time,
            )


def write_inputs(
    hashing: RecordHashing,
    sent: participant_pb2.Participant,
    known: KnownParticipant,
    *,
    into: journal_pb2.ParticipantRecord,
) -> None:
    """Write what was known of a participant."""
    hashing.participant(
        sent,
        history=known.summary.signals,
        kept_evidence=[_message_of(item.content) for item in known.kept_evidence],
        into=into.participant,
    )
    into.linked_evidence_ids.extend(
        [item.evidence.hex() for item in known.kept_evidence if not item.own]
    )


@lru_cache(maxsize=4_096)
def _message_of(content: bytes) -> participant_pb2.AgeEvidence:
    return participant_pb2.AgeEvidence.FromString(content)
