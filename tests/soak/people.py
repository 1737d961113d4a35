"""Simulated people as a chat backend would tell of them.

Owns the way from the simulator's tables to what the client sends. Must not know what is done with
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pairguard.client import ParticipantInput, evidence
from pairguard_training.simulation.platform import simulate
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import read_tables
from tests.told_evidence import Moved, told


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who chats, and what a check would show of them."""

    participant: ParticipantInput
    evidence: tuple[evidence.AgeEvidence, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own id, and that of its device last."""
        return (self.participant.participant_id, *self.participant.linked_ids)


def leaving_people(group: str, count: int) -> list[Person]:
    """Return people of whom nothing is known, each with a device of its own."""
    return [
        Person(ParticipantInput(f"{group}-{n}", linked_ids=[f"{group}-{n}-device"]), ())
        for n in range(count)
    ]


def simulated_people(directory: Path, *, count: int, seed: int, now: datetime) -> list[Person]:
    """Simulate people; their evidence is recorded once, and then only ids and signals are sent."""
    simulate(directory, participants=count, pairs=1, seed=seed)
    found: dict[str, Person] = {}
    for index, each in enumerate(participants(read_tables(directory))):
        if each.participant_id in found:
            continue
        items = tuple(
            told(said, Moved(now), evidence_id=f"{each.participant_id}-{place}")
            for place, said in enumerate(each.age_evidence)
        )
        device = f"device-{index % (count // 2 + 1)}"
        found[each.participant_id] = Person(
            ParticipantInput(
                each.participant_id,
                linked_ids=[device],
                signals=dict(each.signals),
                attributes=dict(each.attributes),
                interests=each.interests,
                region=each.region,
            ),
            items,
        )
    return list(found.values())
