"""The client of a chat backend: asks before two strangers are paired.

``Client`` blocks, ``AioClient`` awaits. Each call has a timeout. Whatever goes wrong,
``score_pair`` answers a REROUTE marked as the client's own, so that a pair that nobody judged is
not formed.

    with Client("127.0.0.1:7443") as client:
        decision = client.score_pair(ParticipantInput("a"), ParticipantInput("b"))
        if decision.allowed:
            ...  # form the pair; send decision.decision_id back in events

Owns the public names. Imports only the contract, gRPC and the standard library.
"""

from pairguard.client.aio import AioClient
from pairguard.client.assessment import (
    AgeAssessment,
    AgeBand,
    AgeCheckOption,
    AssessedAge,
    EvidenceContribution,
    Reason,
    RequestedAgeCheck,
)
from pairguard.client.blocking import Client
from pairguard.client.credentials import BearerTokenProvider, TlsOptions, TokenFile
from pairguard.client.decision import HeldParticipant, PairDecision, UnknownSignals
from pairguard.client.evidence import (
    AgeEvidence,
    age_check,
    facial_age_estimate,
    platform_age_range,
    self_declared,
    verified_age,
)
from pairguard.client.failure import CallFailure, ClientError, FailureKind, FieldViolation
from pairguard.client.options import ClientOptions, OnFailure
from pairguard.client.participant import ParticipantInput
from pairguard.client.vocabulary import (
    Admission,
    Binding,
    CheckMethod,
    CheckResult,
    DecidedBy,
    Decision,
    EvidenceKind,
    Liveness,
    Modality,
    ParticipantRole,
    Platform,
    PlatformAssurance,
    VerificationMethod,
    View,
)

__all__ = [
    "Admission",
    "AgeAssessment",
    "AgeBand",
    "AgeCheckOption",
    "AgeEvidence",
    "AioClient",
    "AssessedAge",
    "BearerTokenProvider",
    "Binding",
    "CallFailure",
    "CheckMethod",
    "CheckResult",
    "Client",
    "ClientError",
    "ClientOptions",
    "DecidedBy",
    "Decision",
    "EvidenceContribution",
    "EvidenceKind",
    "FailureKind",
    "FieldViolation",
    "HeldParticipant",
    "Liveness",
    "Modality",
    "OnFailure",
    "PairDecision",
    "ParticipantInput",
    "ParticipantRole",
    "Platform",
    "PlatformAssurance",
    "Reason",
    "RequestedAgeCheck",
    "TlsOptions",
    "TokenFile",
    "UnknownSignals",
    "VerificationMethod",
    "View",
    "age_check",
    "facial_age_estimate",
    "platform_age_range",
    "self_declared",
    "verified_age",
]
