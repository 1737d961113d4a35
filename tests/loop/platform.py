"""A simulated chat platform as a chat backend would tell of it, and what it knows better.

Owns the way from the simulator's tables to proposals: what is sent of each person, and beside it
the truth that only a simulation has. It must not know what is decided.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pairguard.client import (
    AgeEvidence,
    Event,
    ParticipantInput,
    ParticipantReference,
    ReviewVerdict,
    VerificationMethod,
    VerifiedAge,
)
from pairguard_training.simulation.platform import simulate
from pairguard_training.tables.participants import observed_seconds, participants
from pairguard_training.tables.reading import read_tables
from tests.told_evidence import Moved, told

_HARMFUL = ("PREDATORY", "POSING", "RUDE")
_REVIEWED_SHARE = 0.2
_BORROWED_SHARE = 0.01
_ADULT_AGE = 18.0


@dataclass(frozen=True, slots=True)
class Session:
    """One person at one time: what is sent with a call, and what was recorded before."""

    participant: ParticipantInput
    evidence: tuple[AgeEvidence, ...]

    @property
    def reference(self) -> ParticipantReference:
        """Who it is."""
        return self.participant.reference


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed pair and, beside it, the truth of the simulation.

    Attributes:
        a: One of the two.
        b: The other.
        mixed: Whether exactly one of them is under 18.
        report_probability: P(harm is reported, upheld where it was reviewed | they meet).
        reported_is_a: Whom a report is about.
    """

    a: Session
    b: Session
    mixed: bool
    report_probability: float
    reported_is_a: bool


@dataclass(frozen=True, slots=True)
class Label:
    """An age that was established after everything else: by a document, or by a review."""

    participant: ParticipantReference
    evidence: AgeEvidence | None
    review: Event | None


@dataclass(frozen=True, slots=True)
class Platform:
    """What is proposed, in order of time, and whose ages are established in the end."""

    proposals: list[Proposal]
    labels: list[Label]


def simulated_platform(
    directory: Path,
    *,
    participants_count: int,
    pairs: int,
    seed: int,
    name: str,
    now: datetime,
    labelled_share: float,
) -> Platform:
    """Simulate a platform; its people bear ids of ``name``, and all its time is moved to ``now``.

    Nothing that the simulation has labelled anybody by is told: a share of all is, in the end. What
    a simulated participant's service would have counted is left out: the real one counts.
    """
    simulate(directory, participants=participants_count, pairs=pairs, seed=seed)
    tables = read_tables(directory)
    ids = tables.snapshots["snapshot_id"].to_list()
    seconds = dict(zip(ids, observed_seconds(tables).tolist(), strict=True))
    clusters = dict(zip(ids, tables.snapshots["cluster_id"].to_list(), strict=True))
    sessions: dict[str, Session] = {}
    # A label is told at the end and stands in nothing that was known before it.
    for snapshot, each in zip(ids, participants(tables, before_labels=True), strict=True):
        moved = Moved(now, now.timestamp() - seconds[snapshot])
        linked = [f"{name}-{clusters[snapshot]}"] if clusters[snapshot] else []
        sessions[snapshot] = Session(
            ParticipantInput(
                f"{name}-{each.participant_id}",
                linked_ids=linked,
                signals=dict(each.signals),
                attributes=dict(each.attributes),
                interests=each.interests,
                region=each.region,
                language=each.language,
                entry_path=each.entry_path,
            ),
            tuple(
                told(item, moved, evidence_id=f"{name}-{item.evidence_id}")
                for item in each.age_evidence
            ),
        )
    intents = pl.read_parquet(directory / "oracle" / "participants.parquet")
    harmful = {
        f"{name}-{person}"
        for person, intent in intents.select("participant_id", "intent").iter_rows()
        if intent in _HARMFUL
    }
    truth = pl.read_parquet(directory / "oracle" / "pairs.parquet")
    known = tables.pairs.sort("proposed_time", "pair_id").join(truth, on="pair_id", how="left")
    proposals = []
    for a, b, mixed, chance in known.select(
        "snapshot_a", "snapshot_b", "mixed", "label_probability_clairvoyant"
    ).iter_rows():
        one, other = sessions[a], sessions[b]
        if not set(one.participant.linked_ids).isdisjoint(other.participant.linked_ids):
            continue  # of one household, on one device: no backend proposes them to each other
        proposals.append(
            Proposal(one, other, mixed, chance, one.participant.participant_id in harmful)
        )
    return Platform(proposals, list(_labels(directory, labelled_share, name, seed, now)))


def _labels(directory: Path, share: float, name: str, seed: int, now: datetime) -> Iterable[Label]:
    """Establish the ages of a share of the people, drawn at random: most by a document.

    Right to the year, but that one minor in a hundred shows somebody else's document.
    """
    draw = random.Random(f"labels {seed}")
    known = pl.read_parquet(directory / "oracle" / "snapshots.parquet")
    ages = known.group_by("participant_id").agg(pl.col("true_age_years").max())
    for person, age in ages.sort("participant_id").iter_rows():
        if draw.random() >= share:
            continue
        who = ParticipantReference(f"{name}-{person}")
        reviewed = draw.random() < _REVIEWED_SHARE
        borrowed = not reviewed and age < _ADULT_AGE and draw.random() < _BORROWED_SHARE
        told_age = VerifiedAge(
            method=VerificationMethod.MODERATOR if reviewed else VerificationMethod.ID_DOCUMENT,
            age_years=float(draw.randint(19, 45) if borrowed else int(age)),
        )
        label_id = f"age-of-{who.participant_id}"
        if reviewed:
            verdict = ReviewVerdict(participant=who, confirmed_age=told_age)
            yield Label(who, None, Event(verdict, event_id=label_id))
        else:
            yield Label(who, AgeEvidence(told_age, label_id, now), None)


def later(labels: Iterable[Label], now: datetime) -> list[Label]:
    """Return labels as established just before ``now``: after everything that was decided."""
    moment = now - timedelta(seconds=1)
    return [
        each
        if each.evidence is None
        else replace(each, evidence=replace(each.evidence, observed_time=moment.astimezone(UTC)))
        for each in labels
    ]
