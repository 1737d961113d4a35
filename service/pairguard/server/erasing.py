"""What ``EraseParticipant`` does: remove what is kept of a participant, but for holds.

Owns that what was decided a moment ago is erased, too. It must not know how anything is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pairguard.errors import StoreUnavailable
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.server.reference_conversion import read_erase_participant
from pairguard.store.ports import ErasureStatus, ParticipantStore
from pairguard.v1 import feedback_service_pb2

_FLUSH_SECONDS: Final = 5.0
_STATUSES: Final = {
    status: feedback_service_pb2.ErasureStatus.Value(f"ERASURE_STATUS_{status}")
    for status in ErasureStatus
}


class Erasing:
    """Erases participants.

    Args:
        store: Where they are kept.
        kept: Where the keys come from.
        metrics: Where erasures are counted.
        clock: Seconds since 1970.
        flush: Imports what this machine has decided; returns whether that is done.
    """

    def __init__(
        self,
        store: ParticipantStore,
        kept: KeptParticipants,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        flush: Callable[[float], bool],
    ) -> None:
        self._store = store
        self._kept = kept
        self._metrics = metrics
        self._clock = clock
        self._flush = flush

    def erase(
        self, request: feedback_service_pb2.EraseParticipantRequest
    ) -> feedback_service_pb2.EraseParticipantResponse:
        """Erase one participant; durable when this returns.

        Raises:
            InvalidInput: The participant is wrong.
            StoreUnavailable: It is not erased.
        """
        raw_ids = read_erase_participant(request)
        # What is still on its way to the store is erased when it arrives, if it must.
        self._flush(_FLUSH_SECONDS)
        try:
            erasure = self._store.erase(self._kept.keys.hashes(raw_ids), now=self._clock())
        except StoreUnavailable:
            self._metrics.count_store_error("erase")
            raise
        self._metrics.count_erasure(erasure.status)
        return feedback_service_pb2.EraseParticipantResponse(
            status=_STATUSES[erasure.status],
            kept_hold_count=erasure.kept_holds,
            unlinked_record_count=erasure.unlinked_records,
        )
