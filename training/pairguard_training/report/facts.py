"""What a report is made of, and how the data is summed up in it.

Owns these values. It must not know how a page is laid out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pairguard.bundle.loading import Bundle
from pairguard.policy.regions import Policy
from pairguard_training.evaluation import Evaluation
from pairguard_training.report.drift import Drift, compare_references
from pairguard_training.report.examples import Example, worked_pairs
from pairguard_training.tables.reading import Tables


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The data set in a few counts.

    Attributes:
        participants: Distinct participants.
        snapshots: Sessions of them.
        pairs: Proposed pairs.
        outcomes: Records of what happened.
        labels: Age labels by how the age was established.
        first_seconds: Time of the first snapshot, seconds since 1970.
        last_seconds: Of the last.
        data_hash: Of the files.
        warnings: What was odd in them.
    """

    participants: int
    snapshots: int
    pairs: int
    outcomes: int
    labels: dict[str, int]
    first_seconds: float
    last_seconds: float
    data_hash: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything that a report says.

    Attributes:
        bundle: What it is about.
        champion_version: What it was compared with; None: nothing.
        policy: Under which decisions were made.
        evaluation: How the bundle did.
        data: What it was judged on.
        drift: The training data against the champion's; None: there is no champion.
        examples: Made-up pairs and what is decided on them.
    """

    bundle: Bundle
    champion_version: str | None
    policy: Policy
    evaluation: Evaluation
    data: DataFacts
    drift: Drift | None
    examples: list[Example]

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The bundle's certificate."""
        return self.bundle.certificate


def report_facts(
    bundle: Bundle,
    champion: Bundle | None,
    tables: Tables,
    policy: Policy,
    evaluation: Evaluation,
) -> ReportFacts:
    """Gather what a report says.

    Args:
        bundle: What it is about.
        champion: What it was compared with; None: nothing.
        tables: What it was judged on.
        policy: Under which decisions were made.
        evaluation: How it did.
    """
    data = data_facts(tables)
    return ReportFacts(
        bundle=bundle,
        champion_version=None if champion is None else champion.version,
        policy=policy,
        evaluation=evaluation,
        data=data,
        drift=None
        if champion is None
        else compare_references(champion.reference, bundle.reference),
        examples=worked_pairs(bundle.model, policy, now=data.last_seconds),
    )


def data_facts(tables: Tables) -> DataFacts:
    """Sum up a data set."""
    seconds = tables.snapshots["observed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    methods = tables.age_labels["method"].fill_null("not told").value_counts(sort=False)
    return DataFacts(
        participants=tables.snapshots["participant_id"].n_unique(),
        snapshots=tables.snapshots.height,
        pairs=tables.pairs.height,
        outcomes=tables.outcomes.height,
        labels=dict(sorted(methods.iter_rows())),
        first_seconds=float(seconds.min()),
        last_seconds=float(seconds.max()),
        data_hash=tables.data_hash,
        warnings=tables.warnings,
    )
