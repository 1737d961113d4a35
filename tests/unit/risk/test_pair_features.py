from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.members import MemberMatrix, MemberVector
from pairguard.risk.participant import Participant
from tests.unit.risk.trained import (
    default_catalogue,
    harm_features,
    random_members,
    small_catalogue,
)

FEATURES = harm_features()
WIDTH = len(small_catalogue().columns)
# Few distinct values, so that ties, zeros of both signs and unknown values are common.
VALUES = st.sampled_from([float("nan"), -float("nan"), -0.0, 0.0, 1.0, 2.0, 17.25])
MEMBERS = st.builds(
    MemberVector,
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    arrays(np.float64, WIDTH, elements=VALUES),
)


def _row(first: MemberVector, second: MemberVector) -> NDArray[np.float64]:
    return FEATURES.row(first, second, minor_adult_probability=0.375)


def _member(probability_minor: float, participant: Participant) -> MemberVector:
    return MemberVector(probability_minor, small_catalogue().vector(participant).values)


@given(MEMBERS, MEMBERS)
def test_swapping_the_two_changes_no_bit(first: MemberVector, second: MemberVector) -> None:
    assert _row(first, second).tobytes() == _row(second, first).tobytes()


@given(st.lists(MEMBERS, min_size=2, max_size=9))
def test_rows_of_a_pool_are_those_of_its_pairs_to_the_bit(pool: list[MemberVector]) -> None:
    first, second = np.triu_indices(len(pool), 1)
    mixed = np.linspace(0.0, 1.0, first.size)
    ready = FEATURES.ready_matrix(np.array([each.values for each in pool]))
    minors = np.array([each.probability_minor for each in pool])

    for one, two in ((first, second), (second, first)):
        rows = FEATURES.pool_rows(
            ready, one, two, probability_minor=minors, minor_adult_probability=mixed
        )
        for place, row in enumerate(rows):
            alone = FEATURES.row(
                pool[one[place]], pool[two[place]], minor_adult_probability=float(mixed[place])
            )
            assert row.tobytes() == alone.tobytes()


def test_features_of_a_pair_are_what_their_names_say() -> None:
    child = _member(
        0.9,
        Participant(
            "a",
            signals={"vpn": 0.0, "hour, local": 20.0, "days": 3.0},
            attributes={"os": "android"},
            interests=("games", "music"),
            history={"history.reports": 1.0},
        ),
    )
    adult = _member(
        0.1,
        Participant(
            "b",
            signals={"vpn": 1.0, "hour, local": 22.5},
            attributes={"os": "ios"},
            interests=("music", "films"),
        ),
    )
    named = dict(zip(FEATURES.names, _row(adult, child).tolist(), strict=True))
    assert (
        0.0 < named.pop("danger:least") < named.pop("danger:greatest") < named.pop("danger:either")
    )
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert named == {
        "minor_adult_probability": 0.375,
        "min:vpn": 0.0,
        "min:days": 3.0,
        "min:history.reports": 1.0,
        "max:vpn": 1.0,
        "max:days": 3.0,
        "max:history.reports": 1.0,
        "minor:hour, local": 20.0,
        "minor:history.skips": nan,
        "minor:os": 1.0,
        "other:hour, local": 22.5,
        "other:history.skips": nan,
        "other:os": 0.0,
        "gap:hour, local": 2.5,
        "gap:history.skips": nan,
        "same:os": 0.0,
        "interests:shared": 1.0,
        "interests:union": 3.0,
    }


def test_two_bare_participants_are_unknown_but_for_the_ages() -> None:
    bare = _member(0.5, Participant("a"))
    row = _row(bare, bare)
    assert row[0] == 0.375
    # Of dangers what is known of anybody: never nothing.
    assert (row[1:4] > 0.0).all()
    assert np.isnan(row[4:]).all()


def test_constraints_follow_the_directions_of_the_signals() -> None:
    found = dict(zip(FEATURES.names, FEATURES.monotone_constraints, strict=True))
    assert found["minor_adult_probability"] == 1
    assert found["max:history.reports"] == found["min:vpn"] == 1
    assert {found[n] for n in FEATURES.names if n.startswith("danger:")} == {1}
    assert found["min:days"] == found["max:days"] == -1
    assert {found[n] for n in FEATURES.names if n.split(":")[0] in {"minor", "gap", "same"}} == {0}
    assert len(FEATURES.groups) == len(FEATURES.names)
    names = [FEATURES.names[column] for column in FEATURES.categorical_columns]
    assert names == ["minor:os", "other:os"]


@given(MEMBERS, MEMBERS, st.sampled_from(["vpn", "history.reports"]))
def test_more_of_what_does_harm_moves_its_own_features_alone_and_upwards(
    first: MemberVector, second: MemberVector, name: str
) -> None:
    column = small_catalogue().columns.index(name)
    if np.isnan(first.values[column]):
        first.values[column] = 0.0
    before = _row(first, second)
    more = first.values.copy()
    more[column] += 1.0
    after = _row(MemberVector(first.probability_minor, more), second)
    touched = np.array([n.endswith(f":{name}") or n.startswith("danger:") for n in FEATURES.names])
    assert after[~touched].tobytes() == before[~touched].tobytes()
    assert (after[touched] >= before[touched]).all()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65, 300])
def test_many_pairs_have_the_bits_of_one_by_one(count: int) -> None:
    a, b = random_members(count, seed=1), random_members(count, seed=2)
    mixed = np.random.default_rng(3).random(count)
    rows = FEATURES.rows(a, b, minor_adult_probability=mixed)
    swapped = FEATURES.rows(b, a, minor_adult_probability=mixed)
    assert rows.tobytes() == swapped.tobytes()
    for i in range(count):
        one = MemberVector(float(a.probability_minor[i]), a.values[i])
        two = MemberVector(float(b.probability_minor[i]), b.values[i])
        single = FEATURES.row(one, two, minor_adult_probability=float(mixed[i]))
        assert single.tobytes() == rows[i].tobytes()


def test_catalogue_without_some_kinds_of_signals_still_makes_features() -> None:
    for mapping in (
        {},
        {"interests": ["games"]},
        {"signals": [{"name": "vpn", "kind": "flag", "direction": "increasing"}]},
        {"signals": [{"name": "os", "kind": "category", "categories": ["ios"]}]},
    ):
        catalogue = SignalCatalogue.from_mapping(mapping)
        features = PairFeatures(catalogue)
        values = np.zeros((2, len(catalogue.columns)))
        members = MemberMatrix(np.array([0.5, 0.5]), values)
        rows = features.rows(members, members, minor_adult_probability=np.array([0.5, 0.5]))
        assert rows.shape == (2, len(features.names))


def test_groups_of_the_default_catalogue_are_about_ten() -> None:
    features = PairFeatures(default_catalogue())
    assert 8 <= len(set(features.groups)) <= 11
