"""Whatever a vendor sends, a conversion gives evidence that the service takes, or refuses."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.client import AgeEvidence
from pairguard.client import evidence as api
from tests.unit.client.arrival import OBSERVED, READ, assert_arrives

Conversion = Callable[..., tuple[AgeEvidence, ...]]

CONVERSIONS: dict[str, Conversion] = {
    "apple": api.from_apple_declared_age_range,
    "google": api.from_google_play_age_signals,
    "yoti estimation": api.from_yoti_age_estimation,
    "yoti check": partial(api.from_yoti_age_check, threshold_years=18),
    "yoti verification": api.from_yoti_age_verification,
    "didit estimation": api.from_didit_age_estimation,
    "didit document": api.from_didit_id_verification,
    "persona selfie": partial(api.from_persona_selfie, threshold_years=18),
    "persona document": api.from_persona_government_id,
    "mdoc": api.from_mdoc,
    "sd-jwt": api.from_sd_jwt_pid,
    "openid": partial(api.from_openid_claims, trust_frameworks={"eidas"}),
    "stripe": api.from_stripe_payment_method,
    "camara": partial(api.from_camara_age_verification, threshold_years=18),
}

# A payload of each vendor that converts, to be spoilt in one place.
RIGHT: dict[str, dict[str, Any]] = {
    "apple": {"lowerBound": 16, "upperBound": 18, "ageRangeDeclaration": "confirmed"},
    "google": {"ageSignalsStatus": "SHARED", "ageRangeSource": "TIER_C", "ageLower": 18},
    "yoti estimation": {"age": {"age": 20.1, "st_dev": 3}, "antispoofing": {"prediction": "real"}},
    "yoti check": {"age": {"age_check": "pass"}, "antispoofing": {"prediction": "real"}},
    "yoti verification": {"type": "OVER", "status": "COMPLETE", "method": "DOC_SCAN", "age": 18},
    "didit estimation": {
        "liveness": {"status": "Approved", "score": 80, "warnings": [], "age_estimation": 24.3}
    },
    "didit document": {"id_verification": {"status": "Approved", "date_of_birth": "2000-01-01"}},
    "persona selfie": {
        "data": {
            "type": "verification/selfie",
            "attributes": {
                "status": "passed",
                "checks": [{"name": "selfie_age_threshold_comparison", "status": "passed"}],
            },
        }
    },
    "persona document": {
        "data": {
            "type": "verification/government-id",
            "attributes": {"status": "passed", "birthdate": "2000-01-01"},
        }
    },
    "mdoc": {
        "docType": "eu.europa.ec.av.1",
        "nameSpaces": {"eu.europa.ec.av.1": {"age_over_18": True, "age_over_21": False}},
    },
    "sd-jwt": {"age_equal_or_over": {"18": True}},
    "openid": {
        "verified_claims": {
            "verification": {"trust_framework": "eidas"},
            "claims": {"birthdate": "2000-01-01"},
        }
    },
    "stripe": {"type": "card", "card": {"funding": "credit"}},
    "camara": {"ageCheck": "true", "verifiedStatus": True},
}


def told(value: Any) -> Iterator[str]:
    """Yield the names and words in a payload."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from told(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from told(inner)


# What vendors mean something by, so that a payload gets past its first field.
KNOWN = sorted({word for payload in RIGHT.values() for word in told(payload)})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 121)
    | st.floats()
    | st.sampled_from([*KNOWN, "2008", "0000-02-29", "1899-01-01", "TIER_E", "fake"])
    | st.text(max_size=5)
)
NAMES = st.sampled_from([*KNOWN, "age_over_1", "age_birth_year", "warnings", "userStatus"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def is_converted_or_refused(name: str, payload: Any) -> bool:
    """Return whether a payload is taken with all that it makes, or refused in words."""
    try:
        items = CONVERSIONS[name](payload, observed_time=OBSERVED)
    except (TypeError, ValueError) as refusal:
        return ": " in str(refusal)
    assert_arrives(items)
    return True


def refusal_of(name: str, payload: Any) -> str:
    """Return in what words a payload is refused; empty: it is not, or it is no dict."""
    try:
        CONVERSIONS[name](payload, observed_time=OBSERVED)
    except ValueError as refusal:
        return str(refusal)
    return ""


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(list(CONVERSIONS)),
    payload=st.dictionaries(NAMES | st.text(max_size=5), JSON, max_size=5),
)
def test_any_payload_is_converted_or_refused(name: str, payload: dict[str, Any]) -> None:
    assert is_converted_or_refused(name, payload)


@pytest.mark.parametrize("name", CONVERSIONS)
@pytest.mark.parametrize("personal", ["2008-03-16", "16 March 2008", "YZA1234567", "born.2008"])
def test_no_refusal_repeats_what_could_be_personal(name: str, personal: str) -> None:
    refusals = [
        refusal
        for which in range(1, 9)
        if (refusal := refusal_of(name, spoilt(RIGHT[name], personal, which)[0]))
    ]

    assert refusals
    assert not any(personal in refusal for refusal in refusals)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_detail_that_does_not_exist_is_no_silent_loss(name: str) -> None:
    with pytest.raises(TypeError, match="expires"):
        CONVERSIONS[name](RIGHT[name], observed_time=OBSERVED, expires=OBSERVED)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_the_id_and_the_end_of_a_result_go_along(name: str) -> None:
    items = CONVERSIONS[name](
        RIGHT[name], observed_time=OBSERVED, evidence_id="e-1", expire_time=READ
    )

    assert items[0].evidence_id == "e-1"
    assert {item.expire_time for item in items} == {READ}
    assert len({item.evidence_id for item in items}) == len(items)


def spoilt(value: Any, wrong: Any, which: int) -> tuple[Any, int]:
    """Return a copy with the field number `which` replaced, and how many fields are left over."""
    if which == 0:
        return wrong, -1
    which -= 1
    if not isinstance(value, (dict, list)):
        return value, which
    copy = value.copy()
    for key in range(len(value)) if isinstance(value, list) else value:
        if which < 0:
            break
        copy[key], which = spoilt(value[key], wrong, which)
    return copy, which


@settings(max_examples=600, deadline=None)
@given(name=st.sampled_from(list(CONVERSIONS)), which=st.integers(1, 8), wrong=SCALARS)
def test_a_right_payload_with_one_wrong_field_is_converted_or_refused(
    name: str, which: int, wrong: Any
) -> None:
    payload, _ = spoilt(RIGHT[name], wrong, which)

    assert is_converted_or_refused(name, payload)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_the_payload_that_is_spoilt_is_right(name: str) -> None:
    items = CONVERSIONS[name](RIGHT[name], observed_time=OBSERVED)

    assert items
    assert_arrives(items)


@pytest.mark.parametrize("name", CONVERSIONS)
@pytest.mark.parametrize("payload", [None, "{}", b"{}", [], [("age", 1)], 7, math.nan, object()])
def test_what_is_no_dict_is_a_type_error(name: str, payload: object) -> None:
    with pytest.raises(TypeError, match="dict"):
        CONVERSIONS[name](payload, observed_time=OBSERVED)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_names_that_are_no_text_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names"):
        CONVERSIONS[name]({1: 2}, observed_time=OBSERVED)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_payload_is_not_changed(name: str) -> None:
    before = repr(RIGHT[name])

    CONVERSIONS[name](RIGHT[name], observed_time=OBSERVED)

    assert repr(RIGHT[name]) == before


def test_every_conversion_is_tried() -> None:
    tried = {getattr(function, "func", function) for function in CONVERSIONS.values()}

    assert {name for name in api.__all__ if name.startswith("from_")} == {
        function.__name__ for function in tried
    }
