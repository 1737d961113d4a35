"""What a challenger would have decided, written down beside the decisions.

Owns the record: many decisions in one, since each is small and none of them is answered. Written
after the decisions themselves, to the same segment; what is lost with the process is at most the
last few. It names no participant: its decisions do. It must not know how a challenger judges.
"""

from __future__ import annotations

import time
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.policy.judgement import Judgement
from pairguard.server.decision_ids import new_shadow_id
from pairguard.server.decision_records import RECORD_VERSION, JournalFile
from pairguard.server.generation import Generation
from pairguard.server.response_conversion import DECISIONS, set_time
from pairguard.server.scoring import ScoredPair
from pairguard.server.shadow_metrics import ShadowMetrics
from pairguard.v1 import journal_pb2

MOST_TOGETHER: Final = 64
_MOST_SECONDS: Final = 1.0


class ShadowJournal:
    """Writes down what a challenger would have decided; used by one thread.

    Args:
        file: Where records are written.
        metrics: Where lost records are counted.
    """

    def __init__(self, file: JournalFile, metrics: ShadowMetrics) -> None:
        self._file = file
        self._metrics = metrics
        self._live: Generation | None = None
        self._challenger: Generation | None = None
        self._decisions: list[journal_pb2.ShadowDecision] = []
        self._begun = 0.0
        self._last_time = 0.0

    def add(self, scored: ScoredPair, challenger: Generation, judgement: Judgement) -> None:
        """Take in what the challenger would have decided; it is written with others."""
        if self._live is not scored.generation or self._challenger is not challenger:
            self.flush()
        if not self._decisions:
            self._live, self._challenger = scored.generation, challenger
            self._begun = time.monotonic()
        self._last_time = scored.decision_time
        self._decisions.append(_decision(scored, judgement))
        if len(self._decisions) >= MOST_TOGETHER:
            self.flush()

    def flush_if_due(self) -> None:
        """Write what was taken in once the first of it is a second old."""
        if self._decisions and time.monotonic() - self._begun >= _MOST_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was taken in; what cannot be written is counted and forgotten."""
        live, challenger, decisions = self._live, self._challenger, self._decisions
        if live is None or challenger is None or not decisions:
            return
        self._decisions = []
        record = journal_pb2.DecisionRecord(
            record_version=RECORD_VERSION,
            decision_id=new_shadow_id(),
            bundle_version=live.bundle_version,
            policy_version=live.policy_version,
        )
        set_time(record.decision_time, self._last_time)
        shadow = record.shadow
        shadow.bundle_version = challenger.bundle_version
        shadow.policy_version = challenger.policy_version
        shadow.decisions.extend(decisions)
        try:
            self._file.append(record.SerializeToString())
        except StoreUnavailable:
            self._metrics.count_error("record")


def _decision(scored: ScoredPair, judgement: Judgement) -> journal_pb2.ShadowDecision:
    decision, risk = judgement.decision, judgement.decision.risk
    return journal_pb2.ShadowDecision(
        decision_id=scored.decision_id,
        decision=DECISIONS[scored.judgement.decision.kind],
        challenger_decision=DECISIONS[decision.kind],
        challenger_reason_codes=dict.fromkeys(reason.code.value for reason in decision.reasons),
        challenger_minor_adult_probability=risk.minor_adult_probability,
        challenger_harm_probability=risk.harm_probability,
        challenger_risk_score=risk.risk_score,
        challenger_allow_probability=decision.allow_probability,
        candidate_index=scored.candidate_index,
    )
