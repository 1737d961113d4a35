"""Simulated people as a chat backend would tell of them.

Owns the way from the simulator's tables to what the client sends. Must not know what is done with
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pairguard.age.evidence as domain
from pairguard.client import ParticipantInput, evidence
from pairguard.client import vocabulary as words
from pairguard_training.simulation.platform import simulate
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import read_tables


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
            item
            for place, said in enumerate(each.age_evidence)
            if (item := _item(said, f"{each.participant_id}-{place}", now)) is not None
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


def _item(said: domain.AgeEvidence, evidence_id: str, now: datetime) -> evidence.AgeEvidence | None:
    observed = now - timedelta(days=1)
    if said.observed_time is not None:
        observed = min(datetime.fromtimestamp(said.observed_time, UTC), observed)
    observation: evidence.Observation
    match said.observation:
        case domain.SelfDeclared(age_years=age, birth_year=year):
            observation = evidence.SelfDeclared(age_years=age, birth_year=year)
        case domain.FacialAgeEstimate(mean_years=mean, liveness=liveness):
            observation = evidence.FacialAgeEstimate(
                mean_years=mean, liveness=words.Liveness.__members__.get(liveness.name)
            )
        case domain.AgeCheck(method=method, threshold_years=threshold, result=result):
            observation = evidence.AgeCheck(
                method=words.CheckMethod[method.name],
                threshold_years=threshold,
                result=words.CheckResult[result.name],
            )
        case domain.VerifiedAge(method=method, age_years=age, birth_year=year):
            observation = evidence.VerifiedAge(
                method=words.VerificationMethod[method.name], age_years=age, birth_year=year
            )
        case _:
            return None
    return evidence.AgeEvidence(
        observation,
        evidence_id,
        observed,
        provider=said.provider,
        binding=words.Binding.__members__.get(said.binding.name),
    )
