"""A mobile operator's age check, as CAMARA defines it.

Owns the operator's words. Follows CAMARA Know Your Customer Age Verification, answer of
``/verify``: ``ageCheck``, ``contentLock`` and ``parentalControl`` are the texts ``true``, ``false``
and ``not_available``, ``verifiedStatus`` is a boolean. ``identityMatchScore`` is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import age_check
from pairguard.client.evidence.payload import PayloadDetails, read_payload
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod, CheckResult

_ANSWERS = {
    "true": CheckResult.OVER,
    "false": CheckResult.UNDER,
    "not_available": CheckResult.INCONCLUSIVE,
}


def from_camara_age_verification(
    payload: Mapping[str, object],
    *,
    threshold_years: float,
    observed_time: datetime | None,
    provider: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in an operator's answer.

    Over the threshold counts only as far as nothing speaks against it: a record that was never
    compared with a document, or a child filter on the line, makes it inconclusive.

    Args:
        payload: ``ageCheck``, ``verifiedStatus``, ``contentLock``, ``parentalControl``.
        threshold_years: The ``ageThreshold`` of the request.
        observed_time: When it was asked. None: not known.
        provider: The operator or aggregator.
        **details: See ``PayloadDetails``.

    Raises:
        ValueError: A field has another form, or a word that is not known.
        TypeError: The payload is no dict.
    """
    answer = read_payload(payload)
    result = answer.require_word("ageCheck", _ANSWERS)
    filters = {answer.word(name, _ANSWERS) for name in ("contentLock", "parentalControl")}
    unverified = answer.flag("verifiedStatus") is False
    if result is CheckResult.OVER and (unverified or CheckResult.OVER in filters):
        result = CheckResult.INCONCLUSIVE
    return (
        age_check(
            method=CheckMethod.MOBILE_OPERATOR,
            threshold_years=threshold_years,
            result=result,
            observed_time=observed_time,
            provider=provider,
            binding=Binding.ACCOUNT,
            **details,
        ),
    )
