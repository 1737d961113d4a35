"""ISO/IEC 18013-5 mdocs: mobile driving licence, EU proof of age, EU person identification data.

Owns the form of a document in a device response. Follows ISO/IEC 18013-5:2021 (``docType``,
``issuerSigned.nameSpaces``, ``elementIdentifier``, ``elementValue``, ``age_over_NN``,
``age_in_years``, ``age_birth_year``, ``birth_date``), the EU Age Verification Profile, Annex A
(doctype and namespace ``eu.europa.ec.av.1``), and the EU PID Rulebook
(``eu.europa.ec.eudi.pid.1``).

It checks no signature: hand over only what a verifier has verified, against its trusted list.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import numbered
from pairguard.client.evidence.disclosure import attested_ages, attested_evidence
from pairguard.client.evidence.payload import Payload, PayloadDetails, read_payload, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod

_NAMESPACES = {
    "org.iso.18013.5.1.mDL": "org.iso.18013.5.1",
    "eu.europa.ec.av.1": "eu.europa.ec.av.1",
    "eu.europa.ec.eudi.pid.1": "eu.europa.ec.eudi.pid.1",
}


def from_mdoc(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    provider: str = "",
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in one verified document of a device response.

    Args:
        payload: ``docType`` and ``issuerSigned.nameSpaces``, or ``nameSpaces`` alone: lists of
            items with ``elementIdentifier`` and ``elementValue``, or elements by name.
        observed_time: When what it says was true: ``validityInfo.signed`` where the verifier hands
            it out, or else when it was shown. None: not known.
        provider: Who issued it or verified it.
        **details: See ``PayloadDetails``.

    Returns:
        The exact age; without one, up to two checks: the highest age passed, the lowest not passed.
        A year of birth with the latter. Empty where no age was disclosed.

    Raises:
        ValueError: A field has another form, the document type is not known, two elements
            contradict each other, or they cannot be compared without ``observed_time``.
        TypeError: The payload is no dict.
    """
    document = read_payload(payload)
    namespace = document.require_word("docType", _NAMESPACES)
    holder = document.object("issuerSigned") or document
    elements = _elements(holder.require_object("nameSpaces"), namespace)
    ages = attested_ages(elements, birth_date="birth_date", observed_time=observed_time)
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


def _elements(namespaces: Payload, namespace: str) -> Payload:
    """Return the elements of a namespace by name; none where it is not there."""
    value = namespaces.fields.get(namespace)
    path = namespaces.at(namespace)
    if value is None:
        return Payload({}, path)
    if isinstance(value, Mapping):
        return namespaces.require_object(namespace)
    elements: dict[str, object] = {}
    for item in namespaces.objects(namespace):
        name = item.text("elementIdentifier")
        if name is None:
            refuse(item.at("elementIdentifier"), "is missing")
        if name in elements:
            refuse(item.at("elementIdentifier"), "is there twice")
        elements[name] = item.fields.get("elementValue")
    return Payload(elements, path)
