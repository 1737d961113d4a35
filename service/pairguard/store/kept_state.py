"""What the rules were told of what is kept, as it is recorded with a decision.

Owns both directions, so that a decision can be made again from its record alone. It must not know
where any of it is counted.
"""

from __future__ import annotations

from pairguard.policy.state import NOTHING_KEPT, KeptState, StoredState
from pairguard.v1 import journal_pb2


def write_kept(pair: journal_pb2.PairDecision, state: StoredState) -> None:
    """Write what is kept of both participants of a pair and between them."""
    write_between(pair.kept_between, state)
    write_counts(pair.participant_a.kept_counts, state.a)
    write_counts(pair.participant_b.kept_counts, state.b)


def write_between(message: journal_pb2.KeptBetween, state: StoredState) -> None:
    """Write what is kept between the two of a pair."""
    message.readable = state.readable
    message.personal_block = state.personal_block
    if state.seconds_since_last_met is not None:
        message.seconds_since_last_met = state.seconds_since_last_met


def write_counts(message: journal_pb2.KeptCounts, kept: KeptState) -> None:
    """Write what is kept of one participant."""
    message.SetInParent()
    if kept is NOTHING_KEPT:
        return
    message.held_for.extend(kept.held_for)
    message.chats_counted = kept.chats_counted
    message.decisions_24h = kept.decisions_24h
    message.allowed_24h = kept.allowed_24h
    message.reroutes_24h = kept.reroutes_24h
    message.exposure_24h = kept.exposure_24h
    message.chats_started_24h = kept.chats_started_24h
    if kept.partner_minor_mean_24h is not None:
        message.partner_minor_mean_24h = kept.partner_minor_mean_24h
    message.reporters_30d = kept.reporters_30d
    message.partners_30d = kept.partners_30d
    message.upheld_harm = kept.upheld_harm


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
