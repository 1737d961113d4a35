"""Domain values as messages of the contract, for tests that compare both ways to a number."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.risk.participant import Participant
from pairguard.v1 import participant_pb2 as wire


def participant_message(participant: Participant) -> wire.Participant:
    """Return what a caller would send; history is the service's own and is not sent."""
    return wire.Participant(
        participant_id=participant.participant_id,
        linked_ids=participant.linked_ids,
        age_evidence=[_item(item) for item in participant.age_evidence],
        signals=participant.signals,
        attributes=participant.attributes,
        interests=participant.interests,
        region=participant.region,
        language=participant.language,
        entry_path=participant.entry_path,
    )


def _item(item: AgeEvidence) -> wire.AgeEvidence:
    message = wire.AgeEvidence(
        evidence_id=item.evidence_id,
        observed_time=_time(item.observed_time),
        expire_time=_time(item.expire_time),
        provider=item.provider,
        binding=wire.Binding.Value(f"BINDING_{item.binding.value}"),
    )
    match item.observation:
        case SelfDeclared() as declared:
            message.self_declared.CopyFrom(
                wire.SelfDeclared(
                    age_years=declared.age_years,
                    birth_year=declared.birth_year,
                    declared_time=_time(declared.declared_time),
                    gate_years=declared.gate_years,
                )
            )
        case PlatformAgeRange() as reported:
            message.platform_age_range.CopyFrom(
                wire.PlatformAgeRange(
                    platform=wire.Platform.Value(f"PLATFORM_{reported.platform.value}"),
                    assurance=wire.PlatformAssurance.Value(
                        f"PLATFORM_ASSURANCE_{reported.assurance.value}"
                    ),
                    lower_years=reported.lower_years,
                    upper_years=reported.upper_years,
                )
            )
        case FacialAgeEstimate() as estimate:
            message.facial_age_estimate.CopyFrom(
                wire.FacialAgeEstimate(
                    mean_years=estimate.mean_years,
                    liveness=wire.Liveness.Value(f"LIVENESS_{estimate.liveness.value}"),
                    quality=estimate.quality,
                    capture_session=estimate.capture_session,
                )
            )
        case AgeCheck() as check:
            message.age_check.CopyFrom(
                wire.AgeCheck(
                    method=wire.CheckMethod.Value(f"CHECK_METHOD_{check.method.value}"),
                    threshold_years=check.threshold_years,
                    result=wire.CheckResult.Value(f"CHECK_RESULT_{check.result.value}"),
                    liveness=wire.Liveness.Value(f"LIVENESS_{check.liveness.value}"),
                    capture_session=check.capture_session,
                )
            )
        case VerifiedAge() as verified:
            message.verified_age.CopyFrom(
                wire.VerifiedAge(
                    method=wire.VerificationMethod.Value(
                        f"VERIFICATION_METHOD_{verified.method.value}"
                    ),
                    age_years=verified.age_years,
                    birth_year=verified.birth_year,
                    liveness=wire.Liveness.Value(f"LIVENESS_{verified.liveness.value}"),
                    capture_session=verified.capture_session,
                )
            )
    return message


def _time(seconds: float | None) -> Timestamp | None:
    if seconds is None:
        return None
    whole = int(seconds // 1)
    return Timestamp(seconds=whole, nanos=round((seconds - whole) * 1e9))
