"""Persona: the age threshold of a selfie, and a government ID.

Owns Persona's words. Follows "Selfie Verifications", "Retrieve a Selfie Verification", "Retrieve a
Government ID Verification" (API reference) and "Verification Checks", as read in 2026: a
verification object under ``data`` with ``type`` and ``attributes``. The key inflection of the
response does not matter: no name that is read has more than one word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import age_check
from pairguard.client.evidence.document import id_document
from pairguard.client.evidence.payload import Payload, PayloadDetails, read_payload, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod, CheckResult, Liveness

PROVIDER = "persona"

_SELFIE = {"verification/selfie": True}
_DOCUMENT = {"verification/government-id": True, "verification/government-id-nfc": True}
_PASSED = {
    "passed": True,
    "failed": False,
    "initiated": False,
    "confirmed": False,
    "submitted": False,
    "requires_retry": False,
    "canceled": False,
}
_THRESHOLD = "selfie_age_threshold_comparison"
_LIVE = "selfie_liveness_detection"
_SAME_FACE = "selfie_id_comparison"
_CHECK_STATUSES = {name: name for name in ("passed", "failed", "not_applicable")}
_LIVENESS = {"passed": Liveness.PASSED, "failed": Liveness.FAILED}


def from_persona_selfie(
    payload: Mapping[str, object],
    *,
    threshold_years: float,
    observed_time: datetime | None,
    capture_session: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in a selfie verification with an age threshold.

    Not for a template with a highest age: a failed check would not tell which limit it met.

    Args:
        payload: The verification: the statuses of ``selfie_age_threshold_comparison`` and
            ``selfie_liveness_detection``, and of the whole.
        threshold_years: The lowest age that the template is configured with.
        observed_time: When the selfie was taken. None: not known.
        capture_session: The caller's opaque id of the capture.
        **details: See ``PayloadDetails``.

    Returns:
        One check; empty where the comparison was not applicable. A comparison that passed in a
        verification that did not is inconclusive. Where another check failed, even one that the
        template does not require, nothing is bound to the live person.

    Raises:
        ValueError: A field has another form, a word is not known, or the check is not there.
        TypeError: The payload is no dict.
    """
    attributes, passed = _verification(payload, _SELFIE)
    statuses = _checks(attributes)
    if _THRESHOLD not in statuses:
        refuse(attributes.at("checks"), f"{_THRESHOLD} is not there")
    if statuses[_THRESHOLD] == "not_applicable":
        return ()
    if statuses[_THRESHOLD] == "failed":
        result = CheckResult.UNDER
    else:
        result = CheckResult.OVER if passed else CheckResult.INCONCLUSIVE
    liveness = _LIVENESS.get(statuses.get(_LIVE, ""))
    # A covered face or glare can fail the comparison too: that may lower an age, but is no capture
    # of a minor that opens a pool of minors. Nor does a picture that looks like an injected one, or
    # like somebody else's, show that an adult is there.
    live = liveness is Liveness.PASSED and not _failed(attributes, besides=_THRESHOLD)
    return (
        age_check(
            method=CheckMethod.FACIAL_THRESHOLD,
            threshold_years=threshold_years,
            result=result,
            liveness=liveness,
            capture_session=capture_session,
            observed_time=observed_time,
            provider=PROVIDER,
            binding=Binding.LIVE_PERSON if live else None,
            **details,
        ),
    )


def from_persona_government_id(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    selfie: Mapping[str, object] | None = None,
    capture_session: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in a government ID verification, with the selfie of the same inquiry.

    Args:
        payload: The verification: its ``status`` and ``birthdate``.
        observed_time: When the document was shown. None: not known, which keeps the birth year.
        selfie: The selfie verification of the same inquiry. Its ``selfie_id_comparison`` and
            ``selfie_liveness_detection`` bind the document to the live person, unless any check of
            the two verifications failed. None: there is none.
        capture_session: The caller's opaque id of the capture.
        **details: See ``PayloadDetails``.

    Returns:
        One verified age; empty where the verification did not pass.

    Raises:
        ValueError: A field has another form, a word is not known, or the selfie is of another
            inquiry.
        TypeError: A payload is no dict.
    """
    attributes, passed = _verification(payload, _DOCUMENT)
    statuses: dict[str, str] = {}
    matched = False
    if selfie is not None:
        selfie_attributes, selfie_passed = _verification(selfie, _SELFIE)
        statuses = _checks(selfie_attributes)
        _require_same_inquiry(payload, selfie)
        spoilt = _failed(attributes) or _failed(selfie_attributes)
        matched = selfie_passed and statuses.get(_SAME_FACE) == "passed" and not spoilt
    if not passed:
        return ()
    birth_date = attributes.text("birthdate")
    if birth_date is None:
        refuse(attributes.at("birthdate"), "is missing")
    return (
        id_document(
            birth_date=birth_date,
            observed_time=observed_time,
            holder_matched=matched,
            liveness=_LIVENESS.get(statuses.get(_LIVE, "")),
            capture_session=capture_session,
            provider=PROVIDER,
            path=attributes.at("birthdate"),
            **details,
        ),
    )


def _verification(payload: Mapping[str, object], types: Mapping[str, bool]) -> tuple[Payload, bool]:
    """Return the attributes of a verification of one of these types, and whether it passed."""
    data = read_payload(payload).require_object("data")
    data.require_word("type", types)
    attributes = data.require_object("attributes")
    return attributes, attributes.require_word("status", _PASSED)


def _require_same_inquiry(document: Mapping[str, object], selfie: Mapping[str, object]) -> None:
    """Refuse another inquiry's selfie: it would bind the document to whoever is on that."""
    inquiries = {_inquiry(document), _inquiry(selfie)} - {None}
    if len(inquiries) > 1:
        refuse("selfie.data.relationships.inquiry", "is another inquiry than the document's")


def _inquiry(payload: Mapping[str, object]) -> str | None:
    found: Payload | None = read_payload(payload)
    for name in ("data", "relationships", "inquiry", "data"):
        found = None if found is None else found.object(name)
    return None if found is None else found.text("id")


def _failed(attributes: Payload, *, besides: str = "") -> bool:
    return any(
        check.text("status") == "failed" and check.text("name") != besides
        for check in attributes.objects("checks")
    )


def _checks(attributes: Payload) -> dict[str, str]:
    """Return the statuses of the checks that are read, by name."""
    statuses: dict[str, str] = {}
    for check in attributes.objects("checks"):
        name = check.text("name")
        if name not in {_THRESHOLD, _LIVE, _SAME_FACE}:
            continue
        status = check.require_word("status", _CHECK_STATUSES)
        if statuses.setdefault(name, status) != status:
            refuse(check.path, f"{name} is there twice, with two statuses")
    return statuses
