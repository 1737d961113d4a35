"""Assessing the snapshots of a data set with the functions that serve.

Owns the batch: each snapshot once. It must not know what is learned from them, nor what is made of
pairs of them (``pair_rows``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pairguard.policy.regions import Policy
from pairguard.risk.model import ParticipantAssessment, RiskModel
from pairguard.risk.participant import Participant
from pairguard_training.progress import progress
from pairguard_training.tables.participants import Rows, SnapshotReader, snapshot_rows
from pairguard_training.tables.reading import Tables

_CHUNK = 2_048
"""Snapshots at once: together they cost less, and each takes some ten thousand bytes meanwhile."""


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
    assessed = Assessed({}, {}, {})
    for part in assessed_parts(
        model, tables, snapshot_ids, before_labels=before_labels, title=title
    ):
        assessed.participants.update(part.participants)
        assessed.assessments.update(part.assessments)
        assessed.seconds.update(part.seconds)
    return assessed


def assessed_parts(
    model: RiskModel,
    tables: Tables,
    snapshot_ids: Sequence[str],
    *,
    before_labels: bool = False,
    title: str,
) -> Iterator[Assessed]:
    """Assess snapshots as ``assess_snapshots``, and yield them part by part, in their order.

    An assessment takes thousands of bytes: whoever needs a few numbers of each keeps those alone.
    """
    names = list(dict.fromkeys(snapshot_ids))
    rows = snapshot_rows(tables.snapshots, names)
    if names and rows.min() < 0:
        raise KeyError(names[int(rows.argmin())])
    return assessed_rows(model, tables, rows, before_labels=before_labels, title=title)


def assessed_rows(
    model: RiskModel,
    tables: Tables,
    rows: Rows,
    *,
    before_labels: bool = False,
    title: str,
) -> Iterator[Assessed]:
    """Do the same for rows of the table of snapshots, none of them twice."""
    reader = SnapshotReader(tables, before_labels=before_labels)
    names = tables.snapshots["snapshot_id"]
    with progress(rows.size, title) as advance:
        for start in range(0, rows.size, _CHUNK):
            places = rows[start : start + _CHUNK]
            chunk = names[places].to_list()
            people = reader.participants(places)
            times = reader.seconds(places).tolist()
            found = model.assess_participants(people, times)
            yield Assessed(
                participants=dict(zip(chunk, people, strict=True)),
                assessments=dict(zip(chunk, found, strict=True)),
                seconds=dict(zip(chunk, times, strict=True)),
            )
            advance(len(chunk))


def adult_ages_of(policy: Policy, one: Participant, other: Participant) -> frozenset[int]:
    """Return the adult ages that count for a pair."""
    return policy.for_pair(one.located_region, other.located_region).adult_ages
