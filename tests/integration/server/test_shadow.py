"""A challenger beside what serves: it sees every call and touches no answer."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pairguard.history.summary import summarise
from pairguard.policy.judgement import Judge
from pairguard.server.running import check
from pairguard.store.ports import RecordKind
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from pairguard.v1.journal_pb2 import DecisionRecord, ShadowDecision
from pairguard.v1.pair_risk_service_pb2 import (
    Candidate,
    GetDecisionRequest,
    RankCandidatesRequest,
)
from pairguard_training.replaying.journal_source import JournalSource
from tests.domain import NOW
from tests.integration.server.platform_calls import (
    bare,
    between,
    codes,
    decide,
    happened,
    import_decisions,
    pair,
    participant,
)
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    BrokenStore,
    Running,
    lenient_policy,
    listening,
    refusal,
    serving,
    until,
)
from tests.unit.server.requests import ADULT

DECISIONS = "pairguard_shadow_decisions_total"
SAME_TO_THE_BIT = "pairguard_shadow_probability_difference_bucket"


def a_policy(directory: Path, text: str) -> Path:
    path = directory / "challenger.toml"
    path.write_text(text, encoding="utf-8")
    return path


def judged(server: Running, number: int) -> bool:
    """Wait until the challenger has judged so many decisions."""

    def is_done() -> bool:
        seen = sum(
            server.metric(DECISIONS, decision=one, challenger_decision=other, leading_reason=same)
            for one in ("ALLOW", "REROUTE", "BLOCK")
            for other in ("ALLOW", "REROUTE", "BLOCK")
            for same in ("same", "other")
        )
        return seen >= number

    return until(is_done)


def shadow_records(server: Running) -> list[DecisionRecord]:
    """Return what was written of the challenger, once it had nothing to do for a while."""
    store = server.application._parts.store

    def found() -> list[DecisionRecord]:
        import_decisions(server)
        records = store.read_journal("", 1_000, kinds=frozenset({RecordKind.DECISION}))
        messages = [DecisionRecord.FromString(each.payload) for each in records]
        return [each for each in messages if each.WhichOneof("subject") == "shadow"]

    assert until(lambda: bool(found()))
    return found()


def test_the_same_bundle_and_policy_agree_to_the_bit(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), shadow_bundle_path=bundle) as server:
        answers = [decide(server, pair(f"a{n}", f"b{n}")) for n in range(5)]
        answers += [decide(server, pair(bare(f"c{n}"), f"d{n}")) for n in range(4)]

        assert judged(server, len(answers))
        both = {"leading_reason": "same"}
        allowed = {"decision": "ALLOW", "challenger_decision": "ALLOW"} | both
        rerouted = {"decision": "REROUTE", "challenger_decision": "REROUTE"} | both
        assert server.metric(DECISIONS, **allowed) == 5
        assert server.metric(DECISIONS, **rerouted) == 4
        for part in ("minor_adult", "harm", "risk_score"):
            assert server.metric(SAME_TO_THE_BIT, part=part, le="0.0") == len(answers)

        (record,) = shadow_records(server)
        assert record.bundle_version == record.shadow.bundle_version
        assert record.policy_version == record.shadow.policy_version
        assert [each.decision_id for each in record.shadow.decisions] == [
            answer.decision_id for answer in answers
        ]
        for answer, made_again in zip(answers, record.shadow.decisions, strict=True):
            assert_same(answer, made_again)
        named = GetDecisionRequest(decision_id=record.decision_id)
        code, info, _ = refusal(server.pair_risk.GetDecision, named)
        assert (code.name, info.reason) == ("NOT_FOUND", "DECISION_NOT_FOUND")


def assert_same(answer: Any, made_again: ShadowDecision) -> None:
    assert made_again.decision == made_again.challenger_decision == answer.decision
    assert list(made_again.challenger_reason_codes) == list(dict.fromkeys(codes(answer)))
    for name in ("minor_adult_probability", "harm_probability", "risk_score"):
        assert getattr(made_again, f"challenger_{name}") == getattr(answer, name)
    assert made_again.challenger_allow_probability == float(answer.decision == DECISION_ALLOW)


def test_of_a_ranking_one_candidate_is_judged_again_whoever_is_offered(
    bundle: Path, tmp_path: Path
) -> None:
    def asked(number: int) -> RankCandidatesRequest:
        # Others each time: who is offered again and again is found to fish, once it is imported.
        fifteen = ADULT.replace("age_years: 40", "age_years: 15")
        candidates = [
            participant(f"d{number}"),
            bare(f"nobody-knows-{number}"),
            participant(f"child{number}", more=fifteen),
        ]
        return RankCandidatesRequest(
            seeker=participant(f"seeker{number}"),
            candidates=[Candidate(participant=each) for each in candidates],
        )

    strict = lenient_policy(reroute_minor_adult="0.0000000001").replace(
        "default-2026-11", "challenger-1"
    )
    with serving(
        bundle, tmp_path, policy=lenient_policy(), shadow_policy_file=a_policy(tmp_path, strict)
    ) as server:
        answers = [
            server.pair_risk.RankCandidates(asked(number), timeout=TIMEOUT_SECONDS)
            for number in range(20)
        ]

        assert judged(server, len(answers))
        for part in ("minor_adult", "harm", "risk_score"):
            assert server.metric(SAME_TO_THE_BIT, part=part, le="0.0") == len(answers)
        (record,) = shadow_records(server)
        found = record.shadow.decisions
        assert [each.decision_id for each in found] == [each.decision_id for each in answers]
        # Those who are offered are no sample of those who could be.
        assert {each.candidate_index for each in found} == {0, 1, 2}
        decided = {each.candidate_index: each.decision for each in found}
        assert decided == {0: DECISION_ALLOW, 1: DECISION_REROUTE, 2: DECISION_REROUTE}
        assert {each.challenger_decision for each in found} == {DECISION_REROUTE}


def test_a_challenger_sees_what_is_kept_of_candidates(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), shadow_bundle_path=bundle) as server:
        for other in ("b", "c"):
            happened(server, between("personal_block", f"event-{other}", "a", other))
        asked = RankCandidatesRequest(
            seeker=participant("a"),
            candidates=[Candidate(participant=participant(each)) for each in ("b", "c")],
        )
        answer = server.pair_risk.RankCandidates(asked, timeout=TIMEOUT_SECONDS)

        assert not answer.ranked_candidates
        assert judged(server, 1)
        (record,) = shadow_records(server)
        (found,) = record.shadow.decisions
        assert found.decision == found.challenger_decision == DECISION_REROUTE
        assert found.challenger_reason_codes[0] == "PERSONAL_BLOCK"


def test_nobody_looks_at_candidates_of_whom_nothing_could_be_read(
    bundle: Path, tmp_path: Path
) -> None:
    store = BrokenStore(tmp_path / "broken.sqlite3")
    with serving(
        bundle, tmp_path, policy=lenient_policy(), shadow_bundle_path=bundle, store=store
    ) as server:
        store.reads = False
        asked = RankCandidatesRequest(
            seeker=participant("a"), candidates=[Candidate(participant=participant("b"))]
        )
        answer = server.pair_risk.RankCandidates(asked, timeout=TIMEOUT_SECONDS)

        assert "STORE_UNAVAILABLE" in answer.degradations
        decide(server, pair("c", "d"))
        assert judged(server, 1)
        assert server.metric("pairguard_shadow_waiting") == 0


def test_a_challenger_that_would_hold_somebody_holds_nobody(bundle: Path, tmp_path: Path) -> None:
    strict = lenient_policy(minimum_age="18", reroute_minor_adult="0.0001").replace(
        "default-2026-11", "challenger-1"
    )
    fifteen = ADULT.replace("age_years: 40", "age_years: 15")
    with serving(
        bundle,
        tmp_path,
        policy=lenient_policy(),
        shadow_policy_file=a_policy(tmp_path, strict),
    ) as server:
        first = decide(server, pair(participant("young", more=fifteen), "b"))
        again = decide(server, pair(participant("young", more=fifteen), "c"))
        adults = decide(server, pair("d", "e"))

        assert judged(server, 3)
        assert [each.decision for each in (first, again)] == [DECISION_REROUTE] * 2
        assert codes(again) == codes(first)
        assert not again.held_participants
        assert adults.decision == DECISION_ALLOW
        assert server.application._parts.store.statistics().holds == 0
        assert server.metric("pairguard_holds_written_total") == 0
        blocked = {"decision": "REROUTE", "challenger_decision": "BLOCK"}
        assert server.metric(DECISIONS, **blocked, leading_reason="other") == 2
        stopped = {"decision": "ALLOW", "challenger_decision": "REROUTE"}
        assert server.metric(DECISIONS, **stopped, leading_reason="other") == 1
        # A policy alone is tried on the very model that serves.
        assert server.metric(SAME_TO_THE_BIT, part="risk_score", le="0.0") == 3
        (record,) = shadow_records(server)
        assert record.shadow.policy_version == "challenger-1"
        assert record.shadow.bundle_version == record.bundle_version
        assert record.shadow.decisions[0].challenger_decision == DECISION_BLOCK
        source = JournalSource(server.application._parts.store)
        assert len([*source.decisions()]) == 3
        versions = (record.bundle_version, "challenger-1")
        assert source.shadow.transitions == {
            (*versions, "REROUTE", "BLOCK"): 2,
            (*versions, "ALLOW", "REROUTE"): 1,
        }


def test_what_the_challenger_decides_counts_for_nobodys_budget(
    bundle: Path, tmp_path: Path
) -> None:
    exposure = 0.0
    with serving(bundle, tmp_path, policy=lenient_policy(), shadow_bundle_path=bundle) as server:
        for n in range(4):
            exposure += decide(server, pair("busy", f"b{n}")).minor_adult_probability
        assert judged(server, 4)
        import_decisions(server)
        kept = server.application._parts.store
        (read,) = kept.read([kept.keys.hashes(["busy"])], now=NOW)

    summary = summarise(read.rows, NOW)
    assert summary.decisions_24h == 4
    assert summary.exposure_24h == pytest.approx(exposure)


def test_a_challenger_that_does_not_load_is_refused_visibly(bundle: Path, tmp_path: Path) -> None:
    broken = a_policy(tmp_path, "schema = 1\nversion = 'broken'\n")
    with serving(bundle, tmp_path, policy=lenient_policy(), shadow_policy_file=broken) as server:
        assert decide(server, pair("a", "b")).decision == DECISION_ALLOW
        assert server.metric("pairguard_shadow_refused") == 1
        assert server.metric("pairguard_shadow_errors_total", operation="load") == 1
        assert server.application.shadow.refusal is not None
        (line,) = [each for each in server.log_lines() if each["level"] == "error"]
        assert (line["message"], line["error"]) == ("the challenger is refused", "PolicyRefused")
        assert server.metric("pairguard_shadow_waiting") == 0
        assert check(server.settings) == 2


def test_a_challenger_whose_bundle_is_not_there_leaves_what_serves(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(bundle, tmp_path, shadow_bundle_path=tmp_path / "nothing") as server:
        assert server.health("readiness") == "SERVING"
        assert server.metric("pairguard_shadow_refused") == 1
        assert check(server.settings) == 2
        assert check(replace(server.settings, shadow_bundle_path=bundle)) == 0
    assert "challenger bundle" in capsys.readouterr().err


class _Stuck:
    """Judges nothing until it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.calls = 0

    def judge_pair(self, *_: Any, **__: Any) -> Any:
        self.calls += 1
        self.go_on.wait(30.0)
        raise ValueError("whatever a challenger may do wrong")


def with_challenger(server: Running, judge: object) -> None:
    shadow = server.application.shadow
    challenger = shadow.challenger
    assert challenger is not None
    shadow._challenger = replace(challenger, judge=cast("Judge", judge))


def test_a_stuck_challenger_delays_no_answer_and_what_is_left_out_is_counted(
    bundle: Path, tmp_path: Path
) -> None:
    stuck = _Stuck()
    with listening(bundle, tmp_path, policy=lenient_policy(), shadow_bundle_path=bundle) as server:
        server.application.shadow._most_waiting = 8
        server.application.load()
        with_challenger(server, stuck)
        answers = [decide(server, pair(f"a{n}", f"b{n}")) for n in range(20)]

        assert {answer.decision for answer in answers} == {DECISION_ALLOW}
        assert until(lambda: stuck.calls == 1)
        # One was taken, before the others came or after; eight wait at most.
        waiting = server.metric("pairguard_shadow_waiting")
        assert waiting in {7.0, 8.0}
        assert server.metric("pairguard_shadow_dropped_total") == len(answers) - 1 - waiting
        stuck.go_on.set()
        # What the challenger fails at is counted, and the next is judged all the same.
        assert until(
            lambda: (
                server.metric("pairguard_shadow_errors_total", operation="judge") == stuck.calls
                and stuck.calls == waiting + 1
            )
        )


def test_of_many_calls_some_are_judged_again(bundle: Path, tmp_path: Path) -> None:
    with serving(
        bundle,
        tmp_path,
        policy=lenient_policy(),
        shadow_bundle_path=bundle,
        shadow_one_call_in=4,
    ) as server:
        answers = [decide(server, pair(f"a{n}", f"b{n}")) for n in range(60)]
        (record, *more) = shadow_records(server)

    chosen = [each.decision_id for each in record.shadow.decisions]
    chosen += [each.decision_id for one in more for each in one.shadow.decisions]
    ids = [answer.decision_id for answer in answers]
    expected = [each for each in ids if int(each[1:13], 16) % 4 == 0]
    assert chosen == expected
    assert len(expected) < 40


def test_without_a_challenger_nothing_is_judged_again(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        decide(server, pair("a", "b"))

        assert server.application.shadow.challenger is None
        assert server.application.shadow._thread is None
        assert server.metric("pairguard_shadow_refused") == 0
