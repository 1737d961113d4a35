"""A real server ranks candidates: who is offered, in which order, and what is kept of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest

from pairguard.errors import StoreUnavailable
from pairguard.store.identity import IdentityKeys
from pairguard.store.ports import KeptParticipant
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, Decision
from pairguard.v1.journal_pb2 import (
    RECONCILIATION_AFTER_EXPIRY,
    RECONCILIATION_AGAINST_DECISION,
    RECONCILIATION_AS_DECIDED,
    EventRecord,
)
from pairguard.v1.pair_risk_service_pb2 import (
    Candidate,
    RankCandidatesRequest,
    RankCandidatesResponse,
)
from pairguard.v1.participant_pb2 import Participant
from tests.domain import NOW
from tests.integration.server.platform_calls import (
    Clock,
    about,
    allowed,
    bare,
    between,
    codes,
    decide,
    find_decision,
    happened,
    import_decisions,
    keep_evidence,
    pair,
    participant,
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
from tests.unit.server.requests import ADULT, FACE, evidence

LIVE_FACE = evidence(FACE, "binding: BINDING_LIVE_PERSON")
YOUNG = ADULT.replace("age_years: 40", "age_years: 15")


def request(
    seeker: Participant | str,
    *candidates: Participant | str | Candidate,
    request_id: str = "",
    max_results: int = 0,
) -> RankCandidatesRequest:
    """Return a request; a text stands for a verified adult with that id."""
    return RankCandidatesRequest(
        seeker=participant(seeker) if isinstance(seeker, str) else seeker,
        candidates=[
            each
            if isinstance(each, Candidate)
            else Candidate(participant=participant(each) if isinstance(each, str) else each)
            for each in candidates
        ],
        request_id=request_id,
        max_results=max_results,
    )


def rank(server: Running, asked: RankCandidatesRequest) -> RankCandidatesResponse:
    return server.pair_risk.RankCandidates(asked, timeout=TIMEOUT_SECONDS)


def order(answer: RankCandidatesResponse) -> list[int]:
    return [each.candidate_index for each in answer.ranked_candidates]


def excluded(answer: RankCandidatesResponse) -> dict[str, int]:
    return {each.code: each.count for each in answer.excluded_counts}


def directory(path: Path) -> Path:
    path.mkdir()
    return path


def liked(who: Participant | str, affinity: float) -> Candidate:
    return Candidate(
        participant=participant(who) if isinstance(who, str) else who, affinity=affinity
    )


def mixed_pool(size: int, seed: int = 7) -> list[Participant]:
    """Return people of whom different things are known."""
    draw = random.Random(seed)
    said = [ADULT, ADULT, LIVE_FACE, YOUNG, "", evidence("self_declared { age_years: 22 }")]
    pool = []
    for number in range(size):
        who = participant(f"c{number}", more=draw.choice(said))
        who.region = draw.choice(["GB", "US", "KR", ""])
        if draw.random() < 0.4:
            who.signals["vpn"] = 1.0
            who.signals["account_age_days"] = draw.uniform(0, 900)
        pool.append(who)
    return pool


# ---- the same numbers ----------------------------------------------------------------------------


def test_each_candidate_is_judged_as_the_pair_alone_would_be(bundle: Path, tmp_path: Path) -> None:
    pool = mixed_pool(60)
    with serving(bundle, tmp_path, policy=lenient_policy(max_exposure_per_day="10.0")) as server:
        happened(server, between("personal_block", "b1", "c3", "seeker"))
        happened(server, about("hold_placed", "h1", "c4", "reason_code: 'SPAM'"))
        happened(server, started("chat", "seeker", "c5"))
        keep_evidence(server, "c6", verified("doc", 15))
        answer = rank(server, request("seeker", *pool))
        ranking = find_decision(server, answer.decision_id).decision.ranking
        alone = [decide(server, pair("seeker", each)) for each in pool]

    assert len(ranking.candidates) == len(pool)
    for index, (recorded, single) in enumerate(zip(ranking.candidates, alone, strict=True)):
        assert recorded.candidate_index == index
        assert recorded.decision == single.decision
        assert list(recorded.reason_codes) == list(dict.fromkeys(codes(single)))
        assert recorded.minor_adult_probability == single.minor_adult_probability
        assert recorded.harm_probability == single.harm_probability
        assert recorded.risk_score == single.risk_score
    of_answer = {each.candidate_index: each for each in answer.ranked_candidates}
    assert set(of_answer) == {
        index for index, each in enumerate(alone) if each.decision == DECISION_ALLOW
    }
    for index, each in of_answer.items():
        assert each.minor_adult_probability == alone[index].minor_adult_probability
        assert each.harm_probability == alone[index].harm_probability
        assert each.risk_score == alone[index].risk_score
    assert len({each.decision for each in ranking.candidates}) == 3
    assert sum(excluded(answer).values()) == len(pool) - len(of_answer)


def test_a_thousand_candidates_are_one_record(bundle: Path, tmp_path: Path) -> None:
    pool = [*mixed_pool(999), participant("the-last")]
    with serving(bundle, tmp_path, policy=lenient_policy(), max_request_bytes=2**24) as server:
        answer = rank(server, request("seeker", *pool))
        record = find_decision(server, answer.decision_id).decision

    assert len(record.ranking.candidates) == 1_000
    assert record.ranking.candidates[999].decision == DECISION_ALLOW
    assert 999 in order(answer)
    assert len(order(answer)) + sum(excluded(answer).values()) == 1_000
    assert "DECISION_NOT_JOURNALED" not in answer.degradations


# ---- who and in which order ----------------------------------------------------------------------


def test_risk_bands_go_before_affinity_and_affinity_before_risk(
    bundle: Path, tmp_path: Path
) -> None:
    pool = [
        participant(f"c{number}", more=LIVE_FACE.replace("30", str(36 + 7 * number % 24)))
        for number in range(12)
    ]
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        plain = rank(server, request("seeker", *pool))
    scores = sorted(each.risk_score for each in plain.ranked_candidates)
    edge = (scores[0] + scores[-1]) / 2
    affinities = [1.0, -2.0, None, 3.0, 0.0, -0.5, None, 9.0, 9.0, 2.0, 1.0, None]
    candidates = [
        Candidate(participant=who) if affinity is None else liked(who, affinity)
        for who, affinity in zip(pool, affinities, strict=True)
    ]
    policy = lenient_policy(risk_band_edges=f"[{edge}]")
    with serving(bundle, directory(tmp_path / "banded"), policy=policy) as server:
        answer = rank(server, request("seeker", *candidates))

    bands = [each.risk_band for each in answer.ranked_candidates]
    assert set(bands) == {1, 2}

    def expected(index: int) -> tuple[bool, float, float, int]:
        score = {e.candidate_index: e.risk_score for e in answer.ranked_candidates}[index]
        affinity = affinities[index]
        return score > edge, float("inf") if affinity is None else -affinity, score, index

    assert order(answer) == sorted(range(12), key=expected)
    assert bands == sorted(bands)


def test_no_more_are_returned_than_asked_for(server: Running) -> None:
    answer = rank(server, request("s1", liked("m1", 1.0), liked("m2", 3.0), max_results=1))

    assert order(answer) == [1]
    assert excluded(answer) == {}
    record = find_decision(server, answer.decision_id).decision.ranking
    assert [each.HasField("place") for each in record.candidates] == [False, True]
    assert [each.decision for each in record.candidates] == [DECISION_ALLOW] * 2


def test_an_invalid_candidate_is_marked_and_the_others_are_ranked(server: Running) -> None:
    nan = liked("c4", float("nan"))
    wrong = participant("c5")
    wrong.region = "nowhere"
    wrong.age_evidence[0].verified_age.age_years = -1
    answer = rank(
        server,
        request(
            "seeker",
            "c0",
            bare("seeker"),
            bare("c2", "device", "c0"),
            Candidate(),
            nan,
            wrong,
            "c6",
        ),
    )

    assert sorted(order(answer)) == [0, 6]
    marked = {
        each.candidate_index: [violation.field for violation in each.field_violations]
        for each in answer.invalid_candidates
    }
    assert marked == {
        1: ["participant.participant_id"],
        2: ["participant.participant_id"],
        3: ["participant"],
        4: ["affinity"],
        5: ["participant.age_evidence[0].verified_age.age_years", "participant.region"],
    }
    record = find_decision(server, answer.decision_id).decision.ranking
    assert [each.candidate_index for each in record.candidates] == [0, 6]


def test_an_answer_is_not_repeated_that_offers_somebody_who_cannot_be_judged_any_more(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        ahead = participant("c0")
        ahead.age_evidence[0].observed_time.seconds = int(clock.now) + 50
        asked = request("seeker", ahead, "c1", request_id="r1")
        assert sorted(order(rank(server, asked))) == [0, 1]
        happened(
            server, about("hold_placed", "h", "c0", "kind: HOLD_KIND_PAIRING reason_code: 'X'")
        )
        # Now its evidence lies too far in the future.
        clock.now -= 20
        again = rank(server, asked)
        assert order(again) == [1]
        assert [each.candidate_index for each in again.invalid_candidates] == [0]


def test_with_nobody_who_can_be_judged_the_answer_is_empty(server: Running) -> None:
    answer = rank(server, request("seeker", Candidate()))

    assert (order(answer), excluded(answer)) == ([], {})
    assert not answer.HasField("expire_time")
    assert find_decision(server, answer.decision_id).decision.ranking.seeker.HasField("assessment")


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (RankCandidatesRequest(), {"seeker", "candidates"}),
        (request("s", *["c"] * 1_001), {"candidates"}),
        (request(bare(""), "c", max_results=-1), {"seeker.participant_id", "max_results"}),
        (request("s", "c", request_id="x" * 129), {"request_id"}),
    ],
)
def test_a_wrong_request_is_refused_as_a_whole(
    server: Running, asked: RankCandidatesRequest, fields: set[str]
) -> None:
    code, _, violations = refusal(server.pair_risk.RankCandidates, asked)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(violations) == fields


# ---- what keeps a seeker -------------------------------------------------------------------------


def test_what_concerns_the_seeker_alone_is_told_once(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        happened(server, about("hold_placed", "h1", "held", "reason_code: 'SPAM'"))
        held = rank(server, request("held", "c0", "c1"))
        unknown = rank(server, request(bare("unknown"), "c0"))
        fine = rank(server, request("fine", "c0"))

    assert [each.code for each in held.seeker_reasons] == ["HELD"]
    assert excluded(held) == {"HELD": 2}
    assert not held.HasField("seeker_age_check")
    assert [each.code for each in unknown.seeker_reasons] == ["AGE_UNKNOWN"]
    assert unknown.seeker_age_check.options
    assert not fine.seeker_reasons
    assert not fine.HasField("seeker_age_check")


def test_a_ranking_holds_nobody(bundle: Path, tmp_path: Path) -> None:
    child = participant("child", more=ADULT.replace("age_years: 40", "age_years: 8"))
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        first = rank(server, request("seeker", child))
        assert excluded(first) == {"BELOW_MINIMUM_AGE": 1}
        assert server.metric("pairguard_holds_written_total") == 0
        again = decide(server, pair("seeker", participant("child")))

    assert "HELD" not in codes(again)


# ---- what cannot be read -------------------------------------------------------------------------


def test_on_a_store_that_cannot_be_read_nobody_is_offered(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "kept.sqlite3", reads=False)
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        answer = rank(server, request("seeker", "c0", "c1"))
        assert server.metric("pairguard_store_errors_total", operation="read") == 1

    assert (order(answer), excluded(answer)) == ([], {"STORE_UNAVAILABLE": 2})
    assert list(answer.degradations) == ["STORE_UNAVAILABLE"]
    assert [each.code for each in answer.seeker_reasons] == ["STORE_UNAVAILABLE"]


class StoreWithDamage(BrokenStore):
    """A store in which what is kept of some is damaged."""

    def __init__(self, path: Path, damaged: Sequence[str]) -> None:
        super().__init__(path)
        self._damaged = damaged
        self.trips = 0

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        self.trips += 1
        keys: IdentityKeys = self.keys
        gone = {keys.hash(each) for each in self._damaged}
        if any(not gone.isdisjoint(ids) for ids in participants):
            raise StoreUnavailable("damaged")
        return super().read(participants, now=now)


def test_the_damaged_rows_of_one_keep_only_that_one_out(bundle: Path, tmp_path: Path) -> None:
    store = StoreWithDamage(tmp_path / "kept.sqlite3", ["c3", "c17"])
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        store.trips = 0
        answer = rank(server, request("seeker", *[f"c{number}" for number in range(30)]))
        trips = store.trips
        alone = decide(server, pair("seeker", "c3"))

    assert set(range(30)) - set(order(answer)) == {3, 17}
    assert excluded(answer) == {"STORE_UNAVAILABLE": 2}
    assert codes(alone) == ["STORE_UNAVAILABLE"]
    assert list(answer.degradations) == ["STORE_UNAVAILABLE"]
    assert not answer.seeker_reasons
    assert trips < 30


# ---- repeats -------------------------------------------------------------------------------------


def test_a_repeat_gets_the_same_answer_and_counts_once(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        asked = request("seeker", "c0", "c1", request_id="r1")
        first, second = rank(server, asked), rank(server, asked)
        assert first == second
        assert server.metric("pairguard_rankings_total", outcome="offered") == 1
        assert server.metric("pairguard_repeated_requests_total") == 1
        code, info, _ = refusal(
            server.pair_risk.RankCandidates, request("seeker", "c0", request_id="r1")
        )
        assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
        code, info, _ = refusal(server.pair_risk.ScorePair, pair("a", "b", request_id="r1"))
        assert info.reason == "REQUEST_ID_REUSED"


def test_who_is_held_since_is_not_offered_again_by_a_repeat(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        asked = request("seeker", "c0", "c1", request_id="r1")
        first = rank(server, asked)
        assert sorted(order(first)) == [0, 1]
        happened(server, about("hold_placed", "h1", "c1", "reason_code: 'SPAM'"))
        second, third = rank(server, asked), rank(server, asked)

    assert (order(second), order(third)) == ([0], [0])
    assert len({first.decision_id, second.decision_id, third.decision_id}) == 3


# ---- chats that start from a ranking -------------------------------------------------------------


def event_of(server: Running, decision_id: str) -> EventRecord:
    """Return the only event that names a decision."""
    (found,) = find_decision(server, decision_id).events
    return found


@pytest.mark.parametrize(
    ("partner", "seconds", "agreement"),
    [
        ("c0", 30.0, RECONCILIATION_AS_DECIDED),
        ("c0", 61.0, RECONCILIATION_AFTER_EXPIRY),
        ("unknown", 30.0, RECONCILIATION_AGAINST_DECISION),
        ("stranger", 30.0, RECONCILIATION_AGAINST_DECISION),
    ],
)
def test_a_chat_agrees_with_the_ranking_that_offered_its_partner_in_time(
    bundle: Path, tmp_path: Path, partner: str, seconds: float, agreement: int
) -> None:
    clock = Clock()
    with serving(bundle, tmp_path, policy=lenient_policy(), clock=clock) as server:
        answer = rank(server, request("seeker", "c0", bare("unknown")))
        assert answer.expire_time.ToNanoseconds() == int((NOW + 60.0) * 1e9)
        assert answer.decision_time.ToNanoseconds() == int(NOW * 1e9)
        clock.now += seconds
        happened(server, started("chat", partner, "seeker", decision=answer.decision_id))
        event = event_of(server, answer.decision_id)

    assert event.reconciliation == agreement


def test_exposure_is_counted_when_two_meet_and_not_when_one_is_offered(
    bundle: Path, tmp_path: Path
) -> None:
    clock = Clock()
    with serving(
        bundle, directory(tmp_path / "one"), policy=lenient_policy(), clock=clock
    ) as server:
        one = decide(server, pair("a", "b")).minor_adult_probability
    policy = lenient_policy(max_exposure_per_day=str(2.5 * one), recent_partner_minutes="0")
    with serving(bundle, tmp_path, policy=policy, clock=clock) as server:
        happened(server, started("first", "x", "y"))  # the platform reports its chats
        for _ in range(5):
            answer = rank(server, request("seeker", "c0", "c1", "c2"))
            assert len(order(answer)) == 3
        for chat in ("m1", "m2"):
            answer = rank(server, request("seeker", "c0"))
            assert order(answer) == [0]
            happened(server, started(chat, "seeker", "c0", decision=answer.decision_id))
            event = event_of(server, answer.decision_id)
            assert event.exposure == one
        spent = rank(server, request("seeker", "c1"))
        partner = rank(server, request("d", "c0", "c1"))

    assert [each.code for each in spent.seeker_reasons] == []
    assert excluded(spent) == {"EXPOSURE_SPENT": 1}
    assert (order(partner), excluded(partner)) == ([1], {"EXPOSURE_SPENT": 1})


def test_where_no_chats_are_reported_a_seeker_is_charged_at_once(
    bundle: Path, tmp_path: Path
) -> None:
    with serving(bundle, directory(tmp_path / "one"), policy=lenient_policy()) as server:
        one = decide(server, pair("a", "b")).minor_adult_probability
    policy = lenient_policy(max_exposure_per_day=str(3.5 * one))
    with serving(bundle, tmp_path, policy=policy) as server:
        offered = []
        for turn in range(6):
            if turn == 2:
                import_decisions(server)
            offered.append(len(order(rank(server, request("seeker", "c0", "c1")))))

    assert offered == [2, 2, 2, 0, 0, 0]


def test_a_ranking_is_one_decision_on_the_seeker_and_none_on_a_candidate(
    bundle: Path, tmp_path: Path
) -> None:
    policy = lenient_policy(max_reroutes_per_day="1")
    with serving(bundle, tmp_path, policy=policy) as server:
        rank(server, request("seeker", bare("u0"), bare("u1"), bare("u2")))
        assert order(rank(server, request("seeker", "c0"))) == [0]
        rank(server, request("seeker", bare("u0"), bare("u1"), bare("u2")))
        import_decisions(server)
        spent = rank(server, request("seeker", "c0"))
        fine = decide(server, pair("c0", "c1"))

    assert [each.code for each in spent.seeker_reasons] == ["REROUTES_SPENT"]
    assert Decision.Name(fine.decision) == "DECISION_ALLOW"


def test_who_met_by_a_ranking_is_known_by_its_ages_later(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        answer = rank(server, request("seeker", "c0"))
        happened(server, started("chat", "c0", "seeker", decision=answer.decision_id))
        event = event_of(server, answer.decision_id)
        ranking = find_decision(server, answer.decision_id).decision.ranking

    of_candidate = ranking.candidates[0].participant.assessment.probability_minor
    assert event.participant_a_probability_minor == of_candidate
    assert event.participant_b_probability_minor == ranking.seeker.assessment.probability_minor


def test_a_pair_that_was_decided_alone_is_not_counted_again(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        decision = allowed(server, "a", "b")
        happened(server, started("chat", "a", "b", decision=decision))
        event = event_of(server, decision)

    assert not event.HasField("exposure")


def test_rankings_are_counted(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        rank(server, request("seeker", "c0", bare("c1"), Candidate()))
        counted = "pairguard_ranked_candidates_total"
        assert server.metric(counted, decision="ALLOW", leading_reason="ADULTS_MEET") == 1
        assert server.metric(counted, decision="REROUTE", leading_reason="AGE_UNKNOWN") == 1
        assert server.metric(counted, decision="INVALID", leading_reason="") == 1
        assert server.metric("pairguard_decisions_total") == 0


@pytest.mark.parametrize("who", ["seeker", "c0"])
def test_a_chat_from_a_ranking_is_judged_by_what_was_ranked(
    bundle: Path, tmp_path: Path, who: str
) -> None:
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        answer = rank(server, request("seeker", "c0", "c1"))
        happened(server, started("chat", "c0", "seeker", decision=answer.decision_id))

        fine = keep_evidence(server, who, verified("adult", 40))
        minor = keep_evidence(server, who, verified("minor", 15))

    assert not fine.unsafe_chats
    assert [each.chat_id for each in minor.unsafe_chats] == ["chat"]
