"""Decisions as they are found again: what was decided, on what, and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf import text_format

from pairguard.policy.state import StoredState
from pairguard.risk.participant import Participant
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.generation import load_generation
from pairguard.server.request_conversion import read_participant
from pairguard.server.violations import Violations
from pairguard.store.opening import sqlite_path
from pairguard.v1 import participant_pb2
from pairguard.v1.assessment_pb2 import ADMISSION_ADULTS
from pairguard.v1.journal_pb2 import DecisionRecord
from pairguard.v1.pair_risk_service_pb2 import GetDecisionRequest
from tests.domain import NOW
from tests.integration.server.platform_calls import (
    ADULT_AGE,
    Clock,
    about,
    allowed,
    bare,
    decide,
    ended,
    find_decision,
    happened,
    item,
    keep_evidence,
    pair,
    participant,
    report,
    started,
    verified,
)
from tests.integration.server.running_server import Running, lenient_policy, refusal, serving
from tests.unit.server.requests import ADULT, FACE

CARD = (
    "age_check { method: CHECK_METHOD_CREDIT_CARD threshold_years: 18 result: CHECK_RESULT_OVER }"
)


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(bundle, tmp_path_factory.mktemp("found"), policy=lenient_policy()) as running:
        yield running


def test_a_decision_is_found_as_soon_as_it_is_answered(server: Running) -> None:
    for n in range(10):
        request = pair("p", f"q{n}", request_id=f"r{n}")
        text_format.Merge("context { wait_seconds: 7 modality: MODALITY_TEXT }", request)
        answer = decide(server, request)

        found = find_decision(server, answer.decision_id).decision

        assert found.pair.assessment == answer
        assert found.decision_id == answer.decision_id
        assert found.decision_time == answer.decision_time
        assert found.bundle_version == answer.bundle_version
        assert found.policy_version == answer.policy_version
        assert found.context == request.context
        assert found.latency.seconds == 0
        assert found.latency.nanos > 0
        assert found.record_version == 1
        assert len(found.hash_key_id) == 8
        assert len(found.request_id_hash) == 32
        assert found.pair.allow_probability == 1
        assert found.pair.exposure == answer.minor_adult_probability
        assert found.pair.participant_a.assessment.admission == ADMISSION_ADULTS


def as_judged(message: participant_pb2.Participant) -> Participant:
    """Return a recorded participant as a replay would read it."""
    recorded = participant_pb2.Participant()
    recorded.CopyFrom(message)
    evidence = EvidenceReader("", NOW, Violations()).read(recorded.age_evidence)
    recorded.ClearField("age_evidence")
    signals = dict(recorded.signals)
    history = {name: value for name, value in signals.items() if name.startswith("history.")}
    for name in history:
        del recorded.signals[name]
    violations = Violations()
    read = read_participant(recorded, "participant", now=NOW, violations=violations)
    assert not len(violations)
    return replace(read, age_evidence=evidence, history=history or None)


def assert_replays(server: Running, bundle: Path, decision: DecisionRecord) -> None:
    """Judge a record's inputs again and compare with what was decided, bit for bit."""
    judge = load_generation(bundle, server.settings.policy_file).judge
    used = decision.pair
    time = decision.decision_time.seconds + decision.decision_time.nanos * 1e-9
    again = judge.judge_pair(
        as_judged(used.participant_a.participant),
        as_judged(used.participant_b.participant),
        now=time,
        state=StoredState(),
    )

    risk = again.decision.risk
    assert risk.minor_adult_probability == used.assessment.minor_adult_probability
    assert risk.harm_probability == used.assessment.harm_probability
    assert risk.risk_score == used.assessment.risk_score
    for assessed, recorded in ((again.a, used.participant_a), (again.b, used.participant_b)):
        probabilities = np.asarray(recorded.age_probabilities, np.float32)
        assert np.array_equal(assessed.age.probabilities.astype(np.float32), probabilities)
        adult_age = recorded.assessment.adult_age_years
        assert assessed.age.probability_below(adult_age) == recorded.assessment.probability_minor


def test_inputs_as_sent_give_the_same_scores_again(server: Running, bundle: Path) -> None:
    a = participant(
        "a1",
        "phone",
        more=ADULT + "signals { key: 'account_age_days' value: 1e9 } interests: 'music'"
        " signals { key: 'history.reports_30d' value: 3 } signals { key: 'nobody' value: 1 }"
        " attributes { key: 'client_os' value: 'amiga' } language: 'en-GB-x-private'",
    )
    b = bare("b1")
    b.age_evidence.append(item("face", FACE, "provider: 'Some Vendor Ltd.'"))
    b.age_evidence.append(item("card", CARD))
    answer = decide(server, pair(a, b))

    decision = find_decision(server, answer.decision_id).decision

    assert_replays(server, bundle, decision)
    assert set(decision.pair.participant_a.participant.signals) == {"account_age_days"}


def test_inputs_as_sent_and_as_kept_give_the_same_scores_again(
    server: Running, bundle: Path
) -> None:
    captured = FACE.replace("mean_years", "capture_session: 'sitting' mean_years")
    keep_evidence(server, "a2", item("face", captured), item("card", CARD, "provider: 'Bank A'"))
    keep_evidence(server, "b2", verified("document", ADULT_AGE))
    a = bare("a2")
    a.age_evidence.append(item("card", CARD, "provider: 'Bank A'"))
    a.age_evidence.append(item("face", captured.replace("30", "31")))
    a.age_evidence.append(item("", "self_declared { age_years: 22 }"))

    answer = decide(server, pair(a, bare("b2")))
    decision = find_decision(server, answer.decision_id).decision

    # Two said other things under one id: both counted, and both are told.
    assert len(decision.pair.participant_a.participant.age_evidence) == 4
    assert_replays(server, bundle, decision)


def test_history_that_was_used_gives_the_same_scores_again(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        for n in range(6):
            decision_id = allowed(server, "a", f"p{n}")
            happened(
                server,
                started(f"c{n}", "a", f"p{n}", decision=decision_id),
                ended(f"c{n}", "a", f"p{n}", seconds=3 + n, by="a"),
                report(f"r{n}", f"p{n}", "b"),
            )
            clock.now += 700.25
        answer = decide(server, pair("a", "b"))

        decision = find_decision(server, answer.decision_id).decision

        used = decision.pair.participant_a.participant.signals
        assert used["history.chats_started_24h"] == 6
        assert decision.pair.participant_b.participant.signals["history.reports_received_30d"] == 0
        assert_replays(server, bundle, decision)


def test_the_events_that_name_a_decision_are_told_with_it(server: Running) -> None:
    decision_id = allowed(server, "e1", "e2")
    happened(server, started("chat", "e1", "e2", decision=decision_id))
    later = about(
        "appeal_outcome", "o", "e1", "result: APPEAL_RESULT_CONFIRMED", decision=decision_id
    )
    happened(server, later, ended("chat", "e1", "e2", seconds=4))

    events = find_decision(server, decision_id).events

    assert [each.event.WhichOneof("event") for each in events] == ["chat_started", "appeal_outcome"]
    assert all(each.event.decision_id == decision_id for each in events)
    assert events[0].event.chat_id not in ("chat", "")


@pytest.mark.parametrize(
    ("decision_id", "code"),
    [
        ("f" * 32, grpc.StatusCode.NOT_FOUND),
        ("some-other-form", grpc.StatusCode.NOT_FOUND),
        ("", grpc.StatusCode.INVALID_ARGUMENT),
        ("no such thing!", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_what_was_never_decided_is_not_found(
    server: Running, decision_id: str, code: grpc.StatusCode
) -> None:
    found, info, _ = refusal(
        server.pair_risk.GetDecision, GetDecisionRequest(decision_id=decision_id)
    )

    assert found is code
    assert info.reason in ("DECISION_NOT_FOUND", "FIELD_INVALID", "INVALID_INPUT"), info


def test_a_decision_holds_beliefs_about_ages_and_is_shown_to_whom_these_are(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), allow_full_view=False) as server:
        decision_id = allowed(server, "a", "b")

        code, info, _ = refusal(
            server.pair_risk.GetDecision, GetDecisionRequest(decision_id=decision_id)
        )

        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert info.reason == "FULL_VIEW_NOT_ALLOWED"


def test_while_decisions_cannot_be_imported_nobody_is_told_that_there_is_none(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        path = sqlite_path(server.settings.store)
        assert path is not None
        first = allowed(server, "a", "b")
        find_decision(server, first)
        # Somebody else writes for a long time.
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        second = allowed(server, "a", "c")

        code, info, _ = refusal(
            server.pair_risk.GetDecision, GetDecisionRequest(decision_id=second)
        )
        assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        # What is kept is found all the same.
        assert find_decision(server, first).decision.decision_id == first

        other.execute("ROLLBACK")
        other.close()
        assert find_decision(server, second).decision.decision_id == second
