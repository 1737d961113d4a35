"""Yoti: facial age estimation, its check against a threshold, and the age verification service.

Owns Yoti's words. Follows the developer pages "Age estimation: integration guide" (v2),
"Age estimation verify: API reference" and "Age verification: results" (v9.0, 2025-2026).

``age.st_dev`` is a quality score, as Yoti says: above 6 the estimate is not used, and it is never
taken as a deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Unpack

from pairguard.client.evidence.builders import age_check, facial_age_estimate, verified_age
from pairguard.client.evidence.payload import (
    MOST_YEARS,
    Payload,
    PayloadDetails,
    read_payload,
    refuse,
)
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import (
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
    VerificationMethod,
)

PROVIDER = "yoti"

_PREDICTIONS = {
    "real": Liveness.PASSED,
    "fake": Liveness.FAILED,
    "undetermined": Liveness.UNDETERMINED,
}
_WORST_QUALITY = 6.0
_CHECKS = {"pass": True, "fail": False}
_METHODS = {
    "AGE_ESTIMATION": CheckMethod.FACIAL_THRESHOLD,
    "DOC_SCAN": CheckMethod.ID_DOCUMENT,
    "DIGITAL_ID": CheckMethod.DIGITAL_WALLET,
    "CREDIT_CARD": CheckMethod.CREDIT_CARD,
    "MOBILE": CheckMethod.MOBILE_OPERATOR,
}
_VERIFICATION_METHODS = {
    CheckMethod.ID_DOCUMENT: VerificationMethod.ID_DOCUMENT,
    CheckMethod.DIGITAL_WALLET: VerificationMethod.DIGITAL_WALLET,
}
# Whether the session came to an answer, and to which. None: it came to none.
_STATUSES: Mapping[str, tuple[bool | None]] = {
    "COMPLETE": (True,),
    "FAIL": (False,),
    "PENDING": (None,),
    "IN_PROGRESS": (None,),
    "ERROR": (None,),
    "CANCELLED": (None,),
    "EXPIRED": (None,),
}
_TYPES = {"OVER": "OVER", "UNDER": "UNDER", "AGE": "AGE"}


def from_yoti_age_estimation(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    capture_session: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in an answer of ``/age`` or ``/age-antispoofing``.

    Args:
        payload: ``age.age``, ``age.st_dev``, ``antispoofing.prediction``.
        observed_time: When the picture was taken. None: not known.
        capture_session: The caller's opaque id of the capture.
        **details: See ``PayloadDetails``.

    Returns:
        One estimate; empty where no age is told, or its quality score is above 6 or not told.

    Raises:
        ValueError: A field has another form, or a word that is not known.
        TypeError: The payload is no dict.
    """
    answer = read_payload(payload)
    age = answer.require_object("age")
    mean_years = age.number("age", least=0, most=MOST_YEARS)
    quality = age.number("st_dev", least=0, most=MOST_YEARS)
    liveness = _liveness(answer)
    if mean_years is None or quality is None or quality > _WORST_QUALITY:
        return ()
    return (
        facial_age_estimate(
            mean_years=mean_years,
            liveness=liveness,
            quality=quality,
            capture_session=capture_session,
            observed_time=observed_time,
            provider=PROVIDER,
            binding=_seen_live(liveness),
            **details,
        ),
    )


def from_yoti_age_check(
    payload: Mapping[str, object],
    *,
    threshold_years: float,
    operator: Literal["OVER", "UNDER"] = "OVER",
    observed_time: datetime | None,
    capture_session: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in an answer of age estimation verify.

    The answer does not repeat what was asked, so the caller says it. To fail a check for somebody
    under the threshold is no evidence of adulthood: it is inconclusive.

    Args:
        payload: ``age.age_check``, ``antispoofing.prediction``.
        threshold_years: The ``threshold`` of the request.
        operator: The ``operator`` of the request.
        observed_time: When the picture was taken. None: not known.
        capture_session: The caller's opaque id of the capture.
        **details: See ``PayloadDetails``.

    Raises:
        ValueError: A field has another form, or a word that is not known.
        TypeError: The payload is no dict.
    """
    answer = read_payload(payload)
    if operator not in {"OVER", "UNDER"}:
        raise ValueError("operator must be OVER or UNDER")
    passed = answer.require_object("age").require_word("age_check", _CHECKS)
    liveness = _liveness(answer)
    return (
        age_check(
            method=CheckMethod.FACIAL_THRESHOLD,
            threshold_years=threshold_years,
            result=_result(operator, passed=passed),
            liveness=liveness,
            capture_session=capture_session,
            observed_time=observed_time,
            provider=PROVIDER,
            binding=_seen_live(liveness),
            **details,
        ),
    )


def from_yoti_age_verification(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in the result of an age verification session.

    The result does not tell whether a liveness test was passed, so that nothing here counts as seen
    live. A session of type UNDER that fails may have failed for any reason: it is inconclusive.

    Args:
        payload: ``type``, ``status``, ``method``, ``age``, and the ``threshold`` that the object of
            the method was configured with.
        observed_time: When the session ended. None: not known.
        **details: See ``PayloadDetails``.

    Returns:
        One check, estimate or verified age; empty where the session came to no answer.

    Raises:
        ValueError: A field has another form, a word is not known, or two contradict each other.
        TypeError: The payload is no dict.
    """
    session = read_payload(payload)
    asked = session.require_word("type", _TYPES)
    (passed,) = session.require_word("status", _STATUSES)
    if passed is None:
        return ()
    method = session.require_word("method", _METHODS)
    if asked == "AGE":
        if not passed:
            refuse(session.at("status"), "FAIL is no status of type AGE")
        return (_disclosed_age(session, method, observed_time, details),)
    return (
        age_check(
            method=method,
            threshold_years=_threshold(session),
            result=_result(asked, passed=passed),
            observed_time=observed_time,
            provider=PROVIDER,
            **details,
        ),
    )


def _result(asked: str, *, passed: bool) -> CheckResult:
    if asked == "OVER":
        return CheckResult.OVER if passed else CheckResult.UNDER
    return CheckResult.UNDER if passed else CheckResult.INCONCLUSIVE


def _disclosed_age(
    session: Payload, method: CheckMethod, observed_time: datetime | None, details: PayloadDetails
) -> AgeEvidence:
    session.require("age")
    years = session.years("age") or 0
    if method is CheckMethod.FACIAL_THRESHOLD:
        return facial_age_estimate(
            mean_years=years, observed_time=observed_time, provider=PROVIDER, **details
        )
    if method not in _VERIFICATION_METHODS:
        refuse(session.at("method"), "does not disclose an age")
    return verified_age(
        method=_VERIFICATION_METHODS[method],
        age_years=years,
        observed_time=observed_time,
        provider=PROVIDER,
        **details,
    )


def _threshold(session: Payload) -> int:
    """Return the age that a session checked against; refuses two that differ, and none."""
    configured = session.object((session.text("method") or "").lower())
    thresholds = {
        years
        for years in (session.years("age"), configured.years("threshold") if configured else None)
        if years is not None
    }
    if len(thresholds) > 1:
        refuse(session.at("age"), "differs from the threshold of the method")
    if not thresholds or 0 in thresholds:
        refuse(session.at("age"), "is no threshold")
    return thresholds.pop()


def _liveness(answer: Payload) -> Liveness | None:
    tested = answer.object("antispoofing")
    return None if tested is None else tested.word("prediction", _PREDICTIONS)


def _seen_live(liveness: Liveness | None) -> Binding | None:
    return Binding.LIVE_PERSON if liveness is Liveness.PASSED else None
