"""Records of decisions as they are written down, whatever was decided.

Owns what stands in every record (what was asked, by whom, under which versions), and that a record
which cannot be written is counted and holds up no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final, Protocol

from pairguard.errors import StoreUnavailable
from pairguard.server.call_facts import calling
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.generation import Generation
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.server.participant_writing import ParticipantWriting
from pairguard.server.response_conversion import set_time
from pairguard.store.segments.framing import Position
from pairguard.v1 import journal_pb2, pair_risk_service_pb2

DECISION_NOT_JOURNALED: Final = "DECISION_NOT_JOURNALED"
"""The decision could not be recorded: it is missing in the journal, and its exposure is counted by
this process alone."""

RECORD_VERSION: Final = 1
"""Of the meaning of records of decisions."""

_MOST_HEADS: Final = 256

_Request = pair_risk_service_pb2.ScorePairRequest | pair_risk_service_pb2.RankCandidatesRequest


class JournalFile(Protocol):
    """Where records are written before they reach the store."""

    def append(self, payload: bytes) -> Position:
        """Write a record; it survives the end of this process when this returns.

        Raises:
            StoreUnavailable: It was not written.
        """


class DecisionRecords:
    """Writes records of decisions.

    Args:
        file: Where they are written.
        kept: Where the keys come from.
        hashing: What hashes messages.
        metrics: Where lost records are counted.
    """

    def __init__(
        self,
        file: JournalFile,
        kept: KeptParticipants,
        hashing: CurrentHashing,
        metrics: Metrics,
    ) -> None:
        self._file = file
        self._kept = kept
        self._hashing = hashing
        self._metrics = metrics
        self._heads: dict[tuple[str, str, str, str], bytes] = {}

    def write(
        self,
        request: _Request,
        subject: Callable[[ParticipantWriting], bytes],
        *,
        decision_id: str,
        decision_time: float,
        generation: Generation,
        received: float,
    ) -> Position | None:
        """Write a record down and return where it ends; None: it could not be written.

        Args:
            request: What was asked.
            subject: Returns what was decided, and on what, as fields of a ``DecisionRecord``.
            decision_id: Id of the decision.
            decision_time: When it was made, seconds since 1970.
            generation: What judged.
            received: ``perf_counter`` when the request came.
        """
        try:
            writing = self._hashing.writing(generation)
            decided = subject(writing)
            record = journal_pb2.DecisionRecord()
            record.decision_id = decision_id
            set_time(record.decision_time, decision_time)
            if request.request_id:
                record.request_id_hash = writing.hashing.request_id(request.request_id)
            if request.HasField("context"):
                record.context.CopyFrom(writing.hashing.context(request.context))
            latency_nanos = int((perf_counter() - received) * 1e9)
            record.latency.seconds, record.latency.nanos = divmod(latency_nanos, 1_000_000_000)
            written = self._head(generation) + record.SerializeToString() + decided
            return self._file.append(written)
        except StoreUnavailable:
            self._metrics.count_lost_decision()
            return None

    def _head(self, generation: Generation) -> bytes:
        """Return the fields that many records have alike."""
        key_id = self._kept.keys.current.key_id
        of = (generation.bundle_version, generation.policy_version, key_id, calling().name)
        head = self._heads.get(of)
        if head is None:
            bundle_version, policy_version, key_id, caller = of
            head = journal_pb2.DecisionRecord(
                record_version=RECORD_VERSION,
                caller=caller,
                hash_key_id=key_id,
                bundle_version=bundle_version,
                policy_version=policy_version,
            ).SerializeToString()
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[of] = head
        return head
