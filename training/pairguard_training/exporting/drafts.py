"""What one record of the journal gives to the tables, before it is put into columns.

Owns the shapes of rows that one record gives. A record gives all of its rows or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pairguard_training.exporting.tally import Tally

OF_REVIEW: Final = "MODERATOR"


class Snapshot(NamedTuple):
    """A participant as it was decided on."""

    snapshot_id: str
    participant_id: str
    observed_time: int
    region: str | None
    language: str | None
    entry_path: str | None
    interests: list[str] | None
    signals: Mapping[str, float]
    attributes: Mapping[str, str]


class Pair(NamedTuple):
    """A proposed pair and what was decided."""

    pair_id: str
    snapshot_a: str
    snapshot_b: str
    proposed_time: int
    modality: str | None
    wait_seconds: float | None
    decision: str
    allow_probability: float | None
    bundle_version: str
    policy_version: str


class Meeting(NamedTuple):
    """Who a pair is, to find it again when something happened to it."""

    pair_id: str
    decision_id: str
    ranked: bool
    person_a: str
    person_b: str
    allowed: bool
    proposed_time: int


class Happening(NamedTuple):
    """An event, before it is known which pair it is about."""

    event_id: str
    kind: str
    chat_id: str | None
    decision_id: str | None
    person_a: str
    person_b: str | None
    category: str | None
    verdict: str | None
    duration_seconds: float | None
    observed_time: int
    received_time: int
    report_ids: list[str]


class Verification(NamedTuple):
    """An exact age that a check disclosed, or a moderator confirmed."""

    participant_id: str
    evidence_id: str | None
    method: str
    age_years: float
    verified_time: int


class Link(NamedTuple):
    """Two ids of one participant."""

    participant_id: str
    linked_id: str


@dataclass(slots=True)
class Draft:
    """What one record gives."""

    snapshots: list[Snapshot] = field(default_factory=list)
    age_evidence: list[tuple[Any, ...]] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    meetings: list[Meeting] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    newest: int = 0
    key_id: str = ""
