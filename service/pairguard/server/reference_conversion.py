"""Requests that name somebody or something by an id alone, from messages to ids.

Owns the limits of references and of the ids of decisions. It must not know what is kept under an
id.
"""

from __future__ import annotations

import re
from typing import Final

from pairguard.server.field_limits import MAX_LINKED_IDS, check_id, check_ids
from pairguard.server.violations import REQUIRED, Violations
from pairguard.v1 import feedback_service_pb2, pair_risk_service_pb2, participant_pb2

DECISION_ID: Final = "must be from 1 to 64 characters, each of 0-9, a-z, A-Z, _ and -"

_DECISION_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SAME_ID = "must share no id, own or linked, with "


def read_reference(
    message: participant_pb2.ParticipantReference, field: str, violations: Violations
) -> tuple[str, ...]:
    """Return the ids of a participant, the own one first and each once.

    Args:
        message: What was sent.
        field: Path of the reference.
        violations: Where what is wrong is put; the result is worth nothing if anything is.
    """
    check_id(message.participant_id, f"{field}.participant_id", violations)
    if not message.linked_ids:
        return (message.participant_id,)
    check_ids(message.linked_ids, f"{field}.linked_ids", MAX_LINKED_IDS, violations)
    return tuple(dict.fromkeys((message.participant_id, *message.linked_ids)))


def check_two(
    first: tuple[str, ...], second: tuple[str, ...], fields: tuple[str, str], violations: Violations
) -> None:
    """Remember a violation if two participants share an id.

    Args:
        first: Ids of one of them, as ``read_reference`` returns them.
        second: Ids of the other.
        fields: Paths of the two references.
        violations: Where a violation is put.
    """
    shared = frozenset(first).intersection(second)
    if shared and shared != {""}:  # missing ids are reported as missing
        other = fields[0].rpartition(".")[2]
        violations.add(f"{fields[1]}.participant_id", _SAME_ID + other)


def is_decision_id(text: str) -> bool:
    """Return whether a text has the form of the id of a decision."""
    return _DECISION_ID.fullmatch(text) is not None


def read_erase_participant(
    request: feedback_service_pb2.EraseParticipantRequest,
) -> tuple[str, ...]:
    """Return the ids of the participant to erase, the own one first and each once.

    Raises:
        InvalidInput: With every violation found.
    """
    violations = Violations()
    ids: tuple[str, ...] = ()
    if request.HasField("participant"):
        ids = read_reference(request.participant, "participant", violations)
    else:
        violations.add("participant", REQUIRED)
    violations.refuse_if_any()
    return ids


def read_get_decision(request: pair_risk_service_pb2.GetDecisionRequest) -> str:
    """Return the id of the decision that is asked for.

    Raises:
        InvalidInput: It has not the form of one.
    """
    violations = Violations()
    if not is_decision_id(request.decision_id):
        violations.add("decision_id", DECISION_ID if request.decision_id else REQUIRED)
    violations.refuse_if_any()
    return request.decision_id
