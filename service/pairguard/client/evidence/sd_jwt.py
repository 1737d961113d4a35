"""The EU's person identification data as an SD-JWT credential.

Owns the names of its claims. Follows the EU PID Rulebook, chapter on SD-JWT VC encoding:
``age_equal_or_over`` with ages as keys, ``age_in_years``, ``age_birth_year``, ``birthdate``.

It checks no signature: hand over only the claims that a verifier has verified and disclosed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import numbered
from pairguard.client.evidence.disclosure import (
    age_over_claims,
    attested_ages,
    attested_evidence,
)
from pairguard.client.evidence.payload import Payload, PayloadDetails, read_payload, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod


def from_sd_jwt_pid(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    provider: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in the verified claims of an SD-JWT credential.

    Args:
        payload: The claims. An ID token is none: its claims are not attested by an issuer, see
            ``from_openid_claims``.
        observed_time: When what it says was true: its ``iat``, or else when it was shown. None: not
            known.
        provider: Who issued it or verified it.
        **details: See ``PayloadDetails``.

    Returns:
        As ``from_mdoc``.

    Raises:
        ValueError: A claim has another form, two contradict each other, or it is an ID token.
        TypeError: The payload is no dict.
    """
    claims = read_payload(payload)
    # An ID token has to have it, a credential has not: what nobody attests must not pass for it.
    if claims.has("aud"):
        refuse(claims.at("aud"), "is of an ID token: see from_openid_claims")
    ages = attested_ages(
        claims,
        birth_date="birthdate",
        observed_time=observed_time,
        thresholds=equal_or_over(claims),
        partial=True,
    )
    items = attested_evidence(
        ages,
        CheckMethod.DIGITAL_WALLET,
        {
            "observed_time": observed_time,
            "provider": provider,
            "binding": Binding.DEVICE,
        },
    )
    return numbered(items, **details)


def equal_or_over(claims: Payload) -> dict[int, bool]:
    """Return the thresholds in ``age_equal_or_over``; empty: not told."""
    thresholds = claims.object("age_equal_or_over")
    return {} if thresholds is None else age_over_claims(thresholds, prefix="")
