from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.errors import BundleRefused
from pairguard.risk.features import MINOR_ADULT_PROBABILITY, PairFeatures
from pairguard.risk.harm import HarmModel
from pairguard.risk.members import MemberVector
from pairguard.risk.trees import TreeModel
from tests.unit.risk.trained import (
    booster,
    default_catalogue,
    harm_model,
    harm_text,
    random_members,
    small_catalogue,
    text_of,
)

COUNT = 200
FIRST, SECOND = random_members(COUNT, seed=41), random_members(COUNT, seed=42)
PAIRS = st.integers(0, COUNT - 1)
PROBABILITIES = st.floats(0.0, 1.0)


def _pair(index: int) -> tuple[MemberVector, MemberVector]:
    return (
        MemberVector(float(FIRST.probability_minor[index]), FIRST.values[index]),
        MemberVector(float(SECOND.probability_minor[index]), SECOND.values[index]),
    )


@given(PAIRS, PROBABILITIES)
def test_swapping_the_two_changes_no_bit(index: int, mixed: float) -> None:
    a, b = _pair(index)
    assert harm_model().probability(a, b, mixed) == harm_model().probability(b, a, mixed)
    assert harm_model().attribution(a, b, mixed) == harm_model().attribution(b, a, mixed)


@given(PAIRS, PROBABILITIES, st.integers(0, 30), st.integers(1, 30))
def test_more_reports_never_lower_harm(index: int, mixed: float, reports: int, more: int) -> None:
    a, b = _pair(index)
    column = small_catalogue().columns.index("history.reports")
    found = []
    for count in (reports, reports + more):
        values = a.values.copy()
        values[column] = float(count)
        member = MemberVector(a.probability_minor, values)
        found.append(harm_model().probability(member, b, mixed))
    assert found[0] <= found[1]


@given(PAIRS, PROBABILITIES, PROBABILITIES)
def test_likelier_mixed_pair_is_never_less_harmful(index: int, one: float, two: float) -> None:
    a, b = _pair(index)
    low = harm_model().probability(a, b, min(one, two))
    assert low <= harm_model().probability(a, b, max(one, two))


def test_the_model_of_these_tests_does_tell_reports_and_mixed_pairs_apart() -> None:
    a, b = _pair(0)
    values = a.values.copy()
    column = small_catalogue().columns.index("history.reports")
    values[column] = 0.0
    clean = harm_model().probability(MemberVector(a.probability_minor, values), b, 0.1)
    assert harm_model().probability(MemberVector(a.probability_minor, values), b, 0.9) > clean
    values[column] = 20.0
    assert harm_model().probability(MemberVector(a.probability_minor, values), b, 0.1) > clean


def test_many_pairs_have_the_bits_of_one_by_one() -> None:
    mixed = np.random.default_rng(43).random(COUNT)
    together = harm_model().probabilities(FIRST, SECOND, mixed)
    singly = [harm_model().probability(*_pair(i), float(mixed[i])) for i in range(COUNT)]
    assert together.tobytes() == np.array(singly).tobytes()


def test_attribution_adds_up_by_group() -> None:
    model = harm_model()
    trees = TreeModel(harm_text()).with_missing_as_majority()
    for index in range(50):
        a, b = _pair(index)
        parts = model.attribution(a, b, 0.7)
        row = model.features.row(a, b, minor_adult_probability=0.7)
        total = parts.root + math.fsum(parts.shares.values())
        assert total == pytest.approx(float(trees.raw_score(row)[0]), abs=1e-9)
        assert next(iter(parts.shares)) == MINOR_ADULT_PROBABILITY


def test_trees_of_other_rows_or_several_outputs_are_refused() -> None:
    features, calibration = harm_model().features, harm_model().calibration
    for trees, wanted in (
        (TreeModel(harm_text()), PairFeatures(default_catalogue())),
        (TreeModel(text_of(booster("multiclass"))), features),
    ):
        with pytest.raises(BundleRefused) as refused:
            HarmModel(trees, wanted, calibration)
        assert refused.value.reason == "BUNDLE_INVALID"
