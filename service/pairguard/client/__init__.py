"""The client of a chat backend: asks before two strangers are paired.

``Client`` blocks, ``AioClient`` awaits. Each call has a timeout. Whatever goes wrong,
``score_pair`` answers a REROUTE marked as the client's own, so that a pair that nobody judged is
not formed.

    with Client("127.0.0.1:7443") as client:
        decision = client.score_pair(ParticipantInput("a"), ParticipantInput("b"))
        if decision.allowed:
            ...  # form the pair; send decision.decision_id back in events

What happened afterwards goes to ``record_events``; what the service did not answer for is raised as
``NotRecorded``, to be sent again.

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
from pairguard.client.events import (
    AppealOutcome,
    ChatEnded,
    ChatStarted,
    Event,
    HoldPlaced,
    HoldReleased,
    PersonalBlock,
    PersonalBlockLifted,
    Report,
    ReviewVerdict,
)
from pairguard.client.evidence import (
    AgeEvidence,
    VerifiedAge,
    age_check,
    facial_age_estimate,
    platform_age_range,
    self_declared,
    verified_age,
)
from pairguard.client.failure import CallFailure, ClientError, FailureKind, FieldViolation
from pairguard.client.options import ClientOptions, OnFailure
from pairguard.client.participant import ParticipantInput, ParticipantReference
from pairguard.client.pool_pairs import ScoredPairs
from pairguard.client.ranking import (
    CandidateInput,
    CandidateRanking,
    InvalidCandidate,
    RankedCandidate,
)
from pairguard.client.records import (
    Erasure,
    NotRecorded,
    RecordedDecision,
    RecordedEvidence,
    RecordResult,
    UnsafeChat,
)
from pairguard.client.vocabulary import (
    Admission,
    AppealResult,
    Binding,
    ChatEnder,
    ChatEndManner,
    CheckMethod,
    CheckResult,
    DecidedBy,
    Decision,
    ErasureStatus,
    EvidenceKind,
    HoldKind,
    Liveness,
    Modality,
    ParticipantRole,
    Platform,
    PlatformAssurance,
    RecordStatus,
    ReportCategory,
    Verdict,
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
    "AppealOutcome",
    "AppealResult",
    "AssessedAge",
    "BearerTokenProvider",
    "Binding",
    "CallFailure",
    "CandidateInput",
    "CandidateRanking",
    "ChatEndManner",
    "ChatEnded",
    "ChatEnder",
    "ChatStarted",
    "CheckMethod",
    "CheckResult",
    "Client",
    "ClientError",
    "ClientOptions",
    "DecidedBy",
    "Decision",
    "Erasure",
    "ErasureStatus",
    "Event",
    "EvidenceContribution",
    "EvidenceKind",
    "FailureKind",
    "FieldViolation",
    "HeldParticipant",
    "HoldKind",
    "HoldPlaced",
    "HoldReleased",
    "InvalidCandidate",
    "Liveness",
    "Modality",
    "NotRecorded",
    "OnFailure",
    "PairDecision",
    "ParticipantInput",
    "ParticipantReference",
    "ParticipantRole",
    "PersonalBlock",
    "PersonalBlockLifted",
    "Platform",
    "PlatformAssurance",
    "RankedCandidate",
    "Reason",
    "RecordResult",
    "RecordStatus",
    "RecordedDecision",
    "RecordedEvidence",
    "Report",
    "ReportCategory",
    "RequestedAgeCheck",
    "ReviewVerdict",
    "ScoredPairs",
    "TlsOptions",
    "TokenFile",
    "UnknownSignals",
    "UnsafeChat",
    "Verdict",
    "VerificationMethod",
    "VerifiedAge",
    "View",
    "age_check",
    "facial_age_estimate",
    "platform_age_range",
    "self_declared",
    "verified_age",
]
