"""Words of the client and numbers of the contract, each from the other.

Owns which enumeration of the contract each vocabulary stands for. It must not know messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from google.protobuf.descriptor import EnumDescriptor

from pairguard.client import vocabulary
from pairguard.v1 import (
    assessment_pb2,
    feedback_service_pb2,
    participant_pb2,
    record_result_pb2,
)

_W = TypeVar("_W", bound=StrEnum)


WIRE_ENUMS: Mapping[type[StrEnum], tuple[EnumDescriptor, str]] = {
    vocabulary.Admission: (assessment_pb2.Admission.DESCRIPTOR, "ADMISSION_"),
    vocabulary.AppealResult: (feedback_service_pb2.AppealResult.DESCRIPTOR, "APPEAL_RESULT_"),
    vocabulary.Binding: (participant_pb2.Binding.DESCRIPTOR, "BINDING_"),
    vocabulary.ChatEndManner: (feedback_service_pb2.ChatEndManner.DESCRIPTOR, "CHAT_END_MANNER_"),
    vocabulary.ChatEnder: (feedback_service_pb2.ChatEnder.DESCRIPTOR, "CHAT_ENDER_"),
    vocabulary.CheckMethod: (participant_pb2.CheckMethod.DESCRIPTOR, "CHECK_METHOD_"),
    vocabulary.CheckResult: (participant_pb2.CheckResult.DESCRIPTOR, "CHECK_RESULT_"),
    vocabulary.Decision: (assessment_pb2.Decision.DESCRIPTOR, "DECISION_"),
    vocabulary.ErasureStatus: (feedback_service_pb2.ErasureStatus.DESCRIPTOR, "ERASURE_STATUS_"),
    vocabulary.EvidenceKind: (assessment_pb2.EvidenceKind.DESCRIPTOR, "EVIDENCE_KIND_"),
    vocabulary.HoldKind: (feedback_service_pb2.HoldKind.DESCRIPTOR, "HOLD_KIND_"),
    vocabulary.Liveness: (participant_pb2.Liveness.DESCRIPTOR, "LIVENESS_"),
    vocabulary.Modality: (assessment_pb2.Modality.DESCRIPTOR, "MODALITY_"),
    vocabulary.ParticipantRole: (assessment_pb2.ParticipantRole.DESCRIPTOR, "PARTICIPANT_ROLE_"),
    vocabulary.Platform: (participant_pb2.Platform.DESCRIPTOR, "PLATFORM_"),
    vocabulary.PlatformAssurance: (
        participant_pb2.PlatformAssurance.DESCRIPTOR,
        "PLATFORM_ASSURANCE_",
    ),
    vocabulary.RecordStatus: (record_result_pb2.RecordStatus.DESCRIPTOR, "RECORD_STATUS_"),
    vocabulary.ReportCategory: (feedback_service_pb2.ReportCategory.DESCRIPTOR, "REPORT_CATEGORY_"),
    vocabulary.Verdict: (feedback_service_pb2.Verdict.DESCRIPTOR, "VERDICT_"),
    vocabulary.VerificationMethod: (
        participant_pb2.VerificationMethod.DESCRIPTOR,
        "VERIFICATION_METHOD_",
    ),
    vocabulary.View: (assessment_pb2.View.DESCRIPTOR, "VIEW_"),
}

# One table for each vocabulary: words of two of them can be equal strings.
_NUMBERS: dict[type[StrEnum], dict[str, int]] = {
    words: {
        value.name.removeprefix(prefix): value.number for value in wire.values if value.number != 0
    }
    for words, (wire, prefix) in WIRE_ENUMS.items()
}
_WORDS: dict[type[StrEnum], dict[int, StrEnum]] = {
    words: {_NUMBERS[words][word.name]: word for word in words} for words in WIRE_ENUMS
}


def number_of(word: StrEnum) -> int:
    """Return the contract's number of a word."""
    return _NUMBERS[type(word)][word.name]


def word_of(words: type[_W], number: int) -> _W | None:
    """Return the word of a number; None if it is unspecified or newer than this client."""
    word = _WORDS[words].get(number)
    return word if isinstance(word, words) else None
