"""Assessing the snapshots of a data set with the functions that serve.

Owns the batch: each snapshot once, and pairs of snapshots as rows of features. It must not know
what is learned from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.regions import Policy
from pairguard.risk.features import MemberMatrix, PairFeatures
from pairguard.risk.model import ParticipantAssessment, RiskModel
from pairguard.risk.pair import minor_adult_probability
from pairguard.risk.participant import Participant
from pairguard_training.progress import progress
from pairguard_training.tables.participants import observed_seconds, participants
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Assessed:
    """Snapshots with everything that serving would know of them.

    Attributes:
        participants: By snapshot.
        assessments: By snapshot.
        seconds: Time of each snapshot, seconds since 1970: the ``now`` of its assessment.
    """

    participants: dict[str, Participant]
    assessments: dict[str, ParticipantAssessment]
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class PairRows:
    """Pairs as the harm model sees them.

    Attributes:
        features: (n, f) by ``PairFeatures``.
        minor_adult: (n,) P(the pair is mixed) under the adult ages that count for it.
    """

    features: Array
    minor_adult: Array


def assess_snapshots(
    model: RiskModel,
    tables: Tables,
    snapshot_ids: Sequence[str],
    *,
    before_labels: bool = False,
    title: str,
) -> Assessed:
    """Assess snapshots, each once and at its own time.

    Args:
        model: What serves, or part of it.
        tables: The data set.
        snapshot_ids: Which; repeats are taken once.
        before_labels: Whether to leave out the check that labelled somebody's age, and later ones.
        title: What the progress bar says.
    """
    names = list(dict.fromkeys(snapshot_ids))
    people = participants(tables, names, before_labels=before_labels)
    times = observed_seconds(tables, names)
    assessments: dict[str, ParticipantAssessment] = {}
    with progress(len(names), title) as advance:
        for start in range(0, len(names), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            for name, person, now in zip(names[chunk], people[chunk], times[chunk], strict=True):
                assessments[name] = model.assess_participant(person, float(now))
            advance(len(names[chunk]))
    return Assessed(
        participants=dict(zip(names, people, strict=True)),
        assessments=assessments,
        seconds=dict(zip(names, times.tolist(), strict=True)),
    )


def adult_ages_of(policy: Policy, one: Participant, other: Participant) -> frozenset[int]:
    """Return the adult ages that count for a pair."""
    return policy.for_pair(one.located_region, other.located_region).adult_ages


def pair_rows(
    features: PairFeatures,
    policy: Policy,
    assessed: Assessed,
    snapshots_a: Sequence[str],
    snapshots_b: Sequence[str],
) -> PairRows:
    """Return the features of pairs of assessed snapshots, the same bits as when they are served."""
    count = len(snapshots_a)
    minor_adult = np.empty(count)
    minors_a, minors_b = np.empty(count), np.empty(count)
    for row, (name_a, name_b) in enumerate(zip(snapshots_a, snapshots_b, strict=True)):
        a, b = assessed.assessments[name_a].age, assessed.assessments[name_b].age
        ages = adult_ages_of(policy, assessed.participants[name_a], assessed.participants[name_b])
        minor_adult[row] = minor_adult_probability(a, b, ages)
        minors_a[row], minors_b[row] = (
            a.probability_below(max(ages)),
            b.probability_below(max(ages)),
        )
    if not count:
        return PairRows(np.empty((0, len(features.names))), minor_adult)
    values_a = np.stack([assessed.assessments[name].values for name in snapshots_a])
    values_b = np.stack([assessed.assessments[name].values for name in snapshots_b])
    rows = features.rows(
        MemberMatrix(minors_a, values_a),
        MemberMatrix(minors_b, values_b),
        minor_adult_probability=minor_adult,
    )
    return PairRows(rows, minor_adult)
