"""Apple Declared Age Range, as an app hands it on.

Owns Apple's words. Follows ``AgeRangeService.AgeRange`` and ``AgeRangeService.Response`` of Apple's
Declared Age Range documentation (iOS 26.0-26.5). Apple defines Swift values, no JSON: the fields
are taken by Apple's own property names, and ``response`` (or ``status``) is the case of the
response, where the app sends it.

Apple says of ``upperBound`` that it is the age gate that exceeds the person's age, and elsewhere
that it is the maximum age. It is read as the gate, exclusive: the other reading could make an adult
of a 17-year-old, this one can only make somebody a year younger than the range says.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import platform_age_range
from pairguard.client.evidence.payload import PayloadDetails, read_payload, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, Platform, PlatformAssurance

_DECLARATIONS = {
    "selfDeclared": PlatformAssurance.SELF_DECLARED,
    "guardianDeclared": PlatformAssurance.GUARDIAN_DECLARED,
    "confirmed": PlatformAssurance.CONFIRMED,
    # iOS 26.2-26.4.
    "paymentChecked": PlatformAssurance.PAYMENT_CHECKED,
    "governmentIDChecked": PlatformAssurance.GOVERNMENT_ID_CHECKED,
    "checkedByOtherMethod": PlatformAssurance.CHECKED_BY_OTHER_METHOD,
    "guardianPaymentChecked": PlatformAssurance.GUARDIAN_PAYMENT_CHECKED,
    "guardianGovernmentIDChecked": PlatformAssurance.GUARDIAN_GOVERNMENT_ID_CHECKED,
    "guardianCheckedByOtherMethod": PlatformAssurance.GUARDIAN_CHECKED_BY_OTHER_METHOD,
}
_SHARES = {"sharing": True, "declinedSharing": False}


def from_apple_declared_age_range(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in an age range of Apple's.

    Args:
        payload: ``lowerBound``, ``upperBound``, ``ageRangeDeclaration``; and ``response`` or
            ``status``, ``sharing`` or ``declinedSharing``. A bound that is null or absent is open.
        observed_time: When the app asked. None: not known.
        **details: See ``PayloadDetails``.

    Returns:
        One range; empty where sharing was declined or no bound was shared.

    Raises:
        ValueError: A field has another form, or a word that is not known.
        TypeError: The payload is no dict.
    """
    shared = read_payload(payload)
    shared.require_one_of("lowerBound", "upperBound", "ageRangeDeclaration", "response", "status")
    lower, below = shared.years("lowerBound"), shared.years("upperBound")
    assurance = shared.word("ageRangeDeclaration", _DECLARATIONS)
    answers = {shared.word(name, _SHARES) for name in ("response", "status")} - {None}
    if answers == {True, False}:
        refuse(shared.at("status"), "contradicts response")
    if False in answers:
        if lower is not None or below is not None:
            refuse(shared.at("lowerBound"), "is there although sharing was declined")
        return ()
    if lower is None and below is None:
        return ()
    if below is not None and below <= (lower or 0):
        refuse(shared.at("upperBound"), "must lie above lowerBound")
    return (
        platform_age_range(
            platform=Platform.APPLE,
            assurance=assurance,
            lower_years=lower,
            upper_years=None if below is None else below - 1,
            observed_time=observed_time,
            binding=Binding.DEVICE,
            **details,
        ),
    )
