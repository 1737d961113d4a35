from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.risk.behaviour import CLIP_NATS
from pairguard_training.age_labels import AgeRows
from pairguard_training.boosting import Compute
from pairguard_training.evidence_rows import GROUPS, EvidenceRows
from pairguard_training.stacking_fit import (
    BEHAVIOUR_WEIGHT,
    LOGISTIC,
    POOL,
    TREES,
    StackingFit,
    _Pool,
    fit_stacking,
)

Array = NDArray[np.float64]

PRIOR = np.where((AGE_GRID >= 10) & (AGE_GRID < 40), 1.0, 1e-6)
PRIOR /= PRIOR.sum()


def seen(ages: Array, errors: Array, deviation: float) -> Array:
    """Return the (n, 101) log-likelihood of ages seen with errors of a claimed deviation."""
    found: Array = -0.5 * (((ages + errors)[:, np.newaxis] - AGE_GRID) / deviation) ** 2
    found -= found.max(axis=1, keepdims=True)
    return found


def stacked(
    *,
    count: int = 2_500,
    repeated: float = 0.0,
    claimed: float = 1.0,
    most: float = 1.5,
    face_deviation: float = 4.0,
) -> StackingFit:
    """Judge challengers on people whose behaviour repeats the error of their faces.

    Args:
        count: People.
        repeated: Correlation of the two errors; 0: the posterior is exact.
        claimed: Factor on the behaviour row.
        most: Bound on the weight.
        face_deviation: What a face is claimed to be off by, where it is off by 4 years.
    """
    rng = np.random.default_rng(7)
    ages = rng.choice(AGE_COUNT, count, p=PRIOR).astype(np.float64)
    face, own = rng.normal(0.0, 1.0, (2, count))
    behaviour = repeated * face + np.sqrt(1.0 - repeated**2) * own
    estimated = seen(ages, 4.0 * face, face_deviation)
    posteriors = np.exp(estimated) * PRIOR
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    names = [f"p{i}" for i in range(count)]
    nothing = np.zeros((count, AGE_COUNT))
    evidence = EvidenceRows(
        rows=AgeRows(names, names, ages + 0.5, np.ones(count), np.zeros(count)),
        places=np.arange(count),
        priors=np.broadcast_to(PRIOR, (count, AGE_COUNT)),
        posteriors=posteriors,
        by_group=tuple(estimated if group == "estimated" else nothing for group in GROUPS),
    )
    return fit_stacking(
        evidence,
        claimed * seen(ages, 7.0 * behaviour, 7.0),
        names,
        most_behaviour_weight=most,
        compute=Compute(threads=1, seed=1),
    )


def test_an_exact_posterior_is_left_as_it_is() -> None:
    found = stacked()
    assert found.people == 2_500
    assert set(found.gains) == {BEHAVIOUR_WEIGHT, POOL, LOGISTIC, TREES}
    assert found.behaviour_weight == 1.0
    assert found.weights["behaviour"] == pytest.approx(1.0, abs=0.15)
    # What is fitted to chance loses on people left out.
    assert found.gains[TREES].value < 0.0
    assert abs(found.gains[BEHAVIOUR_WEIGHT].value) < 0.002
    for slope in found.slopes.values():
        assert slope.low < 1.0 < slope.high


def test_evidence_that_claims_too_little_is_told_by_the_slope_of_the_whole() -> None:
    (flat, exact) = (stacked(face_deviation=8.0), stacked())
    assert flat.slopes["over_all"].low > 1.0
    assert flat.slopes["over_all"].low > exact.slopes["over_all"].value
    assert "together: slope of P(under 18)" in flat.sentence()


def test_behaviour_that_repeats_the_evidence_is_believed_less() -> None:
    found = stacked(repeated=0.8)
    assert found.gains[BEHAVIOUR_WEIGHT].low > 0.0
    assert 0.0 <= found.behaviour_weight < 0.7
    assert found.gains[POOL].low > 0.0


def test_behaviour_that_claims_too_little_is_believed_more_up_to_a_bound() -> None:
    assert stacked(claimed=0.5).behaviour_weight > 1.2
    bounded = stacked(claimed=0.5, most=1.0)
    assert bounded.behaviour_weight == 1.0
    assert bounded.weights["behaviour"] <= 1.0


def test_behaviour_is_clipped_after_it_is_weighted_as_when_it_serves() -> None:
    ages = np.array([14.5, 30.5])
    nothing = np.zeros((2, AGE_COUNT))
    evidence = EvidenceRows(
        rows=AgeRows(["a", "b"], ["a", "b"], ages, np.ones(2), np.zeros(2)),
        places=np.arange(2),
        priors=np.broadcast_to(PRIOR, (2, AGE_COUNT)),
        posteriors=np.broadcast_to(PRIOR, (2, AGE_COUNT)),
        by_group=tuple(nothing for _ in GROUPS),
    )
    sure = np.where(AGE_GRID < 18, 3.5, -3.5) * np.ones((2, 1))
    pool = _Pool(evidence, sure, most_behaviour_weight=1.5)
    everybody = np.ones(2, dtype=np.bool_)
    weighted = pool.claims(np.array([1.5, 1.0, 1.0, 1.0]), everybody)
    served = np.exp(np.where(AGE_GRID < 18, CLIP_NATS, -CLIP_NATS)) * PRIOR
    assert weighted == pytest.approx([served[:18].sum() / served.sum()] * 2)


def test_few_people_judge_nothing() -> None:
    found = stacked(count=100, repeated=0.8)
    assert found == StackingFit(100)
    assert found.behaviour_weight == 1.0


def test_the_same_people_and_seed_judge_alike() -> None:
    assert stacked(count=600, repeated=0.5) == stacked(count=600, repeated=0.5)
