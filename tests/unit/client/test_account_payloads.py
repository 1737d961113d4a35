"""What card issuers and mobile operators answer."""

from typing import Any

import pytest

from pairguard.client import Binding, CheckMethod, CheckResult, age_check
from pairguard.client.evidence import from_camara_age_verification, from_stripe_payment_method
from tests.unit.client.arrival import OBSERVED, assert_arrives


def card(funding: object) -> dict[str, object]:
    """Return a payment method in Stripe's form."""
    return {
        "id": "pm_1",
        "object": "payment_method",
        "type": "card",
        "card": {"brand": "visa", "funding": funding, "last4": "4242", "exp_year": 2030},
    }


def test_a_credit_card_is_issued_to_adults() -> None:
    items = from_stripe_payment_method(card("credit"), observed_time=OBSERVED, evidence_id="e-1")

    expected = age_check(
        method=CheckMethod.CREDIT_CARD,
        threshold_years=18,
        result=CheckResult.OVER,
        observed_time=OBSERVED,
        provider="stripe",
        binding=Binding.ACCOUNT,
        evidence_id="e-1",
    )
    assert items == (expected,)
    assert_arrives(items)
    assert "4242" not in repr(items)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (card("debit"), "card.funding"),
        (card("prepaid"), "card.funding"),
        (card("unknown"), "card.funding"),
        (card("Credit"), "card.funding"),
        (card(None), "card.funding"),
        (card(True), "card.funding"),
        (card("credit") | {"livemode": False}, "livemode"),
        (card("credit") | {"livemode": "true"}, "livemode"),
        (
            {"type": "card", "card": {"funding": "credit", "checks": {"cvc_check": "fail"}}},
            "card.checks.cvc_check",
        ),
        ({"type": "paypal", "paypal": {}}, "type"),
        ({"type": "sepa_debit"}, "type"),
        ({"type": "card"}, "card"),
        ({}, "type"),
    ],
)
def test_a_payment_that_a_minor_can_make_is_no_age_assurance(
    payload: dict[str, object], path: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_stripe_payment_method(payload, observed_time=OBSERVED)


@pytest.mark.parametrize("cvc_check", ["pass", "unavailable", "unchecked", None])
def test_a_card_that_was_not_checked_is_still_a_credit_card(cvc_check: str | None) -> None:
    payload = {
        "type": "card",
        "card": {"funding": "credit", "checks": {"cvc_check": cvc_check}},
        "livemode": True,
    }

    assert len(from_stripe_payment_method(payload, observed_time=OBSERVED)) == 1


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        ({"ageCheck": "true", "verifiedStatus": True}, CheckResult.OVER),
        # Not told to be verified is no more than told not to be.
        ({"ageCheck": "true"}, CheckResult.INCONCLUSIVE),
        ({"ageCheck": "true", "verifiedStatus": None}, CheckResult.INCONCLUSIVE),
        ({"ageCheck": "false"}, CheckResult.UNDER),
        ({"ageCheck": "not_available"}, CheckResult.INCONCLUSIVE),
        ({"ageCheck": "true", "verifiedStatus": True, "identityMatchScore": 90}, CheckResult.OVER),
        (
            {"ageCheck": "true", "verifiedStatus": True, "identityMatchScore": 80},
            CheckResult.OVER,
        ),
        # The contract is somebody else's, such as a parent's.
        (
            {"ageCheck": "true", "verifiedStatus": True, "identityMatchScore": 79},
            CheckResult.INCONCLUSIVE,
        ),
        (
            {"ageCheck": "true", "verifiedStatus": True, "identityMatchScore": 0},
            CheckResult.INCONCLUSIVE,
        ),
        ({"ageCheck": "false", "identityMatchScore": 0}, CheckResult.UNDER),
        ({"ageCheck": "true", "verifiedStatus": False}, CheckResult.INCONCLUSIVE),
        ({"ageCheck": "false", "verifiedStatus": False}, CheckResult.UNDER),
        (
            {"ageCheck": "true", "verifiedStatus": True, "contentLock": "true"},
            CheckResult.INCONCLUSIVE,
        ),
        (
            {"ageCheck": "true", "verifiedStatus": True, "parentalControl": "true"},
            CheckResult.INCONCLUSIVE,
        ),
        (
            {
                "ageCheck": "true",
                "verifiedStatus": True,
                "contentLock": "false",
                "parentalControl": "not_available",
            },
            CheckResult.OVER,
        ),
        ({"ageCheck": "false", "parentalControl": "true"}, CheckResult.UNDER),
    ],
)
def test_an_operators_answer_counts_as_far_as_nothing_speaks_against_it(
    payload: dict[str, object], result: CheckResult
) -> None:
    items = from_camara_age_verification(
        payload, threshold_years=18, observed_time=OBSERVED, provider="operator"
    )

    assert items == (
        age_check(
            method=CheckMethod.MOBILE_OPERATOR,
            threshold_years=18,
            result=result,
            observed_time=OBSERVED,
            provider="operator",
            binding=Binding.ACCOUNT,
        ),
    )
    assert_arrives(items)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "ageCheck"),
        ({"ageCheck": True}, "ageCheck"),
        ({"ageCheck": "yes"}, "ageCheck"),
        ({"ageCheck": "true", "verifiedStatus": "true"}, "verifiedStatus"),
        ({"ageCheck": "true", "identityMatchScore": "90"}, "identityMatchScore"),
        ({"ageCheck": "true", "identityMatchScore": 101}, "identityMatchScore"),
        ({"ageCheck": "true", "contentLock": True}, "contentLock"),
        ({"ageCheck": "true", "parentalControl": "on"}, "parentalControl"),
    ],
)
def test_an_operators_answer_of_another_form_is_refused(
    payload: dict[str, object], path: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_camara_age_verification(payload, threshold_years=18, observed_time=OBSERVED)


def test_how_well_the_contract_has_to_match_can_be_told() -> None:
    payload = {"ageCheck": "true", "verifiedStatus": True, "identityMatchScore": 85}

    (item,) = from_camara_age_verification(
        payload, threshold_years=18, observed_time=OBSERVED, least_match_score=90
    )

    observation: Any = item.observation
    assert observation.result is CheckResult.INCONCLUSIVE
