"""The types that a caller's own type checker sees; mypy checks these as it does any test."""

from datetime import datetime
from typing import TypeAlias, assert_type

import pairguard.client as api
from pairguard.client import (
    AgeEvidence,
    AioClient,
    AssessedAge,
    CallFailure,
    Client,
    DecidedBy,
    Decision,
    Erasure,
    Event,
    NotRecorded,
    PairDecision,
    ParticipantInput,
    ParticipantReference,
    Reason,
    RecordedDecision,
    RecordedEvidence,
    RecordResult,
    Report,
    self_declared,
)
from pairguard.client.response_values import pair_decision
from pairguard.v1.assessment_pb2 import PairAssessment
from tests.unit.client.answers import DECIDED, allow

X, Y = ParticipantReference("x"), ParticipantReference("y")
Results: TypeAlias = tuple[RecordResult, ...]


def send_again(client: Client, events: list[Event]) -> None:
    """Never run: what a type checker makes of it is the test."""
    try:
        client.record_events(events)
    except NotRecorded as error:
        client.record_events(error.unrecorded_events)


def use_the_blocking_client(client: Client, a: ParticipantInput, b: ParticipantInput) -> None:
    """Never run: what a type checker makes of it is the test."""
    with client as opened:
        assert_type(opened, Client)
        assert_type(opened.score_pair(a, b, timeout_seconds=0.1, on_failure="raise"), PairDecision)
        assert_type(opened.assess_age(a), AssessedAge)
        assert_type(opened.record_events([Event(Report(reporter=X, reported=Y))]), Results)
        assert_type(opened.record_age_evidence(X, [self_declared(age_years=17)]), RecordedEvidence)
        assert_type(opened.erase_participant(X), Erasure)
        assert_type(opened.get_decision("d"), RecordedDecision)
        opened.record_events(Report(reporter=X, reported=Y))  # type: ignore[arg-type]
        opened.score_pair(a, b, on_failure="allow")  # type: ignore[arg-type]
        opened.score_pair("a", "b")  # type: ignore[arg-type]


async def use_the_aio_client(client: AioClient, a: ParticipantInput, b: ParticipantInput) -> None:
    """Never run: what a type checker makes of it is the test."""
    async with client as opened:
        assert_type(opened, AioClient)
        assert_type(await opened.score_pair(a, b), PairDecision)
        assert_type(await opened.assess_age(a), AssessedAge)
        assert_type(await opened.record_events([]), Results)
        assert_type(await opened.record_age_evidence(X, []), RecordedEvidence)
        assert_type(await opened.erase_participant(X), Erasure)
        assert_type(await opened.get_decision("d"), RecordedDecision)


def test_an_answer_has_the_types_that_it_states() -> None:
    decision = pair_decision(allow(), received_time=DECIDED)

    assert_type(decision.decision, Decision)
    assert_type(decision.decided_by, DecidedBy)
    assert_type(decision.allowed, bool)
    assert_type(decision.minor_adult_probability, float | None)
    assert_type(decision.reasons, tuple[Reason, ...])
    assert_type(decision.expire_time, datetime | None)
    assert_type(decision.error, CallFailure | None)
    assert_type(decision.message, PairAssessment | None)
    assert_type(self_declared(age_years=17), AgeEvidence)


def test_all_public_names_are_there() -> None:
    assert [name for name in api.__all__ if not hasattr(api, name)] == []
