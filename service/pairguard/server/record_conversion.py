"""Requests whose items are recorded and answered one by one.

Owns how many items a request may have, which of them cannot be recorded, and the results. It must
not know how anything is recorded.

A request that is wrong as a whole raises; an item that is wrong is refused and the others stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pairguard.age.evidence import AgeEvidence
from pairguard.server.event_conversion import check_event
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.field_limits import check_id, too_long, too_many
from pairguard.server.reference_conversion import read_reference
from pairguard.server.violations import REQUIRED, RefusedItem, Violations
from pairguard.v1 import (
    age_assurance_service_pb2,
    feedback_service_pb2,
    participant_pb2,
    record_result_pb2,
)

MAX_EVENTS: Final = 1_000
MAX_EVIDENCE_ITEMS: Final = 32


@dataclass(frozen=True, slots=True)
class RecordAgeEvidenceCall:
    """What ``RecordAgeEvidence`` was asked.

    Attributes:
        ids: Ids of the participant, the own one first and each once.
        items: What is to be kept, in the order of the request; each has an id.
    """

    ids: tuple[str, ...]
    items: tuple[AgeEvidence | RefusedItem, ...]


def read_record_events(
    request: feedback_service_pb2.RecordEventsRequest, now: float
) -> tuple[RefusedItem | None, ...]:
    """Return for each event why it cannot be recorded; None: it can.

    Args:
        request: What was sent.
        now: The server's clock, seconds since 1970.

    Raises:
        InvalidInput: There are no events or too many.
    """
    violations = Violations()
    _check_count(len(request.events), MAX_EVENTS, "events", violations)
    violations.refuse_if_any()
    return tuple(check_event(event, now) for event in request.events)


def read_record_age_evidence(
    request: age_assurance_service_pb2.RecordAgeEvidenceRequest, now: float
) -> RecordAgeEvidenceCall:
    """Read a request to keep evidence.

    Args:
        request: What was sent.
        now: The server's clock, seconds since 1970.

    Raises:
        InvalidInput: The participant is wrong, or there are no items or too many.
    """
    violations = Violations()
    ids: tuple[str, ...] = ()
    if request.HasField("participant"):
        ids = read_reference(request.participant, "participant", violations)
    else:
        violations.add("participant", REQUIRED)
    _check_count(len(request.age_evidence), MAX_EVIDENCE_ITEMS, "age_evidence", violations)
    violations.refuse_if_any()
    return RecordAgeEvidenceCall(ids, tuple(_evidence(item, now) for item in request.age_evidence))


def _evidence(message: participant_pb2.AgeEvidence, now: float) -> AgeEvidence | RefusedItem:
    violations = Violations()
    if not message.evidence_id:
        check_id(message.evidence_id, "evidence_id", violations)
    item = EvidenceReader("", now, violations).read_item(message)
    if item is None or len(violations):
        return violations.refused_item()
    return item


def _check_count(count: int, limit: int, field: str, violations: Violations) -> None:
    if not count:
        violations.add(field, "must have at least one entry")
    elif count > limit:
        violations.add(field, too_many(limit))


def record_results(
    item_ids: Sequence[str],
    outcomes: Sequence[RefusedItem | record_result_pb2.RecordStatus.ValueType],
) -> list[record_result_pb2.RecordResult]:
    """Return the results of a call.

    Args:
        item_ids: The caller's id of each item, in the order of the request.
        outcomes: What became of each: why it was refused, or RECORDED or DUPLICATE.
    """
    return [
        _result(index, item_id, outcome)
        for index, (item_id, outcome) in enumerate(zip(item_ids, outcomes, strict=True))
    ]


def _result(
    index: int, item_id: str, outcome: RefusedItem | record_result_pb2.RecordStatus.ValueType
) -> record_result_pb2.RecordResult:
    if not isinstance(outcome, RefusedItem):
        return record_result_pb2.RecordResult(index=index, item_id=item_id, status=outcome)
    return record_result_pb2.RecordResult(
        index=index,
        # What is too long for an id is none, and would make the answer as long as the request.
        item_id="" if too_long(item_id) else item_id,
        status=record_result_pb2.RECORD_STATUS_REFUSED,
        reason_code=outcome.reason,
        field_violations=[
            record_result_pb2.FieldViolation(field=v.field, description=v.description)
            for v in outcome.violations
        ],
    )
