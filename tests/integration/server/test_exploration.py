"""A server that turns some pairs away by chance: what it answers, and what it records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairguard.store.kept_state import read_kept
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_REROUTE
from tests.integration.server.platform_calls import (
    bare,
    codes,
    decide,
    find_decision,
    pair,
)
from tests.integration.server.running_server import Running, lenient_policy, serving

SHARE = 0.2


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("exploring")
    with serving(bundle, directory, policy=lenient_policy(reroute_share=str(SHARE))) as running:
        yield running


def test_some_pairs_are_turned_away_and_the_record_says_with_what_probability(
    server: Running,
) -> None:
    turned_away = 0
    for n in range(150):
        answer = decide(server, pair(f"a{n}", f"b{n}"))
        record = find_decision(server, answer.decision_id).decision
        drawn = server.application._parts.store.keys.hash(f"exploration:{answer.decision_id}")
        expected = int.from_bytes(drawn[:8]) / 2.0**64 < SHARE
        # Drawn again from the record and the key alone.
        assert (answer.decision == DECISION_REROUTE) is expected
        assert codes(answer) == (["EXPLORATION"] if expected else ["ADULTS_MEET"])
        assert record.pair.allow_probability == 1.0 - SHARE
        assert record.pair.exposure == (0.0 if expected else answer.minor_adult_probability)
        assert not answer.age_checks
        turned_away += expected
    # 30 of 150 are expected; beyond these bounds with a probability below 1e-8.
    assert 4 < turned_away < 66


def test_what_is_forbidden_is_never_drawn(server: Running) -> None:
    for n in range(20):
        answer = decide(server, pair(bare(f"u{n}"), f"v{n}"))

        assert answer.decision == DECISION_REROUTE
        assert codes(answer)[0] == "AGE_UNKNOWN"
        record = find_decision(server, answer.decision_id).decision
        assert record.pair.allow_probability == 0.0


def test_a_repeat_gets_the_same_answer_whatever_was_drawn(server: Running) -> None:
    for n in range(30):
        request = pair(f"r{n}", f"s{n}", request_id=f"once-{n}")
        answers = [decide(server, request) for _ in range(3)]

        assert answers[0] == answers[1] == answers[2]


def test_by_default_nothing_is_drawn(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        answers = [decide(server, pair(f"a{n}", f"b{n}")) for n in range(20)]
        record = find_decision(server, answers[-1].decision_id).decision

    assert {answer.decision for answer in answers} == {DECISION_ALLOW}
    assert record.pair.allow_probability == 1.0


def test_a_record_holds_all_that_the_rules_were_told(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        answers = [decide(server, pair("busy", f"b{n}")) for n in range(3)]
        record = find_decision(server, answers[-1].decision_id).decision

    kept = record.pair
    state = read_kept(kept, kept.participant_a, kept.participant_b)
    assert state is not None
    assert state.readable
    assert not state.personal_block
    assert state.seconds_since_last_met is None
    assert state.a.decisions_24h == state.a.allowed_24h == 2.0
    assert state.a.exposure_24h == pytest.approx(
        sum(answer.minor_adult_probability for answer in answers[:2])
    )
    assert state.b.decisions_24h == 0.0
    assert state.b.held_for == ()
    kept.participant_b.ClearField("kept_counts")
    assert read_kept(kept, kept.participant_a, kept.participant_b) is None
