"""What each record does to what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.changes import (
    Blocked,
    Change,
    ChatEnded,
    ChatStarted,
    Decided,
    EvidenceKept,
    Exonerated,
    Exposed,
    Linked,
    ReportMade,
    ReportReceived,
    Reviewed,
    ReviewResult,
)
from pairguard.store.effects import UPHELD_HARM
from pairguard.store.ports import LEGAL_HOLD, Hold, HoldChange, JournalRecord, RecordKind
from pairguard.store.records import decision_record, event_record, evidence_record, record_of
from pairguard.store.unlinking import unlinked
from pairguard.v1 import assessment_pb2, feedback_service_pb2, journal_pb2, participant_pb2
from tests.history_changes import NOON, hashed

ANN = (hashed("ann"), hashed("phone of ann"))
BEA = (hashed("bea"), hashed("phone of bea"))
CHAT, EVENT, DECISION = hashed("chat").hex(), hashed("event").hex(), hashed("decision").hex()


def reference(ids: tuple[bytes, ...]) -> participant_pb2.ParticipantReference:
    own, *linked = [each.hex() for each in ids]
    return participant_pb2.ParticipantReference(participant_id=own, linked_ids=linked)


def happened(
    prepare: Callable[[journal_pb2.EventRecord], object] | None = None, **event: Any
) -> JournalRecord:
    """Return the record of an event; ``prepare`` sets what the service adds to it."""
    message = journal_pb2.EventRecord(
        record_version=1,
        event=feedback_service_pb2.Event(
            event_id=EVENT, chat_id=CHAT, decision_id=DECISION, **event
        ),
    )
    message.receive_time.FromSeconds(int(NOON))
    if prepare is not None:
        prepare(message)
    record = event_record(message)
    assert record == record_of(RecordKind.EVENT, record.payload)
    assert (record.kind, record.record_id, record.time) == (RecordKind.EVENT, EVENT, NOON)
    return record


def chat_started() -> feedback_service_pb2.ChatStarted:
    return feedback_service_pb2.ChatStarted(
        participant_a=reference(ANN), participant_b=reference(BEA)
    )


def chat_ended(**fields: Any) -> feedback_service_pb2.ChatEnded:
    return feedback_service_pb2.ChatEnded(
        participant_a=reference(ANN), participant_b=reference(BEA), **fields
    )


def every_event() -> dict[str, Any]:
    """Return an event of each kind of which the first participant is ANN, by its field."""
    a, b = reference(ANN), reference(BEA)
    contract = feedback_service_pb2
    return {
        "chat_started": chat_started(),
        "chat_ended": chat_ended(),
        "report": contract.Report(reporter=a, reported=b),
        "review_verdict": contract.ReviewVerdict(
            participant=a,
            verdict=contract.VERDICT_UPHELD,
            confirmed_age=participant_pb2.VerifiedAge(age_years=15),
        ),
        "hold_placed": contract.HoldPlaced(participant=a, reason_code="SPAM"),
        "hold_released": contract.HoldReleased(participant=a, reason_code="DONE"),
        "personal_block": contract.PersonalBlock(blocker=a, blocked=b),
        "personal_block_lifted": contract.PersonalBlockLifted(blocker=a, blocked=b),
        "appeal_outcome": contract.AppealOutcome(
            participant=a, result=contract.APPEAL_RESULT_OVERTURNED
        ),
    }


def decision(**pair: Any) -> journal_pb2.DecisionRecord:
    message = journal_pb2.DecisionRecord(decision_id=DECISION)
    message.decision_time.FromSeconds(int(NOON))
    for side, ids in (("a", ANN), ("b", BEA)):
        own, *linked = [each.hex() for each in ids]
        participant = participant_pb2.Participant(participant_id=own, linked_ids=linked)
        getattr(message.pair, f"participant_{side}").participant.CopyFrom(participant)
    message.pair.assessment.decision = assessment_pb2.DECISION_ALLOW
    message.pair.assessment.minor_adult_probability = 0.25
    message.pair.participant_a_probability_minor = 0.5
    message.pair.participant_b_probability_minor = 0.125
    message.pair.MergeFrom(journal_pb2.PairDecision(**pair))
    return message


def evidence(ids: tuple[bytes, ...] = ANN, **fields: Any) -> journal_pb2.EvidenceRecord:
    item = participant_pb2.AgeEvidence(
        evidence_id=hashed("item").hex(),
        self_declared=participant_pb2.SelfDeclared(age_years=15),
    )
    item.MergeFrom(participant_pb2.AgeEvidence(**fields))
    message = journal_pb2.EvidenceRecord(participant=reference(ids), age_evidence=item)
    message.receive_time.FromSeconds(int(NOON))
    return message


def test_a_decision_counts_for_both_under_every_id() -> None:
    record = decision_record(decision())
    assert record.participants == {*ANN, *BEA}
    assert (record.record_id, record.time) == (DECISION, NOON)
    assert record == record_of(RecordKind.DECISION, record.payload)
    a, b = Decided(NOON, True, 0.25, 0.5, 0.125), Decided(NOON, True, 0.25, 0.125, 0.5)
    assert record.changes == {
        ANN[0]: (a, Linked(NOON, ANN[1:])),
        ANN[1]: (a,),
        BEA[0]: (b, Linked(NOON, BEA[1:])),
        BEA[1]: (b,),
    }
    assert record.holds == ()


def test_a_decision_adds_the_exposure_that_was_decided() -> None:
    (change,) = decision_record(decision(exposure=0.0)).changes[ANN[1]]
    assert isinstance(change, Decided)
    assert change.exposure == 0.0


def test_a_refused_pair_was_not_allowed_and_numbers_that_are_none_are_unknown() -> None:
    message = decision(participant_b_probability_minor=float("nan"))
    message.pair.assessment.decision = assessment_pb2.DECISION_REROUTE
    message.pair.assessment.ClearField("minor_adult_probability")
    record = decision_record(message)
    assert record.changes[ANN[1]] == (Decided(NOON, False, None, 0.5, None),)


def test_an_id_that_is_linked_to_both_has_seen_both() -> None:
    message = decision()
    message.pair.participant_b.participant.linked_ids.append(ANN[1].hex())
    assert len(decision_record(message).changes[ANN[1]]) == 2


def ranking() -> journal_pb2.DecisionRecord:
    message = journal_pb2.DecisionRecord(decision_id=DECISION)
    message.decision_time.seconds = int(NOON)
    written = message.ranking
    written.seeker.participant.participant_id = ANN[0].hex()
    written.seeker.participant.linked_ids.append(ANN[1].hex())
    written.seeker.assessment.probability_minor = 0.125
    for ids, minor in ((BEA, 0.25), ((bytes(16),), 0.75)):
        candidate = written.candidates.add(place=1)
        candidate.participant.participant.participant_id = ids[0].hex()
        candidate.participant.participant.linked_ids.extend(each.hex() for each in ids[1:])
        candidate.participant.assessment.probability_minor = minor
    return message


def test_a_ranking_is_found_by_all_in_it_and_is_one_decision_on_the_seeker() -> None:
    record = decision_record(ranking())
    assert record.participants == {*ANN, *BEA, bytes(16)}
    assert record.changes == {
        ANN[0]: (Decided(NOON, True, 0.0, 0.125, 0.5), Linked(NOON, ANN[1:])),
        ANN[1]: (Decided(NOON, True, 0.0, 0.125, 0.5),),
    }


def test_a_ranking_that_offers_nobody_is_refused_to_the_seeker() -> None:
    message = ranking()
    for candidate in message.ranking.candidates:
        candidate.ClearField("place")
    record = decision_record(message)
    assert record.changes[ANN[1]] == (Decided(NOON, False, 0.0, 0.125, 0.5),)


def test_a_ranking_adds_what_it_says_to_the_exposure_of_the_seeker() -> None:
    message = ranking()
    message.ranking.exposure = 0.0625
    record = decision_record(message)
    assert record.changes[ANN[1]] == (Decided(NOON, True, 0.0625, 0.125, 0.5),)


def test_a_ranking_of_an_erased_seeker_changes_nothing() -> None:
    message = ranking()
    message.ranking.ClearField("seeker")
    assert decision_record(message).changes == {}


def test_a_chat_from_a_ranking_exposes_both_once() -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.exposure = 0.03125
        message.participant_a_probability_minor = 0.25
        message.participant_b_probability_minor = 0.5

    record = happened(add, chat_started=chat_started())
    for ids, minor in ((ANN, 0.25), (BEA, 0.5)):
        for each in ids:
            changes = [one for one in record.changes[each] if not isinstance(one, Linked)]
            started, exposed = changes
            assert isinstance(started, ChatStarted)
            assert exposed == Exposed(NOON, 0.03125, minor)


def test_a_started_chat_is_a_meeting_of_all_ids() -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.sealed_chat_id = b"sealed"

    record = happened(add, chat_started=chat_started())
    for own, partner in ((ANN, BEA), (BEA, ANN)):
        expected = ChatStarted(NOON, CHAT, partner, DECISION, b"sealed")
        assert record.changes[own[0]] == (expected, Linked(NOON, own[1:]))
        assert record.changes[own[1]] == (expected,)
    assert record.participants == {*ANN, *BEA}
    assert record.decision_id == DECISION
    assert (record.pending, record.reconciliation) == (True, "")


@pytest.mark.parametrize(
    ("agreement", "name"),
    [
        (journal_pb2.RECONCILIATION_AS_DECIDED, "AS_DECIDED"),
        (journal_pb2.RECONCILIATION_WITHOUT_DECISION, "WITHOUT_DECISION"),
    ],
)
def test_a_reconciled_start_is_not_pending(
    agreement: journal_pb2.Reconciliation.ValueType, name: str
) -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.reconciliation = agreement

    record = happened(add, chat_started=chat_started())
    assert (record.pending, record.reconciliation) == (False, name)
    assert not happened(chat_ended=chat_ended()).pending


ENDER_A = feedback_service_pb2.CHAT_ENDER_PARTICIPANT_A
ENDER_B = feedback_service_pb2.CHAT_ENDER_PARTICIPANT_B
LEFT = feedback_service_pb2.CHAT_END_MANNER_LEFT


@pytest.mark.parametrize(
    ("seconds", "ender", "manner", "by_a", "by_b"),
    [
        (10.0, ENDER_A, LEFT, True, False),
        (0.5, ENDER_B, feedback_service_pb2.CHAT_END_MANNER_SKIPPED, False, True),
        (10.5, ENDER_A, LEFT, False, False),
        (None, ENDER_A, LEFT, False, False),
        (3.0, feedback_service_pb2.CHAT_ENDER_PLATFORM, LEFT, False, False),
        (3.0, feedback_service_pb2.CHAT_ENDER_UNSPECIFIED, LEFT, False, False),
        (3.0, ENDER_A, feedback_service_pb2.CHAT_END_MANNER_CONNECTION_LOST, False, False),
        (3.0, ENDER_A, feedback_service_pb2.CHAT_END_MANNER_TIME_LIMIT, False, False),
        (3.0, ENDER_A, feedback_service_pb2.CHAT_END_MANNER_MODERATED, False, False),
        (3.0, ENDER_A, feedback_service_pb2.CHAT_END_MANNER_UNSAFE, False, False),
        (3.0, ENDER_A, feedback_service_pb2.CHAT_END_MANNER_UNSPECIFIED, True, False),
    ],
)
def test_who_leaves_within_ten_seconds_by_choice_skipped_the_other(
    seconds: float | None,
    ender: feedback_service_pb2.ChatEnder.ValueType,
    manner: feedback_service_pb2.ChatEndManner.ValueType,
    by_a: bool,
    by_b: bool,
) -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.participant_a_probability_minor = 0.75
        if seconds is not None:
            message.chat_duration.FromMilliseconds(int(seconds * 1e3))

    record = happened(add, chat_ended=chat_ended(ender=ender, manner=manner))
    for each in ANN:
        assert record.changes[each] == (ChatEnded(NOON, CHAT, BEA, seconds, by_a, by_b, None),)
    for each in BEA:
        assert record.changes[each] == (ChatEnded(NOON, CHAT, ANN, seconds, by_b, by_a, 0.75),)


def test_a_report_counts_for_both() -> None:
    report = feedback_service_pb2.Report(
        reporter=reference(ANN),
        reported=reference(BEA),
        category=feedback_service_pb2.REPORT_CATEGORY_SEXTORTION,
    )
    record = happened(report=report)
    received = ReportReceived(NOON, EVENT, CHAT, "SEXTORTION", ANN)
    assert record.changes == {
        **dict.fromkeys(ANN, (ReportMade(NOON),)),
        **dict.fromkeys(BEA, (received,)),
    }


@pytest.mark.parametrize("block", ["personal_block", "personal_block_lifted"])
def test_a_block_stands_on_both_sides(block: str) -> None:
    record = happened(**{block: every_event()[block]})
    lifted = block == "personal_block_lifted"
    assert record.changes == {
        **dict.fromkeys(ANN, (Blocked(NOON, BEA, by_this=True, lifted=lifted),)),
        **dict.fromkeys(BEA, (Blocked(NOON, ANN, by_this=False, lifted=lifted),)),
    }


def review(verdict: feedback_service_pb2.Verdict.ValueType, **fields: Any) -> Any:
    return feedback_service_pb2.ReviewVerdict(participant=reference(ANN), verdict=verdict, **fields)


def test_an_upheld_review_holds_for_as_long_as_the_policy_said() -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.hold_duration.FromSeconds(3_600)

    verdict = review(feedback_service_pb2.VERDICT_UPHELD, report_event_ids=[hashed("r").hex()])
    record = happened(add, review_verdict=verdict)
    reviewed = Reviewed(NOON, EVENT, ReviewResult.UPHELD, (hashed("r").hex(),), CHAT)
    assert record.changes == dict.fromkeys(ANN, (reviewed,))
    assert record.holds == (HoldChange(ANN, Hold(UPHELD_HARM, NOON, NOON + 3_600.0)),)
    assert happened(review_verdict=verdict).holds == ()


def test_a_review_releases_the_holds_that_it_ended_and_no_others() -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.ended_hold_reasons.extend(["HARM", "UPHELD_HARM"])

    record = happened(add, review_verdict=review(feedback_service_pb2.VERDICT_CLEARED))
    (change,) = record.changes[ANN[0]]
    assert isinstance(change, Reviewed)
    assert change.result is ReviewResult.CLEARED
    reasons = frozenset({"HARM", "UPHELD_HARM"})
    assert record.holds == (HoldChange(ANN, ended_reasons=reasons, unless_upheld=True),)


def test_only_a_hold_for_an_age_ends_whatever_harm_stands_upheld() -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.ended_hold_reasons.extend(["BELOW_MINIMUM_AGE", "UPHELD_HARM"])

    record = happened(add, review_verdict=review(feedback_service_pb2.VERDICT_CLEARED))
    assert record.holds == (
        HoldChange(ANN, ended_reasons=frozenset({"BELOW_MINIMUM_AGE"})),
        HoldChange(ANN, ended_reasons=frozenset({"UPHELD_HARM"}), unless_upheld=True),
    )


@pytest.mark.parametrize(
    "verdict",
    [feedback_service_pb2.VERDICT_UNSPECIFIED, feedback_service_pb2.VERDICT_INCONCLUSIVE],
)
def test_a_review_that_says_nothing_changes_nothing(
    verdict: feedback_service_pb2.Verdict.ValueType,
) -> None:
    record = happened(review_verdict=review(verdict))
    assert (record.changes, record.holds) == ({}, ())


NUISANCES = [
    feedback_service_pb2.REPORT_CATEGORY_SPAM,
    feedback_service_pb2.REPORT_CATEGORY_UNDERAGE,
]


@pytest.mark.parametrize("category", NUISANCES)
def test_who_is_cleared_of_a_nuisance_is_cleared_of_no_harm(
    category: feedback_service_pb2.ReportCategory.ValueType,
) -> None:
    """It would speak of all reports of the chat, and undo what was upheld of it."""
    cleared = feedback_service_pb2.VERDICT_CLEARED
    record = happened(review_verdict=review(cleared, category=category))
    assert (record.changes, record.holds) == ({}, ())
    named = review(cleared, category=category, report_event_ids=[hashed("r").hex()])
    assert set(happened(review_verdict=named).changes) == set(ANN)
    upheld = review(feedback_service_pb2.VERDICT_UPHELD, category=category)
    assert set(happened(review_verdict=upheld).changes) == set(ANN)


def test_a_confirmed_age_is_evidence() -> None:
    age = participant_pb2.VerifiedAge(age_years=15)
    record = happened(
        review_verdict=review(feedback_service_pb2.VERDICT_UNSPECIFIED, confirmed_age=age)
    )
    (kept,) = record.changes[ANN[0]]
    assert isinstance(kept, EvidenceKept)
    item = participant_pb2.AgeEvidence.FromString(kept.content)
    assert item.verified_age == age
    assert item.binding == participant_pb2.BINDING_LIVE_PERSON
    assert item.observed_time.seconds == int(NOON)
    assert kept.evidence == hashed("event")


def placed(
    kind: feedback_service_pb2.HoldKind.ValueType, code: str, expire_time: int | None = None
) -> tuple[HoldChange, ...]:
    hold = feedback_service_pb2.HoldPlaced(participant=reference(ANN), kind=kind, reason_code=code)
    if expire_time is not None:
        hold.expire_time.FromSeconds(expire_time)
    record = happened(hold_placed=hold)
    assert record.changes == {}
    return record.holds


def test_a_hold_of_the_caller_is_never_one_of_the_services_own() -> None:
    pairing = feedback_service_pb2.HOLD_KIND_PAIRING
    for code in (UPHELD_HARM, LEGAL_HOLD, "HARM", "A" * 64):
        (change,) = placed(pairing, code, int(NOON) + 60)
        assert change.hold is not None
        assert change.hold.reason.startswith("PLATFORM_")
        assert change.hold.expire_time == NOON + 60.0
    assert placed(feedback_service_pb2.HOLD_KIND_UNSPECIFIED, LEGAL_HOLD) == placed(
        pairing, LEGAL_HOLD
    )


def test_a_legal_hold_has_one_reason_whatever_the_caller_calls_it() -> None:
    legal = feedback_service_pb2.HOLD_KIND_LEGAL
    assert placed(legal, "COURT") == (HoldChange(ANN, Hold(LEGAL_HOLD, NOON)),)


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        (feedback_service_pb2.HOLD_KIND_UNSPECIFIED, None),
        (feedback_service_pb2.HOLD_KIND_PAIRING, None),
        (feedback_service_pb2.HOLD_KIND_LEGAL, frozenset({LEGAL_HOLD})),
    ],
)
def test_a_release_ends_holds_of_its_kind(
    kind: feedback_service_pb2.HoldKind.ValueType, reasons: frozenset[str] | None
) -> None:
    released = feedback_service_pb2.HoldReleased(participant=reference(ANN), kind=kind)
    assert happened(hold_released=released).holds == (HoldChange(ANN, ended_reasons=reasons),)


def test_only_an_overturned_appeal_exonerates() -> None:
    def add(message: journal_pb2.EventRecord) -> None:
        message.ended_hold_reasons.append("HARM")

    def over_an_age(message: journal_pb2.EventRecord) -> None:
        message.ended_hold_reasons.append("BELOW_MINIMUM_AGE")

    record = happened(add, appeal_outcome=every_event()["appeal_outcome"])
    assert record.changes == dict.fromkeys(ANN, (Exonerated(NOON),))
    harm = HoldChange(ANN, ended_reasons=frozenset({"HARM"}), unless_upheld=True)
    assert record.holds == (harm,)
    # One over an age says nothing of a harm.
    record = happened(over_an_age, appeal_outcome=every_event()["appeal_outcome"])
    assert record.changes == {}
    assert record.holds == (HoldChange(ANN, ended_reasons=frozenset({"BELOW_MINIMUM_AGE"})),)
    confirmed = feedback_service_pb2.AppealOutcome(
        participant=reference(ANN), result=feedback_service_pb2.APPEAL_RESULT_CONFIRMED
    )
    record = happened(add, appeal_outcome=confirmed)
    assert (record.changes, record.holds) == ({}, ())


def test_evidence_is_kept_under_every_id() -> None:
    record = evidence_record(evidence())
    assert record == record_of(RecordKind.EVIDENCE, record.payload)
    assert set(record.changes) == record.participants == set(ANN)
    for place, each in enumerate(ANN):
        (kept,) = record.changes[each]
        assert isinstance(kept, EvidenceKept)
        assert (kept.time, kept.evidence) == (NOON, hashed("item"))
        # Others may share what is linked: it is told of the participant alone.
        assert kept.own == (place == 0)


def test_two_participants_may_be_told_of_one_item_and_each_once() -> None:
    first, other = evidence_record(evidence()), evidence_record(evidence(BEA))
    assert first.record_id != other.record_id
    assert evidence_record(evidence(provider="another")).record_id == first.record_id


def test_a_claim_is_what_an_item_says_but_for_its_times() -> None:
    def claim(message: journal_pb2.EvidenceRecord) -> bytes:
        (kept,) = evidence_record(message).changes[ANN[0]]
        assert isinstance(kept, EvidenceKept)
        return kept.claim

    same = evidence(evidence_id=hashed("another").hex())
    for time in (same.age_evidence.observed_time, same.age_evidence.expire_time):
        time.FromSeconds(int(NOON))
    same.age_evidence.self_declared.declared_time.FromSeconds(1)
    assert claim(evidence()) == claim(same)
    assert claim(evidence()) != claim(evidence(provider="another"))
    older = evidence(self_declared=participant_pb2.SelfDeclared(age_years=16))
    assert claim(evidence()) != claim(older)


def test_an_event_of_a_newer_program_changes_nothing() -> None:
    newer = b"\xfa\x01\x02\x08\x01"  # field 31, a message
    message = journal_pb2.EventRecord()
    message.event.event_id = EVENT
    message.receive_time.FromSeconds(int(NOON))
    event = message.event.SerializeToString() + newer
    payload = (
        b"\x12"
        + bytes([len(event)])
        + event
        + b"\x1a"
        + bytes([message.receive_time.ByteSize()])
        + message.receive_time.SerializeToString()
    )
    record = record_of(RecordKind.EVENT, payload)
    assert (record.record_id, record.time) == (EVENT, NOON)
    assert (record.changes, record.holds, record.participants) == ({}, (), frozenset())
    assert not record.pending
    # It is kept as it is, also when somebody is erased.
    assert newer in record.payload
    assert newer in unlinked(RecordKind.EVENT, payload, ANN)


@pytest.mark.parametrize("kind", sorted(every_event()))
def test_every_kind_of_event_of_the_contract_has_a_meaning(kind: str) -> None:
    fields = feedback_service_pb2.Event.DESCRIPTOR.oneofs_by_name["event"].fields
    assert {field.name for field in fields} == set(every_event())

    def add(message: journal_pb2.EventRecord) -> None:
        message.ended_hold_reasons.append("HARM")

    record = happened(add, **{kind: every_event()[kind]})
    assert record.changes or record.holds
    assert set(ANN) <= record.participants
    assert set(record.changes) <= record.participants


def assert_no_trace(payload: bytes, ids: tuple[bytes, ...] = ANN) -> None:
    for each in ids:
        assert each not in payload
        assert each.hex().encode() not in payload


@pytest.mark.parametrize("kind", sorted(every_event()))
@pytest.mark.parametrize("by", [ANN, ANN[:1], ANN[1:]])
def test_an_erased_participant_is_gone_from_events(kind: str, by: tuple[bytes, ...]) -> None:
    record = happened(**{kind: every_event()[kind]})
    payload = unlinked(RecordKind.EVENT, record.payload, by)
    assert_no_trace(payload)
    rest = record_of(RecordKind.EVENT, payload)
    assert rest.participants == record.participants - set(ANN)
    assert set(rest.changes) <= rest.participants
    assert all(set(change.ids) <= rest.participants for change in rest.holds)
    assert (rest.record_id, rest.time, rest.decision_id) == (EVENT, NOON, DECISION)


@pytest.mark.parametrize("kind", sorted(every_event()))
def test_events_of_others_stay_as_they_are(kind: str) -> None:
    record = happened(**{kind: every_event()[kind]})
    assert unlinked(RecordKind.EVENT, record.payload, (hashed("cem"),)) == record.payload


def test_what_is_left_of_an_event_speaks_of_the_other_one_alone() -> None:
    def left(kind: str) -> dict[bytes, tuple[Change, ...]]:
        payload = happened(**{kind: every_event()[kind]}).payload
        return dict(record_of(RecordKind.EVENT, unlinked(RecordKind.EVENT, payload, ANN)).changes)

    (started,) = left("chat_started")[BEA[1]]
    assert isinstance(started, ChatStarted)
    assert started.partner == ()
    (ended,) = left("chat_ended")[BEA[1]]
    assert isinstance(ended, ChatEnded)
    assert ended.partner == ()
    # Nobody knows any more who reported, and so whether the two had met.
    assert left("report") == {}
    assert left("review_verdict") == {}


def test_an_erased_participant_is_gone_from_decisions_and_the_other_is_not() -> None:
    record = decision_record(decision())
    payload = unlinked(RecordKind.DECISION, record.payload, ANN[1:])
    assert_no_trace(payload)
    rest = record_of(RecordKind.DECISION, payload)
    assert rest.participants == set(BEA)
    assert rest.changes == {each: record.changes[each] for each in BEA}


def test_an_erased_participant_is_gone_from_rankings() -> None:
    message = journal_pb2.DecisionRecord(decision_id=DECISION)
    message.ranking.seeker.participant.participant_id = BEA[0].hex()
    for ids in (ANN, BEA):
        message.ranking.candidates.add().participant.participant.participant_id = ids[0].hex()
    payload = message.SerializeToString()
    without_ann = unlinked(RecordKind.DECISION, payload, ANN)
    assert_no_trace(without_ann)
    assert record_of(RecordKind.DECISION, without_ann).participants == {BEA[0]}
    assert_no_trace(unlinked(RecordKind.DECISION, payload, BEA), BEA)


def test_erased_evidence_says_nothing() -> None:
    record = evidence_record(evidence())
    payload = unlinked(RecordKind.EVIDENCE, record.payload, ANN[1:])
    assert_no_trace(payload)
    assert hashed("item").hex().encode() not in payload
    assert unlinked(RecordKind.EVIDENCE, record.payload, BEA) == record.payload


@given(garbage=st.binary(max_size=200), kind=st.sampled_from(RecordKind))
def test_bytes_that_are_no_record_are_refused_and_nothing_else(
    garbage: bytes, kind: RecordKind
) -> None:
    for read in (lambda: record_of(kind, garbage), lambda: unlinked(kind, garbage, ANN)):
        try:
            read()
        except ValueError:
            continue


@pytest.mark.parametrize("kind", RecordKind)
def test_torn_bytes_are_refused(kind: RecordKind) -> None:
    whole = {
        RecordKind.DECISION: decision_record(decision()),
        RecordKind.EVENT: happened(chat_started=chat_started()),
        RecordKind.EVIDENCE: evidence_record(evidence()),
    }[kind].payload
    with pytest.raises(ValueError, match=r"no record|hex"):
        record_of(kind, whole[:-1])
    with pytest.raises(ValueError, match="no record"):
        unlinked(kind, whole[:-1], ANN)
