"""Requests for tests of the server: right ones, to be made wrong in one place."""

from __future__ import annotations

from google.protobuf import text_format

from pairguard.v1.age_assurance_service_pb2 import AssessAgeRequest
from pairguard.v1.pair_risk_service_pb2 import ScorePairRequest
from tests.domain import NOW

PAST = int(NOW) - 86_400


def pair_request(a: str = "", b: str = "", rest: str = "") -> ScorePairRequest:
    """Return two participants with ids, and what text format adds to each and to the request."""
    request = ScorePairRequest()
    text_format.Parse(
        f"participant_a {{ participant_id: 'a' {a} }} participant_b {{ participant_id: 'b' {b} }}"
        f" {rest}",
        request,
    )
    return request


def age_request(participant: str = "", rest: str = "") -> AssessAgeRequest:
    """Return one participant with an id, and what text format adds."""
    request = AssessAgeRequest()
    text_format.Parse(f"participant {{ participant_id: 'a' {participant} }} {rest}", request)
    return request


def evidence(observation: str, rest: str = "") -> str:
    """Return an item of evidence observed yesterday, in text format."""
    return f"age_evidence {{ observed_time {{ seconds: {PAST} }} {observation} {rest} }}"


LIVE = "binding: BINDING_LIVE_PERSON"
ADULT = evidence("verified_age { age_years: 40 method: VERIFICATION_METHOD_ID_DOCUMENT }", LIVE)
CHILD = evidence("verified_age { age_years: 8 method: VERIFICATION_METHOD_ID_DOCUMENT }", LIVE)
FACE = "facial_age_estimate { mean_years: 30 liveness: LIVENESS_PASSED }"
