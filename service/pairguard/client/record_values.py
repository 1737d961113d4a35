"""Answers to requests to record, to erase and to look up, as typed values.

Owns that direction of the conversion. It must not know calls.

What cannot be read is never taken as recorded or erased.
"""

from __future__ import annotations

from collections.abc import Sequence

from pairguard.client.failure import FailureKind, FieldViolation, LocalFailure
from pairguard.client.records import Erasure, RecordedDecision, RecordResult, UnsafeChat
from pairguard.client.response_values import moment_value, reason_value, reason_values
from pairguard.client.vocabulary import Decision, ErasureStatus, RecordStatus
from pairguard.client.wire_enums import word_of
from pairguard.v1 import (
    age_assurance_service_pb2,
    feedback_service_pb2,
    pair_risk_service_pb2,
    record_result_pb2,
)


def record_results(
    item_ids: Sequence[str], messages: Sequence[record_result_pb2.RecordResult]
) -> tuple[RecordResult | None, ...]:
    """Return the result of each item; None: the service told nothing that can be read.

    Raises:
        LocalFailure: The results are not those of the items.
    """
    if len(messages) != len(item_ids):
        raise _invalid("as many results as items")
    return tuple(
        _record_result(index, item_id, message)
        for index, (item_id, message) in enumerate(zip(item_ids, messages, strict=True))
    )


def _record_result(
    index: int, item_id: str, message: record_result_pb2.RecordResult
) -> RecordResult | None:
    status = word_of(RecordStatus, message.status)
    # An id that was refused for its form may be left out.
    own_ids = {item_id, ""} if status is RecordStatus.REFUSED else {item_id}
    if status is not None and (message.index != index or message.item_id not in own_ids):
        raise _invalid("results in the order of the items")
    if status is None:
        return None
    return RecordResult(
        item_id=item_id,
        status=status,
        reason_code=message.reason_code,
        field_violations=tuple(
            FieldViolation(violation.field, violation.description)
            for violation in message.field_violations
        ),
    )


def unsafe_chats(
    messages: Sequence[age_assurance_service_pb2.UnsafeChat],
) -> tuple[UnsafeChat, ...]:
    """Return chats that must be ended; each one counts, whatever of it cannot be read."""
    return tuple(
        UnsafeChat(
            chat_id=message.chat_id,
            decision_id=message.decision_id,
            reason=reason_value(message.reason) if message.HasField("reason") else None,
        )
        for message in messages
    )


def erasure(message: feedback_service_pb2.EraseParticipantResponse) -> Erasure:
    """Return what became of an erasure.

    Raises:
        LocalFailure: The service did not say in words that this client knows.
    """
    status = word_of(ErasureStatus, message.status)
    if status is None:
        raise _invalid("status")
    return Erasure(status, message.kept_hold_count, message.unlinked_record_count)


def recorded_decision(
    decision_id: str, message: pair_risk_service_pb2.GetDecisionResponse
) -> RecordedDecision:
    """Return a decision that was asked for.

    Raises:
        LocalFailure: The answer is not about it.
    """
    record = message.decision
    if record.decision_id != decision_id:
        raise _invalid("the decision that was asked for")
    pair = record.pair.assessment
    kind = record.WhichOneof("subject")
    return RecordedDecision(
        decision_id=decision_id,
        decision_time=moment_value(record, "decision_time", []),
        decision=word_of(Decision, pair.decision) if kind == "pair" else None,
        reasons=reason_values(pair.reasons),
        bundle_version=record.bundle_version,
        policy_version=record.policy_version,
        degradations=tuple(pair.degradations if kind == "pair" else record.ranking.degradations),
        record=record,
        events=tuple(message.events),
    )


def _invalid(part: str) -> LocalFailure:
    return LocalFailure(FailureKind.RESPONSE_INVALID, f"missing or unusable in the answer: {part}")
