from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from pairguard.bundle.defaults import default_age_tables, default_catalogue
from pairguard.risk.model import RiskModel
from pairguard_training.admission_rates import AdmissionRates, RateRow, Spread
from pairguard_training.champion import Champion
from pairguard_training.comparison import CHAMPION, OURS, Comparison, EvaluationSettings
from pairguard_training.evaluation import Evaluation
from pairguard_training.gates import FEWEST_MIXED_PAIRS, gate_figures
from pairguard_training.metrics import Measures
from pairguard_training.proportions import proportion
from pairguard_training.resampling import Estimate

NAN = Estimate(math.nan, math.nan, math.nan)
ZERO = Estimate(0.0, 0.0, 0.0)


def comparison(difference: Estimate, *, disjoint: int = 100) -> Comparison:
    measures = {field.name: ZERO for field in fields(Measures)}
    differences = measures | {
        "missed_at_1_percent": difference,
        "missed_at_5_percent": Estimate(-0.1, -0.2, 0.05),
    }
    return Comparison(
        title="mixed pairs",
        pairs=500,
        positives=150.0,
        people=600,
        models={OURS: measures, CHAMPION: measures},
        differences={CHAMPION: differences},
        reliability=[],
        trade_off=[],
        disjoint_positives=disjoint,
    )


def evaluation(*, same_scores: bool = False, **changed: Any) -> Evaluation:
    model = RiskModel(default_age_tables(), default_catalogue(), None, None)
    values: dict[str, Any] = {
        "simulated": True,
        "later_from": None,
        "comparisons": [comparison(Estimate(0.02, -0.01, 0.05))],
        "calibration": {OURS: {"slope_given_15_to_20": Estimate(0.9, 0.8, 1.1)}},
        "people": 900,
        "reliability": None,
        "rates": None,
        "decisions": None,
        "exposure": None,
        "price": None,
        "champion": Champion("1", model, same_scores=same_scores, notes=()),
        "notes": [],
        "settings": EvaluationSettings(
            unseen=False, resamples=10, seed=1, threads=1, report_window_days=14.0
        ),
    }
    return Evaluation(**values | changed)


def test_the_difference_and_its_interval_are_told() -> None:
    found = gate_figures(evaluation())
    assert found["mixed_pairs"] == {
        "difference_at_1": {"value": 0.02, "low": -0.01, "high": 0.05},
        "difference_at_5": {"value": -0.1, "low": -0.2, "high": 0.05},
    }
    assert found["calibration_slope"] == {"value": 0.9, "low": 0.8, "high": 1.1}
    assert found["slices"] == {"worst_ratio": None, "chance_ratio": None}


@pytest.mark.parametrize(
    "changed",
    [
        {"champion": None},
        {"comparisons": []},
        {"comparisons": [comparison(ZERO, disjoint=FEWEST_MIXED_PAIRS - 1)]},
        {"comparisons": [comparison(NAN)]},
        {"comparisons": [comparison(Estimate(0.01, math.nan, math.nan))]},
    ],
)
def test_what_cannot_be_told_is_null(changed: dict[str, Any]) -> None:
    assert gate_figures(evaluation(**changed))["mixed_pairs"] is None


@pytest.mark.parametrize("slope", [NAN, Estimate(0.9, math.nan, math.nan)])
def test_a_slope_without_an_interval_is_null(slope: Estimate) -> None:
    calibration = {OURS: {"slope_given_15_to_20": slope}}
    assert gate_figures(evaluation(calibration=calibration))["calibration_slope"] is None
    assert gate_figures(evaluation(calibration={}))["calibration_slope"] is None


def test_that_no_draw_saw_a_difference_is_no_proof_that_there_is_none() -> None:
    found = gate_figures(evaluation(comparisons=[comparison(ZERO)]))["mixed_pairs"]
    assert found["difference_at_1"]["high"] == pytest.approx(1.0 - 0.025**0.01)
    assert found["difference_at_1"]["low"] == -found["difference_at_1"]["high"]


def test_the_same_models_differ_in_nothing() -> None:
    found = gate_figures(evaluation(same_scores=True, comparisons=[comparison(ZERO)]))
    assert found["mixed_pairs"]["difference_at_1"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_slice_that_stands_out_most_against_chance_is_told() -> None:
    row = RateRow("everybody", proportion(1, 100), proportion(5, 100), {}, {})
    rates = AdmissionRates(
        policy="p",
        overall=row,
        by_evidence=[],
        slices={},
        to_minors={},
        spreads=[
            Spread("region", "minors admitted", 3, "a", "b", 9.0, 12.0, 16.0),
            Spread("language", "adults not admitted", 3, "a", "b", 1.4, 1.1, 1.2),
        ],
        unmeasured={},
    )
    found = gate_figures(evaluation(rates=rates))["slices"]
    assert found == {"worst_ratio": 1.4, "chance_ratio": 1.2}
