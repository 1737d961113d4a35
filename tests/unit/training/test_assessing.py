"""Snapshots that are assessed together, and rows that are made of them, against one by one."""

from __future__ import annotations

import pytest

from pairguard.risk.members import MemberVector
from pairguard.risk.model import RiskModel
from pairguard.risk.pair import minor_adult_probability
from pairguard_training import assessing
from pairguard_training import pair_rows as pair_rows_module
from pairguard_training.assessing import adult_ages_of, assess_snapshots
from pairguard_training.fitting import Fit
from pairguard_training.pair_rows import pair_rows
from pairguard_training.tables.participants import SnapshotReader, observed_seconds, participants
from pairguard_training.tables.reading import Tables
from tests.unit.training.small_world import default_policy


def afresh(fit: Fit) -> RiskModel:
    """Return a model that has kept nobody."""
    model = fit.model
    return RiskModel(model.tables, model.catalogue, model.behaviour, model.harm)


@pytest.mark.parametrize("before_labels", [False, True])
def test_snapshots_together_have_the_bits_of_each_alone(
    small_fit: tuple[Tables, Fit], monkeypatch: pytest.MonkeyPatch, before_labels: bool
) -> None:
    monkeypatch.setattr(assessing, "_CHUNK", 300)  # the last one is small
    tables, fit = small_fit
    names = tables.snapshots["snapshot_id"].to_list()[:1_000]
    together = assess_snapshots(
        afresh(fit), tables, [*names, names[0]], before_labels=before_labels, title=""
    )
    people = participants(tables, names, before_labels=before_labels)
    times = observed_seconds(tables, names)
    assert len(set(times.tolist())) > 500  # each at its own time
    alone = afresh(fit)
    assert list(together.assessments) == names
    for name, person, now in zip(names, people, times.tolist(), strict=True):
        expected, found = alone.assess_participant(person, now), together.assessments[name]
        assert together.participants[name] == person
        assert together.seconds[name] == now
        assert found.age.probabilities.tobytes() == expected.age.probabilities.tobytes()
        assert found.age.cumulative.tobytes() == expected.age.cumulative.tobytes()
        assert found.age.conflict == expected.age.conflict
        assert found.values.tobytes() == expected.values.tobytes()
        assert found.unknown_names == expected.unknown_names
        assert found.behaviour_known == expected.behaviour_known
        assert found.history_known == expected.history_known


def test_rows_of_pairs_have_the_bits_of_each_pair_alone(
    small_fit: tuple[Tables, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_rows_module, "_ROWS_AT_ONCE", 64)
    tables, fit = small_fit
    policy = default_policy()
    features = fit.model.pair_features
    assert features.danger_columns
    some = tables.pairs.head(300)
    firsts, seconds = some["snapshot_a"].to_list(), some["snapshot_b"].to_list()
    assessed = assess_snapshots(afresh(fit), tables, [*firsts, *seconds], title="")
    whole = pair_rows(features, policy, assessed, firsts, seconds)
    several = set()
    for row, (a, b) in enumerate(zip(firsts, seconds, strict=True)):
        one, other = assessed.assessments[a], assessed.assessments[b]
        ages = adult_ages_of(policy, assessed.participants[a], assessed.participants[b])
        several.add(ages)
        mixed = minor_adult_probability(one.age, other.age, ages)
        assert whole.minor_adult[row] == mixed
        expected = features.row(
            *(MemberVector(x.age.probability_below(max(ages)), x.values) for x in (one, other)),
            minor_adult_probability=mixed,
        )
        assert whole.features[row].tobytes() == expected.tobytes()
    assert len(several) > 1  # regions with different adult ages are among them


def test_participants_read_in_parts_are_those_read_at_once(small_fit: tuple[Tables, Fit]) -> None:
    tables, _ = small_fit
    names = tables.snapshots["snapshot_id"].to_list()[:200][::-1]
    reader = SnapshotReader(tables)
    parts = [*reader.participants(names[:70]), *reader.participants(names[70:])]
    assert parts == participants(tables, names)
    assert any(person.age_evidence for person in parts)
    assert reader.participants([names[3]] * 2) == [parts[3]] * 2
    with pytest.raises(KeyError):
        reader.participants(["nobody"])
