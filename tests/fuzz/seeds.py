"""Right inputs of every kind, to be made wrong.

Owns what they say: something in as many fields as there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import Message

from pairguard.bundle.manifest import REQUIRED_FILES, Manifest
from pairguard.v1.age_assurance_service_pb2 import RecordAgeEvidenceRequest
from pairguard.v1.feedback_service_pb2 import EraseParticipantRequest, RecordEventsRequest
from pairguard.v1.journal_pb2 import DecisionRecord
from pairguard.v1.pair_risk_service_pb2 import (
    GetDecisionRequest,
    RankCandidatesRequest,
    ScorePairsRequest,
)
from tests.unit.server.events import BODIES, event
from tests.unit.server.requests import ADULT, CHILD, FACE, PAST, age_request, evidence, pair_request

_PARTICIPANT = (
    ADULT
    + CHILD
    + evidence(FACE, "provider: 'yoti' evidence_id: 'e' binding: BINDING_DEVICE")
    + evidence("platform_age_range { lower_years: 18 upper_years: 20 platform: PLATFORM_APPLE }")
    + evidence(f"self_declared {{ age_years: 19 declared_time {{ seconds: {PAST} }} }}")
    + evidence("age_check { method: 3 threshold_years: 18 result: 1 }")
    + "linked_ids: 'd' signals { key: 'vpn' value: 1 } interests: 'music' region: 'US-TX'"
    + "attributes { key: 'client_os' value: 'ios' } language: 'de' entry_path: 'web'"
)
_CONTEXT = "context { modality: MODALITY_TEXT wait_seconds: 3 }"


def _parsed(message: Message, text: str) -> Message:
    text_format.Parse(text, message)
    return message


REQUESTS: Final[Mapping[str, Message]] = {
    "ScorePair": pair_request(_PARTICIPANT, CHILD, f"{_CONTEXT} request_id: 'r' view: VIEW_FULL"),
    "ScorePairs": _parsed(
        ScorePairsRequest(),
        f"participants {{ participant_id: 'a' {_PARTICIPANT} }} participants {{ participant_id: "
        "'b' } participants { participant_id: 'c' } "
        "pairs { first_indices: [0, 1] second_indices: [1, 2] }",
    ),
    "RankCandidates": _parsed(
        RankCandidatesRequest(),
        f"seeker {{ participant_id: 's' {_PARTICIPANT} }} candidates {{ participant {{ "
        "participant_id: 'a' } affinity: 0.5 } candidates { participant { participant_id: 'b' } } "
        f"{_CONTEXT}",
    ),
    "AssessAge": age_request(_PARTICIPANT),
    "RecordAgeEvidence": _parsed(
        RecordAgeEvidenceRequest(),
        f"participant {{ participant_id: 'a' linked_ids: 'd' }} {evidence(FACE)} {ADULT} {CHILD}",
    ),
    "RecordEvents": RecordEventsRequest(events=[event(kind) for kind in BODIES]),
    "EraseParticipant": _parsed(
        EraseParticipantRequest(), "participant { participant_id: 'a' linked_ids: 'd' }"
    ),
    "GetDecision": GetDecisionRequest(decision_id="019a0000-0000-7000-8000-000000000000"),
}

_HASHED = _PARTICIPANT.replace("linked_ids: 'd'", "linked_ids: 'dd'")

RECORD: Final = _parsed(
    DecisionRecord(),
    f"record_version: 1 decision_id: 'd' decision_time {{ seconds: {PAST} }} caller: 'c' "
    "bundle_version: 'b' policy_version: 'p' pair { participant_a { participant { "
    f"participant_id: 'aa' {_HASHED} }} age_probabilities: 0.5 }} participant_b {{ "
    "participant { participant_id: 'bb' } } assessment { decision: DECISION_ALLOW "
    "minor_adult_probability: 0.1 } exposure: 0.1 }",
)

CALLERS: Final = (
    f'[[callers]]\nname = "chat"\nsha256 = "{hashlib.sha256(b"t").hexdigest()}"\n'
    'scopes = ["score"]\nexpire = 2027-03-01\nmax_calls_per_second = 5\n'
).encode()

ARRAYS: Final = {"age_rows": np.zeros((2, 3)), "harm_raw": np.ones(2)}


def package_file(package: str, name: str) -> bytes:
    """Return a document that comes with the package."""
    return files(f"pairguard.{package}").joinpath(name).read_bytes()


def right_manifest() -> bytes:
    """Return a manifest of files that need not be there."""
    return Manifest(
        created="2026-01-31T12:00:00Z",
        files=dict.fromkeys(REQUIRED_FILES, "0" * 64),
        schema_hash="0" * 64,
        data_hash="0" * 64,
        seeds={"fit": 1},
        metrics={"harm": {"rounds": 50}},
        notes=("A sentence.",),
    ).to_bytes()
