"""What a caller can say about somebody's age, and the functions that say it.

Owns the values of evidence. It must not know how they are sent nor what they are worth.

Each item speaks of the age when it was observed. Leave out what is not known: absence never makes
an answer less cautious. Ages are years; ranges are checked by the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypedDict, Unpack

from pairguard.client.arguments import (
    require_member,
    require_moment,
    require_number,
    require_text,
    require_whole_number,
)
from pairguard.client.vocabulary import (
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
    Platform,
    PlatformAssurance,
    VerificationMethod,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfDeclared:
    """What a participant said about their own age; built by ``self_declared``."""

    age_years: float | None = None
    birth_year: int | None = None
    declared_time: datetime | None = None
    gate_years: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no declaration."""
        _require_age_or_year(self.age_years, self.birth_year)
        if self.declared_time is not None:
            require_moment("declared_time", self.declared_time)
        if self.gate_years is not None:
            require_number("gate_years", self.gate_years)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformAgeRange:
    """A range from the operating system's store; built by ``platform_age_range``."""

    platform: Platform | None = None
    assurance: PlatformAssurance | None = None
    lower_years: int | None = None
    upper_years: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no range."""
        if self.platform is not None:
            require_member("platform", self.platform, Platform)
        if self.assurance is not None:
            require_member("assurance", self.assurance, PlatformAssurance)
        if self.lower_years is None and self.upper_years is None:
            raise ValueError(
                "a platform age range needs lower_years or upper_years;"
                " leave the item out if the participant declined to share"
            )
        if self.lower_years is not None:
            require_whole_number("lower_years", self.lower_years)
        if self.upper_years is not None:
            require_whole_number("upper_years", self.upper_years)


@dataclass(frozen=True, slots=True, kw_only=True)
class FacialAgeEstimate:
    """The point estimate of a facial age estimator; built by ``facial_age_estimate``."""

    mean_years: float
    liveness: Liveness | None = None
    quality: float | None = None
    capture_session: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no estimate."""
        require_number("mean_years", self.mean_years)
        if self.liveness is not None:
            require_member("liveness", self.liveness, Liveness)
        if self.quality is not None:
            require_number("quality", self.quality)
        require_text("capture_session", self.capture_session)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeCheck:
    """A check of which side of a threshold the age is on; built by ``age_check``."""

    method: CheckMethod
    threshold_years: float
    result: CheckResult

    def __post_init__(self) -> None:
        """Refuse what is no check."""
        require_member("method", self.method, CheckMethod)
        require_number("threshold_years", self.threshold_years)
        require_member("result", self.result, CheckResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAge:
    """An age that a verification disclosed; built by ``verified_age``."""

    method: VerificationMethod
    age_years: float | None = None
    birth_year: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no verified age."""
        require_member("method", self.method, VerificationMethod)
        _require_age_or_year(self.age_years, self.birth_year)


Observation: TypeAlias = (
    SelfDeclared | PlatformAgeRange | FacialAgeEstimate | AgeCheck | VerifiedAge
)


@dataclass(frozen=True, slots=True)
class AgeEvidence:
    """One item of evidence about an age.

    Attributes:
        observation: What was observed.
        evidence_id: The caller's opaque id; items with the same id count once. Empty: none.
        observed_time: When it was observed, never in the future. None: unknown, which is taken as
            now for evidence of minority and as long ago for evidence of adulthood.
        expire_time: When the result loses its force. None: never by itself.
        provider: Who observed it, in the words of the age tables. Empty: not told.
        binding: What ties it to the person who chats. None: the weakest that it can be.
    """

    observation: Observation
    evidence_id: str = ""
    observed_time: datetime | None = None
    expire_time: datetime | None = None
    provider: str = ""
    binding: Binding | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        if not isinstance(self.observation, Observation):
            raise TypeError(
                "observation must be one of the kinds of evidence, not "
                f"{type(self.observation).__name__}"
            )
        require_text("evidence_id", self.evidence_id)
        require_text("provider", self.provider)
        if self.observed_time is not None:
            require_moment("observed_time", self.observed_time)
        if self.expire_time is not None:
            require_moment("expire_time", self.expire_time)
        if self.binding is not None:
            require_member("binding", self.binding, Binding)


class EvidenceDetails(TypedDict, total=False):
    """What every kind of evidence can carry; see ``AgeEvidence``."""

    evidence_id: str
    observed_time: datetime | None
    expire_time: datetime | None
    provider: str
    binding: Binding | None


def self_declared(
    *,
    age_years: float | None = None,
    birth_year: int | None = None,
    declared_time: datetime | None = None,
    gate_years: float | None = None,
    **details: Unpack[EvidenceDetails],
) -> AgeEvidence:
    """Say what a participant said about their own age.

    Args:
        age_years: Declared age at ``declared_time``. Exactly one of this and ``birth_year``.
        birth_year: Declared calendar year of birth.
        declared_time: When it was declared, usually at sign-up. None: when it was observed.
        gate_years: Lowest age that the sign-up form let in. None: no gate, or not known.
        **details: See ``AgeEvidence``.
    """
    observation = SelfDeclared(
        age_years=age_years,
        birth_year=birth_year,
        declared_time=declared_time,
        gate_years=gate_years,
    )
    return AgeEvidence(observation, **details)


def platform_age_range(
    *,
    lower_years: int | None = None,
    upper_years: int | None = None,
    platform: Platform | None = None,
    assurance: PlatformAssurance | None = None,
    **details: Unpack[EvidenceDetails],
) -> AgeEvidence:
    """Say what range the operating system's store gave; nothing, if the participant declined.

    Args:
        lower_years: Lowest age in whole years. None: open below. At least one bound is needed.
        upper_years: Highest age in whole years, inclusive. None: open above.
        platform: Which store. None: not told.
        assurance: How the store came to it. None: not told, which counts as the weakest.
        **details: See ``AgeEvidence``.
    """
    observation = PlatformAgeRange(
        platform=platform, assurance=assurance, lower_years=lower_years, upper_years=upper_years
    )
    return AgeEvidence(observation, **details)


def facial_age_estimate(
    *,
    mean_years: float,
    liveness: Liveness | None = None,
    quality: float | None = None,
    capture_session: str = "",
    **details: Unpack[EvidenceDetails],
) -> AgeEvidence:
    """Say what a facial age estimator estimated.

    Args:
        mean_years: The estimate.
        liveness: Result of the liveness test of the same capture. None: not tested or not told.
        quality: The vendor's own figure; never taken as a standard deviation. None: not told.
        capture_session: Opaque id of the capture, kept for later; all captures of one participant
            that point the same way count as nearly one.
        **details: See ``AgeEvidence``.
    """
    observation = FacialAgeEstimate(
        mean_years=mean_years, liveness=liveness, quality=quality, capture_session=capture_session
    )
    return AgeEvidence(observation, **details)


def age_check(
    *,
    method: CheckMethod,
    threshold_years: float,
    result: CheckResult,
    **details: Unpack[EvidenceDetails],
) -> AgeEvidence:
    """Say what a check against a threshold answered; see ``AgeEvidence`` for ``details``."""
    observation = AgeCheck(method=method, threshold_years=threshold_years, result=result)
    return AgeEvidence(observation, **details)


def verified_age(
    *,
    method: VerificationMethod,
    age_years: float | None = None,
    birth_year: int | None = None,
    **details: Unpack[EvidenceDetails],
) -> AgeEvidence:
    """Say what age a verification disclosed, as exactly one of ``age_years`` and ``birth_year``.

    ``age_years`` is the age when it was observed; see ``AgeEvidence`` for ``details``.
    """
    observation = VerifiedAge(method=method, age_years=age_years, birth_year=birth_year)
    return AgeEvidence(observation, **details)


def _require_age_or_year(age_years: object, birth_year: object) -> None:
    if (age_years is None) == (birth_year is None):
        raise ValueError("exactly one of age_years and birth_year is needed")
    if age_years is not None:
        require_number("age_years", age_years)
    if birth_year is not None:
        require_whole_number("birth_year", birth_year)
