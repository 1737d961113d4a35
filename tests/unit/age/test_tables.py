"""The age tables are checked whole before use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pairguard.age.tables import AgeTables
from pairguard.errors import InvalidInput
from tests.domain import TABLES, default_tables_document, merged


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


def test_a_prior_of_the_region_counts_before_one_of_the_entry_path() -> None:
    curve = {"ages": [0, 100], "values": [1, 1], "source": "assumed"}
    tables = AgeTables.from_mapping(
        merged(
            default_tables_document(),
            {
                "prior": {
                    "by_region": {"GB": curve, "US|video": curve},
                    "by_entry_path": {"text": curve},
                }
            },
        )
    )
    assert tables.prior("GB", "text") is tables.priors["GB", ""]
    assert tables.prior("US", "video") is tables.priors["US", "video"]
    assert tables.prior("US", "text") is tables.priors["", "text"]
    assert tables.prior("FR", "audio") is tables.priors["", ""]


def test_the_document_round_trips() -> None:
    assert json.loads(json.dumps(TABLES.document)) == default_tables_document()
