from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pairguard.risk.danger import (
    LEAST_MIXED_AT_MOST,
    Dangers,
    between,
    counts_as_minor,
    either,
    greater_by_group,
)
from pairguard.risk.features import DANGER, PairFeatures
from pairguard.risk.members import MemberVector
from tests.unit.risk.trained import (
    dangers,
    harm_features,
    harm_model,
    random_members,
    random_values,
    small_catalogue,
)

Values = np.ndarray[tuple[int], np.dtype[np.float64]]

CATALOGUE = small_catalogue()
DANGERS = dangers()
WIDTH = len(CATALOGUE.columns)
NUMBERS = st.one_of(
    st.just(math.nan),
    st.floats(-1e300, 1e300, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, 2.0, 50.0]),
)
VECTORS = arrays(np.float64, WIDTH, elements=NUMBERS)
CHANCES = st.floats(0.0, 1.0)
AT_MOST = st.floats(LEAST_MIXED_AT_MOST, 1.0)
# Their interests are interests.
PEOPLE = st.sampled_from(list(random_values(CATALOGUE, 200, seed=11)))
# Signals with a direction, and which way is more dangerous.
DIRECTED = {"vpn": 1.0, "days": -1.0, "history.reports": 1.0}
PERSON = random_values(CATALOGUE, 1, seed=12)[0]
FEATURES = harm_features()
FEATURES_BY_BOUND = st.sampled_from(
    [
        PairFeatures(CATALOGUE, dangers(mixed_at_most=bound))
        for bound in (LEAST_MIXED_AT_MOST, 0.8, 1.0)
    ]
)
MEMBERS = random_members(200, seed=61), random_members(200, seed=62)


@given(VECTORS)
def test_both_dangers_of_anybody_are_chances_and_neither_is_certain(
    values: Values,
) -> None:
    assert all(0.0 < danger < 1.0 for danger in DANGERS.of_person(values))


@pytest.mark.parametrize("count", [1, 2, 7, 64, 301])
def test_many_people_have_the_bits_of_one_by_one(count: int) -> None:
    values = random_values(CATALOGUE, count, seed=7)
    together = DANGERS.of_people(values)
    singly = np.array([DANGERS.of_person(row) for row in values])
    assert together.tobytes() == singly.tobytes()


@given(VECTORS, st.sampled_from(sorted(DIRECTED)), st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_of_a_sign_of_danger_never_lowers_a_danger(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], name: str, one: float, other: float
) -> None:
    found = []
    for value in sorted((one, other), reverse=DIRECTED[name] < 0.0):
        values[CATALOGUE.columns.index(name)] = value
        found.append(DANGERS.of_person(values))
    # Logarithms of neighbours may be equal but for their last bit.
    assert all(low <= high + 1e-15 for low, high in zip(*found, strict=True))


@given(VECTORS, st.sampled_from([weight.name for weight in DANGERS.weights]))
def test_what_is_not_known_is_never_safer_than_its_mean(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], name: str
) -> None:
    weight = next(weight for weight in DANGERS.weights if weight.name == name)
    column = CATALOGUE.columns.index(name)
    values[column] = np.expm1(weight.mean) if weight.logarithmic else weight.mean
    at_mean = DANGERS.of_person(values)
    values[column] = math.nan
    unknown = DANGERS.of_person(values)
    assert all(low <= high + 1e-12 for low, high in zip(at_mean, unknown, strict=True))


@given(st.tuples(CHANCES, CHANCES, CHANCES, CHANCES), CHANCES, AT_MOST)
def test_danger_between_two_rises_with_each_of_its_parts(
    parts: tuple[float, float, float, float], more: float, at_most: float
) -> None:
    def chance(anybody: float, minors: float, minor: float, mixed: float) -> float:
        counts = counts_as_minor(np.array([minor]), np.array([mixed]), at_most)
        return between(anybody, minors, float(counts[0]))

    anybody, minors, *_ = parts
    for place in range(len(parts)):
        risen = [*parts]
        risen[place] = max(parts[place], more)
        assert chance(*parts) <= chance(*risen)
    assert either(anybody, minors) == either(minors, anybody) >= max(anybody, minors) - 1e-15


@given(CHANCES, CHANCES, CHANCES, CHANCES, AT_MOST)
def test_seeming_to_be_a_minor_makes_nobody_less_dangerous_to_minors(
    anybody: float, minors: float, own: float, other: float, at_most: float
) -> None:
    people = np.array([[anybody, minors]])
    seeming = np.array([own]), np.array([other])
    mixed = np.array([_mixed(own, other)])
    done, _ = dangers(mixed_at_most=at_most).of_pairs(people, people, seeming, mixed)
    assert done[0] >= between(anybody, minors, other) - 1e-15


@given(CHANCES, CHANCES, AT_MOST)
def test_somebody_counts_as_a_minor_as_far_as_they_seem_one_or_the_pair_is_mixed_but_for_the_bound(
    minor: float, mixed: float, at_most: float
) -> None:
    found = counts_as_minor(np.array([minor]), np.array([mixed]), at_most)
    assert float(found[0]) == max(minor, min(mixed, at_most))


@pytest.mark.parametrize(("bound", "counts"), [(0.5, 0.5), (0.8, 0.8), (1.0, 0.9), (None, 0.9)])
def test_the_bound_of_the_document_is_what_a_pair_is_judged_by(
    bound: float | None, counts: float
) -> None:
    document = dangers().to_mapping()
    del document["mixed_at_most"]
    if bound is not None:
        document["mixed_at_most"] = bound
    read = Dangers.from_mapping(document, CATALOGUE.number_columns)
    one, two = (MemberVector(0.1, PERSON) for _ in range(2))
    row = PairFeatures(CATALOGUE, read).row(one, two, minor_adult_probability=0.9)
    assert row[1] == row[2] == between(*read.of_person(PERSON), counts)


def _mixed(one: float, other: float) -> float:
    return one * (1.0 - other) + other * (1.0 - one)


def _danger_columns(features: PairFeatures, one: MemberVector, other: MemberVector) -> list[float]:
    mixed = _mixed(one.probability_minor, other.probability_minor)
    row = features.row(one, other, minor_adult_probability=mixed)
    return [float(row[column]) for column in features.danger_columns]


@given(FEATURES_BY_BOUND, st.tuples(PEOPLE, PEOPLE), st.floats(0.0, 0.5), CHANCES, CHANCES)
def test_no_danger_falls_where_a_pair_is_likelier_mixed_as_one_is_likelier_a_minor(
    features: PairFeatures,
    people: tuple[Values, Values],
    likely_adult: float,
    low: float,
    high: float,
) -> None:
    one = MemberVector(likely_adult, people[0])
    before, after = (
        _danger_columns(features, one, MemberVector(chance, people[1]))
        for chance in sorted((low, high))
    )
    assert all(less <= more + 1e-15 for less, more in zip(before, after, strict=True))


@given(
    FEATURES_BY_BOUND,
    st.tuples(PEOPLE, PEOPLE),
    st.floats(0.5, 1.0),
    st.floats(0.0, 0.5),
    st.floats(0.0, 0.5),
)
def test_no_danger_falls_where_a_pair_is_likelier_mixed_as_one_is_likelier_an_adult(
    features: PairFeatures,
    people: tuple[Values, Values],
    likely_minor: float,
    low: float,
    high: float,
) -> None:
    one = MemberVector(likely_minor, people[0])
    before, after = (
        _danger_columns(features, one, MemberVector(chance, people[1]))
        for chance in sorted((low, high), reverse=True)
    )
    assert all(less <= more + 1e-15 for less, more in zip(before, after, strict=True))


@given(
    st.integers(0, 199),
    st.sampled_from(sorted(DIRECTED)),
    st.floats(0, 60),
    st.floats(0, 60),
    CHANCES,
)
def test_from_signal_to_harm_no_sign_of_danger_lowers_it(
    index: int, name: str, one: float, other: float, mixed: float
) -> None:
    a, b = MEMBERS
    values, column = a.values[index].copy(), CATALOGUE.columns.index(name)
    found = []
    for value in sorted((one, other), reverse=DIRECTED[name] < 0.0):
        values[column] = value
        doer = MemberVector(float(a.probability_minor[index]), values.copy())
        partner = MemberVector(float(b.probability_minor[index]), b.values[index])
        found.append(harm_model().probability(doer, partner, mixed))
    assert found[0] <= found[1]


def test_the_dangers_of_these_tests_do_tell_people_apart() -> None:
    values = random_values(CATALOGUE, 200, seed=8, missing=0.0)
    found = DANGERS.of_people(values)
    assert (found.max(axis=0) > 3.0 * found.min(axis=0)).all()
    assert any("danger:" in name for name in FEATURES.names)


def test_attribution_tells_dangers_of_the_signals_that_make_them() -> None:
    a, b = random_members(100, seed=63), random_members(100, seed=64)
    explained = 0
    for place in range(100):
        one = MemberVector(float(a.probability_minor[place]), a.values[place])
        two = MemberVector(float(b.probability_minor[place]), b.values[place])
        explained += DANGER not in harm_model().attribution(one, two, 0.5).shares
    assert explained > 50


@pytest.mark.parametrize("bound", [0.5, 0.8, 1.0])
def test_the_greater_danger_is_told_of_whoever_it_is_of(bound: float) -> None:
    own = dangers(mixed_at_most=bound)
    features = PairFeatures(CATALOGUE, own)
    values = random_values(CATALOGUE, 60, seed=13)
    doers = set()
    for first, second in zip(values[::2], values[1::2], strict=True):
        one, two = MemberVector(0.1, first), MemberVector(0.7, second)
        row = features.row(one, two, minor_adult_probability=0.95)
        greatest = row[features.names.index("danger:greatest")]
        by_one = between(*own.of_person(first), max(0.7, min(0.95, bound)))
        doer = one if by_one == greatest else two
        doers.add(doer is one)
        told = greater_by_group(own, one, two, 0.95)
        parts: dict[str, list[float]] = {}
        for group, part in zip(own.groups, own.parts(doer.values), strict=True):
            parts.setdefault(group, []).append(float(part))
        assert told == {group: math.fsum(of_group) for group, of_group in parts.items()}
    assert doers == {True, False}


def test_the_document_reads_back_as_it_was_written() -> None:
    document = json.loads(json.dumps(DANGERS.to_mapping()))
    again = Dangers.from_mapping(document, CATALOGUE.number_columns)
    assert again.to_mapping() == DANGERS.to_mapping()
    values = random_values(CATALOGUE, 50, seed=9)
    assert again.of_people(values).tobytes() == DANGERS.of_people(values).tobytes()


def test_what_no_document_has_is_refused() -> None:
    document = DANGERS.to_mapping() | {"mixed": 0.5}
    with pytest.raises(ValueError, match="may have mixed_at_most"):
        Dangers.from_mapping(document, CATALOGUE.number_columns)


@pytest.mark.parametrize(
    "bound", [LEAST_MIXED_AT_MOST - 1e-9, 1.0 + 1e-9, math.nan, True, "0.5", None]
)
def test_a_bound_with_which_a_danger_could_fall_is_refused(bound: object) -> None:
    document = DANGERS.to_mapping() | {"mixed_at_most": bound}
    with pytest.raises(ValueError, match=r"mixed_at_most must be a number from 0\.5 to 1"):
        Dangers.from_mapping(document, CATALOGUE.number_columns)


def test_signals_in_another_order_or_twice_are_refused() -> None:
    weights = DANGERS.weights
    for wrong in ((*weights, weights[0]), tuple(reversed(weights)), (*weights[:1], weights[0])):
        with pytest.raises(ValueError, match="once, in its order"):
            Dangers(CATALOGUE.number_columns, anybody=-5.0, minors=-4.0, weights=wrong)


def test_without_any_weight_everybody_is_as_dangerous() -> None:
    flat = Dangers(CATALOGUE.number_columns, anybody=-5.0, minors=-4.0, weights=())
    found = flat.of_people(random_values(CATALOGUE, 20, seed=10))
    assert len(np.unique(found)) == 2
    features = PairFeatures(CATALOGUE, flat)
    assert features.names[1:4] == ("danger:least", "danger:greatest", "danger:either")
