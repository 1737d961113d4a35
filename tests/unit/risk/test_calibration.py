from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.errors import InvalidInput
from pairguard.risk.calibration import HIGHEST, Calibration

MAPS: list[dict[str, Any]] = [
    {"kind": "identity"},
    {"kind": "beta", "a": 0.7, "b": 1.4, "c": -2.0},
    {"kind": "beta", "a": 1.0, "b": 0.0, "c": 0.5},
    {"kind": "logit_spline", "knots": [-6.0, -3.0, 0.1, 2.0], "values": [-7.0, -4.0, -1.0, 1.5]},
    {"kind": "logit_spline", "knots": [0.0, 1.0], "values": [-5.0, -4.5]},
]


@pytest.mark.parametrize("mapping", MAPS)
def test_one_score_and_many_have_the_same_bits(mapping: dict[str, Any]) -> None:
    calibration = Calibration.from_mapping(mapping)
    raw = np.random.default_rng(1).normal(-3.0, 6.0, 130)
    singly = np.array([calibration.probability(float(score)) for score in raw])
    for length in range(1, 66):
        for start in (0, 1, 3):
            together = calibration.probabilities(raw[start : start + length])
            assert together.tobytes() == singly[start : start + length].tobytes()
    assert calibration.probabilities(raw[::2]).tobytes() == singly[::2].tobytes()


@pytest.mark.parametrize("mapping", MAPS)
def test_probability_rises_strictly_as_far_as_doubles_can_tell(mapping: dict[str, Any]) -> None:
    calibration = Calibration.from_mapping(mapping)
    raw = np.linspace(-40.0, 40.0, 20_001)
    found = calibration.probabilities(raw)
    assert (found > 0.0).all()
    assert (found < 1.0).all()
    rises = np.diff(found)
    assert (rises >= 0.0).all()
    # Strict wherever the map's slope makes a step of 0.004 more than the spacing of doubles.
    log_odds = calibration.map.log_odds(raw)
    told_apart = (np.diff(log_odds) > 1e-9) & (log_odds[1:] < 15.0) & (log_odds[:-1] > -700.0)
    assert told_apart.sum() > 5_000
    assert (rises[told_apart] > 0.0).all()


@given(st.floats(-40.0, 40.0), st.floats(-40.0, 40.0))
def test_higher_score_is_never_less_probable(one: float, two: float) -> None:
    low, high = min(one, two), max(one, two)
    for mapping in MAPS:
        calibration = Calibration.from_mapping(mapping)
        assert calibration.probability(low) <= calibration.probability(high)


def test_beta_is_the_published_formula() -> None:
    calibration = Calibration.from_mapping({"kind": "beta", "a": 0.7, "b": 1.4, "c": -2.0})
    for raw in (-5.0, -0.3, 0.0, 2.0):
        p = 1.0 / (1.0 + np.exp(-raw))
        log_odds = 0.7 * np.log(p) - 1.4 * np.log(1.0 - p) - 2.0
        assert calibration.probability(raw) == pytest.approx(1.0 / (1.0 + np.exp(-log_odds)))


def test_spline_goes_through_its_knots_and_on_with_its_end_slopes() -> None:
    calibration = Calibration.from_mapping(MAPS[3])
    found = calibration.map.log_odds(np.array([-8.0, -6.0, -4.5, -3.0, 0.1, 2.0, 4.0]))
    slope = 2.5 / 1.9
    assert found == pytest.approx([-9.0, -7.0, -5.5, -4.0, -1.0, 1.5, 1.5 + 2.0 * slope])


def test_score_that_is_no_number_gets_the_highest_probability() -> None:
    for mapping in MAPS:
        calibration = Calibration.from_mapping(mapping)
        assert calibration.probability(float("nan")) == HIGHEST
        extremes = calibration.probabilities(np.array([-1e9, 1e9]))
        assert 0.0 < extremes[0] < extremes[1] <= HIGHEST


@pytest.mark.parametrize("mapping", MAPS)
def test_documents_read_back(mapping: dict[str, Any]) -> None:
    assert Calibration.from_mapping(mapping).to_mapping() == mapping


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({}, "kind"),
        ({"kind": "isotonic"}, "kind"),
        ({"kind": "beta", "a": 1.0, "b": 1.0}, "c"),
        ({"kind": "beta", "a": -0.1, "b": 1.0, "c": 0.0}, "a"),
        ({"kind": "beta", "a": 0.0, "b": 0.0, "c": 0.0}, "a"),
        ({"kind": "beta", "a": float("nan"), "b": 1.0, "c": 0.0}, "a"),
        ({"kind": "beta", "a": True, "b": 1.0, "c": 0.0}, "a"),
        ({"kind": "logit_spline", "knots": [0.0], "values": [0.0]}, "knots"),
        ({"kind": "logit_spline", "knots": [0.0, 1.0], "values": [1.0, 1.0]}, "values"),
        ({"kind": "logit_spline", "knots": [0.0, 0.0], "values": [0.0, 1.0]}, "knots"),
        ({"kind": "logit_spline", "knots": [0.0, 1.0], "values": [0.0, 1.0, 2.0]}, "values"),
        ({"kind": "logit_spline", "knots": "01", "values": [0.0, 1.0]}, "knots"),
    ],
)
def test_wrong_documents_are_refused_at_their_field(mapping: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Calibration.from_mapping(mapping)
    assert field in {violation.field for violation in refused.value.violations}
