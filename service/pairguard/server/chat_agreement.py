"""Whether a chat that started agrees with a decision.

Owns the comparison of a start with the record of the decision that it names. It must not know where
either is kept.
"""

from __future__ import annotations

from typing import TypeAlias

from pairguard.store.record_fields import Ids, event_participants, ids_of, seconds
from pairguard.v1 import assessment_pb2, journal_pb2

Agreement: TypeAlias = journal_pb2.Reconciliation.ValueType


def agreement(
    event: journal_pb2.EventRecord, decision: journal_pb2.DecisionRecord | None
) -> Agreement:
    """Return how the start of a chat agrees with its decision.

    Args:
        event: The start, ids hashed.
        decision: The decision that it names; None: it names none, or there is no such decision.
    """
    if decision is None:
        return journal_pb2.RECONCILIATION_WITHOUT_DECISION
    if decision.WhichOneof("subject") != "pair":
        return _of_ranking(event, decision)
    pair = decision.pair
    sides = (ids_of(pair.participant_a.participant), ids_of(pair.participant_b.participant))
    if pair.assessment.decision != assessment_pb2.DECISION_ALLOW or not _are(event, sides):
        return journal_pb2.RECONCILIATION_AGAINST_DECISION
    return _in_time(event, seconds(pair.assessment.expire_time))


def met_by_ranking(
    event: journal_pb2.EventRecord, decision: journal_pb2.DecisionRecord
) -> tuple[journal_pb2.RankingCandidate, bool] | None:
    """Return whom the seeker of a ranking met by the start of a chat.

    Returns:
        The candidate, and whether the seeker is the event's ``participant_a``; None: the decision
        is no ranking, or not of these two.
    """
    ranking = decision.ranking
    seeker = ids_of(ranking.seeker.participant)
    for candidate in ranking.candidates:
        if _are(event, (seeker, ids_of(candidate.participant.participant))):
            first, *_ = event_participants(event.event)
            return candidate, not set(first).isdisjoint(seeker)
    return None


def _of_ranking(event: journal_pb2.EventRecord, decision: journal_pb2.DecisionRecord) -> Agreement:
    met = met_by_ranking(event, decision)
    if met is None or not met[0].HasField("place"):
        return journal_pb2.RECONCILIATION_AGAINST_DECISION
    return _in_time(event, seconds(decision.ranking.expire_time))


def _are(event: journal_pb2.EventRecord, sides: tuple[Ids, Ids]) -> bool:
    """Return whether the two of a chat are the two of a decision; an erased one is nobody's."""
    met = event_participants(event.event)
    if len(met) != 2 or not all(met) or not all(sides):
        return False
    one, other = (frozenset(ids) for ids in met)
    a, b = sides
    straight = not one.isdisjoint(a) and not other.isdisjoint(b)
    crossed = not one.isdisjoint(b) and not other.isdisjoint(a)
    return straight or crossed


def _in_time(event: journal_pb2.EventRecord, expire_time: float) -> Agreement:
    started = event.event.event_time if event.event.HasField("event_time") else event.receive_time
    if seconds(started) > expire_time:
        return journal_pb2.RECONCILIATION_AFTER_EXPIRY
    return journal_pb2.RECONCILIATION_AS_DECIDED
