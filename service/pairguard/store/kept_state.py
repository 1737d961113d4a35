"""What the rules were told of what is kept, as it is recorded with a decision.

Owns both directions, so that a decision can be made again from its record alone. It must not know
where any of it is counted.
"""

from __future__ import annotations

from typing import Final

from pairguard.policy.state import (
    NOTHING_KEPT,
    NOTHING_KEPT_OF_CHATS,
    KeptState,
    StoredState,
)
from pairguard.store.wire import Numbers, enclosed, tag
from pairguard.v1 import journal_pb2

_BETWEEN: Final = tag(journal_pb2.PairDecision, "kept_between")
_COUNTS: Final = tag(journal_pb2.ParticipantRecord, "kept_counts")
_NUMBERS: Final = Numbers(
    journal_pb2.KeptCounts,
    "decisions_24h",
    "allowed_24h",
    "reroutes_24h",
    "exposure_24h",
    "chats_started_24h",
    "reporters_30d",
    "partners_30d",
)


def between_bytes(state: StoredState) -> bytes:
    """Return what is kept between two participants, a field of a ``PairDecision``."""
    if state.readable and not state.personal_block and state.seconds_since_last_met is None:
        return _NOTHING_BETWEEN
    return _between(state)


def between_of(state: StoredState) -> journal_pb2.KeptBetween:
    """Return what is kept between two participants."""
    return journal_pb2.KeptBetween(
        readable=state.readable,
        personal_block=state.personal_block,
        seconds_since_last_met=state.seconds_since_last_met,
    )


def _between(state: StoredState) -> bytes:
    return enclosed(_BETWEEN, between_of(state).SerializeToString())


def counts_bytes(kept: KeptState) -> bytes:
    """Return what is kept of a participant, a field of a ``ParticipantRecord``."""
    if kept is NOTHING_KEPT:
        return _NO_COUNTS
    if kept is NOTHING_KEPT_OF_CHATS:
        return _NO_CHATS
    return enclosed(_COUNTS, _counts(kept))


def _counts(kept: KeptState) -> bytes:
    others = journal_pb2.KeptCounts(
        chats_counted=kept.chats_counted,
        partner_minor_mean_24h=kept.partner_minor_mean_24h,
        upheld_harm=kept.upheld_harm,
    )
    if kept.held_for:
        others.held_for.extend(kept.held_for)
    return others.SerializeToString() + _NUMBERS.written(
        kept.decisions_24h,
        kept.allowed_24h,
        kept.reroutes_24h,
        kept.exposure_24h,
        kept.chats_started_24h,
        kept.reporters_30d,
        kept.partners_30d,
    )


_NOTHING_BETWEEN: Final = _between(StoredState())
_NO_COUNTS: Final = enclosed(_COUNTS, b"")
_NO_CHATS: Final = enclosed(_COUNTS, _counts(NOTHING_KEPT_OF_CHATS))


def read_kept(
    decided: journal_pb2.PairDecision | journal_pb2.RankingCandidate,
    a: journal_pb2.ParticipantRecord,
    b: journal_pb2.ParticipantRecord,
) -> StoredState | None:
    """Return what the rules were told of what is kept; None: the record does not hold it all.

    Args:
        decided: What was decided on the two.
        a: The one.
        b: The other.
    """
    whole = (
        decided.HasField("kept_between") and a.HasField("kept_counts") and b.HasField("kept_counts")
    )
    if not whole:
        return None
    between = decided.kept_between
    since = between.seconds_since_last_met if between.HasField("seconds_since_last_met") else None
    return StoredState(
        readable=between.readable,
        a=_read_counts(a.kept_counts),
        b=_read_counts(b.kept_counts),
        personal_block=between.personal_block,
        seconds_since_last_met=since,
    )


def _read_counts(message: journal_pb2.KeptCounts) -> KeptState:
    mean_is_known = message.HasField("partner_minor_mean_24h")
    return KeptState(
        held_for=tuple(message.held_for),
        chats_counted=message.chats_counted,
        decisions_24h=message.decisions_24h,
        allowed_24h=message.allowed_24h,
        reroutes_24h=message.reroutes_24h,
        exposure_24h=message.exposure_24h,
        chats_started_24h=message.chats_started_24h,
        partner_minor_mean_24h=message.partner_minor_mean_24h if mean_is_known else None,
        reporters_30d=message.reporters_30d,
        partners_30d=message.partners_30d,
        upheld_harm=message.upheld_harm,
    )
