"""The functions that say what is known about somebody's age, in the contract's own words.

Owns one function for each kind of evidence. It must not know any vendor's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypedDict, Unpack

from pairguard.client.evidence.values import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
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
    liveness: Liveness | None = None,
    capture_session: str = "",
    **details: Unpack[EvidenceDetails],
) -> AgeEvidence:
    """Say what a check against a threshold answered.

    Args:
        method: How it was checked.
        threshold_years: The age that was checked against.
        result: What the check said.
        liveness: Result of the liveness test, where a camera made the check. None: not tested or
            not told.
        capture_session: Opaque id of that capture. Empty: not told.
        **details: See ``AgeEvidence``.
    """
    observation = AgeCheck(
        method=method,
        threshold_years=threshold_years,
        result=result,
        liveness=liveness,
        capture_session=capture_session,
    )
    return AgeEvidence(observation, **details)


def verified_age(
    *,
    method: VerificationMethod,
    age_years: float | None = None,
    birth_year: int | None = None,
    liveness: Liveness | None = None,
    capture_session: str = "",
    **details: Unpack[EvidenceDetails],
) -> AgeEvidence:
    """Say what age a verification disclosed.

    Args:
        method: How it was established.
        age_years: Age when it was observed. Exactly one of this and ``birth_year``.
        birth_year: Calendar year of birth.
        liveness: Result of the liveness test, for a document with a selfie. None: not tested or
            not told.
        capture_session: Opaque id of that capture. Empty: not told.
        **details: See ``AgeEvidence``.
    """
    observation = VerifiedAge(
        method=method,
        age_years=age_years,
        birth_year=birth_year,
        liveness=liveness,
        capture_session=capture_session,
    )
    return AgeEvidence(observation, **details)


def numbered(
    items: Sequence[AgeEvidence], *, evidence_id: str = "", expire_time: datetime | None = None
) -> tuple[AgeEvidence, ...]:
    """Return items of one payload under its id: the first as it is, then ``/2``, ``/3``.

    Items with the same id count once, so that they may not share it. An empty id stays empty.

    Args:
        items: What the payload says.
        evidence_id: The caller's id of the payload.
        expire_time: When all of it loses its force.
    """
    return tuple(
        replace(
            item,
            evidence_id=f"{evidence_id}/{number}" if evidence_id and number > 1 else evidence_id,
            expire_time=expire_time,
        )
        for number, item in enumerate(items, start=1)
    )
