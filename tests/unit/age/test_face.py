"""The error models of facial estimates: proper distributions, checked by path."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pairguard.age.evidence import FacialAgeEstimate
from pairguard.age.face import FaceErrorCurves, FaceErrorModel, FaceErrorTable
from pairguard.age.parameters import AGE_GRID
from pairguard.age.tables import AgeTables
from pairguard.errors import InvalidInput
from tests.domain import TABLES, assessed, default_tables_document, live, merged

FINE = np.arange(-400.0, 500.0, 0.05)


def curve(*values: float, ages: tuple[int, ...] = (0, 100)) -> dict[str, Any]:
    return {"ages": list(ages), "values": list(values), "source": "assumed"}


def table_preset(**changes: Any) -> dict[str, Any]:
    """Return a preset that says 20 of children mostly, 40 of adults mostly."""
    distribution = {
        "ages": [0, 17, 18, 100],
        "outcomes": [0, 10, 20, 40, 100],
        "shares": [[0.1, 0.3, 0.6, 0, 0]] * 2 + [[0, 0, 0.1, 0.8, 0.1]] * 2,
        "source": "assumed",
    }
    return {
        "resolution_years": {"value": 0.1, "source": "assumed"},
        "distribution": distribution | changes,
    }


def tables_with(preset: dict[str, Any]) -> AgeTables:
    face = {"presets": {"own": preset}, "providers": {"acme": "own"}}
    return AgeTables.from_mapping(merged(default_tables_document(), {"facial_age_estimate": face}))


def problems(preset: dict[str, Any]) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        tables_with(preset)
    prefix = "facial_age_estimate.presets.own."
    return {violation.field.removeprefix(prefix) for violation in caught.value.violations}


SKEWED = FaceErrorCurves.from_curves(np.full(101, 1.0), np.full(101, 1.5), np.full(101, 4.0))
MODELS: dict[str, FaceErrorModel] = {
    "symmetric": TABLES.face_models["independent"],
    "skewed": SKEWED,
    "table": tables_with(table_preset()).face_model("acme"),
}


@pytest.mark.parametrize("name", ["symmetric", "skewed"])
def test_the_density_of_curves_integrates_to_one(name: str) -> None:
    density = np.exp([MODELS[name].log_density(float(x)) for x in FINE])
    assert density.sum(axis=0) * 0.05 == pytest.approx(np.ones(101), abs=1e-4)


def test_the_density_of_a_table_sums_to_one_over_what_can_be_told() -> None:
    told = np.arange(0.0, 100.05, 0.1)
    density = np.exp([MODELS["table"].log_density(float(x)) for x in told])
    assert density.sum(axis=0) * 0.1 == pytest.approx(np.ones(101))


@pytest.mark.parametrize("threshold", [9.0, 18.0, 25.0, 60.0])
@pytest.mark.parametrize("name", ["symmetric", "skewed"])
def test_the_share_above_a_threshold_is_the_integral_of_the_density(
    name: str, threshold: float
) -> None:
    above = FINE[round((threshold - FINE[0]) / 0.05) :] + 0.025
    integral = np.exp([MODELS[name].log_density(float(x)) for x in above]).sum(axis=0) * 0.05
    assert MODELS[name].probability_at_least(threshold) == pytest.approx(integral, abs=1e-4)


@pytest.mark.parametrize("threshold", [9.0, 18.0, 25.0, 60.0])
def test_the_share_of_a_table_above_a_threshold_is_the_sum_of_what_can_be_told(
    threshold: float,
) -> None:
    told = np.arange(threshold, 100.05, 0.1)
    total = np.exp([MODELS["table"].log_density(float(x)) for x in told]).sum(axis=0) * 0.1
    assert MODELS["table"].probability_at_least(threshold) == pytest.approx(total)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("years", [0.0, 0.05, 17.96, 33.333, 100.0, 119.9, 120.0])
def test_no_estimate_makes_an_age_impossible(name: str, years: float) -> None:
    model = MODELS[name]
    assert np.isfinite(model.log_density(years)).all()
    share = model.probability_at_least(years)
    assert ((share > 0.0) & (share <= 1.0)).all()


@pytest.mark.parametrize("years", [0.0, 17.96, 120.0])
def test_a_table_makes_a_posterior(years: float) -> None:
    seen = replace(live(FacialAgeEstimate(years)), provider="acme")
    found = assessed(seen, tables=tables_with(table_preset()))
    assert np.isfinite(found.probabilities).all()
    assert found.probabilities.sum() == pytest.approx(1.0)


def test_a_wider_upper_half_makes_more_estimates_too_old_than_too_young() -> None:
    centre = AGE_GRID + 1.5
    above = np.array([SKEWED.probability_at_least(float(c))[age] for age, c in enumerate(centre)])
    assert above == pytest.approx(np.full(101, 4.0 / 5.5))
    far = SKEWED.probability_at_least(25.5)[14]  # ten years above the likeliest
    near = 1.0 - SKEWED.probability_at_least(5.5)[14]  # ten below
    assert far > 10.0 * near


def test_equal_halves_are_the_symmetric_model() -> None:
    bias, scale = np.linspace(2.0, -3.0, 101), np.linspace(2.0, 5.0, 101)
    one = FaceErrorCurves.from_curves(bias, scale)
    two = FaceErrorCurves.from_curves(bias, scale, scale)
    assert (one.log_density(19.3) == two.log_density(19.3)).all()
    standard = (19.3 - (AGE_GRID + 0.5 + bias)) / scale
    s = standard / np.sqrt(1.0 + standard**2 / 4.0)
    closed_form = 1.0 - (0.5 + 0.375 * s * (1.0 - s * s / 12.0))
    assert one.probability_at_least(19.3) == pytest.approx(closed_form, abs=1e-12)


def test_a_peak_between_close_neighbours_is_kept() -> None:
    nodes = np.array([10.0, 19.9, 20.0, 20.1, 30.0])
    shares = np.repeat(np.array([[0.2], [0.15], [0.3], [0.15], [0.2]]), 101, axis=1)
    model = FaceErrorTable.from_nodes(nodes, shares, 0.1)
    exact = model.probability_at_least(20.0) - model.probability_at_least(20.1)
    assert exact == pytest.approx(np.full(101, 0.3), rel=0.05)
    assert (model.log_density(20.0) > model.log_density(19.9) + 2.0).all()


def test_whole_years_are_interpolated() -> None:
    shares = np.repeat(np.array([[0.25], [0.5], [0.25]]), 101, axis=1)
    model = FaceErrorTable.from_nodes(np.array([17.0, 18.0, 19.0]), shares, 1.0)
    assert np.exp(model.log_density(17.5)) == pytest.approx(
        (np.exp(model.log_density(17.0)) + np.exp(model.log_density(18.0))) / 2.0
    )
    assert (model.log_density(3.0) == model.log_density(17.0)).all()
    assert (model.log_density(90.0) == model.log_density(19.0)).all()


def test_all_three_forms_are_read() -> None:
    skewed = tables_with(
        {
            "bias_years": curve(1, 1),
            "scale_below_years": curve(1.5, 1.5),
            "scale_above_years": curve(4, 4),
        }
    ).face_model("acme")
    assert skewed.log_density(20.0) == pytest.approx(SKEWED.log_density(20.0))
    table = tables_with(table_preset()).face_model("acme")
    assert table.probability_at_least(35.0)[18] > 0.7
    assert table.probability_at_least(35.0)[17] < 0.1
    assert isinstance(TABLES.face_models["independent"], FaceErrorCurves)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"source": ""}, "distribution.source"),
        ({"ages": [0, 18, 17, 100]}, "distribution.ages"),
        ({"ages": "young"}, "distribution.ages"),
        ({"ages": [0, 17, 18]}, "distribution.shares"),
        ({"outcomes": [0, 20, 10, 40, 100]}, "distribution.outcomes"),
        ({"outcomes": [0, 10, 20.05, 40, 100]}, "distribution.outcomes"),
        ({"outcomes": [0, 10, 20, 40, 121]}, "distribution.outcomes"),
        ({"outcomes": [0, 10, 20, 40, float("nan")]}, "distribution.outcomes"),
        ({"shares": [[0.2] * 5] * 3 + [[0.2] * 4]}, "distribution.shares[3]"),
        ({"shares": [[0.2] * 5] * 3 + [[0.3] * 5]}, "distribution.shares[3]"),
        ({"shares": [[-0.2, 0.6, 0.2, 0.2, 0.2]] + [[0.2] * 5] * 3}, "distribution.shares[0]"),
        ({"shares": [[0.2] * 5] * 3 + ["many"]}, "distribution.shares[3]"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(changes: dict[str, Any], path: str) -> None:
    assert problems(table_preset(**changes)) == {path}


def test_a_preset_has_one_form() -> None:
    assert problems(table_preset() | {"bias_years": curve(0, 0)}) == {"bias_years"}
    assert problems(
        table_preset() | {"resolution_years": {"value": 0.25, "source": "assumed"}}
    ) == {"resolution_years.value"}
    assert "scale_above_years" in problems(
        {"bias_years": curve(1, 1), "scale_below_years": curve(1.5, 1.5)}
    )
