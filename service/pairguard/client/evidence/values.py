"""What a caller can say about somebody's age, as values.

Owns the values of evidence. It must not know how they are sent, what they are worth, nor any
vendor's words.

Each item speaks of the age when it was observed. Leave out what is not known: absence never makes
an answer less cautious. Ages are years; ranges are checked by the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

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
        if self.quality is not None:
            require_number("quality", self.quality)
        _require_capture(self.liveness, self.capture_session)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeCheck:
    """A check of which side of a threshold the age is on; built by ``age_check``."""

    method: CheckMethod
    threshold_years: float
    result: CheckResult
    liveness: Liveness | None = None
    capture_session: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no check."""
        require_member("method", self.method, CheckMethod)
        require_number("threshold_years", self.threshold_years)
        require_member("result", self.result, CheckResult)
        _require_capture(self.liveness, self.capture_session)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAge:
    """An age that a verification disclosed; built by ``verified_age``."""

    method: VerificationMethod
    age_years: float | None = None
    birth_year: int | None = None
    liveness: Liveness | None = None
    capture_session: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no verified age."""
        require_member("method", self.method, VerificationMethod)
        _require_age_or_year(self.age_years, self.birth_year)
        _require_capture(self.liveness, self.capture_session)


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


def _require_age_or_year(age_years: object, birth_year: object) -> None:
    if (age_years is None) == (birth_year is None):
        raise ValueError("exactly one of age_years and birth_year is needed")
    if age_years is not None:
        require_number("age_years", age_years)
    if birth_year is not None:
        require_whole_number("birth_year", birth_year)


def _require_capture(liveness: object, capture_session: object) -> None:
    if liveness is not None:
        require_member("liveness", liveness, Liveness)
    require_text("capture_session", capture_session)
