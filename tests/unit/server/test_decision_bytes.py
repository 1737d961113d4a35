"""A record that is joined from bytes says what a record that is built as a message says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.admission import Admission
from pairguard.bundle.defaults import default_catalogue
from pairguard.history.kept_evidence import KeptItem
from pairguard.history.summary import Summary
from pairguard.policy.decision import DecisionKind
from pairguard.policy.judgement import Judge, Judgement
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import NOTHING_KEPT, NOTHING_KEPT_OF_CHATS, KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from pairguard.server.assessing import AssessedAge
from pairguard.server.belief_record import belief_bytes
from pairguard.server.generation import Generation
from pairguard.server.kept_participants import KnownPair, KnownParticipant
from pairguard.server.pair_answer import pair_answer
from pairguard.server.participant_writing import ParticipantWriting
from pairguard.server.request_conversion import read_participant
from pairguard.server.response_conversion import reasons_of
from pairguard.server.scoring import HeldParty, ScoredPair
from pairguard.server.violations import Violations
from pairguard.store.kept_state import between_bytes, counts_bytes, read_kept
from pairguard.v1 import journal_pb2, participant_pb2
from pairguard.v1.assessment_pb2 import (
    ADMISSION_ADULTS,
    ADMISSION_UNKNOWN,
    AgeAssessment,
    PairAssessment,
)
from tests.domain import NOW, TABLES, default_policy_document, verified
from tests.unit.server.requests import ADULT, CHILD, FACE, evidence, pair_request
from tests.unit.server.test_record_hashing import HASHING, KEY, KNOWN, MARK, filled, texts

WRITING = ParticipantWriting(HASHING, KNOWN)
HISTORY = {"history.reports_30d": 3.0, "history.skips_7d": 0.0}

names = st.sampled_from(
    ["vpn", "wait", "client_os", "history.reports_30d", "music", "art", "other", MARK]
)
words = st.sampled_from(["", "ios", "android", "music", "en", "de-DE", "Listed Path", "web", MARK])
numbers = st.floats(allow_nan=False, allow_infinity=False)
items = st.sampled_from(
    [
        ADULT,
        CHILD,
        evidence(FACE, "provider: 'Unknown Company' evidence_id: 'e'"),
        evidence("age_check { method: 3 threshold_years: 18 capture_session: 'c' }"),
    ]
)
participants = st.builds(
    lambda **fields: participant_pb2.Participant(participant_id="a", **fields),
    linked_ids=st.lists(st.sampled_from(["d", "e"]), max_size=2),
    age_evidence=st.lists(
        items.map(lambda text: pair_request(a=text).participant_a.age_evidence[0]), max_size=3
    ),
    signals=st.dictionaries(names, numbers, max_size=6),
    attributes=st.dictionaries(names, words, max_size=4),
    interests=st.lists(names, max_size=4),
    region=st.sampled_from(["", "GB", "US-TX"]),
    language=words,
    entry_path=words,
)


def read(message: participant_pb2.Participant) -> Participant:
    """Return a participant as a call has it."""
    return read_participant(message, "participant_a", now=NOW, violations=Violations())


def inputs(
    message: participant_pb2.Participant,
    *,
    kept: tuple[KeptItem, ...] = (),
    history: Mapping[str, float] | None = None,
    hashed: bool = True,
) -> journal_pb2.ParticipantRecord:
    raw = (message.participant_id, *message.linked_ids)
    ids = tuple(KEY.hash(each) for each in raw) if hashed else ()
    known = KnownParticipant(
        read(message), ids, summary=Summary(signals=history), kept_evidence=kept
    )
    return journal_pb2.ParticipantRecord.FromString(WRITING.inputs(message, known))


# ---- participants --------------------------------------------------------------------------------


@given(participants, st.sampled_from([None, {}, HISTORY]), st.booleans())
def test_what_was_sent_is_written_as_it_is_hashed(
    message: participant_pb2.Participant, history: Mapping[str, float] | None, hashed: bool
) -> None:
    expected = HASHING.participant(message, history=history)

    assert inputs(message, history=history, hashed=hashed).participant == expected


@pytest.mark.parametrize("message", list(filled(participant_pb2.Participant, MARK)))
def test_no_text_of_a_caller_is_written_as_it_is(message: participant_pb2.Participant) -> None:
    written = inputs(message)

    assert written.participant == HASHING.participant(message)
    assert not [path for path, text in texts(written) if MARK in text]


def test_a_field_that_this_version_does_not_have_is_not_written() -> None:
    later = b"\xfa\x3f\x06secret"
    message = participant_pb2.Participant.FromString(
        participant_pb2.Participant(participant_id="a").SerializeToString() + later
    )

    assert b"secret" in message.SerializeToString()
    assert b"secret" not in inputs(message).SerializeToString()


def test_kept_evidence_follows_what_was_sent_and_tells_whose_it_was() -> None:
    message = pair_request(a=ADULT).participant_a
    mine = participant_pb2.AgeEvidence(evidence_id="aa", provider="yoti")
    theirs = participant_pb2.AgeEvidence(evidence_id="bb")
    kept = (
        KeptItem(b"\xaa" * 16, b"", NOW, mine.SerializeToString()),
        KeptItem(b"\xbb" * 16, b"", NOW, theirs.SerializeToString(), own=False),
    )

    written = inputs(message, kept=kept)

    assert written.participant == HASHING.participant(message, kept_evidence=[mine, theirs])
    assert written.linked_evidence_ids == ["bb" * 16]


# ---- beliefs, and what is kept -------------------------------------------------------------------

MODEL = RiskModel(TABLES, default_catalogue(), None, None)
JUDGE = Judge(MODEL, Policy.from_mapping(default_policy_document()))


def test_a_belief_is_written_whole_or_short_and_anew_for_other_lines() -> None:
    age = MODEL.assess_participant(Participant("a", age_evidence=(verified(30),)), NOW).age

    for adult_age, pool, as_written in (
        (18, Admission.ADULTS, ADMISSION_ADULTS),
        (21, Admission.UNKNOWN, ADMISSION_UNKNOWN),
        (18, Admission.ADULTS, ADMISSION_ADULTS),
    ):
        whole, short = (
            journal_pb2.ParticipantRecord.FromString(
                belief_bytes(age, adult_age, pool, whole=is_whole)
            )
            for is_whole in (True, False)
        )

        assert whole.assessment == AgeAssessment(
            probability_minor=age.probability_below(adult_age),
            adult_age_years=adult_age,
            admission=as_written,
            entropy_nats=age.entropy_nats,
            conflict=age.conflict,
        )
        assert list(whole.age_probabilities) == age.probabilities.astype("f4").tolist()
        assert short.assessment == whole.assessment
        assert not short.age_probabilities


counts = st.builds(
    KeptState,
    held_for=st.lists(st.sampled_from(["A", "B"]), max_size=2).map(tuple),
    chats_counted=st.booleans(),
    decisions_24h=numbers,
    allowed_24h=numbers,
    reroutes_24h=numbers,
    exposure_24h=numbers,
    chats_started_24h=numbers,
    partner_minor_mean_24h=st.none() | numbers,
    reporters_30d=numbers,
    partners_30d=numbers,
    upheld_harm=st.booleans(),
) | st.sampled_from([NOTHING_KEPT, NOTHING_KEPT_OF_CHATS])


@given(
    st.builds(
        StoredState,
        readable=st.booleans(),
        a=counts,
        b=counts,
        personal_block=st.booleans(),
        seconds_since_last_met=st.none() | numbers,
    )
)
def test_what_the_rules_were_told_is_read_back(state: StoredState) -> None:
    pair = journal_pb2.PairDecision.FromString(between_bytes(state))
    pair.participant_a.MergeFromString(counts_bytes(state.a))
    pair.participant_b.MergeFromString(counts_bytes(state.b))

    assert read_kept(pair, pair.participant_a, pair.participant_b) == state


# ---- answers -------------------------------------------------------------------------------------


def judged(a: str = "", b: str = "") -> Judgement:
    request = pair_request(a=a, b=b)
    return JUDGE.judge_pair(
        read(request.participant_a), read(request.participant_b), now=NOW, state=StoredState()
    )


def scored(judgement: Judgement, **others: Any) -> ScoredPair:
    nobody = KnownParticipant(Participant("a"))
    generation = Generation("b1", "p1", JUDGE, 0.0)
    return ScoredPair(
        decision_id="0" * 32,
        decision_time=NOW + 0.25,
        generation=generation,
        known=KnownPair(nobody, nobody, StoredState()),
        judgement=judgement,
        **{"expire_time": None, "held": (), "degradations": (), **others},
    )


def without_words(assessment: PairAssessment) -> PairAssessment:
    """Return an answer as its record must hold it."""
    record = HASHING.pair_assessment(assessment)
    for reason in reasons_of(record):
        reason.ClearField("analyst_text")
        reason.ClearField("participant_text")
    return record


HELD = (
    HeldParty(Reason(ReasonCode.BELOW_MINIMUM_AGE, Party.A), NOW + 60),
    HeldParty(Reason(ReasonCode.HELD, Party.B), None),
)
UNKNOWN = "signals { key: 'nobody_knows_this' value: 1 }"


@pytest.mark.parametrize(
    ("a", "b", "others"),
    [
        ("", "", {}),
        (ADULT, ADULT, {"expire_time": NOW + 30}),
        (CHILD, ADULT, {"held": HELD, "degradations": ("A_THING", "B_THING")}),
        (UNKNOWN, UNKNOWN, {}),
    ],
)
def test_the_answer_is_recorded_without_words_and_names(
    a: str, b: str, others: dict[str, Any]
) -> None:
    answer = pair_answer(scored(judged(a, b), **others), None)

    assessment = answer.response.assessment
    assert PairAssessment.FromString(answer.recorded) == without_words(assessment)
    assert all(each.analyst_text and each.participant_text for each in reasons_of(assessment))
    assert bool(assessment.unknown_signals) == (UNKNOWN in a)
    assert len(assessment.held_participants) == len(others.get("held", ()))


def test_checks_are_answered_for_each_party_by_its_own_plan() -> None:
    judgement = judged()
    assert judgement.decision.kind is DecisionKind.REROUTE

    again = [pair_answer(scored(each), None).response for each in (judgement, judged())]

    assert again[0] == again[1]
    asked = again[0].assessment.age_checks
    assert [each.participant for each in asked] == [1, 2]
    assert all(each.options for each in asked)


def test_beliefs_are_answered_in_the_full_view_and_not_recorded() -> None:
    judgement = judged(ADULT)
    a, b = [
        AssessedAge(each.age, JUDGE.planner.plan("", each.age), contributions=None, reasons=())
        for each in (judgement.a, judgement.b)
    ]

    answer = pair_answer(scored(judgement), (a, b))

    assert answer.response.assessment.participant_a_assessment.bands
    recorded = PairAssessment.FromString(answer.recorded)
    assert not recorded.HasField("participant_a_assessment")
    assert recorded == without_words(answer.response.assessment)
