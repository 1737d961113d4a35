"""What a platform can know about one participant's age, as typed values.

Owns the vocabulary of age evidence. It must not know how evidence arrives (the edges convert)
nor what it is worth (``pairguard.age.tables`` and ``pairguard.age.likelihood``).

The values of the enums are the names of the contract's enums without their prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class _Word(StrEnum):
    """A word of the vocabulary; like evidence is looked up by its words, so their hash is a text's.

    The enum's own is the same in value and runs in Python.
    """

    __hash__ = str.__hash__


class Binding(_Word):
    """What ties a result to the person who chats."""

    UNSPECIFIED = "UNSPECIFIED"
    ACCOUNT = "ACCOUNT"
    DEVICE = "DEVICE"
    LIVE_PERSON = "LIVE_PERSON"


class CheckMethod(_Word):
    """How an age check against a threshold was made."""

    ID_DOCUMENT = "ID_DOCUMENT"
    DIGITAL_WALLET = "DIGITAL_WALLET"
    CREDIT_CARD = "CREDIT_CARD"
    MOBILE_OPERATOR = "MOBILE_OPERATOR"
    OPEN_BANKING = "OPEN_BANKING"
    EMAIL = "EMAIL"
    FACIAL_THRESHOLD = "FACIAL_THRESHOLD"
    GUARDIAN = "GUARDIAN"


class CheckResult(_Word):
    """What an age check said about its threshold."""

    OVER = "OVER"
    UNDER = "UNDER"
    INCONCLUSIVE = "INCONCLUSIVE"


class Liveness(_Word):
    """Whether a living person sat before the camera; UNSPECIFIED: not tested or not told."""

    UNSPECIFIED = "UNSPECIFIED"
    PASSED = "PASSED"
    FAILED = "FAILED"
    UNDETERMINED = "UNDETERMINED"


class Platform(_Word):
    """The operating system's store that gave an age range."""

    UNSPECIFIED = "UNSPECIFIED"
    APPLE = "APPLE"
    GOOGLE = "GOOGLE"


class PlatformAssurance(_Word):
    """How the store came to its range, by the store's own names.

    Apple Declared Age Range: SELF_DECLARED to GUARDIAN_CHECKED_BY_OTHER_METHOD. Google Play Age
    Signals: TIER_A to TIER_D (``ageRangeSource``), VERIFIED to DECLARED (older ``userStatus``).
    """

    UNSPECIFIED = "UNSPECIFIED"
    SELF_DECLARED = "SELF_DECLARED"
    GUARDIAN_DECLARED = "GUARDIAN_DECLARED"
    CONFIRMED = "CONFIRMED"
    PAYMENT_CHECKED = "PAYMENT_CHECKED"
    GOVERNMENT_ID_CHECKED = "GOVERNMENT_ID_CHECKED"
    CHECKED_BY_OTHER_METHOD = "CHECKED_BY_OTHER_METHOD"
    GUARDIAN_PAYMENT_CHECKED = "GUARDIAN_PAYMENT_CHECKED"
    GUARDIAN_GOVERNMENT_ID_CHECKED = "GUARDIAN_GOVERNMENT_ID_CHECKED"
    GUARDIAN_CHECKED_BY_OTHER_METHOD = "GUARDIAN_CHECKED_BY_OTHER_METHOD"
    TIER_A = "TIER_A"
    TIER_B = "TIER_B"
    TIER_C = "TIER_C"
    TIER_D = "TIER_D"
    VERIFIED = "VERIFIED"
    SUPERVISED = "SUPERVISED"
    SUPERVISED_APPROVAL_PENDING = "SUPERVISED_APPROVAL_PENDING"
    SUPERVISED_APPROVAL_DENIED = "SUPERVISED_APPROVAL_DENIED"
    UNKNOWN = "UNKNOWN"
    DECLARED = "DECLARED"


class VerificationMethod(_Word):
    """How an exact age was established."""

    ID_DOCUMENT = "ID_DOCUMENT"
    DIGITAL_WALLET = "DIGITAL_WALLET"
    MODERATOR = "MODERATOR"


@dataclass(frozen=True, slots=True)
class SelfDeclared:
    """An age or a birth year as the participant gave it; exactly one of the two.

    Attributes:
        age_years: Declared age in years, 0-120, at ``declared_time``.
        birth_year: Declared calendar year of birth.
        declared_time: When it was declared; None: when the evidence was observed.
        gate_years: Age that the sign-up form demanded; None: no gate or not known.
    """

    capture_session: ClassVar[str] = ""

    age_years: float | None = None
    birth_year: int | None = None
    declared_time: float | None = None
    gate_years: float | None = None


@dataclass(frozen=True, slots=True)
class PlatformAgeRange:
    """A range of whole years from the operating system's store.

    Attributes:
        lower_years: Lowest age in the range; None: open.
        upper_years: Highest age in the range, inclusive; None: open.
    """

    capture_session: ClassVar[str] = ""

    platform: Platform
    assurance: PlatformAssurance
    lower_years: int | None = None
    upper_years: int | None = None


@dataclass(frozen=True, slots=True)
class FacialAgeEstimate:
    """The point estimate of a facial age estimator.

    Attributes:
        mean_years: Estimated age in years, 0-120.
        liveness: Result of the liveness test of the same capture.
        quality: The vendor's own quality figure, its scale unknown; never used as a deviation.
        capture_session: Opaque id of the capture; "": not told. All of a participant's faces are
            taken to share their errors; the same capture at another time is a replay.
    """

    mean_years: float
    liveness: Liveness = Liveness.UNSPECIFIED
    quality: float | None = None
    capture_session: str = ""


@dataclass(frozen=True, slots=True)
class AgeCheck:
    """A check that says which side of a threshold the age is on.

    Attributes:
        liveness: Result of the liveness test of the capture, where a camera made the check.
        capture_session: Opaque id of that capture; "": not told.
    """

    method: CheckMethod
    threshold_years: float
    result: CheckResult
    liveness: Liveness = Liveness.UNSPECIFIED
    capture_session: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedAge:
    """An age that a verification disclosed; exactly one of age and birth year.

    Attributes:
        liveness: Result of the liveness test of the capture, where a camera made the check.
        capture_session: Opaque id of that capture; "": not told.
    """

    method: VerificationMethod
    age_years: float | None = None
    birth_year: int | None = None
    liveness: Liveness = Liveness.UNSPECIFIED
    capture_session: str = ""


Observation = SelfDeclared | PlatformAgeRange | FacialAgeEstimate | AgeCheck | VerifiedAge

_KINDS: dict[type, str] = {
    SelfDeclared: "self_declared",
    PlatformAgeRange: "platform_age_range",
    FacialAgeEstimate: "facial_age_estimate",
    AgeCheck: "age_check",
    VerifiedAge: "verified_age",
}

EVIDENCE_KINDS: tuple[str, ...] = tuple(_KINDS.values())


@dataclass(frozen=True, slots=True)
class AgeEvidence:
    """One item of evidence about the age at the time it was observed.

    Attributes:
        observation: What was observed.
        evidence_id: The caller's opaque id; items with the same id count once; "": none.
        observed_time: Seconds since 1970 UTC; None: unknown, taken as now for minority and as
            long ago for adulthood.
        expire_time: When the result loses its force; None: never by itself.
        provider: Who made it, e.g. ``yoti``; "": not told.
        binding: What ties it to the person; UNSPECIFIED counts as the weakest that it can be.
        of_linked: It was told of somebody who shares an id with the participant and may be
            another person: it restricts, and never speaks for adulthood.
    """

    observation: Observation
    evidence_id: str = ""
    observed_time: float | None = None
    expire_time: float | None = None
    provider: str = ""
    binding: Binding = Binding.UNSPECIFIED
    of_linked: bool = False

    @property
    def kind(self) -> str:
        """Name of the observation's field in the contract."""
        return _KINDS[type(self.observation)]
