"""Whatever bytes a caller sends: a request that keeps every limit, or a refusal with fields."""

from __future__ import annotations

import math

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.evidence import (
    AgeCheck,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.errors import FieldViolation, InvalidInput
from pairguard.risk.participant import Participant
from pairguard.server.request_conversion import ScorePairCall, read_score_pair
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from tests.domain import NOW
from tests.unit.server.requests import ADULT, CHILD, FACE, PAST, evidence, pair_request

RIGHT = pair_request(
    a=ADULT
    + evidence(FACE, "provider: 'yoti' evidence_id: 'e'")
    + evidence("platform_age_range { lower_years: 18 upper_years: 20 platform: PLATFORM_APPLE }")
    + "linked_ids: 'd' signals { key: 'vpn' value: 1 } interests: 'music' region: 'US-TX'",
    b=CHILD
    + evidence(f"self_declared {{ age_years: 19 declared_time {{ seconds: {PAST} }} }}")
    + evidence("age_check { method: 3 threshold_years: 18 result: 1 }")
    + "attributes { key: 'client_os' value: 'ios' } language: 'de' entry_path: 'web'",
    rest="context { modality: MODALITY_TEXT wait_seconds: 3 } request_id: 'r'",
).SerializeToString()

changes = st.lists(
    st.tuples(st.integers(0, len(RIGHT) - 1), st.integers(0, 255)), min_size=1, max_size=12
)


@given(changes)
def test_a_damaged_request_is_right_or_refused(places: list[tuple[int, int]]) -> None:
    content = bytearray(RIGHT)
    for place, value in places:
        content[place] = value

    check(bytes(content))


@given(st.binary(max_size=300))
def test_random_bytes_are_right_or_refused(content: bytes) -> None:
    check(content)


def check(content: bytes) -> None:
    try:
        request = ScorePairRequest.FromString(content)
    except DecodeError:
        return
    violations: tuple[FieldViolation, ...] = ()
    call: ScorePairCall | None = None
    try:
        call = read_score_pair(request, NOW)
    except InvalidInput as error:
        violations = error.violations
    if call is None:
        assert violations
        assert all(v.field and v.description for v in violations)
        return
    assert call.a.participant_id != call.b.participant_id
    for participant in (call.a, call.b):
        keeps_every_limit(participant)


def keeps_every_limit(participant: Participant) -> None:
    assert 1 <= len(participant.participant_id.encode()) <= 128
    assert all(math.isfinite(value) for value in participant.signals.values())
    assert len(participant.age_evidence) <= 32
    for item in participant.age_evidence:
        assert item.observed_time is None or item.observed_time <= NOW + 60
        assert all(0 <= years <= 120 for years in stated_years(item.observation))


def stated_years(observation: object) -> list[float]:
    match observation:
        case FacialAgeEstimate():
            return [observation.mean_years]
        case AgeCheck():
            return [observation.threshold_years]
        case PlatformAgeRange():
            bounds = observation.lower_years, observation.upper_years
            assert bounds != (None, None)
            return [bound for bound in bounds if bound is not None]
        case SelfDeclared() | VerifiedAge():
            assert (observation.age_years is None) is not (observation.birth_year is None)
            if observation.birth_year is not None:
                assert 2026 - 120 <= observation.birth_year <= 2026
            return [observation.age_years] if observation.age_years is not None else []
    raise AssertionError(observation)
