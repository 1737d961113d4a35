"""Whoever is ranked again is judged and recorded as if nobody had been remembered."""

from __future__ import annotations

import gc
import pickle
import sys
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pairguard.history.changes import (
    Blocked,
    Change,
    ChatStarted,
    Decided,
    EvidenceKept,
    ReportReceived,
    Reviewed,
    ReviewResult,
)
from pairguard.policy.judgement import Judge
from pairguard.risk.model import RiskModel
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.decision_records import DecisionRecords
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.server.pool_conversion import read_rank_candidates
from pairguard.server.pool_memory import PoolMemory, Remembered
from pairguard.server.pool_scoring import PoolScoring
from pairguard.server.ranking import CandidateRanking, Ranking
from pairguard.server.ranking_journal import RankingJournal
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.store.identity import IdentityKey, IdentityKeys
from pairguard.store.ports import Hold, KeptParticipant, ParticipantStore
from pairguard.store.segments.framing import Position
from pairguard.v1.journal_pb2 import DecisionRecord
from pairguard.v1.pair_risk_service_pb2 import Candidate, RankCandidatesRequest
from pairguard.v1.participant_pb2 import AgeEvidence, Participant
from tests.domain import NOW
from tests.history_changes import row_of
from tests.integration.server.platform_calls import participant
from tests.unit.policy.test_pool_judgement import judge
from tests.unit.server.requests import ADULT, CHILD, FACE, evidence

DAY = 86_400.0
START = NOW + 7_200.0
"""Not at a moment at which an item comes to another day."""
OLD = IdentityKey(b"o" * 32)
NEW = IdentityKey(b"n" * 32)
KEYS = {"old": IdentityKeys([OLD]), "rotated": IdentityKeys([NEW, OLD])}
ITEM = AgeEvidence(evidence_id="e" * 32)
ITEM.self_declared.age_years = 15


def _people() -> list[Participant]:
    people = [
        participant("p0", more=ADULT),
        participant("p1", more=evidence(FACE, "binding: BINDING_LIVE_PERSON")),
        participant("p2", more=CHILD),
        participant("p3"),
        participant("p4", more=ADULT),
    ]
    people[1].region, people[4].region = "US", "KR"
    people[1].linked_ids.append("device")
    people[4].signals["account_age_days"] = 3.0
    people[4].signals["nobody.knows"] = 1.0
    # One week after this item was observed, it says something else.
    for each in people[1].age_evidence:
        each.observed_time.FromSeconds(int(NOW - 6 * DAY))
    return people


PEOPLE = _people()


@dataclass
class Kept:
    """A store of rows and holds by raw id, and what else an answer rests on."""

    changes: dict[str, list[Change]] = field(default_factory=dict)
    holds: dict[str, tuple[Hold, ...]] = field(default_factory=dict)
    damaged: str = ""
    key: str = "old"

    @property
    def keys(self) -> IdentityKeys:
        return KEYS[self.key]

    def read(
        self,
        participants: Sequence[Sequence[bytes]],
        *,
        now: float,  # noqa: ARG002 - holds are active until they are taken out
    ) -> tuple[KeptParticipant, ...]:
        rows = {OLD.hash(raw): row_of(each) for raw, each in self.changes.items()}
        holds = {OLD.hash(raw): each for raw, each in self.holds.items()}
        if self.damaged:
            rows[OLD.hash(self.damaged)] = b"\xff damaged"
        return tuple(
            KeptParticipant(
                tuple([rows[each] for each in ids if each in rows]),
                tuple([hold for each in ids for hold in holds.get(each, ())]),
            )
            for ids in participants
        )


class LastRecord:
    """A journal of one record."""

    payload = b""

    def append(self, payload: bytes) -> Position:
        self.payload = payload
        return Position("segment", len(payload))


class Platform:
    """Ranks one of a few people for the others, while things happen to them."""

    def __init__(self) -> None:
        self.now = START
        self.store = Kept()
        self.recent = RecentDecisions()
        self.kept = KeptParticipants(cast("ParticipantStore", self.store), self.recent)
        self.slot = GenerationSlot(lambda: self.now)
        self.serve("lenient")
        self.memory = PoolMemory()
        self.file = LastRecord()
        metrics = Metrics(CollectorRegistry())
        self.ranking = CandidateRanking(
            PoolScoring(self.slot, self.kept, metrics, clock=lambda: self.now),
            allow_expire_seconds=30.0,
        )
        self.journal = RankingJournal(
            DecisionRecords(self.file, self.kept, CurrentHashing(self.kept), metrics),
            self.kept,
            # A decision on the seeker is not to be found by the ranking that is compared with it.
            RecentDecisions(),
        )

    def serve(self, policy: str) -> None:
        self.slot.put(Generation("bundle", policy, judge(policy), self.now))

    def happen(self, raw_id: str, change: Change) -> None:
        self.store.changes.setdefault(raw_id, []).append(change)

    def rank(self, seeker: int, memory: PoolMemory) -> tuple[Ranking, DecisionRecord]:
        order = PEOPLE[seeker:] + PEOPLE[:seeker]
        asked = RankCandidatesRequest(
            seeker=order[0], candidates=[Candidate(participant=each) for each in order[1:]]
        )
        call = read_rank_candidates(asked, self.now, memory)
        assert not call.invalid
        ranking = self.ranking.rank(call.seeker, call.candidates)
        assert self.journal.keep(asked, ranking, received=0.0)
        return ranking, DecisionRecord.FromString(self.file.payload)

    def remembered(self, number: int) -> Remembered:
        _, found = self.memory.find(PEOPLE[number], self.now)
        assert found is not None
        return found


def hashed(raw_id: str) -> bytes:
    return OLD.hash(raw_id)


def changed(kind: str, time: float, other: str) -> Change:
    """Return one of the things that can happen to somebody."""
    changes: dict[str, Change] = {
        "met": ChatStarted(time, "c" * 32, (hashed(other),), "", b""),
        "blocked": Blocked(time, (hashed(other),), by_this=False),
        "decided": Decided(time, True, 0.4, 0.1, 0.8),
        "reported": ReportReceived(time, "r" * 32, "", "GROOMING", (hashed(other),), met=True),
        "upheld": Reviewed(time, "v" * 32, ReviewResult.UPHELD, ("r" * 32,), ""),
        "evidence": EvidenceKept(time, b"e" * 16, b"c" * 8, ITEM.SerializeToString()),
    }
    return changes[kind]


def same(one: tuple[Ranking, DecisionRecord], other: tuple[Ranking, DecisionRecord]) -> None:
    (ranking, record), (anew, record_anew) = one, other
    for name in ("kinds", "leading", "exposures", "could_expose", "found"):
        assert getattr(ranking.columns, name).tobytes() == getattr(anew.columns, name).tobytes(), (
            name
        )
    for name in ("minor_adult", "harm", "harm_raw", "scores"):
        found, expected = (getattr(each.columns.risk, name) for each in (ranking, anew))
        assert found.tobytes() == expected.tobytes(), name
    assert ranking.offered == anew.offered
    assert ranking.seeker_reasons == anew.seeker_reasons
    assert ranking.degradations == anew.degradations
    assert [seat.known for seat in ranking.pool.seats] == [seat.known for seat in anew.pool.seats]
    assert [side.kept for side in ranking.pool.judgement.sides] == [
        side.kept for side in anew.pool.judgement.sides
    ]
    # Times differ between two calls; and what was taken from a map has no order.
    for each in (ranking, anew):
        assert each.pool.unknown_names in (["nobody.knows"], [])
    assert record.ranking == record_anew.ranking


happenings = st.one_of(
    st.tuples(
        st.sampled_from(["met", "blocked", "decided", "reported", "upheld", "evidence"]),
        st.sampled_from(["p0", "p1", "p2", "p3", "p4", "device"]),
        st.sampled_from(["p0", "p1", "p2", "p3"]),
    ),
    st.tuples(
        st.sampled_from(["held", "released", "damaged", "decides"]),
        st.sampled_from(["p0", "p1", "p2", "p3", "p4", "device"]),
        st.just(""),
    ),
    st.tuples(st.just("serves"), st.sampled_from(["lenient", "regions differ"]), st.just("")),
    st.tuples(st.just("keys"), st.sampled_from(["old", "rotated"]), st.just("")),
    st.tuples(st.just("chats"), st.just(""), st.just("")),
    st.tuples(
        st.just("later"),
        st.sampled_from(["5", "61", "86400", "604800", "-30", "-7000"]),
        st.just(""),
    ),
    st.tuples(st.just("nothing"), st.just(""), st.just("")),
)


def let(platform: Platform, happening: tuple[str, str, str]) -> None:
    kind, who, other = happening
    match kind:
        case "held":
            platform.store.holds[who] = (Hold("SPAM", platform.now, None),)
        case "released":
            platform.store.holds.pop(who, None)
        case "damaged":
            platform.store.damaged = "" if platform.store.damaged else who
        case "decides":
            platform.recent.add(
                [hashed(who)],
                allowed=True,
                exposure=0.4,
                partner_minor=0.9,
                position=Position("segment", 1),
                now=platform.now,
            )
        case "serves":
            platform.serve(who)
        case "keys":
            platform.store.key = who
            platform.kept._keys = None  # as after a restart, but for the memory
        case "chats":
            platform.kept.chats_are_reported = not platform.kept.chats_are_reported
        case "later":
            platform.now += float(who)
        case "nothing":
            platform.recent.settle(lambda _segment, _end: True)
        case _:
            platform.happen(who, changed(kind, platform.now - 1.0, other))


@given(
    st.lists(st.tuples(happenings, st.integers(0, len(PEOPLE) - 1)), min_size=1, max_size=10),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whoever_is_ranked_again_is_judged_and_recorded_as_if_anew(
    happened: list[tuple[tuple[str, str, str], int]],
) -> None:
    platform = Platform()
    for happening, seeker in happened:
        let(platform, happening)
        same(platform.rank(seeker, platform.memory), platform.rank(seeker, PoolMemory()))


def test_a_seat_is_taken_again_while_nothing_changes() -> None:
    platform = Platform()
    platform.happen("p1", changed("decided", NOW - 60, ""))
    first, _ = platform.rank(0, platform.memory)
    platform.now += 1.0
    again, _ = platform.rank(2, platform.memory)

    by_ids = {
        person.ids: seat for person, seat in zip(first.pool.people, first.pool.seats, strict=True)
    }
    assert [by_ids[person.ids] for person in again.pool.people] == again.pool.seats


@pytest.mark.parametrize(
    "happening",
    [
        ("decided", "p1", ""),
        ("evidence", "device", ""),
        ("held", "p1", ""),
        ("damaged", "p1", ""),
        ("decides", "p1", ""),
        ("serves", "regions differ", ""),
        ("keys", "rotated", ""),
        ("chats", "", ""),
        ("later", "61", ""),
        ("later", "-61", ""),
        ("later", "604800", ""),
    ],
)
def test_a_seat_is_not_taken_again_after_a_change(happening: tuple[str, str, str]) -> None:
    platform = Platform()
    first, _ = platform.rank(0, platform.memory)
    let(platform, happening)
    again, _ = platform.rank(0, platform.memory)

    assert again.pool.seats[1] is not first.pool.seats[1]


def test_who_cannot_be_read_keeps_no_seat() -> None:
    platform = Platform()
    let(platform, ("damaged", "p2", ""))
    platform.rank(0, platform.memory)

    assert [platform.remembered(number).seat is None for number in range(5)] == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_whoever_has_long_rows_keeps_no_seat() -> None:
    platform = Platform()
    for number in range(200):
        other = (OLD.hash(f"other-{number}"),)
        platform.happen(
            "p1", ChatStarted(platform.now - 60, f"{number:032x}", other, "", b"s" * 64)
        )
    platform.rank(0, platform.memory)

    assert platform.remembered(1).seat is None
    assert platform.remembered(2).seat is not None


def test_no_id_is_remembered() -> None:
    platform = Platform()
    ranking, _ = platform.rank(0, platform.memory)

    for number, sent in enumerate(PEOPLE):
        remembered = platform.remembered(number)
        seat = remembered.seat
        assert seat is not None
        assert seat.known.participant.participant_id == ""
        assert seat.known.participant.linked_ids == ()
        told = [remembered.reading, seat.known, seat.fetched, list(seat._records.values())]
        for raw_id in (sent.participant_id, *sent.linked_ids):
            assert raw_id.encode() not in pickle.dumps(told)
    # Whoever looks at a judged pair is told its ids all the same.
    known = ranking.pool.known_pair(0, 1)
    assert known is not None
    assert known.a.participant.participant_id == "p0"
    assert known.b.participant.participant_id == "p1"
    assert known.b.participant.linked_ids == ("device",)


def test_a_seat_does_not_keep_what_serves_no_more() -> None:
    platform = Platform()
    kept = judge("lenient").model
    model = RiskModel(kept.tables, kept.catalogue, kept.behaviour, kept.harm)
    platform.slot.put(Generation("b", "p", Judge(model, judge("lenient").policy), platform.now))
    before: list[weakref.ref[Any]] = [weakref.ref(platform.slot.current.judge), weakref.ref(model)]
    del model
    platform.rank(0, platform.memory)
    platform.serve("regions differ")
    platform.rank(0, PoolMemory())
    gc.collect()

    assert platform.remembered(1).seat is not None
    assert [each() for each in before] == [None, None]


@pytest.mark.parametrize(
    ("policy", "follows"),
    [
        ("lenient", "adult_age_years"),
        ("regions differ", "adult_age_years"),
        ("gates differ", "admission"),
    ],
)
def test_a_record_is_of_the_lines_of_the_pair_whoever_seeks(policy: str, follows: str) -> None:
    platform = Platform()
    platform.serve(policy)
    told = set()
    for seeker in [*range(len(PEOPLE)), *range(len(PEOPLE))]:
        remembered = platform.rank(seeker, platform.memory)
        same(remembered, platform.rank(seeker, PoolMemory()))
        for candidate in remembered[1].ranking.candidates:
            who = (seeker + 1 + candidate.candidate_index) % len(PEOPLE)
            told.add((who, getattr(candidate.participant.assessment, follows)))
    assert len(told) > len(PEOPLE)  # the partner's lines made a difference


@pytest.mark.parametrize("damaged", ["p0", "p3"])
def test_a_record_does_not_tell_of_a_pair_what_its_rules_were_not_told(damaged: str) -> None:
    platform = Platform()
    for of_whom in ("", damaged, damaged, "", ""):
        platform.store.damaged = of_whom
        remembered = platform.rank(0, platform.memory)
        same(remembered, platform.rank(0, PoolMemory()))
        told = {
            order: (each.HasField("kept_between"), each.participant.HasField("kept_counts"))
            for order, each in enumerate(remembered[1].ranking.candidates, start=1)
        }
        unread = {"": [], "p0": [1, 2, 3, 4], "p3": [3]}[of_whom]
        assert told == {order: (order not in unread,) * 2 for order in range(1, 5)}


def test_an_item_that_comes_to_another_day_within_the_minute_is_weighed_anew() -> None:
    platform = Platform()
    sent = Participant()
    sent.CopyFrom(PEOPLE[1])
    platform.now = platform.now // 60 * 60 + 10
    for each in sent.age_evidence:
        each.observed_time.FromSeconds(int(platform.now) + 2 - 7 * int(DAY))
    asked = RankCandidatesRequest(seeker=PEOPLE[0], candidates=[Candidate(participant=sent)])
    seats = []
    for later in (0.0, 0.5, 4.5, -4.0):
        platform.now += later
        call = read_rank_candidates(asked, platform.now, platform.memory)
        seats.append(platform.ranking.rank(call.seeker, call.candidates).pool.seats[1])

    assert seats[1] is seats[0]
    assert seats[2] is not seats[1]
    assert seats[3] is not seats[2]


@pytest.mark.parametrize(("at", "then"), [((0.0,), 15.0), ((2.0, 15.0), 5.0)])
def test_evidence_that_expires_within_the_minute_counts_no_longer(
    monkeypatch: pytest.MonkeyPatch, at: tuple[float, ...], then: float
) -> None:
    people = _people()
    for each in people[4].age_evidence:
        each.expire_time.FromSeconds(int(START) + 10)
    monkeypatch.setattr(sys.modules[__name__], "PEOPLE", people)
    platform = Platform()
    for seconds in at:
        platform.now = START + seconds
        platform.rank(0, platform.memory)
    platform.now = START + then
    assert platform.now // 60 == START // 60
    for seeker in (0, 4):
        same(platform.rank(seeker, platform.memory), platform.rank(seeker, PoolMemory()))


class Flickering(KeptParticipants):
    """Of which whether chats are reported is another each time that it is asked."""

    answers: Iterator[bool] = iter(())

    @property
    def chats_are_reported(self) -> bool:
        return next(self.answers)

    @chats_are_reported.setter
    def chats_are_reported(self, value: bool) -> None:
        pass


def test_whether_chats_are_reported_is_read_once_for_a_pool() -> None:
    platform = Platform()
    kept = Flickering(cast("ParticipantStore", platform.store), platform.recent)
    scoring = PoolScoring(
        platform.slot, kept, Metrics(CollectorRegistry()), clock=lambda: platform.now
    )
    people = [participant(f"new-{number}", more=ADULT) for number in range(3)]
    asked = RankCandidatesRequest(seeker=people[0])
    for each in people[1:]:
        asked.candidates.add(participant=each)
    call = read_rank_candidates(asked, platform.now, platform.memory)
    pool = [call.seeker, *[each.person for each in call.candidates]]
    for first, second in ((True, False), (False, True)):
        kept.answers = iter([first] + [second] * 9)
        seats = scoring.read(pool, around=0).seats
        assert [seat.member.side.kept.chats_counted for seat in seats] == [first] * 3


def test_hashes_of_a_record_are_those_of_the_current_key() -> None:
    platform = Platform()
    platform.store.key = "rotated"
    ranking, record = platform.rank(0, platform.memory)

    assert ranking.pool.seats[1].known.ids == (NEW.hash("p1"), NEW.hash("device"))
    written = record.ranking.candidates[0].participant.participant
    assert written.participant_id == NEW.hash("p1").hex()
    assert list(written.linked_ids) == [NEW.hash("device").hex()]


@pytest.mark.parametrize("reported", [False, True])
def test_a_ranking_charges_its_seeker_only_where_no_chats_are_reported(reported: bool) -> None:
    platform = Platform()
    platform.kept.chats_are_reported = reported
    ranking, record = platform.rank(0, platform.memory)

    assert ranking.offered
    assert record.ranking.HasField("exposure") is not reported
