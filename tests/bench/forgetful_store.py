"""A server that keeps nothing: the floor that keeping is measured against.

Owns a store that always answers "nothing is kept" without looking, and a journal that goes nowhere.
For measuring alone: no decision of such a server is recorded and no hold holds.
"""

from collections.abc import Sequence

from pairguard.store.ports import KeptParticipant
from pairguard.store.segments.framing import Position
from pairguard.store.sqlite import SqliteStore

_NOTHING = KeptParticipant()


class ForgetfulStore(SqliteStore):
    """Has keys, and looks at nothing."""

    def read(
        self,
        participants: Sequence[Sequence[bytes]],
        *,
        now: float,  # noqa: ARG002 - nothing ever begins or ends
    ) -> tuple[KeptParticipant, ...]:
        return (_NOTHING,) * len(participants)


class NoJournal:
    """Takes records and writes none."""

    def append(self, payload: bytes) -> Position:
        return Position("none", len(payload))
