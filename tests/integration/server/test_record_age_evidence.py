"""Age evidence that is recorded once and counts from then on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pairguard.history.kept_evidence import MAX_ITEMS
from pairguard.store.ports import RecordKind
from pairguard.store.sqlite import SqliteStore
from pairguard.v1.age_assurance_service_pb2 import RecordAgeEvidenceRequest
from pairguard.v1.assessment_pb2 import (
    DECISION_ALLOW,
    DECISION_BLOCK,
    DECISION_REROUTE,
    VIEW_FULL,
    AgeAssessment,
)
from pairguard.v1.participant_pb2 import AgeEvidence, Participant
from tests.domain import NOW
from tests.integration.server.platform_calls import (
    ADULT_AGE,
    CHILD_AGE,
    LIVE,
    MINOR_AGE,
    Clock,
    about,
    allowed,
    bare,
    codes,
    decide,
    ended,
    erase,
    find_decision,
    happened,
    item,
    keep_evidence,
    pair,
    participant,
    reference,
    started,
    statuses,
    verified,
)
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    Running,
    lenient_policy,
    refusal,
    serving,
)
from tests.unit.server.requests import age_request

CHECK = (
    "age_check { method: CHECK_METHOD_CREDIT_CARD threshold_years: 18 result: CHECK_RESULT_OVER }"
)


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(bundle, tmp_path_factory.mktemp("kept"), policy=lenient_policy()) as running:
        yield running


def belief(server: Running, text_id: str, *items: AgeEvidence, linked: str = "") -> AgeAssessment:
    request = age_request(rest="view: VIEW_FULL")
    request.participant.participant_id = text_id
    request.participant.region = "GB"
    request.participant.age_evidence.extend(items)
    if linked:
        request.participant.linked_ids.append(linked)
    return server.age_assurance.AssessAge(request, timeout=TIMEOUT_SECONDS).assessment


def test_two_bare_ids_meet_once_their_evidence_is_kept(server: Running) -> None:
    assert decide(server, pair(bare("k1"), bare("k2"))).decision == DECISION_REROUTE

    for who in ("k1", "k2"):
        response = keep_evidence(server, who, verified("id-check", ADULT_AGE))
        assert statuses(response.results) == ["RECORDED"]
        assert [each.item_id for each in response.results] == ["id-check"]
        assert not response.unsafe_chats

    answer = decide(server, pair(bare("k1"), bare("k2")))
    assert answer.decision == DECISION_ALLOW
    assert not answer.degradations


def test_evidence_is_kept_once_by_its_id(server: Running) -> None:
    sent = verified("once", ADULT_AGE)
    assert statuses(keep_evidence(server, "o1", sent, sent).results) == ["RECORDED", "DUPLICATE"]
    assert statuses(keep_evidence(server, "o1", sent).results) == ["DUPLICATE"]
    # Another participant's item may have the same id.
    assert statuses(keep_evidence(server, "o2", sent).results) == ["RECORDED"]


@pytest.mark.parametrize("provider", ["", "Yoti", "a provider of no table & no name", "yoti"])
def test_the_copy_in_a_request_and_the_kept_item_count_once(server: Running, provider: str) -> None:
    who = f"copy-{provider}"
    sent = item("same", CHECK, f"provider: '{provider}'")
    alone = belief(server, who, sent)

    keep_evidence(server, who, sent)

    assert belief(server, who, sent).probability_minor == alone.probability_minor
    assert belief(server, who).probability_minor == alone.probability_minor
    assert len(belief(server, who, sent).contributions) == 1


@pytest.mark.parametrize(("kept", "sent"), [(MINOR_AGE, ADULT_AGE), (ADULT_AGE, MINOR_AGE)])
def test_other_content_under_the_id_of_a_kept_item_takes_nothing_back(
    server: Running, kept: int, sent: int
) -> None:
    who = f"other-{kept}"
    keep_evidence(server, who, verified("id", kept))

    believed = belief(server, who, verified("id", sent))
    answer = decide(server, pair(_with(who, verified("id", sent)), participant("the-other")))

    assert len(believed.contributions) == 2
    assert believed.conflict
    assert answer.decision == DECISION_REROUTE


def _with(text_id: str, *items: AgeEvidence) -> Participant:
    message = bare(text_id)
    message.age_evidence.extend(items)
    return message


def test_kept_evidence_follows_every_id_it_was_told_under(server: Running) -> None:
    keep_evidence(server, reference("phone-owner", "phone"), verified("check", MINOR_AGE))

    for fresh in (("phone-owner", ""), ("session-2", "phone"), ("phone", "")):
        assert belief(server, fresh[0], linked=fresh[1]).probability_minor > 0.9
    assert belief(server, "session-2").probability_minor < 0.9
    answer = decide(server, pair(participant("session-3", "phone"), "adult-1"))
    assert answer.decision == DECISION_REROUTE


def test_contributions_name_only_the_items_that_were_sent(server: Running) -> None:
    keep_evidence(server, "c1", item("kept-id", CHECK))
    sent = verified("sent-id", ADULT_AGE)

    request = pair(_with("c1", sent), "c2")
    request.view = VIEW_FULL
    answer = decide(server, request)

    contributions = answer.participant_a_assessment.contributions
    assert [(c.evidence_id, c.HasField("evidence_index")) for c in contributions] == [
        ("sent-id", True),
        ("", False),
    ]
    assert contributions[0].evidence_index == 0
    # Without anything sent the kept item stands alone, and without an id.
    assert [each.evidence_id for each in belief(server, "c1").contributions] == [""]


def test_so_many_different_items_are_kept_and_no_more(server: Running) -> None:
    many = [verified(f"item-{place}", 30 + place / 4) for place in range(MAX_ITEMS)]
    half = MAX_ITEMS // 2
    assert statuses(keep_evidence(server, "full", *many[:half]).results) == ["RECORDED"] * half
    # Within one request the limit is reached as across several.
    further = [*many[half:], verified("one-more", 60), many[0]]
    response = keep_evidence(server, "full", *further)

    assert statuses(response.results) == [*["RECORDED"] * half, "REFUSED", "DUPLICATE"]
    assert response.results[half].reason_code == "EVIDENCE_LIMIT"
    assert response.results[half].index == half
    assert statuses(keep_evidence(server, "full", verified("again", 61)).results) == ["REFUSED"]
    # The same said once more takes no place of its own.
    repeated = verified("repeated", 30)
    assert statuses(keep_evidence(server, "full", repeated).results) == ["RECORDED"]


def test_a_wrong_item_is_refused_and_the_others_stand(server: Running) -> None:
    wrong = verified("wrong", 500)
    response = keep_evidence(
        server, "w1", wrong, verified("right", ADULT_AGE), verified("", ADULT_AGE)
    )

    assert statuses(response.results) == ["REFUSED", "RECORDED", "REFUSED"]
    assert [each.reason_code for each in response.results] == ["FIELD_INVALID", "", "FIELD_INVALID"]
    assert response.results[0].field_violations[0].field == "verified_age.age_years"
    assert server.metric(
        "pairguard_age_evidence_recorded_total", kind="verified_age", status="refused"
    )


def test_a_request_without_participant_or_items_is_wrong(server: Running) -> None:
    code, _, violations = refusal(
        server.age_assurance.RecordAgeEvidence, RecordAgeEvidenceRequest()
    )

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(violations) == {"participant", "age_evidence"}


def test_evidence_that_admits_a_held_child_ends_exactly_that_hold(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        child = participant("held", "tablet", more="")
        child.age_evidence.append(verified("not kept", CHILD_AGE))
        assert decide(server, pair(child, "adult-1")).decision == DECISION_BLOCK
        assert codes(decide(server, pair(bare("x", "tablet"), "adult-1")))[0] == "HELD"
        happened(server, about("hold_placed", "h1", "held", "reason_code: 'SPAM'"))

        keep_evidence(server, reference("held", "tablet"), verified("document", ADULT_AGE))

        # The platform's own hold stays on the id that it was put on, and only on that.
        answer = decide(server, pair(bare("held"), "adult-1"))
        assert answer.decision == DECISION_BLOCK
        assert codes(answer)[:1] == ["HELD"]
        assert "BELOW_MINIMUM_AGE" not in codes(answer)
        # Whoever else uses the tablet is not held any more, and no adult for it.
        other = decide(server, pair(bare("x", "tablet"), "adult-1"))
        assert other.decision == DECISION_REROUTE
        assert "HELD" not in codes(other)
        assert server.metric("pairguard_holds_released_total", reason="BELOW_MINIMUM_AGE") == 1


def test_evidence_that_settles_nothing_ends_no_hold(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        child = participant("held", more="")
        child.age_evidence.append(verified("a", CHILD_AGE))
        keep_evidence(server, "held", verified("a", CHILD_AGE))
        assert decide(server, pair(bare("held"), "adult-1")).decision == DECISION_BLOCK

        keep_evidence(server, "held", item("claim", "self_declared { age_years: 30 }"))

        assert codes(decide(server, pair(bare("held"), "adult-2")))[0] == "HELD"


@pytest.mark.parametrize(
    ("confirmed", "held_after"), [("age_years: 16", False), ("age_years: 11", True)]
)
def test_an_age_that_a_moderator_confirms_ends_the_age_hold_if_it_is_enough(
    bundle: Path, tmp_path: Path, confirmed: str, held_after: bool
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        child = participant("held", more="")
        child.age_evidence.append(item("claim", f"self_declared {{ age_years: {CHILD_AGE} }}"))
        child.age_evidence.append(
            item(
                "face",
                f"facial_age_estimate {{ mean_years: {CHILD_AGE} liveness: LIVENESS_PASSED }}",
                LIVE,
            )
        )
        assert decide(server, pair(child, "adult-1")).decision == DECISION_BLOCK

        happened(
            server,
            about(
                "review_verdict",
                "v1",
                "held",
                f"confirmed_age {{ {confirmed} method: VERIFICATION_METHOD_MODERATOR }}",
            ),
        )

        answer = decide(server, pair(bare("held"), "adult-2"))
        assert ("HELD" in codes(answer)) is held_after
        # Either way the age counts from now on: no adult meets this one.
        assert answer.decision != DECISION_ALLOW
        assert answer.minor_adult_probability > 0.9


def test_open_chats_that_become_unsafe_are_named_as_the_caller_names_them(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        decision = allowed(server, "left", "right")
        over = allowed(server, "left", "gone")
        happened(
            server,
            started("Chat #1 of left", "left", "right", decision=decision),
            started("over", "left", "gone", decision=over),
            ended("over", "left", "gone", seconds=20),
        )
        clock.now += 30

        harmless = keep_evidence(server, "left", item("card", CHECK))
        assert not harmless.unsafe_chats
        assert not keep_evidence(server, "right", verified("doc", ADULT_AGE)).unsafe_chats

        response = keep_evidence(server, "left", verified("real", MINOR_AGE))

        (unsafe,) = response.unsafe_chats
        assert unsafe.chat_id == "Chat #1 of left"
        assert unsafe.decision_id == decision
        assert unsafe.reason.code
        assert not unsafe.reason.participant
        assert server.metric("pairguard_unsafe_chats_total") == 1
        # Sent again, as after a lost answer, it is said again.
        again = keep_evidence(server, "left", verified("real", MINOR_AGE))
        assert statuses(again.results) == ["DUPLICATE"]
        assert again.unsafe_chats == response.unsafe_chats


def test_new_content_under_an_id_that_the_decision_saw_counts_for_open_chats(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        sent = bare("left")
        sent.age_evidence.append(verified("document", ADULT_AGE))
        decision = allowed(server, sent, "right")
        happened(server, started("c", "left", "right", decision=decision))

        response = keep_evidence(server, "left", verified("document", MINOR_AGE))

        assert [each.chat_id for each in response.unsafe_chats] == ["c"]


def test_a_chat_stays_safe_however_much_evidence_was_sent_and_kept(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        kept = [verified(f"kept-{place}", 30 + place / 100) for place in range(20)]
        keep_evidence(server, "left", *kept)
        sent = bare("left")
        sent.age_evidence.extend(verified(f"sent-{place}", 31) for place in range(20))
        right = bare("right")
        right.age_evidence.extend(verified(f"sent-{place}", 31) for place in range(32))
        keep_evidence(server, "right", item("email", CHECK))
        decision = allowed(server, sent, right)
        happened(server, started("c", "left", "right", decision=decision))

        # What was judged is all of it, and nothing of it has changed.
        assert len(_used(server, decision)) == 40
        assert not keep_evidence(server, "right", item("card", CHECK)).unsafe_chats


def _used(server: Running, decision: str) -> list[AgeEvidence]:
    pair_used = find_decision(server, decision).decision.pair
    return list(pair_used.participant_a.participant.age_evidence)


def test_evidence_survives_a_restart(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        for who in ("r1", "r2"):
            keep_evidence(server, who, verified("check", ADULT_AGE))
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=lambda: NOW + 86_400) as server:
        assert decide(server, pair(bare("r1"), bare("r2"))).decision == DECISION_ALLOW
        assert statuses(keep_evidence(server, "r1", verified("check", ADULT_AGE)).results) == [
            "DUPLICATE"
        ]


def test_an_item_that_is_told_at_once_by_several_is_recorded_once(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, tmp_path) as server, ThreadPoolExecutor(4) as callers:

        def told(who: str) -> list[str]:
            calls = [
                callers.submit(keep_evidence, server, who, verified("check", ADULT_AGE))
                for _ in range(4)
            ]
            return sorted(statuses(call.result().results)[0] for call in calls)

        for attempt in range(20):
            assert told(f"p{attempt}") == ["DUPLICATE", "DUPLICATE", "DUPLICATE", "RECORDED"]
        # Of what was erased the journal has a record without its content: it needs one more.
        erase(server, "p0")
        assert told("p0") == ["DUPLICATE", "DUPLICATE", "DUPLICATE", "RECORDED"]
        erase(server, "p0")
        assert told("p0") == ["DUPLICATE", "DUPLICATE", "DUPLICATE", "RECORDED"]
        assert _recorded_items(tmp_path) == 22


def _recorded_items(directory: Path) -> int:
    (path,) = directory.rglob("*.sqlite3")
    store = SqliteStore(path)
    try:
        return store.statistics().records[RecordKind.EVIDENCE]
    finally:
        store.close()
