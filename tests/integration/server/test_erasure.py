"""Erasure: what is kept of somebody goes, whoever was held stays held."""

from __future__ import annotations

from pathlib import Path

from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from pairguard.v1.feedback_service_pb2 import (
    ERASURE_STATUS_DELAYED_BY_LEGAL_HOLD,
    ERASURE_STATUS_ERASED,
    ERASURE_STATUS_NOTHING_KEPT,
    EraseParticipantRequest,
)
from tests.integration.server.platform_calls import (
    ADULT_AGE,
    Clock,
    about,
    allowed,
    bare,
    between,
    codes,
    decide,
    ended,
    erase,
    find_decision,
    happened,
    history_of,
    keep_evidence,
    pair,
    participant,
    reference,
    report,
    started,
    verified,
)
from tests.integration.server.running_server import Running, lenient_policy, refusal, serving, until
from tests.unit.server.requests import ADULT


def live(server: Running, *, times: int = 3) -> str:
    """Let a and b meet others; return a decision on a."""
    keep_evidence(server, reference("a", "a-phone"), verified("document", ADULT_AGE))
    decision = ""
    for n in range(times):
        decision = decide(server, pair(participant("a", "a-phone"), f"p{n}")).decision_id
        start = started(f"c{n}", "a", f"p{n}", decision=decision)
        start.chat_started.participant_a.linked_ids.append("a-phone")
        end = ended(f"c{n}", "a", f"p{n}", seconds=3, by="a")
        end.chat_ended.participant_a.linked_ids.append("a-phone")
        happened(server, start, end, report(f"r{n}", "a", "b"), report(f"s{n}", f"p{n}", "a"))
    return decision


def test_state_goes_and_the_journal_leads_to_nobody(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        decision = live(server)
        assert decide(server, pair(bare("a"), "x")).decision == DECISION_REROUTE
        assert codes(decide(server, pair("a", "x")))[0] == "REPORTED"
        clock.now += 1

        answer = erase(server, "a", "a-phone")

        assert answer.status == ERASURE_STATUS_ERASED
        assert answer.kept_hold_count == 0
        # 3 decisions with a chat, 2 with x, 1 item, and 3 times 4 events.
        assert answer.unlinked_record_count == 3 + 2 + 1 + 12
        found = find_decision(server, decision)
        assert not found.decision.pair.HasField("participant_a")
        assert found.decision.pair.HasField("participant_b")
        assert found.decision.pair.assessment.decision == DECISION_ALLOW
        (start,) = found.events
        assert not start.event.chat_started.HasField("participant_a")
        assert start.event.chat_started.HasField("participant_b")
        for who in (participant("a"), participant("z", "a-phone")):
            assert history_of(server, who) == {}
        # Neither evidence nor reports are left of it.
        assert codes(decide(server, pair(bare("a"), "x")))[0] == "AGE_UNKNOWN"
        allowed(server, "a", "x")
        assert server.metric("pairguard_erasures_total", status="ERASED") == 1


def test_what_others_did_and_suffered_stays(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        for n in range(3):
            happened(
                server,
                started(f"c{n}", "bad", f"r{n}"),
                ended(f"c{n}", "bad", f"r{n}", seconds=2, by="bad"),
                report(f"x{n}", f"r{n}", "bad"),
            )
        happened(server, between("personal_block", "b", "r0", "bad"))
        before = history_of(server, "bad")
        assert before["history.reports_received_30d"] == 3
        clock.now += 1
        for n in range(3):
            erase(server, f"r{n}")

        after = history_of(server, "bad")

        same = before.keys() - {"history.known_days"}
        assert {name: after[name] for name in same} == {name: before[name] for name in same}
        assert codes(decide(server, pair("bad", "next")))[0] == "REPORTED"


def test_erasing_frees_nobody_who_is_held(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        happened(
            server,
            about("review_verdict", "v", "bad", "verdict: VERDICT_UPHELD"),
            about("hold_placed", "h", "bad", "reason_code: 'FRAUD'"),
        )
        clock.now += 1

        answer = erase(server, "bad")

        assert (answer.status, answer.kept_hold_count) == (ERASURE_STATUS_ERASED, 2)
        assert codes(decide(server, pair("bad", "next")))[:2] == ["HELD", "UPHELD_HARM"]
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        assert decide(server, pair("bad", "next")).decision == DECISION_BLOCK
        assert history_of(server, "bad") == {}


def test_a_legal_hold_delays_it_until_it_ends(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        happened(
            server,
            started("c", "a", "b"),
            about("hold_placed", "h", "a", "kind: HOLD_KIND_LEGAL reason_code: 'CASE'"),
        )
        assert erase(server, "a").status == ERASURE_STATUS_DELAYED_BY_LEGAL_HOLD
        assert erase(server, "a").status == ERASURE_STATUS_DELAYED_BY_LEGAL_HOLD
        assert history_of(server, "a")["history.chats_started_24h"] == 1
        clock.now += 60
        happened(
            server,
            about("hold_released", "l", "a", "kind: HOLD_KIND_LEGAL reason_code: 'OVER'"),
        )
        clock.now += 60
    # A server purges when it begins.
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        assert until(lambda: server.metric("pairguard_purged_total", what="erasures") == 1)
        assert history_of(server, "a") == {}


def test_to_repeat_it_is_harmless_also_after_a_restart(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        assert erase(server, "never-seen").status == ERASURE_STATUS_NOTHING_KEPT
        live(server, times=1)
        clock.now += 1
        assert erase(server, "a", "a-phone").status == ERASURE_STATUS_ERASED
        assert erase(server, "a", "a-phone").status == ERASURE_STATUS_NOTHING_KEPT
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        assert history_of(server, "a") == {}
        assert codes(decide(server, pair(bare("a"), "x")))[0] == "AGE_UNKNOWN"


def test_decisions_that_are_still_on_their_way_are_erased_too(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        decisions = [allowed(server, "a", f"p{n}") for n in range(20)]
        clock.now += 0.001

        answer = erase(server, "a")

        assert answer.status == ERASURE_STATUS_ERASED
        assert answer.unlinked_record_count == 20
        for each in decisions:
            assert not find_decision(server, each).decision.pair.HasField("participant_a")


def test_a_new_life_begins_after_it(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        live(server, times=1)
        clock.now += 60
        erase(server, "a", "a-phone")
        clock.now += 60

        happened(server, started("new", "a", "q"))
        keep_evidence(server, "a", verified("document", ADULT_AGE))

        assert history_of(server, "a")["history.chats_started_24h"] == 1
        assert decide(server, pair(bare("a"), "x")).decision == DECISION_ALLOW


def test_a_hold_of_an_age_is_kept_as_any_other(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        child = participant("kid", more=ADULT.replace("age_years: 40", "age_years: 8"))
        assert decide(server, pair(child, "x")).decision == DECISION_BLOCK
        clock.now += 1
        assert erase(server, "kid").kept_hold_count == 1
        assert codes(decide(server, pair("kid", "x")))[:2] == ["HELD", "BELOW_MINIMUM_AGE"]


def test_nobody_in_particular_cannot_be_erased(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path) as server:
        _, _, violations = refusal(server.feedback.EraseParticipant, EraseParticipantRequest())
        assert list(violations) == ["participant"]
