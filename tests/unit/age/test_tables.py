"""The age tables are checked whole before use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pairguard.age.evidence import AgeCheck, AgeEvidence, CheckMethod, CheckResult
from pairguard.age.tables import AgeTables
from pairguard.errors import InvalidInput
from tests.domain import NOW, TABLES, assessed, default_tables_document, merged


def problems(changes: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        AgeTables.from_mapping(merged(default_tables_document(), changes))
    assert caught.value.reason == "AGE_TABLES_INVALID"
    return {violation.field: violation.description for violation in caught.value.violations}


def test_every_parameter_names_its_source() -> None:
    found = problems({"reference_age_years": {"source": " "}})
    assert set(found) == {"reference_age_years.source"}


def test_every_problem_is_listed_at_once() -> None:
    found = problems(
        {
            "conflict": {"opposed_nats": {"value": -1}},
            "presented_age": {"ages": [3, 2], "values": [1, 1]},
            "facial_age_estimate": {"providers": {"acme": "no_such_preset"}},
        }
    )
    assert set(found) == {
        "conflict.opposed_nats.value",
        "presented_age.ages",
        "facial_age_estimate.providers",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "0.5", None])
def test_a_value_that_is_no_finite_number_is_refused(value: object) -> None:
    assert "conflict.opposed_nats.value" in problems(
        {"conflict": {"opposed_nats": {"value": value}}}
    )


def test_a_missing_section_is_named() -> None:
    document = default_tables_document()
    del document["binding"]
    with pytest.raises(InvalidInput, match=r"binding\.borrowed_account"):
        AgeTables.from_mapping(document)


def test_a_future_format_is_refused_first() -> None:
    assert set(problems({"format_version": 2})) == {"format_version"}


def test_a_provider_has_its_own_preset_and_others_the_default() -> None:
    tables = AgeTables.from_mapping(
        merged(
            default_tables_document(),
            {"facial_age_estimate": {"providers": {"Yoti": "vendor_selfie"}}},
        )
    )
    assert tables.face_model("YOTI") is tables.face_models["vendor_selfie"]
    assert tables.face_model("other") is tables.face_models["independent"]


def prior_of(minors: float) -> dict[str, Any]:
    return {"ages": [17, 18], "values": [minors, 1], "source": "assumed"}


def test_the_prior_is_the_regions_and_an_entry_path_only_makes_it_younger() -> None:
    tables = AgeTables.from_mapping(
        merged(
            default_tables_document(),
            {
                "prior": {
                    "default": prior_of(1.0),
                    "by_region": {
                        "GB": prior_of(0.5),
                        "US-TX": prior_of(0.4),
                        "US": prior_of(0.6),
                        "GB|video": prior_of(2.0),
                        "GB|invite": prior_of(0.1),
                    },
                    "by_entry_path": {"text": prior_of(3.0), "invite": prior_of(0.1)},
                }
            },
        )
    )
    assert tables.prior("GB", "") is tables.priors["GB", ""]
    assert tables.prior("US-TX", "") is tables.priors["US-TX", ""]
    assert tables.prior("US-CA", "") is tables.priors["US", ""]
    assert tables.prior("FR", "audio") is tables.priors["", ""]
    assert tables.prior("GB", "video") is tables.priors["GB", "video"]
    assert tables.prior("GB", "text") is tables.priors["", "text"]
    assert tables.prior("GB", "invite") is tables.priors["GB", ""]
    assert tables.prior("FR", "invite") is tables.priors["", ""]


def test_a_hidden_location_takes_the_younger_of_the_regions_prior_and_the_default() -> None:
    regions = {"GB": prior_of(0.5), "BR": prior_of(2.0)}
    tables = AgeTables.from_mapping(
        merged(
            default_tables_document(), {"prior": {"default": prior_of(1.0), "by_region": regions}}
        )
    )
    assert tables.prior("GB", "", location_hidden=True) is tables.priors["", ""]
    assert tables.prior("BR", "", location_hidden=True) is tables.priors["BR", ""]


def test_the_document_round_trips() -> None:
    assert json.loads(json.dumps(TABLES.document)) == default_tables_document()


def rate(value: float) -> dict[str, Any]:
    return {"value": value, "source": "assumed"}


def with_email_providers(providers: object) -> dict[str, Any]:
    return merged(default_tables_document(), {"age_check": {"EMAIL": {"providers": providers}}})


def test_a_provider_of_checks_has_its_own_rates_and_others_the_methods() -> None:
    # A name may hold dots.
    providers = {"Mail.example": {"false_over": rate(0.2), "false_under": rate(0.3)}}
    tables = AgeTables.from_mapping(with_email_providers(providers))
    own = tables.check_rates(CheckMethod.EMAIL, "MAIL.EXAMPLE")
    assert (own.false_over, own.false_under) == (0.2, 0.3)
    assert own.attack is tables.checks[CheckMethod.EMAIL].attack
    for method, provider in (
        (CheckMethod.EMAIL, "other"),
        (CheckMethod.EMAIL, ""),
        (CheckMethod.CREDIT_CARD, "mail.example"),
    ):
        assert tables.check_rates(method, provider) is tables.checks[method]


def test_rates_without_a_name_are_those_of_checks_whose_provider_is_not_told() -> None:
    providers = {"": {"false_over": rate(0.2), "false_under": rate(0.3)}}
    tables = AgeTables.from_mapping(with_email_providers(providers))
    assert tables.check_rates(CheckMethod.EMAIL, "").false_over == 0.2
    assert tables.check_rates(CheckMethod.EMAIL, "other") is tables.checks[CheckMethod.EMAIL]


def test_the_rates_of_the_provider_that_checked_count() -> None:
    providers = {"mail": {"false_over": rate(0.4), "false_under": rate(0.024)}}
    tables = AgeTables.from_mapping(with_email_providers(providers))
    over = AgeCheck(CheckMethod.EMAIL, 18, CheckResult.OVER)
    by_mail, by_other = (
        assessed(AgeEvidence(over, observed_time=NOW, provider=name), tables=tables)
        for name in ("mail", "other")
    )
    assert by_mail.probability_below(18) > by_other.probability_below(18) + 0.02


@pytest.mark.parametrize(
    ("providers", "where"),
    [
        ({"acme": {"false_over": rate(0.1)}}, "acme.false_under"),
        ({"acme": {"false_over": rate(0.6), "false_under": rate(0.1)}}, "acme.false_over.value"),
        ({"acme": {"false_over": rate(0.0), "false_under": rate(0.1)}}, "acme.false_over.value"),
        ({"acme": 0.1}, "acme.false_over"),
        (
            {name: {"false_over": rate(0.1), "false_under": rate(0.1)} for name in ("a", "A")},
            None,
        ),
        (["acme"], None),
    ],
)
def test_a_provider_with_wrong_rates_is_named(providers: object, where: str | None) -> None:
    found = problems({"age_check": {"EMAIL": {"providers": providers}}})
    path = "age_check.EMAIL.providers"
    assert (path if where is None else f"{path}.{where}") in found


def test_a_provider_rate_names_its_source() -> None:
    providers = {"acme": {"false_over": {"value": 0.1}, "false_under": rate(0.1)}}
    found = problems({"age_check": {"EMAIL": {"providers": providers}}})
    assert set(found) == {"age_check.EMAIL.providers.acme.false_over.source"}
