"""What may be kept of a message: no id as it was sent, and no text that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.participant import (
    DEVICE_SIGNAL,
    HIDDEN_LOCATION_SIGNALS,
    TAMPERED_CAPTURE_SIGNALS,
)
from pairguard.risk.participant import Participant as ParticipantValue
from pairguard.server.known_names import KnownNames
from pairguard.server.record_hashing import UNLISTED_PROVIDER, RecordHashing
from pairguard.store.identity import IdentityKey
from pairguard.v1.assessment_pb2 import (
    AgeAssessment,
    EvidenceContribution,
    PairAssessment,
    PairContext,
    Reason,
    UnknownSignals,
)
from pairguard.v1.feedback_service_pb2 import Event
from pairguard.v1.participant_pb2 import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    Participant,
    ParticipantReference,
    SelfDeclared,
    VerifiedAge,
)
from tests.domain import TABLES
from tests.unit.server.events import BODIES, event

MARK = "MARKED 4711@example.org"
KEY = IdentityKey(b"k" * 32)
CATALOGUE = SignalCatalogue.from_mapping(
    {
        "interests": ["music", "art"],
        "signals": [
            {"name": "wait", "kind": "number", "unit": "seconds", "minimum": 1, "maximum": 10},
            {"name": "vpn", "kind": "flag"},
            {"name": "client_os", "kind": "category", "categories": ["ios", "android"]},
            {
                "name": "history.reports_30d",
                "kind": "number",
                "unit": "reports",
                "minimum": 0,
                "maximum": 100,
                "source": "history",
            },
        ],
    }
)
KNOWN = KnownNames(
    **{
        name: getattr(KnownNames.of(CATALOGUE, TABLES), name)
        for name in ("ranges", "categories", "interests")
    },
    providers=frozenset({"listed provider"}),
    entry_paths=frozenset({"Listed Path"}),
)
HASHING = RecordHashing(KEY.hash, KNOWN)


def hashed(text: str) -> str:
    return KEY.hash(text).hex()


# ---- nothing that a caller writes comes through as it is -----------------------------------------


def fill(message: Any, text: str, oneofs: dict[str, str]) -> None:
    """Put a text into each text field of a message and of all its parts, map keys included."""
    for place in message.DESCRIPTOR.fields:
        oneof = place.containing_oneof
        if oneof is not None and oneofs.get(oneof.full_name, place.name) != place.name:
            continue
        value = getattr(message, place.name)
        if place.message_type is None:
            if place.type != FieldDescriptor.TYPE_STRING:
                continue
            if place.is_repeated:
                value.append(text)
            else:
                setattr(message, place.name, text)
        elif place.message_type.GetOptions().map_entry:
            kind = place.message_type.fields_by_name["value"].type
            value[text] = text if kind == FieldDescriptor.TYPE_STRING else 1.0
        elif place.message_type.file.package == "pairguard.v1":
            if place.is_repeated:
                fill(value.add(), text, oneofs)
            else:
                value.SetInParent()
                fill(value, text, oneofs)


def filled(kind: type[Message], text: str) -> Iterator[Any]:
    """Yield messages in which, between them, each text field of the contract holds a text."""
    for choice in range(9):
        oneofs = {
            oneof.full_name: oneof.fields[choice % len(oneof.fields)].name
            for message in (Event, AgeEvidence, AgeAssessment)
            for oneof in message.DESCRIPTOR.oneofs
        }
        message = kind()
        fill(message, text, oneofs)
        yield message


def texts(message: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text in a message with the path of its field, without indices."""
    for place, value in message.ListFields():
        name = f"{path}{place.name}"
        if place.message_type is not None and place.message_type.GetOptions().map_entry:
            for key in value:
                yield name, key
                if isinstance(value[key], str):
                    yield name, value[key]
        elif place.message_type is not None:
            for item in value if place.is_repeated else [value]:
                yield from texts(item, f"{name}.")
        elif place.type == FieldDescriptor.TYPE_STRING:
            for item in value if place.is_repeated else [value]:
                yield name, item


def kept(message: Message) -> Message:
    """Return a message as it may be kept, by the method for its kind."""
    match message:
        case Event():
            return HASHING.event(message)
        case Participant():
            return HASHING.participant(message)
        case ParticipantReference():
            return HASHING.reference(message)
        case AgeEvidence():
            return HASHING.age_evidence(message)
        case PairContext():
            return HASHING.context(message)
        case AgeAssessment():
            return HASHING.age_assessment(message)
        case PairAssessment():
            return HASHING.pair_assessment(message)
    raise AssertionError(message)


OWN_WORDS = {"code", "analyst_text", "participant_text", "decision_id", "bundle_version"} | {
    "policy_version",
    "degradations",
}
"""Fields of answers that the service itself writes."""


@pytest.mark.parametrize(
    "kind", [Event, Participant, ParticipantReference, AgeEvidence, PairContext]
)
def test_no_marked_text_of_a_caller_is_kept(kind: type[Message]) -> None:
    seen = 0
    for message in filled(kind, MARK):
        seen += len(list(texts(message)))
        # Also in a field of a contract to come.
        message.MergeFromString(b"\xfa\x7f" + bytes([len(MARK)]) + MARK.encode())
        assert MARK.encode() in message.SerializeToString()

        record = kept(message)

        assert MARK.encode() not in record.SerializeToString()
        assert MARK not in str(record)
    assert kind is PairContext or seen >= 2


@pytest.mark.parametrize("kind", [AgeAssessment, PairAssessment])
def test_of_an_answer_only_the_services_own_words_are_kept(kind: type[Message]) -> None:
    for message in filled(kind, MARK):
        places = {path.rpartition(".")[2] for path, text in texts(kept(message)) if text == MARK}

        assert places <= OWN_WORDS
        assert places


@pytest.mark.parametrize("kind", BODIES)
def test_a_name_in_plain_letters_is_kept_only_where_a_code_or_a_name_of_a_table_is(
    kind: str,
) -> None:
    for text in ("plain", "PLAIN", "aaaa-bbbb"):
        message = Event()
        fill(message, text, {"pairguard.v1.Event.event": kind})

        found = {path.rpartition(".")[2] for path, value in texts(kept(message)) if value == text}

        assert found <= {"reason_code"}


def test_each_text_field_is_either_kept_by_a_rule_or_named_here() -> None:
    """A field that is added to the contract is dropped until it has a rule; this says so."""
    dropped = set()
    for kind in (Event, Participant, ParticipantReference, AgeEvidence, AgeAssessment):
        for text in ("0123456789abcdef" * 2, "PLAIN", "plain", "GB", "de", "music", "ios"):
            for message in filled(kind, text):
                before = {path for path, _ in texts(message)}
                dropped |= {f"{kind.DESCRIPTOR.name}.{path}" for path in before}
    for kind in (Event, Participant, ParticipantReference, AgeEvidence, AgeAssessment):
        for text in ("0123456789abcdef" * 2, "PLAIN", "plain", "GB", "de", "music", "ios"):
            for message in filled(kind, text):
                after = {path for path, _ in texts(kept(message))}
                dropped -= {f"{kind.DESCRIPTOR.name}.{path}" for path in after}

    # Only names of the catalogue are kept in these.
    assert dropped == {"Participant.signals", "Participant.attributes"}


# ---- what stands in the place of an id -----------------------------------------------------------


def test_each_id_of_an_event_is_replaced_by_its_hash() -> None:
    message = event("report", rest="decision_id: '0123456789abcdef0123456789abcdef'")

    record = HASHING.event(message)

    assert record.event_id == hashed("event:e1")
    assert record.chat_id == hashed("chat:c1")
    assert record.decision_id == "0123456789abcdef" * 2
    assert record.report.reporter.participant_id == hashed("a")
    assert record.report.reported.participant_id == hashed("b")
    assert list(record.report.reported.linked_ids) == [hashed("d2")]
    assert record.report.category == message.report.category
    assert record.event_time == message.event_time


def test_what_is_reviewed_is_hashed_as_the_reports_themselves_are() -> None:
    record = HASHING.event(event("review_verdict"))

    assert list(record.review_verdict.report_event_ids) == [hashed("event:r1"), hashed("event:r2")]
    assert record.review_verdict.confirmed_age.capture_session == hashed("capture:c")
    assert record.review_verdict.confirmed_age.age_years == 16
    report = Event(event_id="r1")
    assert HASHING.event(report).event_id == record.review_verdict.report_event_ids[0]


def test_the_reason_of_a_hold_stays() -> None:
    assert HASHING.event(event("hold_placed")).hold_placed.reason_code == "CASE_7"
    assert HASHING.event(event("hold_released")).hold_released.reason_code == "OK"


@pytest.mark.parametrize("text", ["alice", "0123456789ABCDEF" * 2, "a" * 33, "4711"])
def test_what_is_no_id_of_a_decision_of_ours_is_hashed(text: str) -> None:
    assert HASHING.event(Event(decision_id=text)).decision_id == hashed(f"decision:{text}")


def test_ids_of_different_kinds_do_not_meet() -> None:
    message = Event(event_id="x", chat_id="x", decision_id="x")
    message.review_verdict.participant.participant_id = "x"
    message.review_verdict.confirmed_age.capture_session = "x"
    record = HASHING.event(message)
    evidence = HASHING.age_evidence(AgeEvidence(evidence_id="x"))

    assert len(set([value for _, value in texts(record)] + [evidence.evidence_id])) == 6
    assert HASHING.request_id("x") not in {value for _, value in texts(record)}


def test_what_was_not_told_stays_untold() -> None:
    assert HASHING.event(Event()) == Event()
    assert HASHING.participant(Participant()) == Participant()
    assert HASHING.request_id("") == ""


def test_the_message_itself_stays_as_it_is() -> None:
    message = event("review_verdict")
    HASHING.event(message)

    assert message == event("review_verdict")


def test_another_key_gives_other_hashes() -> None:
    other = RecordHashing(IdentityKey(b"l" * 32).hash)

    assert other.event(event()).event_id != HASHING.event(event()).event_id


# ---- participants --------------------------------------------------------------------------------


def test_a_participant_is_kept_in_the_words_of_the_catalogue() -> None:
    record = HASHING.participant(
        Participant(
            participant_id="p",
            linked_ids=["d", "e"],
            signals={"wait": 99.0, "vpn": 1.0, "unheard": 3.0, "history.reports_30d": 7.0},
            attributes={"client_os": "ios", "unheard": "ios"},
            interests=["music", "unheard", "art"],
            region="US-TX",
            language="pt-BR",
            entry_path="Listed Path",
        ),
        history={"history.reports_30d": 200.0, "history.unheard": 1.0},
    )

    assert record == Participant(
        participant_id=hashed("p"),
        linked_ids=[hashed("d"), hashed("e")],
        signals={
            "wait": 10.0,
            "vpn": 1.0,
            "history.reports_30d": 200.0,
            "history.unheard": 1.0,
        },
        attributes={"client_os": "ios"},
        interests=["music", "art"],
        region="US-TX",
        language="pt-BR",
        entry_path="Listed Path",
    )


def test_a_category_that_is_not_listed_is_not_kept() -> None:
    assert not HASHING.participant(Participant(attributes={"client_os": "beos"})).attributes


def test_what_is_unknown_is_left_out_and_never_0() -> None:
    record = HASHING.participant(Participant(signals={"wait": float("nan")}))

    assert not record.signals


@pytest.mark.parametrize("wait", [-3.0, 1.0, 1.5, 10.0, 11.0])
def test_clipped_numbers_are_those_of_the_catalogues_vector(wait: float) -> None:
    record = HASHING.participant(Participant(signals={"wait": wait}))

    vector = CATALOGUE.vector(ParticipantValue("p", signals={"wait": wait}))
    assert dict(record.signals) == {"wait": vector.values[CATALOGUE.columns.index("wait")]}


def test_ids_of_evidence_and_captures_are_hashed_and_the_rest_stays() -> None:
    record = HASHING.participant(
        Participant(
            age_evidence=[
                AgeEvidence(
                    evidence_id="e",
                    provider="Yoti",
                    facial_age_estimate=FacialAgeEstimate(mean_years=17, capture_session="c"),
                ),
                AgeEvidence(age_check=AgeCheck(threshold_years=18, capture_session="c")),
                AgeEvidence(verified_age=VerifiedAge(birth_year=2001, capture_session="c")),
            ]
        )
    )

    capture = hashed("capture:c")
    assert list(record.age_evidence) == [
        AgeEvidence(
            evidence_id=hashed("evidence:e"),
            provider="yoti",
            facial_age_estimate=FacialAgeEstimate(mean_years=17, capture_session=capture),
        ),
        AgeEvidence(age_check=AgeCheck(threshold_years=18, capture_session=capture)),
        AgeEvidence(verified_age=VerifiedAge(birth_year=2001, capture_session=capture)),
    ]


def test_kept_evidence_stands_beside_what_was_sent() -> None:
    sent = AgeEvidence(evidence_id="e1", self_declared=SelfDeclared(age_years=19))
    earlier = [
        HASHING.age_evidence(AgeEvidence(evidence_id="e1", provider="older")),
        HASHING.age_evidence(AgeEvidence(evidence_id="e2")),
        AgeEvidence(provider="no-id"),
    ]

    record = HASHING.participant(Participant(age_evidence=[sent]), kept_evidence=earlier)

    assert list(record.age_evidence) == [HASHING.age_evidence(sent), *earlier]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("", ""),
        ("yoti", "yoti"),
        ("Yoti", "yoti"),
        ("Listed Provider", "listed provider"),
        ("ada@example.org", UNLISTED_PROVIDER),
        ("2011-03-04", UNLISTED_PROVIDER),
        ("192.0.2.7", UNLISTED_PROVIDER),
        ("a" * 65, UNLISTED_PROVIDER),
        ("yoti\n", UNLISTED_PROVIDER),
    ],
)
def test_a_provider_is_kept_if_it_is_a_name_and_never_becomes_untold(
    sent: str, expected: str
) -> None:
    assert HASHING.age_evidence(AgeEvidence(provider=sent)).provider == expected


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("entry_path", "random_video", "random_video"),
        ("entry_path", "Listed Path", "Listed Path"),
        ("entry_path", "Unlisted", ""),
        ("entry_path", "192.0.2.7", ""),
        ("language", "de", "de"),
        ("language", "zh-Hant-TW", "zh-Hant-TW"),
        ("language", "I speak German", ""),
        ("region", "GB", "GB"),
        ("region", "somewhere", ""),
    ],
)
def test_other_words_are_kept_in_their_own_form_only(field: str, text: str, expected: str) -> None:
    message = Participant()
    setattr(message, field, text)

    assert getattr(HASHING.participant(message), field) == expected


# ---- answers -------------------------------------------------------------------------------------


def test_an_answer_is_kept_without_the_names_that_nobody_knows() -> None:
    answer = PairAssessment(
        decision_id="0123456789abcdef" * 2,
        reasons=[Reason(code="AGE_UNKNOWN", analyst_text="why")],
        bundle_version="b1",
        policy_version="p1",
        degradations=["STORE_UNAVAILABLE"],
        unknown_signals=[UnknownSignals(names=["alice"])],
        participant_a_assessment=AgeAssessment(conflict=True),
        participant_b_assessment=AgeAssessment(conflict=True),
        risk_score=0.25,
    )

    assert HASHING.pair_assessment(answer) == PairAssessment(
        decision_id="0123456789abcdef" * 2,
        reasons=[Reason(code="AGE_UNKNOWN", analyst_text="why")],
        bundle_version="b1",
        policy_version="p1",
        degradations=["STORE_UNAVAILABLE"],
        risk_score=0.25,
    )


def test_a_contribution_names_its_evidence_as_the_record_does() -> None:
    record = HASHING.age_assessment(
        AgeAssessment(contributions=[EvidenceContribution(evidence_id="e", provider="Yoti")])
    )

    assert record.contributions[0].evidence_id == hashed("evidence:e")
    assert record.contributions[0].provider == "yoti"


def test_the_names_of_the_tables_are_known() -> None:
    known = KnownNames.of(CATALOGUE, TABLES)

    by_rules = {*TAMPERED_CAPTURE_SIGNALS, *HIDDEN_LOCATION_SIGNALS, DEVICE_SIGNAL}
    assert known.ranges.keys() == {"wait", "vpn"} | by_rules
    assert known.categories == {"client_os": frozenset({"ios", "android"})}
    assert known.interests == {"music", "art"}
    assert known.providers >= {name for _, name in TABLES.provider_checks}
    assert known.providers >= set(TABLES.face_providers)


def test_what_the_rules_read_is_kept_whatever_the_catalogue_has() -> None:
    sent = Participant(participant_id="p")
    for name in ("virtual_camera", "time_zone_mismatch", "vpn", "nonsense"):
        sent.signals[name] = 7.0
    sent.signals["device_known_days"] = 400.5

    kept = dict(HASHING.participant(sent).signals)

    assert kept == {
        "virtual_camera": 1.0,
        "time_zone_mismatch": 1.0,
        "vpn": 1.0,
        "device_known_days": 400.5,
    }
