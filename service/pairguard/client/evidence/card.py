"""Payment cards, as Stripe describes a payment method.

Owns which payments say something of an age. Follows the PaymentMethod object of Stripe's API
reference: ``type``, ``card.funding``, ``card.checks``, ``livemode``. A credit card is issued to
adults; debit and prepaid cards, wallets and bank payments are open to minors and no age assurance.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Unpack

from pairguard.client.evidence.builders import age_check
from pairguard.client.evidence.payload import PayloadDetails, read_payload, refuse
from pairguard.client.evidence.values import AgeEvidence
from pairguard.client.vocabulary import Binding, CheckMethod, CheckResult

_FUNDINGS = {"credit": True, "debit": False, "prepaid": False, "unknown": False}


def from_stripe_payment_method(
    payload: Mapping[str, object],
    *,
    observed_time: datetime | None,
    threshold_years: float = 18,
    **details: Unpack[PayloadDetails],
) -> tuple[AgeEvidence, ...]:
    """Return the evidence in a payment method that was charged or authorised with success.

    Args:
        payload: ``type`` and ``card.funding``; where they are there, ``card.checks.cvc_check`` and
            ``livemode``.
        observed_time: When it was charged. None: not known.
        threshold_years: The age from which credit cards are issued.
        **details: See ``PayloadDetails``.

    Raises:
        ValueError: It is no credit card, none that the payer holds or a test's, or a field has
            another form.
        TypeError: The payload is no dict.
    """
    method = read_payload(payload)
    if method.text("type") != "card":
        refuse(method.at("type"), "only a card can be age assurance")
    card = method.require_object("card")
    if not card.require_word("funding", _FUNDINGS):
        refuse(card.at("funding"), "only a credit card is age assurance: minors hold the others")
    checks = card.object("checks")
    if checks is not None and checks.text("cvc_check") == "fail":
        refuse(checks.at("cvc_check"), "whoever paid does not have the card")
    if method.flag("livemode") is False:
        refuse(method.at("livemode"), "a card of the test mode is nobody's")
    return (
        age_check(
            method=CheckMethod.CREDIT_CARD,
            threshold_years=threshold_years,
            result=CheckResult.OVER,
            observed_time=observed_time,
            provider="stripe",
            binding=Binding.ACCOUNT,
            **details,
        ),
    )
