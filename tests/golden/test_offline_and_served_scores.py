"""What training computed and what a loaded bundle computes are the same numbers, to the bit."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pairguard.bundle.loading import load_bundle
from pairguard.policy.judgement import Judge
from pairguard.policy.state import StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant
from pairguard_training.assessing import assess_snapshots
from pairguard_training.fitting import Fit
from pairguard_training.harm_labels import newest_time
from pairguard_training.pair_rows import pair_rows
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables
from tests.unit.training.small_world import default_policy

PAIRS = 200


@pytest.fixture(scope="module")
def fitted(small_fit: tuple[Tables, Fit], small_bundle: Path) -> tuple[Tables, Fit, RiskModel]:
    return *small_fit, load_bundle(small_bundle).model


def sides(tables: Tables) -> tuple[list[str], list[str]]:
    pairs = tables.pairs.tail(PAIRS)
    return pairs["snapshot_a"].to_list(), pairs["snapshot_b"].to_list()


def bits(*values: float | None) -> tuple[bytes | None, ...]:
    return tuple(None if value is None else struct.pack("<d", value) for value in values)


def judged(model: RiskModel, a: Participant, b: Participant, now: float) -> tuple[object, ...]:
    found = Judge(model, default_policy()).judge_pair(a, b, now=now, state=StoredState())
    risk = found.decision.risk
    return (
        found.decision.kind,
        found.a.age.probabilities.tobytes(),
        found.b.age.probabilities.tobytes(),
        *bits(risk.minor_adult_probability, risk.harm_probability, risk.risk_score),
    )


def test_in_memory_and_loaded_models_give_the_same_bits(
    fitted: tuple[Tables, Fit, RiskModel],
) -> None:
    tables, fit, loaded = fitted
    assert loaded.harm is not None
    assert loaded.behaviour is not None
    firsts, seconds = sides(tables)
    now = newest_time(tables).timestamp()
    for a, b in zip(participants(tables, firsts), participants(tables, seconds), strict=True):
        assert judged(fit.model, a, b, now) == judged(loaded, a, b, now)


def test_batches_in_training_and_single_pairs_in_service_give_the_same_bits(
    fitted: tuple[Tables, Fit, RiskModel],
) -> None:
    tables, fit, loaded = fitted
    assert fit.harm is not None
    firsts, seconds = sides(tables)
    policy = default_policy()
    assessed = assess_snapshots(fit.model, tables, [*firsts, *seconds], title="")
    rows = pair_rows(fit.model.pair_features, policy, assessed, firsts, seconds)
    offline = fit.harm.calibrated(rows.features)
    for place, (a, b) in enumerate(zip(firsts, seconds, strict=True)):
        one, other = assessed.participants[a], assessed.participants[b]
        served = loaded.assess_pair(
            loaded.assess_participant(one, assessed.seconds[a]),
            loaded.assess_participant(other, assessed.seconds[b]),
            policy.for_pair(one.located_region, other.located_region).adult_ages,
        )
        expected = bits(float(rows.minor_adult[place]), float(offline[place]))
        assert bits(served.minor_adult_probability, served.harm_probability) == expected
