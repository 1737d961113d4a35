"""What is read off the messages of the journal, the same way for all of them.

Owns who stands in a message, and how its numbers and names are read. All ids in the messages are
hashed already; a participant that is absent has been erased.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.v1 import feedback_service_pb2, journal_pb2, participant_pb2

Ids = tuple[bytes, ...]
"""Hashes of one participant, its own first."""

PARTICIPANT_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "chat_started": ("participant_a", "participant_b"),
    "chat_ended": ("participant_a", "participant_b"),
    "report": ("reporter", "reported"),
    "review_verdict": ("participant",),
    "hold_placed": ("participant",),
    "hold_released": ("participant",),
    "personal_block": ("blocker", "blocked"),
    "personal_block_lifted": ("blocker", "blocked"),
    "appeal_outcome": ("participant",),
}
"""Where the participants stand in each kind of event."""


_RECONCILIATIONS: Final[Mapping[int, str]] = {
    number: name.removeprefix("RECONCILIATION_") if number else ""
    for name, number in journal_pb2.Reconciliation.items()
}


def event_participants(event: feedback_service_pb2.Event) -> tuple[Ids, ...]:
    """Return the ids of everybody in an event, the erased left out."""
    kind = event.WhichOneof("event")
    if kind is None:
        return ()
    content = getattr(event, kind)
    return tuple([ids_of(getattr(content, field)) for field in PARTICIPANT_FIELDS[kind]])


def ids_of(
    reference: participant_pb2.ParticipantReference | participant_pb2.Participant,
) -> Ids:
    """Return the hashes of a participant of a record, its own first; empty: it was erased."""
    own = reference.participant_id
    if not own:
        return ()
    linked = reference.linked_ids
    if not linked:
        return (bytes.fromhex(own),)
    return tuple(dict.fromkeys([bytes.fromhex(own), *map(bytes.fromhex, linked)]))


def seconds(time: Timestamp | Duration) -> float:
    """Return the seconds of a duration, or of a time since 1970."""
    return time.seconds + time.nanos * 1e-9


def reconciliation_name(value: journal_pb2.Reconciliation.ValueType) -> str:
    """Return the name of an agreement without its prefix; "": there is none yet."""
    name = _RECONCILIATIONS.get(value)
    # Of one that only a newer program knows this raises.
    return journal_pb2.Reconciliation.Name(value) if name is None else name


def optional_probability(message: Any, field: str) -> float | None:
    """Return a probability; None: there is none, and what is no number is none."""
    value = float(getattr(message, field)) if message.HasField(field) else math.nan
    return None if math.isnan(value) else min(max(value, 0.0), 1.0)
