"""Claims of an ID token or UserInfo answer, with OpenID Connect for Identity Assurance.

Owns the names of the claims. Follows OpenID Connect Core 1.0 (``birthdate``: ``YYYY-MM-DD``,
``YYYY``, or ``0000-MM-DD`` for a year that is not told) and OpenID Connect for Identity Assurance
1.0 (``verified_claims`` with ``verification.trust_framework`` and ``claims``).

A claim outside ``verified_claims``, under a framework that the caller does not trust, or at a level
of it that asks for no proof, is what the participant once said: a self-declaration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.birth import (
    AgeOrYear,
    possible_birth_year,
    reduced_birth_date,
)
from pairguard.client.evidence.builders import numbered, self_declared
from pairguard.client.evidence.disclosure import (
    AttestedDetails,
    age_over_claims,
    attested_ages,
    attested_evidence,
)
from pairguard.client.evidence.payload import Payload, PayloadDetails, read_payload, refuse
from pairguard.client.evidence.sd_jwt import equal_or_over
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod

# `document` is the type's name in the final text, the other its name in drafts.
_DOCUMENTS = frozenset({"document", "id_document"})
# Values of `assurance_level` at which somebody may register without proof of who they are: low of
# eIDAS, low and very_low of the United Kingdom, ial1 of NIST.
_UNPROVEN_LEVELS = frozenset({"low", "very_low", "ial1"})


def from_openid_claims(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    trust_frameworks: Collection[str],
    provider: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in the claims of a token whose signature was checked.

    Args:
        payload: The claims.
        observed_time: When they were given: ``iat`` of the token. None: not known.
        trust_frameworks: Values of ``trust_framework`` whose verification is taken as one, such as
            ``{"eidas"}``. Empty: none, all claims are a declaration.
        provider: Who gave the token.
        **details: See ``PayloadDetails``.

    Returns:
        For each trusted element of ``verified_claims`` as ``from_mdoc``, by ID_DOCUMENT where its
        evidence is a document. Then self-declarations for each other ``birthdate`` that is not the
        verified one, ``age_in_years`` and ``age_birth_year``. Other thresholds are dropped: nobody
        vouches for them.

    Raises:
        ValueError: A claim has another form, or two contradict each other.
        TypeError: The payload is no dict, or ``trust_frameworks`` is bare text.
    """
    if isinstance(trust_frameworks, str):
        raise TypeError("trust_frameworks must be a set of texts, not one")
    token = read_payload(payload)
    common: AttestedDetails = {
        "observed_time": observed_time,
        "provider": provider,
        "binding": Binding.ACCOUNT,
    }
    items: list[AgeEvidence] = []
    declared: list[Payload] = [token]
    verified_dates: set[str | None] = set()
    for element in _verified_elements(token):
        claims = element.require_object("claims")
        verification = element.require_object("verification")
        framework = verification.text("trust_framework")
        if framework is None:
            refuse(verification.at("trust_framework"), "is missing")
        level = verification.text("assurance_level") or ""
        if framework not in trust_frameworks or level.lower() in _UNPROVEN_LEVELS:
            declared.append(claims)
            continue
        thresholds = equal_or_over(claims)
        ages = attested_ages(
            claims,
            birth_date="birthdate",
            observed_time=observed_time,
            thresholds=thresholds,
            partial=True,
        )
        verified_dates.add(claims.text("birthdate"))
        items += attested_evidence(ages, _method(verification), common)
    for claims in declared:
        age_over_claims(claims)
        equal_or_over(claims)
        items += _declarations(claims, common, verified_dates)
    return numbered(items, **details)


def _declarations(
    claims: Payload, common: AttestedDetails, verified_dates: Collection[str | None]
) -> list[AgeEvidence]:
    """Return each age that was said: where they differ, each is somebody's word."""
    ages: list[AgeOrYear | None] = []
    if claims.has("birthdate") and claims.text("birthdate") not in verified_dates:
        ages.append(
            reduced_birth_date(
                claims.fields["birthdate"],
                observed_time=common["observed_time"],
                path=claims.at("birthdate"),
                partial=True,
            )
        )
    in_years, year = claims.years("age_in_years"), claims.whole("age_birth_year", 0, 9999)
    if in_years is not None:
        ages.append({"age_years": in_years})
    if year is not None:
        path = claims.at("age_birth_year")
        ages.append(possible_birth_year(year, observed_time=common["observed_time"], path=path))
    return [self_declared(**age, **common) for age in ages if age is not None]


def _verified_elements(token: Payload) -> tuple[Payload, ...]:
    """Return the elements of ``verified_claims``, which is one object or a list of them."""
    if isinstance(token.fields.get("verified_claims"), Mapping):
        return (token.require_object("verified_claims"),)
    return token.objects("verified_claims")


def _method(verification: Payload) -> CheckMethod:
    types = {evidence.text("type") for evidence in verification.objects("evidence")}
    return CheckMethod.ID_DOCUMENT if types & _DOCUMENTS else CheckMethod.DIGITAL_WALLET
