"""Policy documents are validated whole, and the stricter region wins line by line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.evidence import CheckMethod, CheckResult, FacialAgeEstimate, Liveness
from pairguard.errors import PolicyRefused
from pairguard.policy.checks import CheckPlanner
from pairguard.policy.document import DEFAULT_RISK_BAND_EDGES, RegionPolicy, UnknownMayMeet
from pairguard.policy.reasons import ReasonCode
from pairguard.policy.regions import Policy, strictest
from tests.domain import (
    TABLES,
    assessed,
    default_policy_document,
    document_check,
    live,
    merged,
    verified,
)

DEFAULT = Policy.from_mapping(default_policy_document())


def problems(changes: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(PolicyRefused) as caught:
        Policy.from_mapping(merged(default_policy_document(), changes))
    assert caught.value.reason == "POLICY_INVALID"
    return caught.value.problems


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"schema": 2}, "schema"),
        ({"version": ""}, "version"),
        ({"extra": 1}, "extra"),
        ({"default": {"adult_age": 17}}, "default.adult_age"),
        ({"default": {"adult_age": 18.0}}, "default.adult_age"),
        ({"default": {"minimum_age": 12}}, "default.minimum_age"),
        ({"default": {"minors_may_meet": 1}}, "default.minors_may_meet"),
        ({"default": {"unknown_may_meet": "MINORS"}}, "default.unknown_may_meet"),
        ({"default": {"wait_widens": True}}, "default.wait_widens"),
        ({"default": {"close_in_age_max_gap_years": 3}}, "default.close_in_age_max_gap_years"),
        (
            {"default": {"thresholds": {"reroute_minor_adult": 0.31}}},
            "default.thresholds.reroute_minor_adult",
        ),
        (
            {"default": {"thresholds": {"reroute_harm": float("nan")}}},
            "default.thresholds.reroute_harm",
        ),
        ({"default": {"gates": {"no_such": 1}}}, "default.gates.no_such"),
        ({"default": {"gates": 3}}, "default.gates"),
        (
            {"default": {"age_checks": {"methods": {"PALMISTRY": {}}}}},
            "default.age_checks.methods.PALMISTRY",
        ),
        (
            {"default": {"age_checks": {"methods": {"EMAIL": {"cost": -1}}}}},
            "default.age_checks.methods.EMAIL.cost",
        ),
        ({"default": {"history": {"forget": 1}}}, "default.history.forget"),
        ({"default": {"reports": {"block_from": 3}}}, "default.reports.block_from"),
        ({"default": {"probing": []}}, "default.probing"),
        *(
            (
                {"default": {"ranking": {"risk_band_edges": edges}}},
                "default.ranking.risk_band_edges",
            )
            for edges in (0.1, [0.0], [1], ["0.1"], [True], [0.2, 0.1], [0.1, 0.1], [float("nan")])
        ),
        (
            {"default": {"ranking": {"risk_band_edges": [each / 100 for each in range(1, 18)]}}},
            "default.ranking.risk_band_edges",
        ),
        ({"default": {"ranking": {"affinity_first": True}}}, "default.ranking.affinity_first"),
        ({"regions": {"gb": {}}}, "regions.gb"),
        ({"regions": {"GB": {"adult_age": 25}}}, "regions.GB.adult_age"),
        ({"regions": {"GB": 3}}, "regions.GB"),
    ],
)
def test_a_bad_line_is_named(changes: dict[str, Any], place: str) -> None:
    assert [p for p in problems(changes) if p.startswith(f"{place}: ")]


def test_every_problem_is_listed_at_once() -> None:
    found = problems({"default": {"adult_age": 3, "minimum_age": 99}, "regions": {"x": {}}})
    assert len({p.partition(":")[0] for p in found}) >= 3


ON_HISTORY: dict[str, tuple[object, ...]] = {
    "holds.upheld_hours": (0.5, 87_661, "long", float("inf")),
    "history.recent_partner_minutes": (-1, 43_201, float("nan")),
    "history.max_exposure_per_day": (-0.1, 10.1, float("nan"), True),
    "history.max_reroutes_per_day": (0, 1_000_001, 20.5),
    "reports.min_reporters": (1, 1_001, 3.0),
    "reports.min_reporter_share": (-0.1, 1.1, float("nan")),
    "probing.min_decisions_per_day": (9, 1_000_001, 200.0),
    "probing.min_started_share": (-0.1, 0.51, float("nan")),
    "probing.max_partner_minor_mean": (0.49, 1.01, float("nan")),
}


@pytest.mark.parametrize(
    ("line", "value"), [(line, value) for line, bad in ON_HISTORY.items() for value in bad]
)
def test_a_line_on_history_out_of_bounds_is_named(line: str, value: object) -> None:
    table, _, name = line.partition(".")
    for place, changes in (
        ("default", {"default": {table: {name: value}}}),
        ("regions.GB", {"regions": {"GB": {table: {name: value}}}}),
    ):
        assert [p for p in problems(changes) if p.startswith(f"{place}.{line}: must be ")]


@pytest.mark.parametrize("line", ON_HISTORY)
def test_no_line_on_history_has_a_default_of_its_own(line: str) -> None:
    table, _, name = line.partition(".")
    document = default_policy_document()
    del document["default"][table][name]
    with pytest.raises(PolicyRefused) as caught:
        Policy.from_mapping(document)
    assert f"default.{line}: is missing" in caught.value.problems


def test_a_missing_line_is_named() -> None:
    document = default_policy_document()
    del document["default"]["thresholds"]["reroute_harm"]
    with pytest.raises(PolicyRefused, match=r"default\.thresholds\.reroute_harm: is missing"):
        Policy.from_mapping(document)


def test_a_region_takes_every_line_that_it_does_not_set_from_the_default() -> None:
    korea = DEFAULT.for_participant("KR")
    assert korea.adult_ages == {19}
    assert korea.reroute_harm == DEFAULT.default.reroute_harm


def test_a_subdivision_falls_back_to_its_country_and_then_to_the_default() -> None:
    policy = Policy.from_mapping(
        merged(default_policy_document(), {"regions": {"US": {"minimum_age": 16}}})
    )
    assert policy.for_participant("US-CA").minimum_age == 16
    assert policy.for_participant("FR") is policy.default


def test_an_absent_region_counts_as_every_configured_one() -> None:
    assert DEFAULT.for_participant("").adult_ages == {18, 19}
    assert DEFAULT.for_pair("", "US").adult_ages == {18, 19}


def test_two_regions_keep_both_adult_ages() -> None:
    assert DEFAULT.for_pair("US", "KR").adult_ages == {18, 19}
    assert DEFAULT.for_pair("US", "US").adult_ages == {18}


lines = st.fixed_dictionaries(
    {
        "adult_age": st.integers(18, 21),
        "minimum_age": st.integers(13, 18),
        "unknown_may_meet": st.sampled_from(list(UnknownMayMeet.__members__)),
        "minors_may_meet": st.booleans(),
        "thresholds": st.fixed_dictionaries({"reroute_minor_adult": st.floats(0, 0.3)}),
        "holds": st.fixed_dictionaries(
            {"barred_hours": st.floats(1, 1000), "upheld_hours": st.floats(1, 1000)}
        ),
        "history": st.fixed_dictionaries(
            {
                "recent_partner_minutes": st.floats(0, 43_200),
                "max_exposure_per_day": st.floats(0, 10),
                "max_reroutes_per_day": st.integers(1, 2000),
            }
        ),
        "reports": st.fixed_dictionaries(
            {"min_reporters": st.integers(2, 20), "min_reporter_share": st.floats(0, 1)}
        ),
        "probing": st.fixed_dictionaries(
            {
                "min_decisions_per_day": st.integers(10, 500),
                "min_started_share": st.floats(0, 0.5),
                "max_partner_minor_mean": st.floats(0.5, 1),
            }
        ),
    }
)


@given(lines, lines)
def test_the_merge_is_symmetric_idempotent_and_never_looser(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    policy = Policy.from_mapping(
        merged(default_policy_document(), {"regions": {"AA": first, "BB": second}})
    )
    a, b = policy.for_participant("AA"), policy.for_participant("BB")
    both = policy.for_pair("AA", "BB")
    assert both == policy.for_pair("BB", "AA") == strictest(both, a)
    assert both.reroute_minor_adult == min(a.reroute_minor_adult, b.reroute_minor_adult)
    assert both.unknown_may_meet == min(a.unknown_may_meet, b.unknown_may_meet)
    assert both.minimum_age == max(a.minimum_age, b.minimum_age)
    assert both.barred_hours == max(a.barred_hours, b.barred_hours)
    assert both.minors_may_meet == (a.minors_may_meet and b.minors_may_meet)
    for line in (
        "max_exposure_per_day",
        "max_reroutes_per_day",
        "min_reporters",
        "min_reporter_share",
        "min_decisions_per_day",
        "max_partner_minor_mean",
    ):
        assert getattr(both, line) == min(getattr(a, line), getattr(b, line))
    for line in ("upheld_hours", "recent_partner_minutes", "min_started_share"):
        assert getattr(both, line) == max(getattr(a, line), getattr(b, line))
    strictest_hours = max(p.upheld_hours for p in (policy.default, *policy.regions.values()))
    assert policy.upheld_hold_hours() == strictest_hours
    assert policy.upheld_hold_hours("AA") == a.upheld_hours


def test_the_merge_knows_a_direction_for_every_line() -> None:
    merged_lines = strictest(DEFAULT.default, DEFAULT.for_participant("KR"))
    assert {f.name for f in fields(merged_lines)} == {f.name for f in fields(RegionPolicy)}


def test_checks_must_be_open_to_both_regions() -> None:
    policy = Policy.from_mapping(
        merged(
            default_policy_document(),
            {
                "regions": {
                    "GB": {
                        "age_checks": {
                            "methods": {
                                "EMAIL": {
                                    "threshold_years": 18,
                                    "cost": 1,
                                    "document_free": True,
                                    "available": False,
                                }
                            }
                        }
                    }
                }
            },
        )
    )
    methods = {check.method for check in policy.for_pair("GB", "US").checks}
    assert CheckMethod.EMAIL not in methods
    assert CheckMethod.DIGITAL_WALLET in methods


def planner(**changes: Any) -> CheckPlanner:
    return CheckPlanner(
        TABLES, Policy.from_mapping(merged(default_policy_document(), {"default": changes}))
    )


def test_a_bare_id_is_asked_for_checks_that_would_settle_it_cheapest_first() -> None:
    plan = planner().plan("US", assessed())
    assert plan.reason is ReasonCode.AGE_UNKNOWN
    assert plan.forecasts
    costs = [forecast.option.cost for forecast in plan.forecasts]
    assert costs == sorted(costs)
    assert all(f.probability_settled >= 0.6 for f in plan.forecasts)
    # At least two routes that need no document.
    assert sum(f.option.document_free for f in plan.forecasts) >= 2


def test_nobody_is_asked_whose_age_is_settled() -> None:
    for assessment in (
        assessed(document_check(CheckResult.OVER), live(FacialAgeEstimate(33, Liveness.PASSED))),
        assessed(verified(15)),
    ):
        plan = planner().plan("US", assessment)
        assert (plan.reason, plan.forecasts) == (ReasonCode.AGE_CERTAIN_ENOUGH, ())


def test_no_check_is_asked_for_that_would_settle_nothing() -> None:
    document = default_policy_document()
    document["default"]["age_checks"]["methods"] = {
        "GUARDIAN": {"threshold_years": 18, "cost": 1, "document_free": True}
    }
    plan = CheckPlanner(TABLES, Policy.from_mapping(document)).plan("US", assessed())
    assert (plan.reason, plan.forecasts) == (ReasonCode.NO_CHECK_WOULD_SETTLE, ())


@given(st.floats(10, 60))
def test_a_forecast_is_a_probability_and_its_expectation_is_the_present_belief(
    years: float,
) -> None:
    assessment = assessed(live(FacialAgeEstimate(years, Liveness.PASSED)))
    plan = planner(age_checks={"min_probability_settled": 0.05}).plan("US", assessment)
    for forecast in plan.forecasts:
        assert 0.05 <= forecast.probability_settled <= 1.0


def test_risk_bands_of_two_regions_are_cut_at_the_edges_of_both() -> None:
    document = default_policy_document()
    document["default"]["ranking"]["risk_band_edges"] = [0.01, 0.2]
    document["regions"] = {
        "GB": {"ranking": {"risk_band_edges": [0.05, 0.2]}},
        "FR": {"ranking": {"risk_band_edges": []}},
    }
    policy = Policy.from_mapping(document)

    assert policy.for_pair("GB", "DE").risk_band_edges == (0.01, 0.05, 0.2)
    assert policy.for_pair("DE", "GB").risk_band_edges == (0.01, 0.05, 0.2)
    assert policy.for_pair("FR", "GB").risk_band_edges == (0.05, 0.2)
    assert policy.for_participant("FR").risk_band_edges == ()


def test_a_document_without_risk_bands_has_the_default_ones() -> None:
    document = default_policy_document()
    del document["default"]["ranking"]

    assert Policy.from_mapping(document).default.risk_band_edges == DEFAULT_RISK_BAND_EDGES
    assert DEFAULT.default.risk_band_edges == DEFAULT_RISK_BAND_EDGES
