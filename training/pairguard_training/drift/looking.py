"""What is seen of sampled participants and pairs, with the functions that serve.

Owns the assessment of a sample, and that a pair is decided on as ``Judge`` would, but for the plan
of age checks, which nobody looks at here. It must not know what is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pairguard.drift.sightings import Sighting, Sightings, of_pair, of_vendors
from pairguard.policy.decision import decide
from pairguard.policy.judgement import side_of
from pairguard.policy.regions import Policy
from pairguard.policy.state import NOTHING_KEPT
from pairguard.risk.model import RiskModel
from pairguard_training.assessing import assess_snapshots
from pairguard_training.drift.sampling import Sample
from pairguard_training.tables.participants import observed_seconds, participants
from pairguard_training.tables.reading import Tables


@dataclass(frozen=True, slots=True)
class Seen:
    """Values of a sample by name, in its order.

    Attributes:
        participants: Of each participant.
        pairs: Of each pair.
        days: Of the participants.
        vendors: What providers said of more participants, each of them once.
    """

    participants: list[Sightings]
    pairs: list[Sightings]
    days: tuple[date, ...]
    vendors: tuple[Sightings, ...] = ()


def look(tables: Tables, sample: Sample, model: RiskModel, policy: Policy, *, title: str) -> Seen:
    """Assess each participant at the time of its snapshot, and decide on each pair.

    Nothing is kept of anybody: the state is that of a store that knows nobody.
    """
    sighting = Sighting(model.catalogue)
    sides = [name for pair in sample.pairs for name in pair.snapshots]
    assessed = assess_snapshots(model, tables, [*sample.snapshots, *sides], title=title)
    people, assessments = assessed.participants, assessed.assessments
    seen = Seen([], [], sample.days)
    for name in sample.snapshots:
        person = people[name]
        lines = policy.for_participant(person.located_region)
        seen.participants.append(
            sighting.of_participant(
                person,
                assessments[name],
                adult_age=max(lines.adult_ages),
                now=assessed.seconds[name],
            )
        )
    for pair in sample.pairs:
        a, b = pair.snapshots
        lines_a = policy.for_participant(people[a].located_region)
        lines_b = policy.for_participant(people[b].located_region)
        lines = policy.stricter(lines_a, lines_b)
        decision = decide(
            lines,
            side_of(people[a], assessments[a], lines_a, NOTHING_KEPT),
            side_of(people[b], assessments[b], lines_b, NOTHING_KEPT),
            risk=model.assess_pair(assessments[a], assessments[b], lines.adult_ages),
        )
        seen.pairs.append(of_pair(decision))
    return seen


def look_at_vendors(tables: Tables, snapshot_ids: Sequence[str]) -> tuple[Sightings, ...]:
    """Return what providers said of the participants of snapshots, which nobody has to assess."""
    people = participants(tables, snapshot_ids)
    times = observed_seconds(tables, snapshot_ids).tolist()
    return tuple(
        [of_vendors(person.age_evidence, now) for person, now in zip(people, times, strict=True)]
    )
