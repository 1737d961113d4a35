"""Decisions looked up in the journal: for ``GetDecision``, for chats, for appeals.

Owns that what this machine has decided is imported first, so that a decision made a moment ago is
found, and that a start whose decision was still on its way is compared with it later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from pairguard.errors import StoreUnavailable
from pairguard.server.chat_agreement import agreement
from pairguard.server.errors import DecisionNotFound
from pairguard.server.metrics import Metrics
from pairguard.server.response_conversion import put_into_words, reasons_of
from pairguard.store.ports import KeptRecord, ParticipantStore, RecordKind
from pairguard.store.record_fields import reconciliation_name, seconds
from pairguard.v1 import journal_pb2, pair_risk_service_pb2

FLUSH_SECONDS: Final = 1.0
"""How long a look-up waits for what is being imported."""
PENDING_SECONDS: Final = 60.0
"""After how long a decision that has not been found is taken not to exist."""
_CHATS_AT_ONCE: Final = 500
_GIVE_UP_SECONDS: Final = 86_400.0


class FindDecisions(Protocol):
    """Looks decisions up; see ``JournalReading.find_decisions``."""

    def __call__(
        self, decision_ids: Sequence[str], *, certain: bool = False
    ) -> Mapping[str, journal_pb2.DecisionRecord]:
        """Return the records of these decisions."""


class JournalReading:
    """Looks decisions up.

    Args:
        store: Where they are kept.
        flush: Imports what this machine has decided; returns whether that is done.
        metrics: Where chats are counted.
    """

    def __init__(
        self,
        store: ParticipantStore,
        metrics: Metrics,
        *,
        flush: Callable[[float], bool],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._flush = flush

    def find_decisions(
        self, decision_ids: Sequence[str], *, certain: bool = False
    ) -> Mapping[str, journal_pb2.DecisionRecord]:
        """Return the records of these decisions; those that are not kept are left out.

        Args:
            decision_ids: Whose records are wanted.
            certain: Whether one that is left out must not be on its way from this machine.

        Raises:
            StoreUnavailable: It cannot be told.
        """
        found, is_certain = self._look_up(decision_ids)
        if certain and not is_certain:
            raise StoreUnavailable("decisions of this machine cannot be imported now")
        return found

    def get_decision(self, decision_id: str) -> pair_risk_service_pb2.GetDecisionResponse:
        """Return a decision and the events that name it.

        Raises:
            DecisionNotFound: There is no such decision, or it is no longer kept.
            StoreUnavailable: It cannot be told.
        """
        decision = self.find_decisions([decision_id], certain=True).get(decision_id)
        if decision is None or decision.WhichOneof("subject") == "shadow":
            raise DecisionNotFound
        for reason in reasons_of(decision.pair.assessment):
            put_into_words(reason)
        events = [event for _, event in _events(self._store.events_of(decision_id))]
        return pair_risk_service_pb2.GetDecisionResponse(decision=decision, events=events)

    def reconcile_pending(self, now: float) -> int:
        """Compare starts of chats with decisions that had not been found; return how many.

        One whose decision may still be on its way waits on, for a day at most: nobody is taken for
        a bypass because this machine cannot import.

        Raises:
            StoreUnavailable: It cannot be done now.
        """
        pending = self._store.pending_chats(now - PENDING_SECONDS, _CHATS_AT_ONCE)
        events = _events(pending)
        wanted = dict.fromkeys(event.event.decision_id for _, event in events)
        found, is_certain = self._look_up([*wanted]) if events else ({}, True)
        compared = 0
        for record_id, event in events:
            decision = found.get(event.event.decision_id)
            waited = now - seconds(event.receive_time)
            if decision is None and not is_certain and waited < _GIVE_UP_SECONDS:
                continue
            event.reconciliation = agreement(event, decision)
            name = reconciliation_name(event.reconciliation)
            self._store.reconcile(record_id, event.SerializeToString(deterministic=True), name)
            self._metrics.count_chat(name)
            compared += 1
        return compared

    def last_chat_time(self) -> float | None:
        """Return when the start of a chat was recorded last; None: none is kept.

        Raises:
            StoreUnavailable: It cannot be told.
        """
        latest = (
            record
            for value in journal_pb2.Reconciliation.values()
            for record in self._store.reconciled(reconciliation_name(value), 1)
        )
        return max((seconds(each.receive_time) for _, each in _events(latest)), default=None)

    def _look_up(
        self, decision_ids: Sequence[str]
    ) -> tuple[dict[str, journal_pb2.DecisionRecord], bool]:
        """Return what is found, and whether what is missing is surely not on its way."""
        found = self._find(decision_ids)
        missing = [each for each in decision_ids if each not in found]
        if not missing:
            return found, True
        is_certain = self._flush(FLUSH_SECONDS)
        found.update(self._find(missing))
        return found, is_certain

    def _find(self, decision_ids: Sequence[str]) -> dict[str, journal_pb2.DecisionRecord]:
        found = self._store.find_records(RecordKind.DECISION, decision_ids)
        decisions = {}
        for key, record in found.items():
            with suppress(DecodeError):  # what is damaged is as good as not kept
                decisions[key] = journal_pb2.DecisionRecord.FromString(record.payload)
        return decisions


def _events(records: Iterable[KeptRecord]) -> list[tuple[str, journal_pb2.EventRecord]]:
    """Return events and the ids of their records, without the damaged ones."""
    events = []
    for record in records:
        with suppress(DecodeError):
            events.append((record.record_id, journal_pb2.EventRecord.FromString(record.payload)))
    return events
