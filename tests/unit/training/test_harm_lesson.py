from __future__ import annotations

import numpy as np
import pytest

from pairguard.risk.pair import minor_adult_probability
from pairguard_training.assessing import adult_ages_of, assess_snapshots
from pairguard_training.fitting import Fit
from pairguard_training.harm.lesson import HarmLesson
from pairguard_training.harm_labels import harm_rows
from pairguard_training.splitting import Part, split_tables
from pairguard_training.tables.reading import Tables
from tests.unit.training.small_world import default_policy


def test_of_too_many_pairs_the_harmed_stay_and_the_others_stand_for_those_left_out(
    small_fit: tuple[Tables, Fit],
) -> None:
    tables, _ = small_fit
    rows, split = harm_rows(tables), split_tables(tables, seed=1)
    whole = HarmLesson(tables, rows, split, frozenset())
    assert np.array_equal(whole.looked_at, whole.chosen)
    most = whole.chosen.size // 2
    part = HarmLesson(tables, rows, split, frozenset(), most=most)
    assert part.looked_at.size == most
    assert rows.harmed[part.looked_at].sum() == part.positives == whole.positives > 0
    assert part.figures() == whole.figures()
    assert part._weights[rows.harmed[part.looked_at]].max() <= whole._weights.max()
    assert part._weights.sum() == pytest.approx(whole._weights.sum(), rel=0.02)
    assert any("left out by lot" in note for note in part.notes())
    assert not any("left out by lot" in note for note in whole.notes())


def test_pairs_are_those_of_their_snapshots_one_by_one(small_fit: tuple[Tables, Fit]) -> None:
    tables, fit = small_fit
    rows, split, policy = harm_rows(tables), split_tables(tables, seed=1), default_policy()
    taught = frozenset(tables.age_labels["participant_id"].head(30))
    lesson = HarmLesson(tables, rows, split, taught)
    pairs = lesson.pairs(fit.model, policy)
    names, owners = tables.snapshots["snapshot_id"], tables.snapshots["participant_id"]
    sides = [names[side[lesson.looked_at][:200]].to_list() for side in (rows.first, rows.second)]
    assessed = assess_snapshots(fit.model, tables, [*sides[0], *sides[1]], title="")
    for row, (a, b) in enumerate(zip(*sides, strict=True)):
        one, other = assessed.assessments[a], assessed.assessments[b]
        people = assessed.participants[a], assessed.participants[b]
        ages = adult_ages_of(policy, *people)
        assert pairs.mixed[row] == minor_adult_probability(one.age, other.age, ages)
        assert pairs.minor_first[row] == one.age.probability_below(max(ages))
        assert pairs.vectors[pairs.second[row]].tobytes() == other.values.tobytes()
        ids = {person.participant_id for person in people}
        assert pairs.strangers[row] == taught.isdisjoint(ids)
        assert all(split.parts[person] is not Part.TEST for person in ids)
        trains = all(split.parts[person] is Part.TRAIN for person in ids)
        assert lesson.training[row] == trains
    every = [owners[side[lesson.looked_at]].to_list() for side in (rows.first, rows.second)]
    numbered = dict(
        zip([*every[0], *every[1]], [*pairs.groups_first, *pairs.groups_second], strict=True)
    )
    groups = {split.groups[person] for person in numbered}
    order = {group: number for number, group in enumerate(sorted(groups))}
    assert all(number == order[split.groups[person]] for person, number in numbered.items())
