"""What the start of a chat adds to the exposure of its two, by what it started from."""

from __future__ import annotations

import pytest

from pairguard.history.changes import Decided
from pairguard.history.row import Row
from pairguard.server.event_completion import EventCompletion
from pairguard.server.generation import read_policy
from pairguard.store.ports import KeptParticipant
from pairguard.v1.journal_pb2 import (
    RECONCILIATION_AGAINST_DECISION,
    RECONCILIATION_AS_DECIDED,
    RECONCILIATION_UNSPECIFIED,
    RECONCILIATION_WITHOUT_DECISION,
    DecisionRecord,
    EventRecord,
)

NOON = 1_795_000_000.0
ANN, BEA, CAT = bytes([1]) * 16, bytes([2]) * 16, bytes([3]) * 16
RANKING = "f" * 32
POLICY = read_policy(None)


def start(a: bytes, b: bytes, decision_id: str = RANKING) -> EventRecord:
    message = EventRecord()
    message.event.event_id = "e" * 32
    message.event.chat_id = "c" * 32
    message.event.decision_id = decision_id
    message.event.chat_started.participant_a.participant_id = a.hex()
    message.event.chat_started.participant_b.participant_id = b.hex()
    message.receive_time.seconds = int(NOON)
    return message


def ranking(
    code: str = "ADULTS_MEET", *, place: bool = True, assessed: bool = True
) -> DecisionRecord:
    record = DecisionRecord(decision_id=RANKING)
    record.ranking.expire_time.seconds = int(NOON) + 60
    record.ranking.seeker.participant.participant_id = ANN.hex()
    record.ranking.seeker.assessment.probability_minor = 0.125
    candidate = record.ranking.candidates.add(reason_codes=[code])
    candidate.participant.participant.participant_id = BEA.hex()
    candidate.participant.assessment.probability_minor = 0.25
    if place:
        candidate.place = 1
    if assessed:
        candidate.minor_adult_probability = 0.03125
    return record


def kept(minor: float | None) -> KeptParticipant:
    if minor is None:
        return KeptParticipant()
    row = Row()
    row.apply(Decided(NOON, True, 0.0, minor, None))
    return KeptParticipant((row.written(),))


def completed(
    message: EventRecord,
    decision: DecisionRecord | None,
    *,
    minors: tuple[float | None, float | None] = (None, None),
) -> EventRecord:
    people = {ANN: kept(minors[0]), BEA: kept(minors[1]), CAT: kept(None)}
    decisions = {} if decision is None else {decision.decision_id: decision}
    EventCompletion(people, decisions, NOON).complete([message], POLICY)
    return message


@pytest.mark.parametrize("seeker_is_a", [True, False])
def test_a_chat_from_a_ranking_adds_what_the_pair_was_ranked_with(seeker_is_a: bool) -> None:
    both = (ANN, BEA) if seeker_is_a else (BEA, ANN)
    message = completed(start(*both), ranking())

    assert message.reconciliation == RECONCILIATION_AS_DECIDED
    assert message.exposure == 0.03125
    minors = (message.participant_a_probability_minor, message.participant_b_probability_minor)
    assert minors == ((0.125, 0.25) if seeker_is_a else (0.25, 0.125))


def test_who_met_without_being_offered_is_exposed_all_the_same() -> None:
    message = completed(start(ANN, BEA), ranking("AGE_UNKNOWN", place=False))

    assert message.reconciliation == RECONCILIATION_AGAINST_DECISION
    assert message.exposure == 0.03125


@pytest.mark.parametrize(
    ("decision", "exposure"),
    [(ranking("CLOSE_IN_AGE"), 0.0), (ranking(assessed=False), 1.0)],
)
def test_what_is_certain_adds_nothing_and_what_is_unknown_all(
    decision: DecisionRecord, exposure: float
) -> None:
    assert completed(start(ANN, BEA), decision).exposure == exposure


def test_who_was_no_candidate_adds_nothing_by_the_ranking() -> None:
    message = completed(start(ANN, CAT), ranking())

    assert message.reconciliation == RECONCILIATION_AGAINST_DECISION
    assert not message.HasField("exposure")


def test_a_start_whose_ranking_is_not_found_yet_adds_what_the_ages_say() -> None:
    message = completed(start(ANN, BEA), None, minors=(0.25, 0.5))

    assert message.reconciliation == RECONCILIATION_UNSPECIFIED
    assert message.exposure == 0.25 * 0.5 + 0.5 * 0.75


def test_a_start_whose_decision_on_the_pair_is_not_found_yet_adds_nothing_again() -> None:
    message = completed(start(ANN, BEA, "1" * 32), None, minors=(0.25, 0.5))

    assert message.reconciliation == RECONCILIATION_UNSPECIFIED
    assert not message.HasField("exposure")


@pytest.mark.parametrize("minors", [(None, 0.5), (0.5, None), (None, None)])
def test_of_unknown_ages_it_adds_nothing(minors: tuple[float | None, float | None]) -> None:
    assert not completed(start(ANN, BEA), None, minors=minors).HasField("exposure")


def test_a_start_without_a_decision_adds_nothing() -> None:
    message = completed(start(ANN, BEA, ""), None, minors=(0.25, 0.5))

    assert message.reconciliation == RECONCILIATION_WITHOUT_DECISION
    assert not message.HasField("exposure")
