"""A participant for each source of age evidence, to be looked at one by one.

Owns the examples. It must not know what they are worth (``worked_example_text``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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

NOW = 1_795_000_000.0
"""18 November 2026: the examples do not change with the day on which they are printed."""
REGION = "US"

_DAY = 86_400.0
_YEAR = 365.2425 * _DAY


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """One participant.

    Attributes:
        title: What it shows.
        evidence: What is known about the age.
        signals: Signs of the session.
        remark: What to see in it; "": nothing more.
    """

    title: str
    evidence: tuple[AgeEvidence, ...]
    signals: dict[str, float] = field(default_factory=dict)
    remark: str = ""


def _item(
    observation: Observation,
    binding: Binding = Binding.LIVE_PERSON,
    *,
    provider: str = "",
    years_ago: float = 0.0,
    expired: bool = False,
) -> AgeEvidence:
    return AgeEvidence(
        observation,
        observed_time=NOW - years_ago * _YEAR,
        expire_time=NOW - _DAY if expired else None,
        provider=provider,
        binding=binding,
    )


def _account(observation: Observation, *, years_ago: float = 0.0) -> AgeEvidence:
    return _item(observation, Binding.ACCOUNT, years_ago=years_ago)


def _range(
    platform: Platform, assurance: PlatformAssurance, lower: int | None, upper: int | None
) -> AgeEvidence:
    return _account(PlatformAgeRange(platform, assurance, lower, upper))


def _face(
    years: float, liveness: Liveness, provider: str = "", *, years_ago: float = 0.0
) -> AgeEvidence:
    return _item(FacialAgeEstimate(years, liveness), provider=provider, years_ago=years_ago)


def _check(
    method: CheckMethod,
    threshold_years: float = 18,
    result: CheckResult = CheckResult.OVER,
    *,
    liveness: Liveness = Liveness.UNSPECIFIED,
    binding: Binding = Binding.LIVE_PERSON,
    years_ago: float = 0.0,
) -> AgeEvidence:
    check = AgeCheck(method, threshold_years, result, liveness)
    return _item(check, binding, years_ago=years_ago)


_APPLE, _GOOGLE = Platform.APPLE, Platform.GOOGLE
ID_WITH_SELFIE = _check(CheckMethod.ID_DOCUMENT, liveness=Liveness.PASSED)

CHECKED_ADULT = (ID_WITH_SELFIE, _face(33.0, Liveness.PASSED))
"""The partner of all examples."""

WORKED_EXAMPLES: tuple[WorkedExample, ...] = (
    WorkedExample("Nothing is known", (), remark="The prior of the region decides nothing."),
    WorkedExample(
        "Self-declared 25, behind an 18+ gate",
        (_account(SelfDeclared(25, gate_years=18)),),
        remark="Behind the gate everybody is 18 or over by their own word, children too.",
    ),
    WorkedExample("Self-declared 25, no gate", (_account(SelfDeclared(25)),)),
    WorkedExample(
        "Self-declared 13, five years ago",
        (_account(SelfDeclared(13), years_ago=5.0),),
        remark="The lie is an offset that was fixed at sign-up: who claimed 13 at 8 is '18' at 13.",
    ),
    WorkedExample(
        "Apple Declared Age Range: 18 or over, selfDeclared",
        (_range(_APPLE, PlatformAssurance.SELF_DECLARED, 18, None),),
    ),
    WorkedExample(
        "Apple Declared Age Range: 13-15, guardianDeclared",
        (_range(_APPLE, PlatformAssurance.GUARDIAN_DECLARED, 13, 15),),
    ),
    WorkedExample(
        "Apple Declared Age Range: 18 or over, confirmed",
        (_range(_APPLE, PlatformAssurance.CONFIRMED, 18, None),),
        remark="However it was confirmed, it is the account's: a parent's phone says the same.",
    ),
    WorkedExample(
        "Apple Declared Age Range, older form: 18 or over, governmentIDChecked",
        (_range(_APPLE, PlatformAssurance.GOVERNMENT_ID_CHECKED, 18, None),),
    ),
    WorkedExample(
        "Google Play Age Signals: 18 or over, TIER_C",
        (_range(_GOOGLE, PlatformAssurance.TIER_C, 18, None),),
    ),
    WorkedExample(
        "Google Play Age Signals, older form: 13-17, SUPERVISED",
        (_range(_GOOGLE, PlatformAssurance.SUPERVISED, 13, 17),),
    ),
    WorkedExample(
        "Facial estimate 19.4, liveness passed",
        (_face(19.4, Liveness.PASSED),),
        remark="Independent tests find 13- to 16-year-olds about three years too old.",
    ),
    WorkedExample("Facial estimate 31.0, liveness passed", (_face(31.0, Liveness.PASSED),)),
    WorkedExample("Facial estimate 31.0, no liveness test", (_face(31.0, Liveness.UNSPECIFIED),)),
    WorkedExample(
        "Facial estimate 31.0, liveness failed",
        (_face(31.0, Liveness.FAILED),),
        remark="A failed test takes every word for adulthood, and none for minority.",
    ),
    WorkedExample(
        "Facial estimate 13.2, liveness passed",
        (_face(13.2, Liveness.PASSED),),
        remark="An adult may have shown a child's face: see the minors' gate.",
    ),
    WorkedExample(
        "Facial threshold: over 25, liveness passed",
        (_check(CheckMethod.FACIAL_THRESHOLD, 25, liveness=Liveness.PASSED),),
    ),
    WorkedExample(
        "Facial threshold: over 18, liveness passed",
        (_check(CheckMethod.FACIAL_THRESHOLD, 18, liveness=Liveness.PASSED),),
        remark="At a threshold of 18 about half of the 13- to 16-year-olds pass.",
    ),
    WorkedExample("ID document with live selfie: over 18", (ID_WITH_SELFIE,)),
    WorkedExample(
        "ID document with live selfie: over 18, two years ago",
        (_check(CheckMethod.ID_DOCUMENT, liveness=Liveness.PASSED, years_ago=2.0),),
        remark="It loses force: somebody else may have the account by now.",
    ),
    WorkedExample(
        "ID document without selfie: over 18, kept for the account",
        (_check(CheckMethod.ID_DOCUMENT, binding=Binding.ACCOUNT),),
    ),
    WorkedExample(
        "Digital wallet: age_over_18 true",
        (_check(CheckMethod.DIGITAL_WALLET),),
    ),
    WorkedExample(
        "Digital wallet: age_over_18 false",
        (_check(CheckMethod.DIGITAL_WALLET, result=CheckResult.UNDER),),
        remark="An adult gets that by showing another wallet: it restricts, and establishes none.",
    ),
    WorkedExample(
        "Credit card, kept for the account",
        (_check(CheckMethod.CREDIT_CARD, binding=Binding.ACCOUNT),),
    ),
    WorkedExample(
        "Mobile operator: no child filter",
        (_check(CheckMethod.MOBILE_OPERATOR, binding=Binding.DEVICE),),
    ),
    WorkedExample("Open banking, made now by the person", (_check(CheckMethod.OPEN_BANKING),)),
    WorkedExample(
        "E-mail address, kept for the account",
        (_check(CheckMethod.EMAIL, binding=Binding.ACCOUNT),),
    ),
    WorkedExample(
        "Guardian says under 18",
        (_check(CheckMethod.GUARDIAN, result=CheckResult.UNDER, binding=Binding.ACCOUNT),),
    ),
    WorkedExample(
        "Verified age 34 from a document, live selfie",
        (_item(VerifiedAge(VerificationMethod.ID_DOCUMENT, 34, liveness=Liveness.PASSED)),),
    ),
    WorkedExample(
        "Verified birth year 2010 from a wallet",
        (_item(VerifiedAge(VerificationMethod.DIGITAL_WALLET, birth_year=2010)),),
    ),
    WorkedExample(
        "A moderator's confirmed age, 15",
        (_account(VerifiedAge(VerificationMethod.MODERATOR, 15)),),
    ),
    WorkedExample(
        "Two estimates of one vendor, 24.0 and 27.0",
        (_face(24.0, Liveness.PASSED, "yoti"), _face(27.0, Liveness.PASSED, "yoti")),
        remark="One joint observation: neither the better nor the later one.",
    ),
    WorkedExample(
        "The same account says it three times",
        (
            _account(SelfDeclared(25)),
            _range(_APPLE, PlatformAssurance.SELF_DECLARED, 18, None),
            _range(_APPLE, PlatformAssurance.CONFIRMED, 18, None),
        ),
        remark="One attack and one borrowed account, however many items: see the printed bounds.",
    ),
    WorkedExample(
        "A live document and a live face agree",
        CHECKED_ADULT,
    ),
    WorkedExample(
        "An adult's document and a child's face",
        (ID_WITH_SELFIE, _face(13.0, Liveness.PASSED)),
        remark="A conflict is not averaged away: the age is unknown.",
    ),
    WorkedExample(
        "An adult's checks from before the present device",
        tuple(replace(item, observed_time=NOW - 30 * _DAY) for item in CHECKED_ADULT),
        {"device_known_days": 2.0},
        remark="The account came to a new device after the checks, perhaps with somebody new.",
    ),
    WorkedExample(
        "A face of 31.0 from a virtual camera",
        (_face(31.0, Liveness.PASSED),),
        {"virtual_camera": 1.0},
    ),
    WorkedExample(
        "A document that expired yesterday",
        (
            _item(
                AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER, Liveness.PASSED),
                years_ago=0.5,
                expired=True,
            ),
        ),
    ),
)
