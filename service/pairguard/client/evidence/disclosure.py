"""Ages that an issuer attests: the items in a credential, from the most exact to thresholds.

Owns how several attested ages of one person go together. It must not know the formats that carry
them (``mdoc``, ``sd_jwt``, ``openid``).

An ``age_over_NN`` that is missing is not false: it is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from pairguard.client.evidence.birth import (
    AgeOrYear,
    possible_birth_year,
    reduced_birth_date,
)
from pairguard.client.evidence.builders import age_check, verified_age
from pairguard.client.evidence.payload import Payload, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod, CheckResult, VerificationMethod

_PREFIX = "age_over_"


class AttestedDetails(TypedDict):
    """What is the same for all items of a credential."""

    observed_time: datetime | None
    expire_time: datetime | None
    provider: str
    binding: Binding | None


@dataclass(frozen=True, slots=True)
class AttestedAges:
    """What one issuer attests of one person's age.

    Attributes:
        path: Where it stands in the payload.
        exact: An age or a year of birth. None: not disclosed.
        thresholds: Whether the person is that many years or older, for what was disclosed.
    """

    path: str
    exact: AgeOrYear | None
    thresholds: Mapping[int, bool]


def attested_ages(
    claims: Payload,
    *,
    birth_date: str,
    observed_time: datetime | None,
    thresholds: Mapping[int, bool] | None = None,
    partial: bool = False,
) -> AttestedAges:
    """Return the ages among the claims of a credential.

    A birth date, reduced at once, wins over ``age_in_years``, which was right when the credential
    was issued, and that over ``age_birth_year``.

    Args:
        claims: The claims: ``age_in_years``, ``age_birth_year``, ``age_over_NN``, a birth date.
        birth_date: Name of the claim that holds the birth date.
        observed_time: See ``reduced_birth_date``.
        thresholds: Thresholds that the format holds elsewhere.
        partial: See ``reduced_birth_date``.

    Raises:
        ValueError: A claim has another form, or two contradict each other.
    """
    over = dict(thresholds or {}) | age_over_claims(claims)
    in_years, birth_year = claims.years("age_in_years"), claims.whole("age_birth_year", 0, 9999)
    exact: AgeOrYear | None = None
    if claims.has(birth_date):
        path = claims.at(birth_date)
        exact = reduced_birth_date(
            claims.fields[birth_date], observed_time=observed_time, path=path, partial=partial
        )
    if exact is None and in_years is not None:
        exact = {"age_years": in_years}
    if exact is None and birth_year is not None:
        path = claims.at("age_birth_year")
        exact = possible_birth_year(birth_year, observed_time=observed_time, path=path)
    _require_agreement(claims, exact, in_years, birth_year, over)
    return AttestedAges(claims.path or "payload", exact, over)


def age_over_claims(claims: Payload, prefix: str = _PREFIX) -> dict[int, bool]:
    """Return ``age_over_NN``, two digits, by age; those that are null are not told."""
    thresholds: dict[int, bool] = {}
    for name in claims.fields:
        if not name.startswith(prefix):
            continue
        digits = name.removeprefix(prefix)
        if len(digits) != 2 or not digits.isascii() or not digits.isdigit():
            refuse(claims.at(name[:40]), "must end with two digits")
        flag = claims.flag(name)
        if flag is not None:
            thresholds[int(digits)] = flag
    return thresholds


def attested_evidence(
    ages: AttestedAges, method: CheckMethod, details: AttestedDetails
) -> list[AgeEvidence]:
    """Return the exact age; without one, the highest age that is passed and the lowest that is not.

    Args:
        ages: What was attested.
        method: ID_DOCUMENT or DIGITAL_WALLET.
        details: What is the same for all items.
    """
    if ages.exact is not None:
        verified = VerificationMethod(method.value)
        return [verified_age(method=verified, **ages.exact, **details)]
    passed = [years for years, is_over in ages.thresholds.items() if is_over]
    missed = [years for years, is_over in ages.thresholds.items() if not is_over]
    told = [(max(passed), CheckResult.OVER)] if passed else []
    told += [(min(missed), CheckResult.UNDER)] if missed else []
    return [
        age_check(method=method, threshold_years=years, result=result, **details)
        for years, result in told
    ]


def _require_agreement(
    claims: Payload,
    exact: AgeOrYear | None,
    in_years: int | None,
    birth_year: int | None,
    over: Mapping[int, bool],
) -> None:
    highest = max((years for years, is_over in over.items() if is_over), default=None)
    lowest = min((years for years, is_over in over.items() if not is_over), default=None)
    if highest is not None and lowest is not None and lowest <= highest:
        refuse(claims.at(f"{_PREFIX}{lowest:02}"), f"contradicts {_PREFIX}{highest:02}")
    # What was once reached stays so; "not yet" and "is" can be from before the last birthday.
    age_years = exact.get("age_years") if exact is not None else None
    if age_years is not None:
        if highest is not None and highest > age_years:
            refuse(claims.at(f"{_PREFIX}{highest:02}"), "contradicts the age")
        if in_years is not None and in_years > age_years:
            refuse(claims.at("age_in_years"), "contradicts the birth date")
    if in_years is not None and lowest is not None and lowest <= in_years:
        refuse(claims.at(f"{_PREFIX}{lowest:02}"), "contradicts age_in_years")
    stated_year = exact.get("birth_year") if exact is not None else None
    if birth_year is not None and stated_year is not None and birth_year != stated_year:
        refuse(claims.at("age_birth_year"), "contradicts the birth date")
