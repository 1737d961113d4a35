"""What the stores of the operating systems answer."""

from datetime import timedelta
from typing import Any

import pytest

from pairguard.client import AgeEvidence, Binding, Platform, PlatformAssurance, platform_age_range
from pairguard.client.evidence import from_apple_declared_age_range, from_google_play_age_signals
from tests.unit.client.arrival import OBSERVED, assert_arrives

Range = tuple[int | None, int | None, PlatformAssurance | None]


def the_range(items: tuple[AgeEvidence, ...], platform: Platform) -> Range:
    """Return the bounds and assurance of the only item, once all else about it is right."""
    (item,) = items
    observation: Any = item.observation
    assert item == platform_age_range(
        platform=platform,
        assurance=observation.assurance,
        lower_years=observation.lower_years,
        upper_years=observation.upper_years,
        observed_time=OBSERVED,
        binding=Binding.DEVICE,
    )
    assert_arrives(items)
    return observation.lower_years, observation.upper_years, observation.assurance


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        # The upper bound is the gate above the age: it does not belong to the range.
        ({"lowerBound": 13, "upperBound": 16, "ageRangeDeclaration": "selfDeclared"}, (13, 15)),
        ({"lowerBound": 16, "upperBound": 18, "ageRangeDeclaration": "selfDeclared"}, (16, 17)),
        ({"lowerBound": None, "upperBound": 13, "ageRangeDeclaration": "selfDeclared"}, (None, 12)),
        ({"lowerBound": 18, "upperBound": None, "ageRangeDeclaration": "selfDeclared"}, (18, None)),
        ({"lowerBound": 18, "ageRangeDeclaration": "selfDeclared"}, (18, None)),
        (
            {
                "response": "sharing",
                "lowerBound": 18,
                "ageRangeDeclaration": "selfDeclared",
                "activeParentalControls": ["communicationLimits"],
            },
            (18, None),
        ),
    ],
)
def test_an_apple_range_is_never_wider_than_its_gates(
    payload: dict[str, object], expected: tuple[int | None, int | None]
) -> None:
    items = from_apple_declared_age_range(payload, observed_time=OBSERVED)

    assert the_range(items, Platform.APPLE) == (*expected, PlatformAssurance.SELF_DECLARED)


@pytest.mark.parametrize(
    ("word", "assurance"),
    [
        ("selfDeclared", PlatformAssurance.SELF_DECLARED),
        ("guardianDeclared", PlatformAssurance.GUARDIAN_DECLARED),
        ("confirmed", PlatformAssurance.CONFIRMED),
        ("paymentChecked", PlatformAssurance.PAYMENT_CHECKED),
        ("governmentIDChecked", PlatformAssurance.GOVERNMENT_ID_CHECKED),
        ("checkedByOtherMethod", PlatformAssurance.CHECKED_BY_OTHER_METHOD),
        ("guardianPaymentChecked", PlatformAssurance.GUARDIAN_PAYMENT_CHECKED),
        ("guardianGovernmentIDChecked", PlatformAssurance.GUARDIAN_GOVERNMENT_ID_CHECKED),
        ("guardianCheckedByOtherMethod", PlatformAssurance.GUARDIAN_CHECKED_BY_OTHER_METHOD),
        (None, None),
    ],
)
def test_each_apple_declaration_keeps_its_name(
    word: str | None, assurance: PlatformAssurance | None
) -> None:
    items = from_apple_declared_age_range(
        {"lowerBound": 18, "upperBound": None, "ageRangeDeclaration": word},
        observed_time=OBSERVED,
    )

    assert the_range(items, Platform.APPLE) == (18, None, assurance)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"response": "declinedSharing"},
        {"status": "declinedSharing", "lowerBound": None, "upperBound": None},
        {"lowerBound": None, "upperBound": None, "ageRangeDeclaration": None},
        {"lowerBound": None, "upperBound": None, "ageRangeDeclaration": "confirmed"},
    ],
)
def test_apple_sharing_nothing_is_no_evidence(payload: dict[str, object]) -> None:
    assert from_apple_declared_age_range(payload, observed_time=OBSERVED) == ()


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"lowerBound": 18, "ageRangeDeclaration": "verified"}, "ageRangeDeclaration"),
        ({"lowerBound": 18, "ageRangeDeclaration": "SelfDeclared"}, "ageRangeDeclaration"),
        ({"lowerBound": 18, "ageRangeDeclaration": 2}, "ageRangeDeclaration"),
        ({"lowerBound": "18"}, "lowerBound"),
        ({"lowerBound": True}, "lowerBound"),
        ({"lowerBound": 18.0}, "lowerBound"),
        ({"lowerBound": -1}, "lowerBound"),
        ({"upperBound": 121}, "upperBound"),
        ({"upperBound": 0}, "upperBound"),
        ({"lowerBound": 18, "upperBound": 16}, "upperBound"),
        ({"lowerBound": 18, "upperBound": 18}, "upperBound"),
        ({"response": "notAvailable"}, "response"),
        ({"response": "declinedSharing", "lowerBound": 18}, "lowerBound"),
        ({"response": "declinedSharing", "upperBound": 13}, "lowerBound"),
        ({"response": "declinedSharing", "status": "sharing", "lowerBound": 18}, "status"),
        ({"lower_bound": 18}, "lowerBound"),
    ],
)
def test_what_apple_does_not_say_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_apple_declared_age_range(payload, observed_time=OBSERVED)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"ageLower": 0, "ageUpper": 12}, (0, 12)),
        ({"ageLower": 13, "ageUpper": 15}, (13, 15)),
        ({"ageLower": 16, "ageUpper": 17}, (16, 17)),
        ({"ageLower": 18, "ageUpper": None}, (18, None)),
        # Bands of the app's own.
        ({"ageLower": 13, "ageUpper": 16}, (13, 16)),
        ({"ageLower": 15}, (15, None)),
        ({"ageLower": None, "ageUpper": 12}, (None, 12)),
    ],
)
@pytest.mark.parametrize("tier", ["TIER_A", "TIER_B", "TIER_C", "TIER_D"])
def test_both_ends_of_a_google_band_belong_to_it(
    bounds: dict[str, object], expected: tuple[int | None, int | None], tier: str
) -> None:
    items = from_google_play_age_signals(
        {
            "ageSignalsStatus": "SHARED",
            "ageRangeSource": tier,
            "significantChangeStatus": None,
            "significantChangeApprovalDate": None,
            "installId": None,
            **bounds,
        },
        observed_time=OBSERVED,
    )

    assert the_range(items, Platform.GOOGLE) == (*expected, PlatformAssurance[tier])


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"userStatus": "VERIFIED", "ageLower": None, "ageUpper": None}, (18, None)),
        ({"userStatus": "VERIFIED"}, (18, None)),
        ({"userStatus": "VERIFIED", "ageLower": 16, "ageUpper": 17}, (16, 17)),
        ({"userStatus": "SUPERVISED", "ageLower": 13, "ageUpper": 15}, (13, 15)),
        ({"userStatus": "SUPERVISED"}, (None, 17)),
        # A supervised child in the highest of an app's own bands.
        ({"userStatus": "SUPERVISED", "ageLower": 15, "ageUpper": None}, (15, 17)),
        ({"userStatus": "SUPERVISED", "ageLower": 18, "ageUpper": None}, (18, None)),
        ({"userStatus": "SUPERVISED_APPROVAL_PENDING"}, (None, 17)),
        ({"userStatus": "SUPERVISED_APPROVAL_PENDING", "ageLower": 0, "ageUpper": 12}, (0, 12)),
        ({"userStatus": "SUPERVISED_APPROVAL_DENIED"}, (None, 17)),
        ({"userStatus": "SUPERVISED_APPROVAL_DENIED", "ageLower": 16, "ageUpper": 17}, (16, 17)),
        ({"userStatus": "DECLARED", "ageLower": 18, "ageUpper": None}, (18, None)),
        ({"userStatus": "UNKNOWN", "ageLower": 13, "ageUpper": 15}, (13, 15)),
    ],
)
def test_each_older_google_status_keeps_its_name(
    payload: dict[str, Any], expected: tuple[int | None, int | None]
) -> None:
    items = from_google_play_age_signals(payload, observed_time=OBSERVED)

    status = PlatformAssurance[payload["userStatus"]]
    assert the_range(items, Platform.GOOGLE) == (*expected, status)


def test_a_google_band_of_no_told_source_counts_as_the_weakest() -> None:
    items = from_google_play_age_signals(
        {"ageRangeSource": None, "userStatus": None, "ageLower": 18}, observed_time=OBSERVED
    )

    assert the_range(items, Platform.GOOGLE) == (18, None, None)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"ageSignalsStatus": "NOT_SHARED"},
        {"ageSignalsStatus": "VERIFICATION_REQUIRED", "ageLower": None, "ageUpper": None},
        {"ageSignalsStatus": "SHARED", "ageRangeSource": "TIER_C"},
        {"userStatus": None, "ageLower": None, "ageUpper": None, "installId": None},
        {"userStatus": "UNKNOWN", "ageLower": None, "ageUpper": None},
        {"userStatus": "DECLARED", "ageLower": None, "ageUpper": None},
    ],
)
def test_google_sharing_nothing_is_no_evidence(payload: dict[str, object]) -> None:
    assert from_google_play_age_signals(payload, observed_time=OBSERVED) == ()


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"ageSignalsStatus": "MAYBE"}, "ageSignalsStatus"),
        ({"ageSignalsStatus": 1}, "ageSignalsStatus"),
        ({"ageSignalsStatus": "SHARED", "ageRangeSource": "TIER_E"}, "ageRangeSource"),
        ({"userStatus": "VERIFIED_ADULT"}, "userStatus"),
        ({"userStatus": 0}, "userStatus"),
        ({"userStatus": "VERIFIED", "ageRangeSource": "TIER_C", "ageLower": 18}, "userStatus"),
        # No version has both, and VERIFIED would make an adult of a range that was not shared.
        ({"ageSignalsStatus": "SHARED", "userStatus": "VERIFIED"}, "userStatus"),
        ({"ageSignalsStatus": "NOT_SHARED", "ageLower": 18}, "ageLower"),
        ({"ageSignalsStatus": "NOT_SHARED", "ageRangeSource": "TIER_A"}, "ageRangeSource"),
        ({"ageSignalsStatus": "VERIFICATION_REQUIRED", "userStatus": "VERIFIED"}, "userStatus"),
        ({"ageRangeSource": "TIER_A", "ageLower": 18, "ageUpper": 17}, "ageUpper"),
        ({"ageRangeSource": "TIER_A", "ageLower": "18"}, "ageLower"),
        ({"ageRangeSource": "TIER_A", "ageUpper": -2}, "ageUpper"),
        ({"age_lower": 18}, "ageSignalsStatus"),
    ],
)
def test_what_google_does_not_say_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_google_play_age_signals(payload, observed_time=OBSERVED)


def test_nothing_that_identifies_an_installation_is_kept() -> None:
    payload = {
        "userStatus": "SUPERVISED",
        "ageLower": 13,
        "ageUpper": 15,
        "mostRecentApprovalDate": "2026-02-01",
        "installId": "550e8400-e29b-41d4-a716-446655441111",
    }

    kept = repr(from_google_play_age_signals(payload, observed_time=OBSERVED))

    assert "550e8400" not in kept
    assert "2026-02" not in kept


def test_the_callers_details_go_along() -> None:
    expire_time = OBSERVED + timedelta(days=30)

    (item,) = from_apple_declared_age_range(
        {"lowerBound": 18}, observed_time=None, evidence_id="e-1", expire_time=expire_time
    )

    assert (item.evidence_id, item.observed_time, item.expire_time) == ("e-1", None, expire_time)
