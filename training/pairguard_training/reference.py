"""What the training part looks like to the finished model, so that drift can be told from it.

Owns the sample, its distributions and their document. It must not know who compares with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.drift.reference import SECTION, DriftReference
from pairguard.policy.regions import Policy
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.model import RiskModel
from pairguard_training.assessing import assess_snapshots
from pairguard_training.drift.section import drift_reference
from pairguard_training.pair_rows import PairRows, pair_rows
from pairguard_training.splitting import Part, Split, hash_fraction
from pairguard_training.tables.participants import pair_sides
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]

SAMPLE_ROWS = 3_000
_HASHED_AT_ONCE = 1 << 16

_QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Reference:
    """A sample of the training part, as the finished model sees it.

    Attributes:
        vectors: (n, columns) catalogue vectors.
        probability_minor: (n,) under the highest adult age of the person's own region.
        pairs: m pairs.
        harm: (m,) their harm probability; None: there is no harm model.
        drift: What live traffic is compared with.
    """

    vectors: Array
    probability_minor: Array
    pairs: PairRows
    harm: Array | None
    drift: DriftReference


def sample_reference(
    tables: Tables, model: RiskModel, *, policy: Policy, split: Split, seed: int
) -> Reference:
    """Assess a sample of the training part, chosen by hash; with nobody there, of everybody."""
    training = split.of_snapshots(tables.snapshots).are(Part.TRAIN)
    names = tables.snapshots["snapshot_id"]
    chosen = _sample(names.filter(pl.Series(training)) if training.any() else names, seed).to_list()
    sides = pair_sides(tables)
    within = pl.Series(training[sides[0]] & training[sides[1]])
    sampled = _sample(tables.pairs["pair_id"].filter(within), seed)
    pairs = tables.pairs["pair_id"].is_in(sampled.implode()).arg_true().to_numpy()
    firsts, seconds = (names[side[pairs]].to_list() for side in sides)
    assessed = assess_snapshots(
        model, tables, [*chosen, *firsts, *seconds], title="reference distributions"
    )
    ages = [
        max(policy.for_participant(assessed.participants[n].located_region).adult_ages)
        for n in chosen
    ]
    assessments = [assessed.assessments[name] for name in chosen]
    rows = pair_rows(model.pair_features, policy, assessed, firsts, seconds)
    return Reference(
        vectors=np.stack([assessment.values for assessment in assessments]),
        probability_minor=np.array(
            [a.age.probability_below(age) for a, age in zip(assessments, ages, strict=True)]
        ),
        pairs=rows,
        harm=None if model.harm is None else model.harm.scored_rows(rows.features)[1],
        drift=drift_reference(tables, model, policy, split=split, seed=seed),
    )


def reference_document(catalogue: SignalCatalogue, reference: Reference) -> dict[str, Any]:
    """Return the distributions: numbers as quantiles, categories as shares, what is unknown."""
    columns: dict[str, Any] = {}
    numbers, codes = len(catalogue.number_columns), len(catalogue.category_columns)
    for index, name in enumerate(catalogue.columns):
        values = reference.vectors[:, index]
        known = values[~np.isnan(values)]
        entry: dict[str, Any] = {"unknown_share": _rounded(1.0 - known.size / values.size)}
        if numbers <= index < numbers + codes:
            categories = catalogue.category_columns[index - numbers].categories
            entry["shares"] = {
                text: _rounded(float((known == code).mean())) if known.size else None
                for code, text in enumerate(categories)
            }
        else:
            entry |= _distribution(known)
        columns[name] = entry
    return {
        "sample": "of the training part, by hash",
        "snapshots": int(reference.vectors.shape[0]),
        "pairs": int(reference.pairs.minor_adult.size),
        "quantile_levels": list(_QUANTILES),
        "columns": columns,
        "probability_minor": _distribution(reference.probability_minor),
        "minor_adult_probability": _distribution(reference.pairs.minor_adult),
        "harm_probability": None if reference.harm is None else _distribution(reference.harm),
        SECTION: reference.drift.to_mapping(),
    }


def _sample(names: pl.Series, seed: int) -> pl.Series:
    """Return some of the names in their order, chosen by hash; they may be many millions."""
    if len(names) <= SAMPLE_ROWS:
        return names
    ranks = np.concatenate(
        [
            [hash_fraction(f"reference {name}", seed=seed) for name in part.to_series()]
            for part in names.to_frame().iter_slices(_HASHED_AT_ONCE)
        ]
    )
    return names[np.sort(np.argsort(ranks, kind="stable")[:SAMPLE_ROWS])]


def _distribution(values: Array) -> dict[str, Any]:
    if not values.size:
        return {"mean": None, "quantiles": None}
    return {
        "mean": _rounded(float(values.mean())),
        "quantiles": [_rounded(float(q)) for q in np.quantile(values, _QUANTILES)],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
