"""How messages are hashed now: with the current key, and the names of the bundle that serves.

Owns that this is put together once for each key and generation: doing so costs ten times what
hashing a message does.
"""

from __future__ import annotations

import weakref

from pairguard.server.generation import Generation
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.known_names import KnownNames
from pairguard.server.participant_writing import ParticipantWriting
from pairguard.server.record_hashing import RecordHashing
from pairguard.store.identity import IdentityKeys


class CurrentHashing:
    """Hands out what hashes messages.

    Args:
        kept: Where the keys come from.
    """

    def __init__(self, kept: KeptParticipants) -> None:
        self._kept = kept
        # Weakly: a generation that serves no more is not to be kept in memory by this.
        self._last: tuple[IdentityKeys, weakref.ref[Generation], ParticipantWriting] | None = None

    def of(self, generation: Generation) -> RecordHashing:
        """Return what hashes messages for a generation.

        Raises:
            StoreUnavailable: There are no keys yet.
        """
        return self.writing(generation).hashing

    def writing(self, generation: Generation) -> ParticipantWriting:
        """Return what writes participants for a generation.

        Raises:
            StoreUnavailable: There are no keys yet.
        """
        keys = self._kept.keys
        last = self._last
        if last is None or last[0] is not keys or last[1]() is not generation:
            model = generation.judge.model
            known = KnownNames.of(model.catalogue, model.tables)
            writing = ParticipantWriting(RecordHashing(keys.hash, known), known)
            last = (keys, weakref.ref(generation), writing)
            self._last = last
        return last[2]
