"""Requests from messages to values; protobuf stops here.

Owns every limit that the contract sets on a request, but for those of evidence
(``evidence_conversion``). It must not know what is done with a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

from pairguard.age.evidence import AgeEvidence
from pairguard.policy.document import is_region_code
from pairguard.risk.participant import Participant
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.field_limits import (
    ID_LENGTH,
    MAX_LINKED_IDS,
    TOO_LONG,
    check_ids,
    seconds_of,
    too_long,
    too_many,
)
from pairguard.server.violations import (
    NOT_FINITE,
    REQUIRED,
    UNKNOWN_ENUM_NUMBER,
    Violations,
    entry,
)
from pairguard.v1 import (
    age_assurance_service_pb2,
    assessment_pb2,
    pair_risk_service_pb2,
    participant_pb2,
)

MAX_EVIDENCE_ITEMS: Final = 32
MAX_SIGNALS: Final = 256
MAX_ATTRIBUTES: Final = 64
MAX_INTERESTS: Final = 32
MAX_LANGUAGE_BYTES: Final = 35

_SAME_ID = "must share no id, own or linked, with participant_a"
_REGION = "must be an ISO 3166-1 alpha-2 or ISO 3166-2 code in upper case, such as GB or US-TX"
_VIEWS: Final = frozenset(assessment_pb2.View.values())
_MODALITIES: Final = frozenset(assessment_pb2.Modality.values())


@dataclass(frozen=True, slots=True)
class ScorePairCall:
    """What ``ScorePair`` was asked.

    The context is checked and then left: no decision depends on it.

    Attributes:
        a: The first participant.
        b: The second.
        request_id: The caller's id of the request; "": none.
        full_view: Whether the assessments of the two persons are asked for.
    """

    a: Participant
    b: Participant
    request_id: str
    full_view: bool


@dataclass(frozen=True, slots=True)
class AssessAgeCall:
    """What ``AssessAge`` was asked.

    Attributes:
        participant: Whose age is asked for.
        full_view: Whether everything about it is.
    """

    participant: Participant
    full_view: bool


def read_score_pair(request: pair_risk_service_pb2.ScorePairRequest, now: float) -> ScorePairCall:
    """Read a ``ScorePair`` request received at a time in seconds since 1970.

    Raises:
        InvalidInput: With every violation found.
    """
    violations = Violations()
    a = _required(request, "participant_a", now, violations)
    b = _required(request, "participant_b", now, violations)
    if _share_an_id(a, b):
        violations.add("participant_b.participant_id", _SAME_ID)
    if request.HasField("context"):
        check_context(request.context, violations)
    if request.request_id and too_long(request.request_id):
        violations.add("request_id", TOO_LONG)
    if request.view not in _VIEWS:
        violations.add("view", UNKNOWN_ENUM_NUMBER)
    violations.refuse_if_any()
    return ScorePairCall(a, b, request.request_id, request.view == assessment_pb2.VIEW_FULL)


def read_assess_age(
    request: age_assurance_service_pb2.AssessAgeRequest, now: float
) -> AssessAgeCall:
    """Read an ``AssessAge`` request received at a time in seconds since 1970.

    Raises:
        InvalidInput: With every violation found.
    """
    violations = Violations()
    participant = _required(request, "participant", now, violations)
    if request.view not in _VIEWS:
        violations.add("view", UNKNOWN_ENUM_NUMBER)
    violations.refuse_if_any()
    return AssessAgeCall(participant, request.view == assessment_pb2.VIEW_FULL)


def _required(
    request: pair_risk_service_pb2.ScorePairRequest | age_assurance_service_pb2.AssessAgeRequest,
    place: str,
    now: float,
    violations: Violations,
) -> Participant:
    if request.HasField(place):  # type: ignore[arg-type]  # a name of either message
        return read_participant(getattr(request, place), place, now=now, violations=violations)
    violations.add(place, REQUIRED)
    return Participant("")


def read_participant(
    message: participant_pb2.Participant, place: str, *, now: float, violations: Violations
) -> Participant:
    """Read one participant.

    Args:
        message: What was sent.
        place: Path of the participant in the request.
        now: The server's clock, seconds since 1970.
        violations: Where what is wrong is put; the result is worth nothing if anything is.
    """
    participant_id = message.participant_id
    if not participant_id or too_long(participant_id):
        violations.add(f"{place}.participant_id", ID_LENGTH)
    # What is empty is not made a value of: most of what can be sent is not.
    linked_ids: tuple[str, ...] = ()
    if message.linked_ids:
        linked_ids = tuple(message.linked_ids)
        check_ids(linked_ids, f"{place}.linked_ids", MAX_LINKED_IDS, violations)
    evidence: tuple[AgeEvidence, ...] = ()
    if len(message.age_evidence) > MAX_EVIDENCE_ITEMS:
        violations.add(f"{place}.age_evidence", too_many(MAX_EVIDENCE_ITEMS))
    elif message.age_evidence:
        evidence = EvidenceReader(place, now, violations).read(message.age_evidence)
    signals: dict[str, float] = {}
    if message.signals:
        signals = dict(message.signals)
        _check_signals(signals, f"{place}.signals", violations)
    attributes: dict[str, str] = {}
    if message.attributes:
        attributes = dict(message.attributes)
        _check_attributes(attributes, f"{place}.attributes", violations)
    interests: tuple[str, ...] = ()
    if message.interests:
        interests = tuple(message.interests)
        check_ids(interests, f"{place}.interests", MAX_INTERESTS, violations)
    region, language, entry_path = message.region, message.language, message.entry_path
    if region and not is_region_code(region):
        violations.add(f"{place}.region", _REGION)
    if language and too_long(language, MAX_LANGUAGE_BYTES):
        violations.add(f"{place}.language", f"must be at most {MAX_LANGUAGE_BYTES} bytes")
    if entry_path and too_long(entry_path):
        violations.add(f"{place}.entry_path", TOO_LONG)
    return Participant(
        participant_id,
        linked_ids,
        evidence,
        signals,
        attributes,
        interests,
        region,
        language,
        entry_path,
    )


def _check_signals(signals: dict[str, float], field: str, violations: Violations) -> None:
    if len(signals) > MAX_SIGNALS:
        violations.add(field, too_many(MAX_SIGNALS))
    elif not all(map(isfinite, signals.values())):
        # A map has no order of its own; the answer has one all the same.
        for name in sorted(name for name, value in signals.items() if not isfinite(value)):
            violations.add(entry(field, name), NOT_FINITE)


def _check_attributes(attributes: dict[str, str], field: str, violations: Violations) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        violations.add(field, too_many(MAX_ATTRIBUTES))
    elif any(map(too_long, attributes.values())):
        for name in sorted(name for name, value in attributes.items() if too_long(value)):
            violations.add(entry(field, name), TOO_LONG)


def check_context(context: assessment_pb2.PairContext, violations: Violations) -> None:
    """Check the circumstances of a pair."""
    if context.modality not in _MODALITIES:
        violations.add("context.modality", UNKNOWN_ENUM_NUMBER)
    if context.HasField("wait_seconds"):
        wait_seconds = context.wait_seconds
        if not (isfinite(wait_seconds) and wait_seconds >= 0.0):
            violations.add("context.wait_seconds", "must be a finite number of seconds, 0 or more")
    if context.HasField("proposed_time") and seconds_of(context.proposed_time) is None:
        violations.add("context.proposed_time", "must be a time that the message type allows")


def _share_an_id(a: Participant, b: Participant) -> bool:
    if a.participant_id == b.participant_id:
        return bool(a.participant_id)  # two missing ids are reported as missing
    if not a.linked_ids and not b.linked_ids:
        return False
    return not {a.participant_id, *a.linked_ids}.isdisjoint((b.participant_id, *b.linked_ids))
