from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pairguard.bundle.defaults import default_policy_text
from pairguard.bundle.loading import load_bundle
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.policy.state import StoredState
from pairguard_training import exposure
from pairguard_training.assessing import assess_snapshots
from pairguard_training.comparison import EvaluationSettings, held_out_pairs
from pairguard_training.exposure import (
    MEETINGS_WITH_ADULTS,
    MINORS_EXPOSED,
    MINORS_MEETING,
    MIXED_AMONG_ALLOWED,
    measure_exposure,
)
from pairguard_training.fitting import Fit
from pairguard_training.pair_decisions import decide_pairs
from pairguard_training.splitting import Part, split_tables
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import read_truth
from tests.unit.training.small_world import default_policy

SETTINGS = EvaluationSettings(
    unseen=False, resamples=50, seed=1, threads=1, report_window_days=14.0
)


def week(pairs: list[tuple[str, str]], judged: set[str]) -> exposure._Week:
    owners = [(p, i, s) for i, pair in enumerate(pairs) for s, p in enumerate(pair) if p in judged]
    people = list(dict.fromkeys(person for person, _, _ in owners))
    return exposure._Week(
        sides=pairs,
        groups=([a for a, _ in pairs], [b for _, b in pairs]),
        owners=np.array([people.index(person) for person, _, _ in owners]),
        of_pair=np.array([pair for _, pair, _ in owners]),
        second=np.array([side for _, _, side in owners]),
        people=people,
        days=7.0,
    )


def estimates(
    pairs: list[tuple[str, str]], minor: dict[str, float], allowed: list[bool]
) -> dict[str, float]:
    minors = np.array([[minor[a], minor[b]] for a, b in pairs])
    mixed = minors[:, 0] * (1 - minors[:, 1]) + minors[:, 1] * (1 - minors[:, 0])
    found = exposure._estimates(
        week(pairs, set(minor)), np.array(allowed), mixed, minors, settings=SETTINGS
    )
    return {name: estimate.value for name, estimate in found.items()}


def lax_policy() -> Policy:
    text = default_policy_text()
    for before, after in (
        ('= "NOBODY" ', '= "ADULTS_AND_UNKNOWN" '),
        ("reroute_harm = 0.02", "reroute_harm = 0.5"),  # of the small world's harm
        ("block_harm = 0.02", "block_harm = 0.5"),
        ("reroute_risk = 0.06", "reroute_risk = 0.5"),
    ):
        assert before in text
        text = text.replace(before, after)
    return Policy.from_mapping(tomllib.loads(text))


def test_each_minor_counts_once_whatever_it_meets() -> None:
    minor = {"kid": 1.0, "child": 1.0, "teen": 1.0, "man": 0.0, "woman": 0.0}
    pairs = [("kid", "man"), ("kid", "woman"), ("kid", "child"), ("child", "man"), ("man", "woman")]
    pairs += [("teen", "woman")]
    found = estimates(pairs, minor, [True, True, True, False, True, False])
    assert found[MIXED_AMONG_ALLOWED] == pytest.approx(2 / 4)
    assert found[MINORS_MEETING] == pytest.approx(2 / 3)  # kid and child
    assert found[MINORS_EXPOSED] == pytest.approx(1 / 3)  # kid
    assert found[MEETINGS_WITH_ADULTS] == pytest.approx((2 / 3 + 0) / 2)


def test_chances_of_several_meetings_add_up_as_independent_ones() -> None:
    minor = {"kid": 1.0, "one": 0.5, "other": 0.9}
    found = estimates([("kid", "one"), ("kid", "other")], minor, [True, True])
    # One of three is surely a minor; the partners are minors with .5 and .9 and meet the kid.
    kid = 1.0 - 0.5 * 0.9
    assert found[MINORS_EXPOSED] == pytest.approx(kid * 1.0 / (1.0 + 0.5 + 0.9))
    assert found[MEETINGS_WITH_ADULTS] == pytest.approx((0.5 + 0.1) / 2 / (1.0 + 0.5 + 0.9))


def test_nothing_seen_is_not_nothing() -> None:
    minors = np.array([[0.0, 0.0], [1.0, 0.0]])
    found = exposure._estimates(
        week([("a", "b"), ("c", "d")], {"a", "b", "c", "d"}),
        np.array([True, False]),
        np.array([0.0, 1.0]),
        minors,
        settings=SETTINGS,
    )
    assert found[MIXED_AMONG_ALLOWED].value == 0.0
    assert found[MIXED_AMONG_ALLOWED].high == pytest.approx(0.975)
    assert found[MINORS_EXPOSED].high == pytest.approx(0.975)
    assert np.isnan(found[MEETINGS_WITH_ADULTS].value)


def test_exposure_is_of_held_out_people_and_has_the_truth_beside_it(
    small_world: Path, small_fit: tuple[Tables, Fit], small_bundle: Path
) -> None:
    tables, _ = small_fit
    truth, notes = read_truth(small_world, tables), list[str]()
    found = measure_exposure(
        load_bundle(small_bundle).model,
        tables,
        truth,
        policy=lax_policy(),
        split=split_tables(tables, seed=1),
        settings=SETTINGS,
        notes=notes,
    )
    assert found is not None
    assert notes == []
    assert 0 < found.allowed < found.pairs
    assert found.true is not None
    assert found.implied.keys() == found.true.keys()
    assert found.implied[MIXED_AMONG_ALLOWED].value <= 0.05  # the policy's threshold
    assert 0.0 < found.days <= 7.0


def test_without_pairs_nothing_is_told(small_fit: tuple[Tables, Fit], small_bundle: Path) -> None:
    tables, _ = small_fit
    bare = Tables(
        snapshots=tables.snapshots,
        age_evidence=tables.age_evidence,
        pairs=tables.pairs.clear(),
        outcomes=tables.outcomes.clear(),
        age_labels=tables.age_labels,
    )
    notes: list[str] = []
    found = measure_exposure(
        load_bundle(small_bundle).model,
        bare,
        read_truth(Path("nowhere"), bare),
        policy=default_policy(),
        split=split_tables(bare, seed=1),
        settings=SETTINGS,
        notes=notes,
    )
    assert found is None
    assert any("exposure not told" in note for note in notes)


def test_decisions_in_a_batch_are_those_of_the_service(
    small_fit: tuple[Tables, Fit], small_bundle: Path
) -> None:
    tables, _ = small_fit
    model, policy = load_bundle(small_bundle).model, default_policy()
    pairs = held_out_pairs(tables, split_tables(tables, seed=1), frozenset({Part.TEST}))
    assessed = assess_snapshots(model, tables, pairs.snapshots, before_labels=True, title="test")
    judge = Judge(model, policy)
    people = assessed.participants
    for a, b in pairs.sides:
        now = max(assessed.seconds[a], assessed.seconds[b])
        then = {name: model.assess_participant(people[name], now) for name in (a, b)}
        (found,) = decide_pairs(model, policy, replace(assessed, assessments=then), [(a, b)])
        served = judge.judge_pair(people[a], people[b], now=now, state=StoredState())
        assert found == served.decision
