"""What a request may be: everything right is read as it is, everything wrong named by its path."""

from __future__ import annotations

import math

import pytest
from google.protobuf import text_format

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.errors import InvalidInput
from pairguard.server.request_conversion import read_assess_age, read_score_pair
from pairguard.v1 import assessment_pb2, participant_pb2
from pairguard.v1.age_assurance_service_pb2 import AssessAgeRequest
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from tests.domain import NOW
from tests.unit.server.requests import FACE, PAST, age_request, evidence, pair_request

LONG = "x" * 129
MARK = "MARKED-4711"


def refused(request: ScorePairRequest) -> dict[str, str]:
    """Return the violations of a request by field; it must have some."""
    with pytest.raises(InvalidInput) as caught:
        read_score_pair(request, NOW)
    violations = {v.field: v.description for v in caught.value.violations}
    assert len(violations) == len(caught.value.violations), "a field is named once"
    return violations


def test_everything_that_can_be_said_is_read() -> None:
    request = pair_request(
        a=f"""
        linked_ids: ['device-1', 'account-1']
        signals {{ key: 'vpn' value: 1 }} signals {{ key: 'history.reports_30d' value: 2 }}
        attributes {{ key: 'client_os' value: 'ios' }}
        interests: ['music', 'art']
        region: 'US-TX' language: 'pt-BR' entry_path: 'invite'
        age_evidence {{
          evidence_id: 'e1' provider: 'yoti' binding: BINDING_LIVE_PERSON
          observed_time {{ seconds: {PAST} nanos: 500000000 }}
          expire_time {{ seconds: {PAST + 99} }}
          facial_age_estimate {{
            mean_years: 31.5 liveness: LIVENESS_PASSED quality: -2 capture_session: 'c1'
          }}
        }}
        age_evidence {{ self_declared {{
          age_years: 19 gate_years: 18 declared_time {{ seconds: {PAST} }} }} }}
        age_evidence {{ platform_age_range {{
          platform: PLATFORM_APPLE assurance: PLATFORM_ASSURANCE_CONFIRMED lower_years: 18 }} }}
        age_evidence {{ age_check {{
          method: CHECK_METHOD_CREDIT_CARD threshold_years: 0
          result: CHECK_RESULT_INCONCLUSIVE }} }}
        age_evidence {{ verified_age {{
          birth_year: 1990 method: VERIFICATION_METHOD_MODERATOR }} }}
        """,
        rest=f"""
        context {{ modality: MODALITY_VIDEO wait_seconds: 0 proposed_time {{ seconds: {PAST} }} }}
        request_id: 'r1' view: VIEW_FULL
        """,
    )

    call = read_score_pair(request, NOW)

    assert (call.request_id, call.full_view) == ("r1", True)
    assert call.b.participant_id == "b"
    a = call.a
    assert (a.participant_id, a.linked_ids) == ("a", ("device-1", "account-1"))
    assert a.signals == {"vpn": 1.0, "history.reports_30d": 2.0}
    assert a.attributes == {"client_os": "ios"}
    assert a.interests == ("music", "art")
    assert (a.region, a.language, a.entry_path) == ("US-TX", "pt-BR", "invite")
    assert a.history is None
    assert a.age_evidence == (
        AgeEvidence(
            FacialAgeEstimate(31.5, Liveness.PASSED, quality=-2.0, capture_session="c1"),
            evidence_id="e1",
            observed_time=PAST + 0.5,
            expire_time=PAST + 99.0,
            provider="yoti",
            binding=Binding.LIVE_PERSON,
        ),
        AgeEvidence(SelfDeclared(age_years=19.0, gate_years=18.0, declared_time=float(PAST))),
        AgeEvidence(PlatformAgeRange(Platform.APPLE, PlatformAssurance.CONFIRMED, lower_years=18)),
        AgeEvidence(AgeCheck(CheckMethod.CREDIT_CARD, 0.0, CheckResult.INCONCLUSIVE)),
        AgeEvidence(VerifiedAge(VerificationMethod.MODERATOR, birth_year=1990)),
    )


def test_two_bare_ids_are_a_request() -> None:
    call = read_score_pair(pair_request(), NOW)

    assert (call.a.age_evidence, call.a.signals, call.a.interests) == ((), {}, ())
    assert (call.request_id, call.full_view) == ("", False)


@pytest.mark.parametrize(
    ("enum", "field", "text"),
    [
        (
            participant_pb2.Binding,
            "binding",
            "binding: {} facial_age_estimate {{ mean_years: 30 }}",
        ),
        (
            participant_pb2.CheckMethod,
            "age_check.method",
            "age_check {{ method: {} threshold_years: 18 result: CHECK_RESULT_OVER }}",
        ),
        (
            participant_pb2.CheckResult,
            "age_check.result",
            "age_check {{ method: CHECK_METHOD_EMAIL threshold_years: 18 result: {} }}",
        ),
        (
            participant_pb2.Liveness,
            "facial_age_estimate.liveness",
            "facial_age_estimate {{ mean_years: 20 liveness: {} }}",
        ),
        (
            participant_pb2.Platform,
            "platform_age_range.platform",
            "platform_age_range {{ lower_years: 18 platform: {} }}",
        ),
        (
            participant_pb2.PlatformAssurance,
            "platform_age_range.assurance",
            "platform_age_range {{ lower_years: 18 assurance: {} }}",
        ),
        (
            participant_pb2.VerificationMethod,
            "verified_age.method",
            "verified_age {{ age_years: 20 method: {} }}",
        ),
    ],
)
def test_every_number_of_an_enum_is_read_and_no_other(
    enum: type[participant_pb2.Binding], field: str, text: str
) -> None:
    required = field.endswith(("method", "result"))
    for number in enum.values():
        request = pair_request(a=f"age_evidence {{ {text.format(number)} }}")
        if number == 0 and required:
            assert refused(request) == {f"participant_a.age_evidence[0].{field}": "is required"}
        else:
            assert len(read_score_pair(request, NOW).a.age_evidence) == 1

    violations = refused(pair_request(b=f"age_evidence {{ {text.format(99)} }}"))
    assert list(violations) == [f"participant_b.age_evidence[0].{field}"]


AGES = [("nan", False), ("inf", False), ("-0.001", False), ("120.001", False), ("0", True)]
AGES += [("120", True)]


@pytest.mark.parametrize(("years", "right"), AGES)
@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("self_declared.age_years", "self_declared {{ age_years: {} }}"),
        ("self_declared.gate_years", "self_declared {{ age_years: 20 gate_years: {} }}"),
        ("facial_age_estimate.mean_years", "facial_age_estimate {{ mean_years: {} }}"),
        (
            "age_check.threshold_years",
            "age_check {{ method: CHECK_METHOD_EMAIL threshold_years: {} result: 1 }}",
        ),
        (
            "verified_age.age_years",
            "verified_age {{ method: VERIFICATION_METHOD_MODERATOR age_years: {} }}",
        ),
    ],
)
def test_an_age_is_finite_and_from_0_to_120(field: str, text: str, years: str, right: bool) -> None:
    request = pair_request(b=evidence(text.format(years)))
    if right:
        assert len(read_score_pair(request, NOW).b.age_evidence) == 1
    else:
        assert list(refused(request)) == [f"participant_b.age_evidence[0].{field}"]


WRONG_EVIDENCE = {
    "nothing observed": ("", "observation"),
    "no declared age": ("self_declared { }", "self_declared"),
    "declared age and birth year": (
        "self_declared { age_years: 20 birth_year: 2000 }",
        "self_declared",
    ),
    "no verified age": (
        "verified_age { method: VERIFICATION_METHOD_MODERATOR }",
        "verified_age",
    ),
    "verified age and birth year": (
        "verified_age { method: VERIFICATION_METHOD_MODERATOR age_years: 3 birth_year: 2000 }",
        "verified_age",
    ),
    "born in the future": ("self_declared { birth_year: 2027 }", "self_declared.birth_year"),
    "born too long ago": ("self_declared { birth_year: 1905 }", "self_declared.birth_year"),
    "verified birth in the future": (
        "verified_age { method: VERIFICATION_METHOD_MODERATOR birth_year: 2027 }",
        "verified_age.birth_year",
    ),
    "no estimate": ("facial_age_estimate { }", "facial_age_estimate.mean_years"),
    "quality not a number": (
        "facial_age_estimate { mean_years: 20 quality: nan }",
        "facial_age_estimate.quality",
    ),
    "capture session too long": (
        f"facial_age_estimate {{ mean_years: 20 capture_session: '{LONG}' }}",
        "facial_age_estimate.capture_session",
    ),
    "no threshold": (
        "age_check { method: CHECK_METHOD_EMAIL result: CHECK_RESULT_OVER }",
        "age_check.threshold_years",
    ),
    "no bound": ("platform_age_range { }", "platform_age_range"),
    "lower bound negative": (
        "platform_age_range { lower_years: -1 }",
        "platform_age_range.lower_years",
    ),
    "upper bound beyond 120": (
        "platform_age_range { upper_years: 121 }",
        "platform_age_range.upper_years",
    ),
    "lower bound above upper": (
        "platform_age_range { lower_years: 18 upper_years: 17 }",
        "platform_age_range.upper_years",
    ),
    "declared in the future": (
        f"self_declared {{ age_years: 20 declared_time {{ seconds: {int(NOW) + 61} }} }}",
        "self_declared.declared_time",
    ),
    "declared at no time": (
        "self_declared { age_years: 20 declared_time { nanos: -1 } }",
        "self_declared.declared_time",
    ),
    "evidence id too long": (f"{FACE} evidence_id: '{LONG}'", "evidence_id"),
    "provider too long": (f"{FACE} provider: '{LONG}'", "provider"),
    "expired at no time": (f"{FACE} expire_time {{ seconds: 253402300800 }}", "expire_time"),
    "expired before it was observed": (
        f"{FACE} expire_time {{ seconds: {PAST - 1} }}",
        "expire_time",
    ),
}


@pytest.mark.parametrize("case", WRONG_EVIDENCE)
def test_wrong_evidence_is_named(case: str) -> None:
    text, field = WRONG_EVIDENCE[case]
    request = pair_request(a=evidence(FACE) + evidence(text))

    assert list(refused(request)) == [f"participant_a.age_evidence[1].{field}"]


def test_a_clock_that_runs_a_minute_ahead_is_not_the_future() -> None:
    for seconds, right in ((60, True), (61, False)):
        request = pair_request(
            a=f"age_evidence {{ observed_time {{ seconds: {int(NOW) + seconds} }} {FACE} }}"
        )
        if right:
            assert read_score_pair(request, NOW).a.age_evidence[0].observed_time == NOW + 60
        else:
            assert list(refused(request)) == ["participant_a.age_evidence[0].observed_time"]


def test_a_clock_that_stood_wrong_is_refused() -> None:
    for seconds, right in ((1_104_537_600, True), (1_104_537_599, False), (0, False)):
        request = pair_request(
            a=f"age_evidence {{ observed_time {{ seconds: {seconds} }} {FACE} }}"
        )
        if right:
            assert read_score_pair(request, NOW).a.age_evidence[0].observed_time == seconds
        else:
            assert list(refused(request)) == ["participant_a.age_evidence[0].observed_time"]


def test_an_observation_of_a_kind_that_is_not_known_is_refused() -> None:
    request = pair_request(a="age_evidence { evidence_id: 'e' }")
    item = request.participant_a.age_evidence[0]
    # Field 15, a message, as a later version of the contract might have it.
    item.MergeFromString(bytes([15 << 3 | 2, 0]))

    assert list(refused(request)) == ["participant_a.age_evidence[0].observation"]


def test_one_evidence_id_with_two_contents_is_refused_and_with_one_is_not() -> None:
    same = evidence(FACE, "evidence_id: 'e1'")
    other = evidence("self_declared { age_years: 20 }", "evidence_id: 'e1'")

    assert len(read_score_pair(pair_request(a=same + same), NOW).a.age_evidence) == 2
    assert list(refused(pair_request(a=same + same + other))) == [
        "participant_a.age_evidence[2].evidence_id"
    ]


def test_items_without_an_id_may_differ() -> None:
    request = pair_request(a=evidence(FACE) + evidence("self_declared { age_years: 20 }"))

    assert len(read_score_pair(request, NOW).a.age_evidence) == 2


def many(text: str, count: int) -> str:
    return " ".join(text.format(number) for number in range(count))


WRONG_PARTICIPANTS = {
    "participant id too long": (f"participant_id: '{LONG}'", "participant_id"),
    "participant id of 129 bytes": (f"participant_id: '{'x' * 127}\u00e9'", "participant_id"),
    "participant id empty": ("participant_id: ''", "participant_id"),
    "linked id empty": ("linked_ids: 'd' linked_ids: ''", "linked_ids[1]"),
    "linked id too long": (f"linked_ids: '{LONG}'", "linked_ids[0]"),
    "too many linked ids": (many("linked_ids: 'd{}'", 17), "linked_ids"),
    "too much evidence": (many("age_evidence {{ }}", 33), "age_evidence"),
    "too many signals": (many("signals {{ key: 's{}' value: 1 }}", 257), "signals"),
    "signal not a number": ("signals { key: 'vpn' value: nan }", 'signals["vpn"]'),
    "signal infinite": ("signals { key: 'vpn' value: -inf }", 'signals["vpn"]'),
    "too many attributes": (many("attributes {{ key: 's{}' value: 'x' }}", 65), "attributes"),
    "attribute too long": (
        f"attributes {{ key: 'browser' value: '{LONG}' }}",
        'attributes["browser"]',
    ),
    "too many interests": (many("interests: 'i{}'", 33), "interests"),
    "interest empty": ("interests: ''", "interests[0]"),
    "interest too long": (f"interests: '{LONG}'", "interests[0]"),
    "region in lower case": ("region: 'gb'", "region"),
    "region of three letters": ("region: 'GBR'", "region"),
    "region with a long part": ("region: 'US-TEXA'", "region"),
    "region with a line end": ("region: 'GB\\n'", "region"),
    "language too long": (f"language: '{'x' * 36}'", "language"),
    "entry path too long": (f"entry_path: '{LONG}'", "entry_path"),
}


@pytest.mark.parametrize("case", WRONG_PARTICIPANTS)
@pytest.mark.parametrize("place", ["participant_a", "participant_b"])
def test_a_wrong_participant_is_named(case: str, place: str) -> None:
    text, field = WRONG_PARTICIPANTS[case]
    request = pair_request()
    wrong = getattr(request, place)
    if "participant_id" in text:
        wrong.ClearField("participant_id")
    text_format.Merge(text, wrong)

    assert list(refused(request)) == [f"{place}.{field}"]


RIGHT_PARTICIPANTS = [
    f"linked_ids: '{'x' * 128}'",
    many("linked_ids: 'd{}'", 16),
    many(f"age_evidence {{{{ {FACE.replace('{', '{{').replace('}', '}}')} }}}}", 32),
    many("signals {{ key: 's{}' value: 1e300 }}", 256),
    "signals { key: '' value: -5 }",
    many("attributes {{ key: 's{}' value: '' }}", 64),
    many("interests: 'i{}'", 32),
    "region: 'US-1AB'",
    f"language: '{'x' * 35}'",
    "linked_ids: 'a'",
]


@pytest.mark.parametrize("text", RIGHT_PARTICIPANTS)
def test_limits_belong_to_what_is_right(text: str) -> None:
    assert read_score_pair(pair_request(a=text), NOW).a.participant_id == "a"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("linked_ids: 'd1'", "linked_ids: ['d2', 'd1']"),
        ("linked_ids: 'b'", ""),
        ("", "linked_ids: 'a'"),
    ],
)
def test_participants_that_share_an_id_are_no_pair(a: str, b: str) -> None:
    assert list(refused(pair_request(a=a, b=b))) == ["participant_b.participant_id"]


def test_nobody_is_paired_with_themselves() -> None:
    request = pair_request()
    request.participant_b.participant_id = "a"

    assert list(refused(request)) == ["participant_b.participant_id"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("context { modality: 9 }", "context.modality"),
        ("context { wait_seconds: nan }", "context.wait_seconds"),
        ("context { wait_seconds: inf }", "context.wait_seconds"),
        ("context { wait_seconds: -1 }", "context.wait_seconds"),
        ("context { proposed_time { nanos: 1000000000 } }", "context.proposed_time"),
        ("context { proposed_time { seconds: -62135596801 } }", "context.proposed_time"),
        (f"request_id: '{LONG}'", "request_id"),
        ("view: 9", "view"),
    ],
)
def test_a_wrong_circumstance_is_named(text: str, field: str) -> None:
    assert list(refused(pair_request(rest=text))) == [field]


def test_an_empty_request_lacks_both_participants() -> None:
    assert refused(ScorePairRequest()) == {
        "participant_a": "is required",
        "participant_b": "is required",
    }


def test_everything_wrong_is_said_at_once_and_no_value_is_repeated() -> None:
    request = pair_request(
        a=f"linked_ids: '{MARK * 20}' region: '{MARK}' language: '{MARK * 9}'"
        f" signals {{ key: 'b' value: nan }} signals {{ key: 'a' value: inf }}"
        f" attributes {{ key: 'browser' value: '{MARK * 20}' }}",
        b=evidence(f"facial_age_estimate {{ mean_years: 471147114711 capture_session: '{MARK}' }}"),
        rest=f"request_id: '{MARK * 20}' view: 4711",
    )

    violations = refused(request)

    assert list(violations) == [
        "participant_a.linked_ids[0]",
        'participant_a.signals["a"]',
        'participant_a.signals["b"]',
        'participant_a.attributes["browser"]',
        "participant_a.region",
        "participant_a.language",
        "participant_b.age_evidence[0].facial_age_estimate.mean_years",
        "request_id",
        "view",
    ]
    assert "4711" not in str(violations)


def test_a_name_in_a_path_is_cut_and_cannot_end_it() -> None:
    request = pair_request()
    request.participant_a.signals['"]\n\u202e' + "n" * 1000] = math.nan

    (field,) = refused(request)
    assert field.isascii()
    assert "\n" not in field
    assert len(field) < 120


def test_a_participant_to_assess_is_read_like_one_of_a_pair() -> None:
    call = read_assess_age(age_request(evidence(FACE), "view: VIEW_FULL"), NOW)

    assert call.full_view
    assert call.participant.age_evidence[0].kind == "facial_age_estimate"
    with pytest.raises(InvalidInput) as caught:
        read_assess_age(age_request("region: '-'", "view: 7"), NOW)
    assert [v.field for v in caught.value.violations] == ["participant.region", "view"]
    with pytest.raises(InvalidInput) as caught:
        read_assess_age(AssessAgeRequest(), NOW)
    assert [v.field for v in caught.value.violations] == ["participant"]


def test_below_the_full_view_is_the_default() -> None:
    for view in (assessment_pb2.VIEW_UNSPECIFIED, assessment_pb2.VIEW_BASIC):
        request = pair_request()
        request.view = view
        assert not read_score_pair(request, NOW).full_view
