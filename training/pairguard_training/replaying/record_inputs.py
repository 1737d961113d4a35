"""The inputs of a recorded decision as the domain's values.

Owns the way from a record's messages to ``Participant``: what the service checked when it was sent
is not checked again, and nothing is guessed. It must not know what is kept beside the inputs
(``kept_reasons``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import EnumDescriptor

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Observation,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.risk.participant import Participant
from pairguard.store.record_fields import seconds
from pairguard.v1 import journal_pb2, participant_pb2
from pairguard_training.tables.schema import HISTORY_PREFIX

_Word = TypeVar("_Word", bound=StrEnum)


class RecordUnreadable(ValueError):
    """Raise when a record says what this version does not know; it is left out and counted."""


def participant_of(record: journal_pb2.ParticipantRecord) -> Participant:
    """Return a participant as it was used.

    Raises:
        RecordUnreadable: It has evidence of a kind that this version does not know.
    """
    message = record.participant
    signals = dict(message.signals)
    history = {name: value for name, value in signals.items() if name.startswith(HISTORY_PREFIX)}
    for name in history:
        del signals[name]
    return Participant(
        participant_id=message.participant_id,
        linked_ids=tuple(message.linked_ids),
        age_evidence=_all_evidence(record),
        signals=signals,
        attributes=dict(message.attributes),
        interests=tuple(message.interests),
        region=message.region,
        language=message.language,
        entry_path=message.entry_path,
        history=history or None,
    )


def _all_evidence(record: journal_pb2.ParticipantRecord) -> tuple[AgeEvidence, ...]:
    items = tuple([evidence_of(each) for each in record.participant.age_evidence])
    linked = frozenset(record.linked_evidence_ids)
    if not linked:
        return items
    # Where an own item has the id of a linked one, both restrict: which is which is not recorded.
    return tuple(
        [replace(each, of_linked=True) if each.evidence_id in linked else each for each in items]
    )


def evidence_of(message: participant_pb2.AgeEvidence) -> AgeEvidence:
    """Return an item of evidence.

    Raises:
        RecordUnreadable: It is of a kind that this version does not know.
    """
    kind = message.WhichOneof("observation")
    if kind is None:
        raise RecordUnreadable("evidence of an unknown kind")
    return AgeEvidence(
        observation=_OBSERVATIONS[kind](getattr(message, kind)),
        evidence_id=message.evidence_id,
        observed_time=_time(message, "observed_time"),
        expire_time=_time(message, "expire_time"),
        provider=message.provider,
        binding=_word(_BINDINGS, message.binding),
    )


def _self_declared(message: participant_pb2.SelfDeclared) -> Observation:
    return SelfDeclared(
        age_years=_optional(message, "age_years"),
        birth_year=_optional(message, "birth_year"),
        declared_time=_time(message, "declared_time"),
        gate_years=_optional(message, "gate_years"),
    )


def _platform_age_range(message: participant_pb2.PlatformAgeRange) -> Observation:
    return PlatformAgeRange(
        _word(_PLATFORMS, message.platform),
        _word(_ASSURANCES, message.assurance),
        lower_years=_optional(message, "lower_years"),
        upper_years=_optional(message, "upper_years"),
    )


def _facial_age_estimate(message: participant_pb2.FacialAgeEstimate) -> Observation:
    return FacialAgeEstimate(
        mean_years=message.mean_years,
        liveness=_word(_LIVENESS, message.liveness),
        quality=_optional(message, "quality"),
        capture_session=message.capture_session,
    )


def _age_check(message: participant_pb2.AgeCheck) -> Observation:
    return AgeCheck(
        _word(_CHECK_METHODS, message.method),
        threshold_years=message.threshold_years,
        result=_word(_CHECK_RESULTS, message.result),
        liveness=_word(_LIVENESS, message.liveness),
        capture_session=message.capture_session,
    )


def _verified_age(message: participant_pb2.VerifiedAge) -> Observation:
    return VerifiedAge(
        _word(_VERIFICATIONS, message.method),
        age_years=_optional(message, "age_years"),
        birth_year=_optional(message, "birth_year"),
        liveness=_word(_LIVENESS, message.liveness),
        capture_session=message.capture_session,
    )


_OBSERVATIONS: Final[Mapping[str, Callable[[Any], Observation]]] = {
    "self_declared": _self_declared,
    "platform_age_range": _platform_age_range,
    "facial_age_estimate": _facial_age_estimate,
    "age_check": _age_check,
    "verified_age": _verified_age,
}


def _optional(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _time(message: Any, field: str) -> float | None:
    return seconds(getattr(message, field)) if message.HasField(field) else None


def _words(contract: EnumDescriptor, domain: type[_Word]) -> Mapping[int, _Word]:
    """Return the domain's word for each number of a contract's enum."""
    prefix = contract.values[0].name.removesuffix("UNSPECIFIED")
    names = {value.number: value.name.removeprefix(prefix) for value in contract.values}
    return {number: domain[name] for number, name in names.items() if name in domain.__members__}


def _word(words: Mapping[int, _Word], number: int) -> _Word:
    found = words.get(number)
    if found is None:
        raise RecordUnreadable("a word that this version does not know")
    return found


_BINDINGS = _words(participant_pb2.Binding.DESCRIPTOR, Binding)
_CHECK_METHODS = _words(participant_pb2.CheckMethod.DESCRIPTOR, CheckMethod)
_CHECK_RESULTS = _words(participant_pb2.CheckResult.DESCRIPTOR, CheckResult)
_LIVENESS = _words(participant_pb2.Liveness.DESCRIPTOR, Liveness)
_PLATFORMS = _words(participant_pb2.Platform.DESCRIPTOR, Platform)
_ASSURANCES = _words(participant_pb2.PlatformAssurance.DESCRIPTOR, PlatformAssurance)
_VERIFICATIONS = _words(participant_pb2.VerificationMethod.DESCRIPTOR, VerificationMethod)
