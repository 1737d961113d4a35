"""The figures of an evaluation that decide whether a bundle may be published.

Owns which figures these are and when there are too few people to tell one. It must not know what
is too bad: that is the publisher's.
"""

from __future__ import annotations

import math
from typing import Any

from pairguard_training.admission_rates import Spread
from pairguard_training.comparison import CHAMPION, MIXED_PAIRS, OURS, Comparison
from pairguard_training.evaluation import Evaluation
from pairguard_training.resampling import Estimate, with_unseen_difference

FEWEST_MIXED_PAIRS = 30
"""Mixed pairs that share nobody below which the two bundles are not compared."""

_CALIBRATION = "slope_given_15_to_20"


def gate_figures(evaluation: Evaluation) -> dict[str, Any]:
    """Return the ``gates`` section of the metrics document; null where it cannot be told.

    ``mixed_pairs`` holds the candidate's share of mixed pairs allowed minus the champion's, where
    1 and 5 % of good pairs are stopped; null without a champion or with too few mixed pairs.
    ``calibration_slope`` is that of P(under 18 | 15-20) at these ages, which is 1 for an oracle.
    ``slices`` holds the ratio of the worst group's rate to the best group's that stands out most,
    and what the same ratio stays below in 95 of 100 draws of groups that are all alike, although
    the one that stands out most of so many was chosen.
    """
    return {
        "mixed_pairs": _mixed_pairs(evaluation),
        "calibration_slope": _calibration_slope(evaluation),
        "slices": _slices(evaluation),
    }


def _mixed_pairs(evaluation: Evaluation) -> dict[str, dict[str, float]] | None:
    champion = evaluation.champion
    mixed = next((c for c in evaluation.comparisons if c.title == MIXED_PAIRS), None)
    if champion is None or mixed is None or CHAMPION not in mixed.differences:
        return None
    if mixed.disjoint_positives < FEWEST_MIXED_PAIRS:
        return None
    found = {
        f"difference_at_{percent}": _difference(mixed, percent, exact=champion.same_scores)
        for percent in (1, 5)
    }
    if any(math.isnan(estimate.low) for estimate in found.values()):
        return None
    return {name: _interval(estimate) for name, estimate in found.items()}


def _difference(mixed: Comparison, percent: int, *, exact: bool) -> Estimate:
    """Return the difference; where no draw moves it, with what so many pairs cannot exclude.

    Two bundles with the same models differ in nothing, and that is known without any pair.
    """
    found = mixed.differences[CHAMPION][f"missed_at_{percent}_percent"]
    return found if exact else with_unseen_difference(found, trials=mixed.disjoint_positives)


def _calibration_slope(evaluation: Evaluation) -> dict[str, float] | None:
    found = evaluation.calibration.get(OURS, {}).get(_CALIBRATION)
    if found is None or not all(map(math.isfinite, (found.value, found.low, found.high))):
        return None
    return _interval(found)


def _slices(evaluation: Evaluation) -> dict[str, float | None]:
    spreads = [] if evaluation.rates is None else evaluation.rates.spreads
    if not spreads:
        return {"worst_ratio": None, "chance_ratio": None}
    worst = max(spreads, key=_stands_out)
    return {"worst_ratio": worst.ratio, "chance_ratio": worst.by_chance_of_all}


def _stands_out(spread: Spread) -> float:
    return spread.ratio / spread.by_chance_of_all


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
