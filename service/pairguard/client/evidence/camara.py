"""A mobile operator's age check, as CAMARA defines it.

Owns the operator's words. Follows CAMARA Know Your Customer Age Verification, answer of
``/verify``: ``ageCheck``, ``contentLock`` and ``parentalControl`` are the texts ``true``, ``false``
and ``not_available``, ``verifiedStatus`` is a boolean, ``identityMatchScore`` is from 0 to 100.
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


# Assumed: CAMARA names no score from which the holder of the contract is the participant.
LEAST_MATCH_SCORE = 80


def from_camara_age_verification(
    payload: Mapping[str, object],
    *,
    threshold_years: float,
    observed_time: datetime | None,
    provider: str = "",
    least_match_score: int = LEAST_MATCH_SCORE,
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in an operator's answer.

    Over the threshold counts only where the record is said to have been compared with a document,
    and as far as nothing speaks against it: a low score, which says that the contract is somebody
    else's, or a child filter on the line makes it inconclusive. Ask for ``includeContentLock`` and
    ``includeParentalControl``.

    Args:
        payload: ``ageCheck``, ``verifiedStatus``, ``identityMatchScore``, ``contentLock``,
            ``parentalControl``.
        threshold_years: The ``ageThreshold`` of the request.
        observed_time: When it was asked. None: not known.
        provider: The operator or aggregator.
        least_match_score: ``identityMatchScore``, 0-100, below which the contract is taken for
            somebody else's. A score that is not told is no low one.
        **details: See ``PayloadDetails``.

    Raises:
        ValueError: A field has another form, or a word that is not known.
        TypeError: The payload is no dict.
    """
    answer = read_payload(payload)
    result = answer.require_word("ageCheck", _ANSWERS)
    filters = {answer.word(name, _ANSWERS) for name in ("contentLock", "parentalControl")}
    verified = answer.flag("verifiedStatus") is True
    score = answer.whole("identityMatchScore", 0, 100)
    another = score is not None and not score >= least_match_score
    if result is CheckResult.OVER and (not verified or another or CheckResult.OVER in filters):
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
