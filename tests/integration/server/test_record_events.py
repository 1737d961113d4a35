"""Events: each kept once, answered singly, and what they change in later decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from pairguard.v1.feedback_service_pb2 import Event, RecordEventsRequest
from tests.domain import DAY, NOW
from tests.integration.server.platform_calls import (
    Clock,
    about,
    allowed,
    bare,
    between,
    codes,
    decide,
    ended,
    find_decision,
    happened,
    history_of,
    import_decisions,
    pair,
    participant,
    record,
    report,
    started,
    statuses,
)
from tests.integration.server.running_server import Running, lenient_policy, refusal, serving
from tests.unit.server.events import BODIES, event
from tests.unit.server.requests import ADULT

HOUR = 3600.0


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(bundle, tmp_path_factory.mktemp("events"), policy=lenient_policy()) as running:
        yield running


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_each_kind_is_recorded_once(server: Running, kind: str) -> None:
    sent = event(kind)
    sent.event_id = f"once-{kind}"

    def count(status: str) -> float:
        return server.metric("pairguard_events_total", event=kind, status=status)

    before = count("recorded"), count("duplicate")
    # Twice in one request, and again in another.
    assert statuses(record(server, sent, sent)) == ["RECORDED", "DUPLICATE"]
    results = record(server, sent)

    assert statuses(results) == ["DUPLICATE"]
    assert (results[0].index, results[0].item_id) == (0, sent.event_id)
    assert (count("recorded"), count("duplicate")) == (before[0] + 1, before[1] + 2)


def test_a_duplicate_changes_nothing_also_after_a_restart(bundle: Path, tmp_path: Path) -> None:
    sent = (
        started("c", "a", "b"),
        ended("c", "a", "b", seconds=5, by="a"),
        report("r", "b", "a", chat="c"),
    )
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(server, *sent)
        before = history_of(server, "a")
        assert statuses(record(server, *sent)) == ["DUPLICATE"] * 3
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        assert statuses(record(server, *sent)) == ["DUPLICATE"] * 3
        # Another id for the same start or end is the same chat.
        again = (started("c", "a", "b", event="s2"), ended("c", "a", "b", seconds=5, event="e2"))
        happened(server, *again)
        after = history_of(server, "a")
    assert after == before
    assert after["history.chats_started_1h"] == after["history.skips_made_24h"] == 1
    assert after["history.reports_received_30d"] == 1


def test_wrong_events_are_refused_by_their_place_and_the_others_stand(server: Running) -> None:
    old, ahead = started("t", "t1", "t2", event="old"), started("t", "t1", "t2", event="ahead")
    old.event_time.seconds = int(NOW - 8 * DAY)
    ahead.event_time.seconds = int(NOW + HOUR)
    nothing = Event(event_id="nothing")
    same = started("t", "t1", "t1", event="same")

    results = record(
        server, old, started("t", "t1", "t2"), ahead, nothing, same, Event(event_id="x" * 999)
    )

    assert [each.index for each in results] == [0, 1, 2, 3, 4, 5]
    assert statuses(results) == ["REFUSED", "RECORDED", *["REFUSED"] * 4]
    assert [each.reason_code for each in results] == [
        "EVENT_TOO_OLD",
        "",
        "EVENT_IN_FUTURE",
        "FIELD_INVALID",
        "FIELD_INVALID",
        "FIELD_INVALID",
    ]
    assert [each.item_id for each in results][-2:] == ["same", ""]
    assert [v.field for v in results[4].field_violations] == [
        "chat_started.participant_b.participant_id"
    ]


def test_only_wrong_events_are_answered_too(server: Running) -> None:
    assert statuses(record(server, Event(event_id="nothing"))) == ["REFUSED"]


def test_no_events_and_too_many_are_a_wrong_request(server: Running) -> None:
    many = [started(f"m{n}", "m1", "m2") for n in range(1_001)]
    for sent in ([], many):
        code, _, violations = refusal(
            server.feedback.RecordEvents, RecordEventsRequest(events=sent)
        )
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert list(violations) == ["events"]


def test_a_thousand_events_are_counted_in_one_call(bundle: Path, tmp_path: Path) -> None:
    sent = [started(f"c{n}", "hub", f"p{n}") for n in range(500)]
    sent += [ended(f"c{n}", "hub", f"p{n}", seconds=3, by="hub") for n in range(500)]
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(server, *sent)

        history = history_of(server, "hub")
        assert history["history.chats_started_1h"] == 500
        assert history["history.skips_made_30d"] == 500
        assert history["history.distinct_partners_30d"] == 500
        assert history["history.skips_suffered_30d"] == 0


def test_two_servers_count_each_event_once(bundle: Path, tmp_path: Path) -> None:
    def send(server: Running, first: int) -> list[str]:
        found = []
        for n in range(first, first + 30, 3):
            sent = (started(f"c{m}", "hub", f"p{m}") for m in range(n, n + 3))
            found += statuses(record(server, *sent))
        return found

    with (
        serving(bundle, tmp_path, policy=lenient_policy()) as one,
        serving(bundle, tmp_path, policy=lenient_policy()) as other,
        ThreadPoolExecutor(4) as threads,
    ):
        # What both are told of is new to one of them.
        sending = [threads.submit(send, server, n) for server in (one, other) for n in (0, 20)]
        results = [each for future in sending for each in future.result()]
        assert results.count("RECORDED") == 50
        assert results.count("DUPLICATE") == 4 * 30 - 50
        history = history_of(one, "hub")
        assert history["history.chats_started_1h"] == 50
        assert history["history.distinct_partners_30d"] == 50


def test_history_is_unknown_until_an_event_came(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        assert history_of(server, "a") == {}
        import_decisions(server)
        # The decision left a row, and still nobody has told of anything.
        assert history_of(server, "a") == {}

        happened(server, between("personal_block", "b1", "a", "x"))

        history = history_of(server, "a")
        assert history["history.known_days"] == 0
        assert history["history.blocked_by_others_30d"] == 0
        # Of chats nobody has told yet.
        assert not any("chats" in name or "skips" in name for name in history)
        assert history_of(server, "x")["history.blocked_by_others_30d"] == 1
        happened(server, started("c", "a", "y"))
        assert history_of(server, "a")["history.skips_made_1h"] == 0


def test_an_end_before_its_start_is_one_chat(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        happened(server, ended("c", "a", "b", seconds=4, by="b"))
        clock.now += 60
        happened(server, started("c", "a", "b", time=NOW - 4))

        history = history_of(server, "a")
        assert history["history.chats_started_1h"] == 1
        assert history["history.skips_suffered_1h"] == 1
        assert history["history.distinct_partners_30d"] == 1


@pytest.mark.parametrize(
    ("times", "delay", "seconds"),
    [
        ((None, None), 45.0, 45.0),
        # Told minutes after they happened, in one request each: what counts is when it happened.
        ((-600.0, -570.0), 20.0, 30.0),
        ((-600.0, -595.0), 300.0, 5.0),
        # A clock that says that the end was first is no clock to measure by.
        ((0.0, -300.0), 1.0, 0.0),
    ],
)
def test_a_chat_is_as_long_as_from_its_start_to_its_end(
    bundle: Path,
    tmp_path: Path,
    times: tuple[float | None, float | None],
    delay: float,
    seconds: float,
) -> None:
    clock = Clock()
    start, end = times
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        decision = allowed(server, "a", "b")
        happened(
            server,
            started("c", "a", "b", decision=decision, time=None if start is None else NOW + start),
        )
        clock.now += delay
        happened(server, ended("c", "a", "b", by="a", time=None if end is None else NOW + end))

        history = history_of(server, "a")
        known = history["history.seconds_with_likely_adults_1h"]
        known += history["history.seconds_with_likely_minors_1h"]
        assert known == pytest.approx(seconds, abs=1e-3)
        skipped = 0 < seconds <= 10
        assert history["history.skips_made_1h"] == float(skipped)


def test_a_chat_whose_start_and_end_come_together_has_a_length(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        decision = allowed(server, "a", "b")
        happened(
            server,
            ended("c", "a", "b", by="b", time=NOW - 20),
            started("c", "a", "b", decision=decision, time=NOW - 27),
        )

        history = history_of(server, "a")
        assert history["history.skips_suffered_1h"] == 1
        assert sum(
            history[f"history.seconds_with_likely_{who}_1h"] for who in ("adults", "minors")
        ) == pytest.approx(7, abs=1e-3)


def test_what_no_choice_ended_was_not_skipped(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        for manner in ("CONNECTION_LOST", "TIME_LIMIT", "MODERATED", "UNSAFE"):
            happened(
                server,
                ended(manner, "a", "b", seconds=2, by="a", manner=f"CHAT_END_MANNER_{manner}"),
            )
        happened(server, ended("too-long", "a", "b", seconds=10.5, by="a"))
        assert history_of(server, "a")["history.skips_made_1h"] == 0


def test_time_is_shared_by_how_old_the_partner_was_taken_to_be(
    bundle: Path, tmp_path: Path
) -> None:
    minor = participant("m", more=ADULT.replace("age_years: 40", "age_years: 15"))
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        first = decide(server, pair("a", minor))
        used = find_decision(server, first.decision_id).decision.pair
        allowed(server, "a", "grown")
        import_decisions(server)
        for n in range(4):
            happened(
                server,
                started(f"m{n}", "a", "m"),
                ended(f"m{n}", "a", "m", seconds=300),
                started(f"g{n}", "a", "grown"),
                ended(f"g{n}", "a", "grown", seconds=2, by="a"),
                # Nobody was ever asked about this one.
                started(f"u{n}", "a", "unseen"),
                ended(f"u{n}", "a", "unseen", seconds=1_000),
            )

        history = history_of(server, "a")
        share = used.participant_b_probability_minor
        assert share > 0.9
        assert history["history.seconds_with_likely_minors_24h"] == pytest.approx(
            1_200 * share, rel=0.01
        )
        assert history["history.seconds_with_likely_adults_24h"] < 1_200 * 0.1 + 8
        assert history["history.adult_skip_rate_7d"] > 0.9
        assert history["history.minor_skip_rate_7d"] < 0.1
        assert history["history.minor_time_share_7d"] > 0.9
        assert history["history.chats_started_24h"] == 12


# ---- reports and reviews -------------------------------------------------------------------------


def meet(server: Running, who: str, *others: str) -> None:
    """Tell that somebody chatted with each of the others."""
    for other in others:
        happened(
            server,
            started(f"{who}+{other}", who, other),
            ended(f"{who}+{other}", who, other, seconds=60),
        )


def test_reports_by_several_who_met_one_reroute_it(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        meet(server, "bad", "r1", "r2", "r3", "fine")
        happened(server, report("1", "r1", "bad"), report("2", "r2", "bad"))
        allowed(server, "bad", "next-1")
        happened(server, report("3", "r3", "bad", category="REPORT_CATEGORY_SEXTORTION"))

        answer = decide(server, pair("bad", "next-2"))
        assert answer.decision == DECISION_REROUTE
        assert codes(answer)[0] == "REPORTED"
        assert not answer.held_participants
        allowed(server, "r1", "next-2")
        history = history_of(server, "bad")
        assert history["history.reports_received_30d"] == 3
        assert history["history.sexual_reports_30d"] == 3
        assert history["history.child_safety_reports_30d"] == 0
        assert history_of(server, "r1")["history.reports_made_30d"] == 1

        # A review that clears them lets it meet again.
        happened(
            server,
            about("review_verdict", "v", "bad", "report_event_ids: ['1'] verdict: VERDICT_CLEARED"),
        )
        allowed(server, "bad", "next-3")


def test_one_who_reports_a_hundred_times_is_one(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        meet(server, "good", "grudge", "other")
        happened(server, *(report(f"r{n}", "grudge", "good") for n in range(100)))

        allowed(server, "good", "next")
        assert history_of(server, "good")["history.reports_received_30d"] == 1
        assert history_of(server, "grudge")["history.reports_made_30d"] == 100


def test_strangers_who_never_met_one_report_in_vain_until_they_have(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(server, *(report(f"r{n}", f"mob-{n}", "good") for n in range(50)))
        allowed(server, "good", "next")
        assert history_of(server, "good")["history.reports_received_30d"] == 0

        # The start may be told after the report.
        meet(server, "good", "mob-1", "mob-2", "mob-3")
        assert codes(decide(server, pair("good", "next-2")))[0] == "REPORTED"


def test_reports_follow_the_ids_that_somebody_is_linked_to(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        for n in range(3):
            start = started(f"c{n}", "bad", f"r{n}")
            start.chat_started.participant_a.linked_ids.append("phone")
            sent = report(f"r{n}", f"r{n}", "bad")
            sent.report.reported.linked_ids.append("phone")
            happened(server, start, sent)

        fresh = participant("fresh-session", "phone")
        assert codes(decide(server, pair(fresh, "next")))[0] == "REPORTED"
        history = history_of(server, fresh)
        assert history["history.chats_started_24h"] == 3
        assert history["history.distinct_partners_30d"] == 3


@pytest.mark.parametrize("linked", [False, True])
def test_an_upheld_review_holds_for_the_hours_of_the_policy(
    bundle: Path, tmp_path: Path, linked: bool
) -> None:
    clock = Clock()
    policy = lenient_policy(upheld_hours="48.0")
    with serving(bundle, tmp_path, policy=policy, clock=clock) as server:
        meet(server, "bad", "r1")
        verdict = about("review_verdict", "v", "bad", "verdict: VERDICT_UPHELD")
        verdict.review_verdict.participant.linked_ids.append("phone")
        happened(server, report("1", "r1", "bad"), verdict)
        who = participant("new", "phone") if linked else participant("bad")

        answer = decide(server, pair("next", who))

        assert answer.decision == DECISION_BLOCK
        assert codes(answer)[:2] == ["HELD", "UPHELD_HARM"]
        (held,) = answer.held_participants
        assert held.expire_time.seconds == int(NOW + 48 * HOUR)
        assert history_of(server, who)["history.upheld_harm_365d"] == 1
        clock.now += 48 * HOUR - 1
        assert decide(server, pair("next", who)).decision == DECISION_BLOCK
        clock.now += 2
        assert decide(server, pair("next", who)).decision != DECISION_BLOCK


def test_a_later_review_that_clears_ends_the_hold_unless_another_harm_stands(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        for n, who in enumerate(("one", "one", "two")):
            happened(
                server,
                about(
                    "review_verdict",
                    f"v{n}",
                    who,
                    f"report_event_ids: ['{n}'] verdict: VERDICT_UPHELD",
                ),
            )
        clock.now += 60
        for n, who in ((0, "one"), (2, "two")):
            happened(
                server,
                about(
                    "review_verdict",
                    f"w{n}",
                    who,
                    f"report_event_ids: ['{n}'] verdict: VERDICT_CLEARED",
                ),
            )

        assert decide(server, pair("one", "next")).decision == DECISION_BLOCK
        allowed(server, "two", "next")


def test_an_inconclusive_review_changes_nothing(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(server, about("review_verdict", "v1", "p", "verdict: VERDICT_UPHELD"))
        happened(server, about("review_verdict", "v2", "p", "verdict: VERDICT_INCONCLUSIVE"))
        happened(server, about("review_verdict", "v3", "q", "verdict: VERDICT_INCONCLUSIVE"))
        assert codes(decide(server, pair("p", "next")))[0] == "HELD"
        allowed(server, "q", "next")


def test_who_is_found_old_enough_is_still_held_for_a_harm_of_the_same_chat(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        decision = decide(server, pair("p", "child"))
        happened(server, started("c", "p", "child", decision=decision.decision_id))
        for event, text in (
            ("v1", "verdict: VERDICT_UPHELD category: REPORT_CATEGORY_SEXTORTION"),
            (
                "v2",
                (
                    "verdict: VERDICT_CLEARED category: REPORT_CATEGORY_UNDERAGE "
                    "confirmed_age { age_years: 34 method: VERIFICATION_METHOD_MODERATOR }"
                ),
            ),
        ):
            verdict = about("review_verdict", event, "p", text)
            verdict.chat_id = "c"
            happened(server, verdict)
            clock.now += 60.0
            assert codes(decide(server, pair("p", "next")))[0] == "HELD"


def test_holds_are_placed_and_released_by_kind(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        happened(
            server,
            about("hold_placed", "h1", "p", "kind: HOLD_KIND_PAIRING reason_code: 'FRAUD'"),
            about("hold_placed", "h2", "p", "kind: HOLD_KIND_LEGAL reason_code: 'CASE_1'"),
            about("hold_placed", "h3", "legal-only", "kind: HOLD_KIND_LEGAL reason_code: 'C'"),
            about(
                "hold_placed",
                "h4",
                "for-a-while",
                f"reason_code: 'X' expire_time {{ seconds: {int(NOW) + 60} }}",
            ),
        )
        answer = decide(server, pair("p", "next"))
        assert (answer.decision, codes(answer)) == (DECISION_BLOCK, ["HELD"])
        assert not answer.held_participants[0].HasField("expire_time")
        allowed(server, "legal-only", "next")
        assert decide(server, pair("for-a-while", "next")).decision == DECISION_BLOCK
        clock.now += 61
        allowed(server, "for-a-while", "next")

        legal = about("hold_released", "l1", "p", "kind: HOLD_KIND_LEGAL reason_code: 'OVER'")
        happened(server, legal)
        assert decide(server, pair("p", "next")).decision == DECISION_BLOCK
        happened(server, about("hold_released", "l2", "p", "reason_code: 'OVER'"))
        allowed(server, "p", "next")


def upheld(server: Running) -> None:
    happened(server, about("review_verdict", "v", "p", "verdict: VERDICT_UPHELD"))


def held_by_platform(server: Running) -> None:
    happened(server, about("hold_placed", "h", "p", "reason_code: 'FRAUD'"))


@pytest.mark.parametrize(
    ("hold", "result", "still_held"),
    [
        (upheld, "OVERTURNED", False),
        (upheld, "CONFIRMED", True),
        # A platform's own hold is the platform's to release.
        (held_by_platform, "OVERTURNED", True),
    ],
)
def test_an_appeal_ends_what_it_overturned(
    bundle: Path,
    tmp_path: Path,
    hold: Callable[[Running], None],
    result: str,
    still_held: bool,
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        hold(server)
        decision = decide(server, pair("p", "next"))
        assert decision.decision == DECISION_BLOCK

        appeal = about(
            "appeal_outcome",
            "o",
            "p",
            f"result: APPEAL_RESULT_{result}",
            decision=decision.decision_id,
        )
        happened(server, appeal)

        answer = decide(server, pair("p", "next"))
        assert (answer.decision == DECISION_BLOCK) is still_held
        if hold is upheld and not still_held:
            assert history_of(server, "p")["history.upheld_harm_365d"] == 0


def test_an_appeal_ends_only_what_its_own_decision_held_of_its_own_participant(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(server, about("review_verdict", "v", "p", "verdict: VERDICT_UPHELD"))
        child = participant("q", more=ADULT.replace("age_years: 40", "age_years: 8"))
        both = decide(server, pair("p", child))
        assert len(both.held_participants) == 2
        other = decide(server, pair("x", "y"))
        happened(server, about("review_verdict", "v2", "q", "verdict: VERDICT_UPHELD"))
        # q is held for an age in that decision, and for a harm since.
        happened(
            server,
            about(
                "appeal_outcome",
                "o1",
                "q",
                "result: APPEAL_RESULT_OVERTURNED",
                decision=both.decision_id,
            ),
            about(
                "appeal_outcome",
                "o2",
                "p",
                "result: APPEAL_RESULT_OVERTURNED",
                decision=other.decision_id,
            ),
            about(
                "appeal_outcome",
                "o3",
                "p",
                "result: APPEAL_RESULT_OVERTURNED",
                decision="0" * 32,
            ),
        )

        assert codes(decide(server, pair("p", "next")))[:2] == ["HELD", "UPHELD_HARM"]
        now_q = codes(decide(server, pair(participant("q"), "next")))
        assert now_q[:2] == ["HELD", "UPHELD_HARM"]
        assert "BELOW_MINIMUM_AGE" not in now_q


# ---- who meets whom ------------------------------------------------------------------------------


def test_a_personal_block_holds_both_ways_until_it_is_lifted(bundle: Path, tmp_path: Path) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        block = between("personal_block", "b1", "a", "b")
        block.personal_block.blocked.linked_ids.append("b-phone")
        happened(server, block)

        pairs = [
            pair("a", "b"),
            pair("b", "a"),
            pair("a", participant("b-again", "b-phone")),
            pair("b-phone", "a"),
        ]
        for each in pairs:
            answer = decide(server, each)
            assert (answer.decision, codes(answer)[0]) == (DECISION_REROUTE, "PERSONAL_BLOCK")
        allowed(server, "a", "c")

        # Lifted the other way round it stays: it was a who asked.
        happened(server, between("personal_block_lifted", "b2", "b", "a"))
        assert codes(decide(server, pairs[0]))[0] == "PERSONAL_BLOCK"
        lifted = between("personal_block_lifted", "b3", "a", "b")
        lifted.personal_block_lifted.blocked.linked_ids.append("b-phone")
        clock.now += 1
        happened(server, lifted)
        for each in pairs:
            assert decide(server, each).decision == DECISION_ALLOW


def test_two_who_met_are_not_offered_to_each_other_within_the_window(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    policy = lenient_policy(recent_partner_minutes="30.0")
    with serving(bundle, tmp_path, policy=policy, clock=clock) as server:
        clock.now = NOW // 60 * 60 + 50
        happened(server, started("c", "a", "b"))
        for a, b in (("a", "b"), ("b", "a")):
            answer = decide(server, pair(a, b))
            assert (answer.decision, codes(answer)) == (DECISION_REROUTE, ["RECENT_PARTNER"])
        # Up to the last second, although only the minute of a meeting is kept.
        clock.now += 30 * 60 - 1
        assert codes(decide(server, pair("a", "b"))) == ["RECENT_PARTNER"]
        # A clock that went back makes it no longer ago, never shorter.
        clock.now = NOW - DAY
        assert "RECENT_PARTNER" in codes(decide(server, pair("a", "b")))
        clock.now = NOW + 32 * 60
        allowed(server, "a", "b")


def test_a_bare_id_is_not_made_more_welcome_by_history(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        for n in range(20):
            happened(
                server,
                started(f"c{n}", "a", f"p{n}"),
                ended(f"c{n}", "a", f"p{n}", seconds=900),
            )
        assert decide(server, pair(bare("a"), bare("b"))).decision == DECISION_REROUTE
