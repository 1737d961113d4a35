"""What the evidence of labelled people says of their ages, as rows to learn from.

Owns the rows of groups of evidence, with the functions that serve. It must not know what is learned
from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pairguard.age.evidence import (
    AgeEvidence,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
)
from pairguard.age.tables import AgeTables
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.model import RiskModel
from pairguard_training.age_labels import AgeRows
from pairguard_training.assessing import Assessed, assess_snapshots
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]

GROUPS = ("declared", "estimated", "checked")
MOST_ROWS = 20_000
"""Further rows are left out: a few weights need no more."""

_LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class EvidenceRows:
    """Labelled rows whose evidence says something.

    Attributes:
        rows: The n labelled rows.
        places: (n,) where they stand among the rows asked for.
        priors: (n, 101) before any evidence, each sums to 1.
        posteriors: (n, 101) by evidence without behaviour, each sums to 1.
        by_group: For each of ``GROUPS``, (n, 101) log-likelihood of its items alone, but for a
            constant.
    """

    rows: AgeRows
    places: NDArray[np.intp]
    priors: Array
    posteriors: Array
    by_group: tuple[Array, ...]


def evidence_rows(
    age_tables: AgeTables, catalogue: SignalCatalogue, tables: Tables, rows: AgeRows
) -> EvidenceRows:
    """Return what evidence says of people, without the checks that labelled them or later ones."""
    held = set(tables.age_evidence["snapshot_id"].unique().to_list())
    asked = [name for name in rows.snapshot_ids if name in held]
    asked = asked[:: max(-(-len(asked) // MOST_ROWS), 1)]
    model = RiskModel(age_tables, catalogue, None, None)
    assessed = assess_snapshots(
        model, tables, asked, before_labels=True, title="evidence of labelled people"
    )
    told = {name for name in asked if assessed.assessments[name].age.informative_count}
    places = np.array(
        [place for place, name in enumerate(rows.snapshot_ids) if name in told], dtype=np.intp
    )
    mask = np.zeros(len(rows.snapshot_ids), dtype=np.bool_)
    mask[places] = True
    kept = rows.where(mask)
    shape = (len(places), len(age_tables.prior("", "")))
    priors, posteriors = np.empty(shape), np.empty(shape)
    by_group = tuple(np.zeros(shape) for _ in GROUPS)
    for row, name in enumerate(kept.snapshot_ids):
        age = assessed.assessments[name].age
        priors[row], posteriors[row] = age.base / age.base.sum(), age.probabilities
    for place, group in enumerate(GROUPS):
        _fill_group(by_group[place], group, model, assessed, kept.snapshot_ids)
    return EvidenceRows(kept, places, priors, posteriors, by_group)


def _fill_group(
    likelihoods: Array, group: str, model: RiskModel, assessed: Assessed, names: Sequence[str]
) -> None:
    """Put what one group of items says alone into the rows of those who have any."""
    held = {}
    for row, name in enumerate(names):
        items = assessed.participants[name].age_evidence
        alone = tuple(item for item in items if _group(item) == group)
        if alone:
            held[row] = replace(assessed.participants[name], age_evidence=alone)
    times = [assessed.seconds[names[row]] for row in held]
    found = model.assess_participants(list(held.values()), times)
    for row, each in zip(held, found, strict=True):
        likelihood = each.age.probabilities / np.maximum(each.age.base, _LEAST)
        likelihoods[row] = np.log(np.maximum(likelihood, _LEAST))


def _group(item: AgeEvidence) -> str:
    if isinstance(item.observation, SelfDeclared | PlatformAgeRange):
        return "declared"
    return "estimated" if isinstance(item.observation, FacialAgeEstimate) else "checked"
