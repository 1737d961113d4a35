"""Ages that an issuer attests: the items in a credential, from the most exact to thresholds.

Owns how several attested ages of one person go together. It must not know the formats that carry
them (``mdoc``, ``sd_jwt``, ``openid``).

An ``age_over_NN`` that is missing is not false: it is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from pairguard.client.evidence.birth import (
    AgeOrYear,
    possible_birth_year,
    reduced_birth_date,
)
from pairguard.client.evidence.builders import age_check, verified_age
from pairguard.client.evidence.payload import MOST_YEARS, Payload, refuse, shown
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod, CheckResult, VerificationMethod

_PREFIX = "age_over_"


class AttestedDetails(TypedDict):
    """What is the same for all items of a credential."""

    observed_time: datetime | None
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
    was issued, and that over ``age_birth_year``. All that is told has to agree, but for the one
    birthday there may have been since the issue: nothing that speaks of a younger age is passed
    over.

    Args:
        claims: The claims: ``age_in_years``, ``age_birth_year``, ``age_over_NN``, a birth date.
        birth_date: Name of the claim that holds the birth date.
        observed_time: See ``reduced_birth_date``.
        thresholds: Thresholds that the format holds elsewhere.
        partial: See ``reduced_birth_date``.

    Raises:
        ValueError: A claim has another form, two contradict each other, or they cannot be compared
            because ``observed_time`` is not known.
    """
    over = _joined(claims, thresholds or {}, age_over_claims(claims))
    in_years, stated_year = claims.years("age_in_years"), claims.whole("age_birth_year", 0, 9999)
    born = year = None
    if claims.has(birth_date):
        value, path = claims.fields[birth_date], claims.at(birth_date)
        born = reduced_birth_date(value, observed_time=observed_time, path=path, partial=partial)
        year_born = reduced_birth_date(value, observed_time=None, path=path, partial=partial)
        if stated_year is not None and year_born not in (None, {"birth_year": stated_year}):
            refuse(claims.at("age_birth_year"), "contradicts the birth date")
    if stated_year is not None:
        path = claims.at("age_birth_year")
        year = possible_birth_year(stated_year, observed_time=observed_time, path=path)
    _require_order(claims, in_years, over)
    _require_agreement(claims, born or year, in_years, over, observed_time)
    whole: AgeOrYear | None = None if in_years is None else {"age_years": in_years}
    return AttestedAges(claims.path or "payload", born or whole or year, over)


def age_over_claims(claims: Payload, prefix: str = _PREFIX) -> dict[int, bool]:
    """Return ``age_over_NN``, two digits, by age; those that are null are not told."""
    thresholds: dict[int, bool] = {}
    for name in claims.fields:
        if not name.startswith(prefix):
            continue
        digits = name.removeprefix(prefix)
        if len(digits) != 2 or not digits.isascii() or not digits.isdigit():
            refuse(claims.at(shown(name)), "must end with two digits")
        flag = claims.flag(name)
        if flag is not None:
            thresholds[int(digits)] = flag
    return thresholds


def attested_evidence(
    ages: AttestedAges, method: CheckMethod, details: AttestedDetails
) -> list[AgeEvidence]:
    """Return the exact age; without one, the highest age that is passed and the lowest that is not.

    A year of birth leaves two ages open, so that the lowest age not passed goes along with it.

    Args:
        ages: What was attested.
        method: ID_DOCUMENT or DIGITAL_WALLET.
        details: What is the same for all items.
    """
    highest, lowest = _bounds(ages.thresholds)
    items: list[AgeEvidence] = []
    if ages.exact is not None:
        verified = VerificationMethod(method.value)
        items.append(verified_age(method=verified, **ages.exact, **details))
        highest = None
        lowest = lowest if "birth_year" in ages.exact else None
    return items + [
        age_check(method=method, threshold_years=years, result=result, **details)
        for years, result in ((highest, CheckResult.OVER), (lowest, CheckResult.UNDER))
        if years is not None
    ]


def _joined(
    claims: Payload, elsewhere: Mapping[int, bool], here: Mapping[int, bool]
) -> dict[int, bool]:
    """Return thresholds from two places of one credential; refuses one told in two ways."""
    for years in elsewhere.keys() & here.keys():
        if elsewhere[years] != here[years]:
            refuse(claims.at(f"{_PREFIX}{years:02}"), "is told twice, in two ways")
    return {**elsewhere, **here}


def _bounds(over: Mapping[int, bool]) -> tuple[int | None, int | None]:
    """Return the highest age that is passed and the lowest that is not; None: there is none."""
    highest = max((years for years, is_over in over.items() if is_over), default=None)
    lowest = min((years for years, is_over in over.items() if not is_over), default=None)
    return highest, lowest


def _require_order(claims: Payload, in_years: int | None, over: Mapping[int, bool]) -> None:
    """Refuse what was not true together when the credential was issued."""
    highest, lowest = _bounds(over)
    if highest is not None and lowest is not None and lowest <= highest:
        refuse(claims.at(f"{_PREFIX}{lowest:02}"), f"contradicts {_PREFIX}{highest:02}")
    if in_years is None:
        return
    if lowest is not None and lowest <= in_years:
        refuse(claims.at(f"{_PREFIX}{lowest:02}"), "contradicts age_in_years")
    if highest is not None and highest > in_years:
        refuse(claims.at(f"{_PREFIX}{highest:02}"), "contradicts age_in_years")


def _require_agreement(
    claims: Payload,
    birth: AgeOrYear | None,
    in_years: int | None,
    over: Mapping[int, bool],
    observed_time: datetime | None,
) -> None:
    """Refuse ages at the issue that no birthday since can bring together with the birth."""
    highest, lowest = _bounds(over)
    if birth is None or (in_years is None and highest is None and lowest is None):
        return
    if observed_time is None:
        refuse("observed_time", "is needed: a birth cannot be compared with the ages beside it")
    years = birth.get("age_years")
    if years is not None:
        youngest = oldest = years
    else:
        oldest = observed_time.astimezone(UTC).year - birth["birth_year"]
        youngest = max(oldest - 1, 0)
    if in_years is not None and not youngest - 1 <= in_years <= oldest:
        refuse(claims.at("age_in_years"), "contradicts the birth")
    # Not yet of an age at the issue: at most just of that age now.
    if not (highest or 0) <= oldest:
        refuse(claims.at(f"{_PREFIX}{highest:02}"), "contradicts the birth")
    if not youngest <= (MOST_YEARS if lowest is None else lowest):
        refuse(claims.at(f"{_PREFIX}{lowest:02}"), "contradicts the birth")
