"""A data set day by day beside a reference.

Owns the counts of each day and of all days together. It must not know how they are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from pairguard.drift.comparison import Finding, Verdict, compare
from pairguard.drift.groups import Unit
from pairguard.drift.reference import DriftReference, PerUnit
from pairguard.drift.tally import Layout
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.drift.looking import look
from pairguard_training.drift.sampling import Sample, Sampler, effective
from pairguard_training.drift.words import new_words
from pairguard_training.tables.reading import Tables

FEWEST_DAYS: Final = 14
"""From so many days on, one more or less of any weekday matters little."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day beside the reference.

    Attributes:
        day: Which, UTC; None: all together.
        participants: How many were looked at.
        pairs: How many were looked at.
        worth: What share of them is independent at the least.
        findings: The largest difference first.
    """

    day: date | None
    participants: int
    pairs: int
    worth: PerUnit
    findings: tuple[Finding, ...]

    def beyond_noise(self) -> tuple[Finding, ...]:
        """Return what is larger than chance alone gives."""
        return tuple(each for each in self.findings if each.verdict >= Verdict.SMALL)


@dataclass(frozen=True, slots=True)
class Series:
    """A data set beside a reference.

    Attributes:
        whole: All days together.
        days: Each day.
        new_words: By variable, words that many have and the reference lists not: in its sample
            they are seldom or never; the most frequent first, each with its count.
        same_policy: Whether the policy is that of the reference; else decisions are not compared.
    """

    whole: Day
    days: tuple[Day, ...]
    new_words: dict[str, list[tuple[str, int]]]
    same_policy: bool


def series(
    reference: DriftReference,
    tables: Tables,
    model: RiskModel,
    policy: Policy,
    *,
    most_a_day: int,
    seed: int,
) -> Series:
    """Compare each day of a data set, and all of them together, with a reference."""
    layout = Layout(reference.variables)
    same_policy = policy.version == reference.policy_version
    sampler = Sampler(tables, seed=seed)
    samples = {
        day: sampler.sample(most_participants=most_a_day, most_pairs=most_a_day, day=day)
        for day in sampler.days
    }
    whole = Sample(
        tuple(name for each in samples.values() for name in each.snapshots),
        tuple(name for each in samples.values() for name in each.participants),
        tuple(day for each in samples.values() for day in each.days),
        tuple(pair for each in samples.values() for pair in each.pairs),
    )
    seen = look(tables, whole, model, policy, title=f"{len(samples)} days")
    days = []
    total = layout.empty()
    people, pairs = iter(seen.participants), iter(seen.pairs)
    for day, sample in samples.items():
        counts = layout.empty()
        for _ in sample.snapshots:
            layout.count(counts, Unit.PARTICIPANT, next(people))
        for _ in sample.pairs:
            layout.count(counts, Unit.PAIR, next(pairs))
        total += counts
        worth = PerUnit(1.0, 1.0)
        found = compare(reference, layout, counts, worth=worth, same_policy=same_policy)
        days.append(Day(day, len(sample.snapshots), len(sample.pairs), worth, tuple(found)))
    worth = _worth(whole)
    found = compare(
        reference,
        layout,
        total,
        worth=worth,
        same_policy=same_policy,
        whole_weeks=len(samples) >= FEWEST_DAYS,
    )
    return Series(
        whole=Day(None, len(whole.snapshots), len(whole.pairs), worth, tuple(found)),
        days=tuple(days),
        new_words=new_words(reference, seen),
        same_policy=same_policy,
    )


def _worth(sample: Sample) -> PerUnit:
    found = effective(sample.participants, sample.pairs)
    return PerUnit(
        min(found.participants / max(len(sample.participants), 1), 1.0),
        min(found.pairs / max(len(sample.pairs), 1), 1.0),
    )
