"""Google Play Age Signals, as an app hands it on.

Owns Google's words. Follows "Understand age signals responses" (Play Age Signals 0.0.4, July 2026)
for ``ageSignalsStatus`` and ``ageRangeSource``, and the pages of 0.0.1 to 0.0.3 for the older
``userStatus``. Names are taken, not the numbers that Android's constants stand for.

``installId``, ``mostRecentApprovalDate``, ``significantChangeApprovalDate`` and
``significantChangeStatus`` say nothing of the age, and are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import platform_age_range
from pairguard.client.evidence.payload import Payload, PayloadDetails, read_payload, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, Platform, PlatformAssurance

_SHARES = {"SHARED": True, "NOT_SHARED": False, "VERIFICATION_REQUIRED": False}
_SOURCES = {
    "TIER_A": PlatformAssurance.TIER_A,
    "TIER_B": PlatformAssurance.TIER_B,
    "TIER_C": PlatformAssurance.TIER_C,
    "TIER_D": PlatformAssurance.TIER_D,
}
_STATUSES = {
    "VERIFIED": PlatformAssurance.VERIFIED,
    "SUPERVISED": PlatformAssurance.SUPERVISED,
    "SUPERVISED_APPROVAL_PENDING": PlatformAssurance.SUPERVISED_APPROVAL_PENDING,
    "SUPERVISED_APPROVAL_DENIED": PlatformAssurance.SUPERVISED_APPROVAL_DENIED,
    "UNKNOWN": PlatformAssurance.UNKNOWN,
    "DECLARED": PlatformAssurance.DECLARED,
}
_SUPERVISED = frozenset(
    {
        PlatformAssurance.SUPERVISED,
        PlatformAssurance.SUPERVISED_APPROVAL_PENDING,
        PlatformAssurance.SUPERVISED_APPROVAL_DENIED,
    }
)
_ADULT_YEARS = 18


def from_google_play_age_signals(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in the age signals of Google Play.

    Bands may be any, both ends belong to them. Of the older form, VERIFIED without bounds is 18 or
    over, and a supervised account is one of a child, unless its range begins at 18: where no upper
    bound is told, as in the highest of an app's own bands, it is 17.

    Args:
        payload: ``ageSignalsStatus``, ``ageRangeSource`` or the older ``userStatus``, ``ageLower``,
            ``ageUpper``.
        observed_time: When the app asked. None: not known.
        **details: See ``PayloadDetails``.

    Returns:
        One range; empty where nothing is shared, or the store does not know.

    Raises:
        ValueError: A field has another form, a word is not known, or two contradict each other.
        TypeError: The payload is no dict.
    """
    signals = read_payload(payload)
    signals.require_one_of(
        "ageSignalsStatus", "ageRangeSource", "userStatus", "ageLower", "ageUpper"
    )
    shares = signals.word("ageSignalsStatus", _SHARES)
    source = signals.word("ageRangeSource", _SOURCES)
    status = signals.word("userStatus", _STATUSES)
    lower, upper = signals.years("ageLower"), signals.years("ageUpper")
    if shares is False:
        for name in ("ageRangeSource", "userStatus", "ageLower", "ageUpper"):
            if signals.has(name):
                refuse(signals.at(name), "is there although nothing is shared")
        return ()
    if status is not None and (source is not None or shares is not None):
        refuse(signals.at("userStatus"), "is there beside the fields that replaced it")
    lower, upper = _implied_range(status, lower, upper)
    if lower is None and upper is None:
        return ()
    _require_order(signals, lower, upper)
    return (
        platform_age_range(
            platform=Platform.GOOGLE,
            assurance=source or status,
            lower_years=lower,
            upper_years=upper,
            observed_time=observed_time,
            binding=Binding.DEVICE,
            **details,
        ),
    )


def _implied_range(
    status: PlatformAssurance | None, lower: int | None, upper: int | None
) -> tuple[int | None, int | None]:
    if upper is not None:
        return lower, upper
    if status is PlatformAssurance.VERIFIED and lower is None:
        return _ADULT_YEARS, None
    if status in _SUPERVISED and (lower is None or lower < _ADULT_YEARS):
        return lower, _ADULT_YEARS - 1
    return lower, None


def _require_order(signals: Payload, lower: int | None, upper: int | None) -> None:
    if lower is not None and upper is not None and upper < lower:
        refuse(signals.at("ageUpper"), "must not lie below ageLower")
