"""What frees somebody of one thing frees of nothing else; no ALLOW is repeated against a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pairguard.errors import StoreUnavailable
from pairguard.history.kept_evidence import MAX_ITEMS
from pairguard.store.ports import JournalRecord, KeptParticipant
from pairguard.store.sqlite import SqliteStore
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from pairguard.v1.feedback_service_pb2 import Event
from pairguard.v1.participant_pb2 import CHECK_RESULT_UNDER
from tests.integration.server.platform_calls import (
    ADULT_AGE,
    LIVE,
    MINOR_AGE,
    Clock,
    about,
    allowed,
    bare,
    codes,
    decide,
    find_decision,
    happened,
    history_of,
    item,
    keep_evidence,
    pair,
    participant,
    reference,
    report,
    started,
    statuses,
    verified,
)
from tests.integration.server.running_server import Running, lenient_policy, serving

CLEARED_FIRST = "verdict: VERDICT_CLEARED report_event_ids: 'r1'"
UPHELD_FIRST = "verdict: VERDICT_UPHELD report_event_ids: 'r1'"
UPHELD_SECOND = "verdict: VERDICT_UPHELD report_event_ids: 'r2'"
OVERTURNED = "result: APPEAL_RESULT_OVERTURNED"
FOUND_ADULT = (
    "verdict: VERDICT_INCONCLUSIVE"
    " confirmed_age { age_years: 40 method: VERIFICATION_METHOD_MODERATOR }"
)
UNDER = (
    "age_check { method: CHECK_METHOD_ID_DOCUMENT threshold_years: 18 result: CHECK_RESULT_UNDER }"
)


def block(event: str, blocker: str, blocked: str, *, lifted: bool = False) -> Event:
    message = Event(event_id=event)
    content = message.personal_block_lifted if lifted else message.personal_block
    content.blocker.participant_id = blocker
    content.blocked.participant_id = blocked
    return message


@pytest.fixture
def clock() -> Clock:
    return Clock()


def reported_twice(server: Running) -> None:
    """Have two people who met p report it, and the first of the reports upheld."""
    for n in (1, 2):
        happened(server, started(f"c{n}", "p", f"m{n}"), report(f"r{n}", f"m{n}", "p"))
    happened(server, about("review_verdict", "v1", "p", UPHELD_FIRST))


def held_for(server: Running) -> list[str]:
    answer = decide(server, pair("p", "next"))
    return [held.reason.code for held in answer.held_participants]


def test_a_verdict_of_one_request_ends_no_hold_of_another_verdict_in_it(
    bundle: Path, tmp_path: Path, clock: Clock
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        reported_twice(server)
        clock.now += 60
        happened(
            server,
            about("review_verdict", "v2", "p", UPHELD_SECOND),
            about("review_verdict", "v3", "p", CLEARED_FIRST),
        )
        assert held_for(server) == ["UPHELD_HARM"]
        assert history_of(server, "p")["history.upheld_harm_365d"] == 1


class Interleaved(SqliteStore):
    """Lets another call be served between what the next one reads and what it writes."""

    meanwhile: Callable[[], None] | None = None

    def append(self, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
        other, self.meanwhile = self.meanwhile, None
        if other is not None:
            other()
        return super().append(records)


@pytest.mark.parametrize("freed_by", ["review_verdict", "appeal_outcome"])
def test_a_harm_upheld_while_another_is_taken_back_holds(
    bundle: Path, tmp_path: Path, clock: Clock, freed_by: str
) -> None:
    store = Interleaved(tmp_path / "interleaved.sqlite3")
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock, store=store) as server:
        reported_twice(server)
        made = int(clock.now)
        clock.now += 60
        upheld = about("review_verdict", "v2", "p", UPHELD_SECOND)
        store.meanwhile = lambda: happened(server, upheld)
        if freed_by == "review_verdict":
            happened(server, about(freed_by, "f", "p", CLEARED_FIRST))
        else:
            text = f"{OVERTURNED} appeal_time {{ seconds: {made} }}"
            happened(server, about(freed_by, "f", "p", text))
        assert held_for(server) == ["UPHELD_HARM"]
        assert history_of(server, "p")["history.upheld_harm_365d"] == 1


class Forgetful(SqliteStore):
    """Cannot read one participant for some reads."""

    unreadable = b""
    times = 0

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        if self.times and any(self.unreadable in ids for ids in participants):
            self.times -= 1
            raise StoreUnavailable("timed out")
        return super().read(participants, now=now)


@pytest.mark.parametrize("freed_by", ["review_verdict", "appeal_outcome"])
@pytest.mark.parametrize("times", [1, 2])
def test_what_takes_a_harm_back_ends_no_hold_while_nobody_can_tell_what_else_stands(
    bundle: Path, tmp_path: Path, clock: Clock, freed_by: str, times: int
) -> None:
    store = Forgetful(tmp_path / "forgetful.sqlite3")
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock, store=store) as server:
        made = int(clock.now)
        clock.now += 3600
        for who, verdict in (("p", UPHELD_FIRST), ("old", UPHELD_SECOND)):
            upheld = about("review_verdict", f"v-{who}", who, verdict)
            upheld.review_verdict.participant.linked_ids.append("phone")
            happened(server, upheld)
        clock.now += 60
        store.unreadable, store.times = store.keys.hash("p"), times
        if freed_by == "review_verdict":
            freeing = about(freed_by, "f", "p", CLEARED_FIRST)
        else:
            freeing = about(freed_by, "f", "p", f"{OVERTURNED} appeal_time {{ seconds: {made} }}")
        getattr(freeing, freed_by).participant.linked_ids.append("phone")
        happened(server, freeing)
        store.times = 0
        assert held_for(server) == ["UPHELD_HARM"]
        if times == 2:
            assert server.metric("pairguard_store_errors_total", operation="read") == 1


@pytest.mark.parametrize("freed_by", ["review_verdict", "appeal_outcome"])
def test_an_event_that_names_no_linked_id_hides_none_from_the_others_of_its_request(
    bundle: Path, tmp_path: Path, clock: Clock, freed_by: str
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        made = int(clock.now)
        clock.now += 3600
        upheld = {"old": UPHELD_FIRST}
        if freed_by == "review_verdict":
            upheld["p"] = UPHELD_SECOND
        for who, verdict in upheld.items():
            event = about("review_verdict", f"v-{who}", who, verdict)
            event.review_verdict.participant.linked_ids.append("phone")
            happened(server, event)
        clock.now += 60
        if freed_by == "review_verdict":
            freeing = about(freed_by, "f", "p", "verdict: VERDICT_CLEARED report_event_ids: 'r2'")
        else:
            freeing = about(freed_by, "f", "p", f"{OVERTURNED} appeal_time {{ seconds: {made} }}")
        getattr(freeing, freed_by).participant.linked_ids.append("phone")
        happened(server, freeing, block("b", "z", "p"))
        for who in ("p", "fresh"):
            answer = decide(server, pair(participant(who, "phone"), "next"))
            assert [held.reason.code for held in answer.held_participants] == ["UPHELD_HARM"]


def test_a_harm_that_one_request_upholds_and_clears_holds_nobody(
    bundle: Path, tmp_path: Path, clock: Clock
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        reported_twice(server)
        clock.now += 60
        happened(server, about("review_verdict", "v2", "p", CLEARED_FIRST))
        assert held_for(server) == []


def test_an_appeal_against_a_decision_takes_nothing_from_what_was_upheld_since(
    bundle: Path, tmp_path: Path, clock: Clock
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        reported_twice(server)
        refused = decide(server, pair("p", "next"))
        clock.now += 3600
        happened(server, about("review_verdict", "v2", "p", UPHELD_SECOND))
        clock.now += 3600
        happened(
            server, about("appeal_outcome", "o", "p", OVERTURNED, decision=refused.decision_id)
        )
        assert held_for(server) == ["UPHELD_HARM"]
        assert history_of(server, "p")["history.upheld_harm_365d"] == 1


def test_an_appeal_takes_nothing_from_what_was_upheld_after_it_was_made(
    bundle: Path, tmp_path: Path, clock: Clock
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        reported_twice(server)
        clock.now += 3600
        made = int(clock.now)
        clock.now += 3600
        appeal = about(
            "appeal_outcome", "o", "p", f"{OVERTURNED} appeal_time {{ seconds: {made} }}"
        )
        happened(server, about("review_verdict", "v2", "p", UPHELD_SECOND), appeal)
        assert held_for(server) == ["UPHELD_HARM"]


def test_an_appeal_without_a_time_takes_back_all_that_was_upheld(
    bundle: Path, tmp_path: Path, clock: Clock
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        reported_twice(server)
        clock.now += 60
        happened(server, about("review_verdict", "v2", "p", UPHELD_SECOND))
        clock.now += 60
        happened(server, about("appeal_outcome", "o", "p", OVERTURNED))
        assert held_for(server) == []
        assert history_of(server, "p")["history.upheld_harm_365d"] == 0


def test_an_allow_is_not_repeated_once_its_participant_is_reported_by_many(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        asked = pair("p", "next", request_id="r")
        assert decide(server, asked).decision == DECISION_ALLOW
        for n in range(3):
            happened(server, started(f"c{n}", "p", f"m{n}"), report(f"r{n}", f"m{n}", "p"))
        again = decide(server, asked)
        assert (again.decision, codes(again)[0]) == (DECISION_REROUTE, "REPORTED")


def test_other_content_under_a_kept_id_is_refused_and_not_taken_for_a_duplicate(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        keep_evidence(server, "p", verified("doc", ADULT_AGE))
        again = keep_evidence(server, "p", verified("doc", MINOR_AGE), verified("doc", ADULT_AGE))
        assert [each.reason_code for each in again.results] == ["EVIDENCE_ID_REUSED", ""]
        assert statuses(again.results)[1] == "DUPLICATE"
        # So are two of one request.
        both = keep_evidence(server, "q", verified("doc", ADULT_AGE), verified("doc", MINOR_AGE))
        assert [each.reason_code for each in both.results] == ["", "EVIDENCE_ID_REUSED"]


@pytest.mark.parametrize("ids", [("child", "phone"), ("phone", "child")])
def test_items_of_two_people_under_one_id_both_count_where_their_ids_are_linked(
    bundle: Path, tmp_path: Path, ids: tuple[str, str]
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        keep_evidence(server, "phone", verified("doc", ADULT_AGE))
        assert statuses(keep_evidence(server, "child", verified("doc", MINOR_AGE)).results) == [
            "RECORDED"
        ]
        answer = decide(server, pair(bare(*ids), "next"))
        assert (answer.decision, codes(answer)[0]) == (DECISION_REROUTE, "AGE_EVIDENCE_CONFLICT")


def test_no_older_item_pushes_out_what_was_observed_after_it(
    bundle: Path, tmp_path: Path, clock: Clock
) -> None:
    under = "age_check {{ method: {} threshold_years: {} result: CHECK_RESULT_{} }}"
    id_document = under.format("CHECK_METHOD_ID_DOCUMENT", 18, "UNDER")
    fresh, old = item("fresh", id_document, LIVE), item("old", id_document, LIVE)
    old.observed_time.seconds -= 10 * 365 * 86_400
    others = [
        item(f"o{n}", under.format("CHECK_METHOD_ID_DOCUMENT", 13 + n, "INCONCLUSIVE"))
        for n in range(MAX_ITEMS)
    ]
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        keep_evidence(server, "p", fresh)
        clock.now += 60
        keep_evidence(server, "p", old)
        results = [r for other in others for r in keep_evidence(server, "p", other).results]
        assert [r.reason_code for r in results[-2:]] == ["EVIDENCE_LIMIT"] * 2
        kept = find_decision(server, decide(server, pair(bare("p"), "next")).decision_id)
        sent = kept.decision.pair.participant_a.participant.age_evidence
        assert max(
            each.observed_time.seconds
            for each in sent
            if each.age_check.result == CHECK_RESULT_UNDER
        ) == (fresh.observed_time.seconds)


def test_an_allow_is_not_repeated_by_a_server_that_would_block_the_pair(
    bundle: Path, tmp_path: Path
) -> None:
    asked = pair("p", "next", request_id="r")
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(server, about("review_verdict", "v", "p", "verdict: VERDICT_UPHELD"))
        happened(server, about("hold_released", "h", "p", "reason_code: 'SERVED'"))
        assert decide(server, asked).decision == DECISION_ALLOW
    stricter = lenient_policy(reroute_harm="0.02", block_harm="0.02")
    with serving(bundle, tmp_path, policy=stricter) as server:
        again = decide(server, asked)
        assert (again.decision, codes(again)[0]) == (DECISION_BLOCK, "HARM_RISK")


def test_what_was_told_of_somebody_on_a_shared_device_admits_nobody_else_on_it(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        keep_evidence(server, reference("parent", "tablet"), verified("document", 40))

        assert allowed(server, bare("parent", "tablet"), "adult-1")
        assert allowed(server, bare("parent"), "adult-2")
        # A session of the same account, told as such, is the parent's, too.
        assert allowed(server, bare("session", "parent"), "adult-3")
        for child in (bare("child", "tablet"), bare("tablet")):
            answer = decide(server, pair(child, "adult-4"))
            assert answer.decision == DECISION_REROUTE
            assert codes(answer)[0] == "AGE_UNKNOWN"
        # What restricts follows the device.
        under = item("under", UNDER)
        keep_evidence(server, reference("child", "tablet"), under)
        assert decide(server, pair(bare("cousin", "tablet"), "adult-5")).decision != DECISION_ALLOW


@pytest.mark.parametrize("told_by", ["evidence", "review"])
def test_an_adult_on_the_device_of_a_held_child_frees_neither_of_them(
    bundle: Path, tmp_path: Path, told_by: str
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        child = participant("child", "tablet", more="")
        child.age_evidence.append(verified("not kept", 8))
        assert decide(server, pair(child, "adult-1")).decision == DECISION_BLOCK

        if told_by == "evidence":
            keep_evidence(server, reference("parent", "tablet"), verified("document", 40))
        else:
            found = about("review_verdict", "v", "parent", FOUND_ADULT)
            found.review_verdict.participant.linked_ids.append("tablet")
            happened(server, found)

        for other in (bare("child"), bare("fresh session", "tablet")):
            answer = decide(server, pair(other, "adult-2"))
            assert answer.decision == DECISION_BLOCK
            assert codes(answer)[0] == "HELD"


def test_a_crowd_of_partners_hides_no_meeting_with_a_reporter(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        victims = [f"victim-{n}" for n in range(3)]
        happened(server, *[started(f"chat-{each}", "predator", each) for each in victims])
        crowd = [started(f"crowd-{n}", "predator", f"other-{n}") for n in range(1_100)]
        for start in crowd:
            start.chat_started.participant_b.linked_ids.extend(
                f"{start.chat_id}-{n}" for n in range(16)
            )
        happened(server, *crowd[:1_000])
        happened(server, *crowd[1_000:])
        happened(server, *[report(f"r-{each}", each, "predator") for each in victims])

        assert history_of(server, bare("predator"))["history.reports_received_30d"] == 3.0


def test_a_block_after_a_lift_stands_although_the_clock_went_back(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        happened(server, block("b1", "a", "b"))
        clock.now += 60.0
        happened(server, block("b2", "a", "b", lifted=True))
        assert allowed(server, "a", "b")
        clock.now -= 600.0
        happened(server, block("b3", "a", "b"))
        for later in (0.0, 3_600.0, 86_400.0):
            clock.now += later
            assert codes(decide(server, pair("a", "b")))[0] == "PERSONAL_BLOCK"
