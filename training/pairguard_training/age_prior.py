"""How common each age is on a platform, from its age labels.

Owns the estimate of the prior. It must not know how the posterior uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.age.tables import AgeTables
from pairguard_training.age_labels import AgeRows

Array = NDArray[np.float64]

SHRINKAGE_PEOPLE = 200.0
"""People that the default prior counts for (assumed)."""
FEWEST_PEOPLE = 50
FEWEST_OF_EITHER_SIDE = 20
"""Effective people on one side of the line below which that side's share does not fall: where only
adults show a document, that no child has one does not say that there are none."""

_YOUNG_BANDWIDTH_YEARS = 1.0
_BANDWIDTH_PER_YEAR = 0.08  # of age beyond 20: the density is steep only among the young
_SIGNIFICANT_DIGITS = 9


def with_fitted_prior(tables: AgeTables, rows: AgeRows) -> AgeTables:
    """Return the tables with the default prior learned from labelled people.

    A kernel density: each person's weight, 1 / sampling probability, spread over the ages by a
    Gaussian of one year, wider beyond 20. It is mixed with the tables' own prior as if that were
    the ages of ``SHRINKAGE_PEOPLE`` further people. With fewer than ``FEWEST_PEOPLE`` effective
    people the tables are returned as they are; with fewer than ``FEWEST_OF_EITHER_SIDE`` under the
    reference age, or over it, their share does not fall.
    """
    people = rows.effective_people
    if people < FEWEST_PEOPLE:
        return tables
    before = tables.prior("", "")
    learned = smoothed_density(rows.ages, rows.weights)
    density = (people * learned + SHRINKAGE_PEOPLE * before) / (people + SHRINKAGE_PEOPLE)
    for side in few_sides(tables, rows):
        least, share = float(before[side].sum()), float(density[side].sum())
        if share < least:
            density *= (1.0 - least) / (1.0 - share)
            density[side] *= least / float(density[side].sum())
    replaced = tables.document["prior"]["default"]["source"]
    document = _with_default_prior(
        tables.document,
        density,
        source=(
            f"fitted: {rows.people} people with age labels (effective {people:.0f}), weighted by "
            f"1 / sampling_probability, smoothed by a Gaussian kernel, mixed with "
            f"{SHRINKAGE_PEOPLE:.0f} people's worth of the prior before it ({replaced})"
        ),
    )
    return AgeTables.from_mapping(document)


def few_sides(tables: AgeTables, rows: AgeRows) -> list[slice]:
    """Return the sides of the reference age, as slices of the grid, with too few people."""
    line = tables.reference_age_years
    under = rows.ages < line
    return [
        side
        for side, inside in ((slice(0, line), under), (slice(line, AGE_COUNT), ~under))
        if rows.where(inside).effective_people < FEWEST_OF_EITHER_SIDE
    ]


def smoothed_density(ages: Array, weights: Array) -> Array:
    """Return (101,) a density over the age grid, sums to 1.

    Args:
        ages: (n,) years, within [0, 101).
        weights: (n,) each above 0.
    """
    histogram = np.bincount(ages.astype(np.int64), weights=weights, minlength=AGE_COUNT)
    bandwidth = _YOUNG_BANDWIDTH_YEARS + _BANDWIDTH_PER_YEAR * np.maximum(AGE_GRID - 20.0, 0.0)
    distance = (AGE_GRID[:, np.newaxis] - AGE_GRID) / bandwidth  # column: where a person stands
    kernel = np.exp(-0.5 * distance**2)
    # Each person's column sums to 1: nobody's weight is lost beyond the ends of the grid.
    spread = (kernel / kernel.sum(axis=0) * histogram).sum(axis=1)
    density: Array = spread / spread.sum()
    return density


def _with_default_prior(document: Mapping[str, Any], density: Array, *, source: str) -> Any:
    default = {
        "ages": [int(age) for age in AGE_GRID],
        "values": [float(f"{value:.{_SIGNIFICANT_DIGITS}g}") for value in density],
        "source": source,
    }
    return {**document, "prior": {**document["prior"], "default": default}}
