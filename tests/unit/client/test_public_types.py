"""The types that a caller's own type checker sees; mypy checks these as it does any test."""

from datetime import datetime
from typing import assert_type

import pairguard.client as api
from pairguard.client import (
    AgeEvidence,
    AioClient,
    AssessedAge,
    CallFailure,
    Client,
    DecidedBy,
    Decision,
    PairDecision,
    ParticipantInput,
    Reason,
    self_declared,
)
from pairguard.client.response_values import pair_decision
from pairguard.v1.assessment_pb2 import PairAssessment
from tests.unit.client.answers import DECIDED, allow


def use_the_blocking_client(client: Client, a: ParticipantInput, b: ParticipantInput) -> None:
    """Never run: what a type checker makes of it is the test."""
    with client as opened:
        assert_type(opened, Client)
        assert_type(opened.score_pair(a, b, timeout_seconds=0.1, on_failure="raise"), PairDecision)
        assert_type(opened.assess_age(a), AssessedAge)
        opened.score_pair(a, b, on_failure="allow")  # type: ignore[arg-type]
        opened.score_pair("a", "b")  # type: ignore[arg-type]


async def use_the_aio_client(client: AioClient, a: ParticipantInput, b: ParticipantInput) -> None:
    """Never run: what a type checker makes of it is the test."""
    async with client as opened:
        assert_type(opened, AioClient)
        assert_type(await opened.score_pair(a, b), PairDecision)
        assert_type(await opened.assess_age(a), AssessedAge)


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
