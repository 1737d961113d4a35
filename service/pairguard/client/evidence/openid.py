"""Claims of an ID token or UserInfo answer, with OpenID Connect for Identity Assurance.

Owns the names of the claims. Follows OpenID Connect Core 1.0 (``birthdate``: ``YYYY-MM-DD``,
``YYYY``, or ``0000-MM-DD`` for a year that is not told) and OpenID Connect for Identity Assurance
1.0 (``verified_claims`` with ``verification.trust_framework`` and ``claims``).

A claim outside ``verified_claims``, or under a framework that the caller does not trust, is what
the participant once said: a self-declaration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.birth import reduced_birth_date
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
        evidence is a document. Then a self-declaration for each other ``birthdate`` that is not the
        verified one. Other thresholds are dropped: nobody vouches for them.

    Raises:
        ValueError: A claim has another form, or two contradict each other.
        TypeError: The payload is no dict, or ``trust_frameworks`` is bare text.
    """
    if isinstance(trust_frameworks, str):
        raise TypeError("trust_frameworks must be a set of texts, not one")
    token = read_payload(payload)
    common: AttestedDetails = {
        "observed_time": observed_time,
        "expire_time": details.get("expire_time"),
        "provider": provider,
        "binding": Binding.ACCOUNT,
    }
    items: list[AgeEvidence] = []
    declared, verified_dates = [token], set()
    for element in _verified_elements(token):
        claims = element.require_object("claims")
        verification = element.require_object("verification")
        framework = verification.text("trust_framework")
        if framework is None:
            refuse(verification.at("trust_framework"), "is missing")
        if framework not in trust_frameworks:
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
        if claims.has("birthdate") and claims.text("birthdate") not in verified_dates:
            items += _declaration(claims, common)
    return numbered(items, details.get("evidence_id", ""))


def _declaration(claims: Payload, common: AttestedDetails) -> list[AgeEvidence]:
    age = reduced_birth_date(
        claims.fields["birthdate"],
        observed_time=common["observed_time"],
        path=claims.at("birthdate"),
        partial=True,
    )
    return [] if age is None else [self_declared(**age, **common)]


def _verified_elements(token: Payload) -> tuple[Payload, ...]:
    """Return the elements of ``verified_claims``, which is one object or a list of them."""
    if isinstance(token.fields.get("verified_claims"), Mapping):
        return (token.require_object("verified_claims"),)
    return token.objects("verified_claims")


def _method(verification: Payload) -> CheckMethod:
    types = {evidence.text("type") for evidence in verification.objects("evidence")}
    return CheckMethod.ID_DOCUMENT if types & _DOCUMENTS else CheckMethod.DIGITAL_WALLET
