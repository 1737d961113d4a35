"""Items on their way into the record: which of them the service has answered for.

Owns that nothing counts as recorded that was not answered so. It must not know calls.
"""

from __future__ import annotations

from collections.abc import Sequence

from pairguard.client.events import Event
from pairguard.client.evidence import AgeEvidence
from pairguard.client.failure import CallFailure, FailureKind, LocalFailure
from pairguard.client.record_values import record_results
from pairguard.client.records import NotRecorded, RecordItem, RecordResult, UnsafeChat
from pairguard.v1 import record_result_pb2


class Recording:
    """The items of one call of the client, which may take several requests.

    Args:
        items: All of them.

    Attributes:
        unsafe_chats: Chats that must be ended, as far as the service told.
    """

    def __init__(self, items: Sequence[RecordItem]) -> None:
        self._items = tuple(items)
        self._answered: dict[int, RecordResult] = {}
        self.unsafe_chats: tuple[UnsafeChat, ...] = ()

    def take(
        self, start: int, count: int, results: Sequence[record_result_pb2.RecordResult]
    ) -> None:
        """Note the results of one request.

        Args:
            start: Position of its first item.
            count: How many items it had.
            results: What the service answered.

        Raises:
            LocalFailure: There is not a usable result for each item; the others are noted.
        """
        items = self._items[start : start + count]
        read = record_results([_id(item) for item in items], results)
        self._answered.update(
            (position, result)
            for position, result in enumerate(read, start=start)
            if result is not None
        )
        if None in read:
            raise LocalFailure(
                FailureKind.RESPONSE_INVALID, "missing or unusable in the answer: status"
            )

    @property
    def results(self) -> tuple[RecordResult, ...]:
        """What became of the items that the service answered for, in order."""
        return tuple(self._answered[position] for position in sorted(self._answered))

    def not_recorded(self, failure: CallFailure) -> NotRecorded:
        """Return the error for a request that failed."""
        unrecorded = [
            item for position, item in enumerate(self._items) if position not in self._answered
        ]
        return NotRecorded(
            failure,
            unrecorded_events=tuple(item for item in unrecorded if isinstance(item, Event)),
            unrecorded_evidence=tuple(i for i in unrecorded if isinstance(i, AgeEvidence)),
            results=self.results,
            unsafe_chats=self.unsafe_chats,
        )


def _id(item: Event | AgeEvidence) -> str:
    return item.event_id if isinstance(item, Event) else item.evidence_id
