"""Requests that are sent again: the same answer, unless a hard rule would stop the pair by now."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from tests.domain import NOW
from tests.integration.server.platform_calls import (
    MINOR_AGE,
    Clock,
    about,
    bare,
    between,
    codes,
    decide,
    find_decision,
    happened,
    history_of,
    import_decisions,
    keep_evidence,
    pair,
    report,
    started,
    verified,
)
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    BrokenStore,
    Running,
    lenient_policy,
    refusal,
    serving,
)


def answer_bytes(server: Running, *, a: str = "a", b: str = "b", request_id: str = "r1") -> bytes:
    request = pair(a, b, request_id=request_id)
    response = server.pair_risk.ScorePair(request, timeout=TIMEOUT_SECONDS)
    return response.SerializeToString(deterministic=True)


def test_a_repeat_gets_the_same_answer_also_from_another_server(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with (
        serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server,
        # Two processes on one machine: the same store, the same directory of the journal.
        serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as second,
    ):
        first = answer_bytes(server)
        clock.now += 100
        assert answer_bytes(server) == first
        assert answer_bytes(second) == first
        assert answer_bytes(server, request_id="r2") != first
        assert server.metric("pairguard_repeated_requests_total") == 1
        assert server.metric("pairguard_decisions_total", decision="ALLOW") == 2
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        assert answer_bytes(server) == first


def test_a_repeat_counts_no_second_decision(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(max_exposure_per_day="0.5")) as server:
        answers = {answer_bytes(server) for _ in range(5)}
        assert len(answers) == 1
        import_decisions(server)
        assert server.metric("pairguard_journal_imported_records_total") == 1


def test_repeats_at_one_time_get_one_answer(bundle: Path, tmp_path: Path) -> None:
    with (
        serving(bundle, tmp_path, policy=lenient_policy()) as server,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = set(threads.map(lambda _: answer_bytes(server), range(24)))
    assert len(answers) == 1


def test_another_request_with_the_id_is_refused(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        first = answer_bytes(server)

        code, info, violations = refusal(
            server.pair_risk.ScorePair, pair("a", "c", request_id="r1")
        )

        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert info.reason == "REQUEST_ID_REUSED"
        assert list(violations) == ["request_id"]
        assert answer_bytes(server) == first
        clock.now += 121
        assert decide(server, pair("a", "c", request_id="r1")).decision == DECISION_ALLOW


def test_after_its_window_a_request_is_judged_anew(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        first = answer_bytes(server)
        clock.now += 119
        assert answer_bytes(server) == first
        clock.now += 2
        second = answer_bytes(server)
        assert second != first
        assert answer_bytes(server) == second


def held(server: Running) -> None:
    happened(server, about("hold_placed", "h", "b", "reason_code: 'FRAUD'"))


def blocked(server: Running) -> None:
    happened(server, between("personal_block", "p", "b", "a"))


def younger(server: Running) -> None:
    keep_evidence(server, "a", verified("doc", MINOR_AGE))


def upheld(server: Running) -> None:
    happened(server, about("review_verdict", "v", "a", "verdict: VERDICT_UPHELD"))


@pytest.mark.parametrize(
    ("change", "decision"),
    [
        (held, DECISION_BLOCK),
        (upheld, DECISION_BLOCK),
        (blocked, DECISION_REROUTE),
        (younger, DECISION_REROUTE),
    ],
)
def test_an_allow_is_not_repeated_once_a_hard_rule_forbids_it(
    bundle: Path, tmp_path: Path, change: Callable[[Running], None], decision: int
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        assert decide(server, pair("a", "b", request_id="r")).decision == DECISION_ALLOW
        change(server)

        again = decide(server, pair("a", "b", request_id="r"))

        assert again.decision == decision
        assert not again.degradations
        # The stricter answer is a decision of its own.
        assert find_decision(server, again.decision_id).decision.pair.assessment == again


def test_an_allow_is_repeated_although_its_own_chat_has_started(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        first = decide(server, pair("a", "b", request_id="r"))
        happened(server, started("c", "a", "b", decision=first.decision_id))

        assert codes(decide(server, pair("a", "b"))) == ["RECENT_PARTNER"]
        assert decide(server, pair("a", "b", request_id="r")) == first


def test_a_refusal_is_repeated_whatever_has_happened(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        request = pair(bare("a"), bare("b"), request_id="r")
        first = decide(server, request)
        assert first.decision == DECISION_REROUTE
        for who in ("a", "b"):
            keep_evidence(server, who, verified("doc", 40))
        assert decide(server, pair(bare("a"), bare("b"))).decision == DECISION_ALLOW

        assert decide(server, request) == first


def test_without_a_store_a_repeat_is_judged_anew_and_says_so(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "kept.sqlite3")
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        store.writes = False
        first = decide(server, pair("a", "b", request_id="r"))
        assert list(first.degradations) == ["REQUEST_ID_NOT_KEPT"]
        assert first.decision == DECISION_ALLOW
        second = decide(server, pair("a", "b", request_id="r"))
        assert second.decision_id != first.decision_id
        assert server.metric("pairguard_store_errors_total", operation="keep_answer") == 2
        assert server.metric("pairguard_degradations_total", kind="REQUEST_ID_NOT_KEPT") == 2

        store.writes = True
        third = decide(server, pair("a", "b", request_id="r"))
        assert not third.degradations
        store.reads = False
        # What was allowed is not allowed again on state that nobody can read.
        fourth = decide(server, pair("a", "b", request_id="r"))
        assert codes(fourth) == ["STORE_UNAVAILABLE"]


def test_what_is_repeated_to_one_time_is_bounded_by_the_clock(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        first = decide(server, pair("a", "b", request_id="r"))
        assert first.expire_time.seconds == int(NOW) + 60
        clock.now = NOW - 3_600
        # A clock that went back repeats longer, and the answer expires as it said.
        assert decide(server, pair("a", "b", request_id="r")) == first
        happened(server, report("x", "b", "a"))
        assert history_of(server, "a")["history.reports_received_30d"] == 0
