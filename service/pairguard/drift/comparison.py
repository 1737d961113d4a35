"""What differs between a reference and what was counted since, and how much it matters.

Owns the words for sizes and from how many people on anything is said. It must not know where the
counts come from nor who is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard.drift import statistics
from pairguard.drift.groups import OTHER, Group
from pairguard.drift.reference import DriftReference, PerUnit
from pairguard.drift.tally import Counts, Layout
from pairguard.drift.variables import Variable

Array = NDArray[np.float64]

FALSE_ALARMS: Final = 0.01
"""Chance that any variable of one comparison is beyond its noise where nothing has changed."""
PSI_MODERATE: Final = 0.1
PSI_LARGE: Final = 0.25
"""The limits in common use; a shift of a normal variable by .32 and .5 deviations."""
DISTANCE_MODERATE: Final = 0.3
DISTANCE_LARGE: Final = 0.5
"""In deviations of the reference, after the same shifts."""
YEARS_MODERATE: Final = 0.75
YEARS_LARGE: Final = 1.5
"""Of what a vendor estimates; assumed: a third and two thirds of the bias of estimators at 13-16
between the best and the worst quartile (docs/age-assurance.md)."""
FEWEST_SHOWN: Final = 5
"""Below how many people a word is not told apart from none."""


EACH_ONCE: Final = PerUnit(1.0, 1.0)
"""Where nobody was counted twice."""


class Verdict(IntEnum):
    """How large a difference is; the larger the number the larger."""

    TOO_FEW = 0
    WITHIN_NOISE = 1
    SMALL = 2
    MODERATE = 3
    LARGE = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure with what chance alone gives.

    Attributes:
        value: The figure.
        expected: What it is on average where nothing has changed.
        bound: What it hardly ever exceeds there: in one of a hundred comparisons any variable does.
    """

    value: float
    expected: float
    bound: float

    @property
    def is_beyond_noise(self) -> bool:
        """Whether chance alone hardly ever gives as much."""
        return self.value > self.bound


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison.

    Attributes:
        variable: What was compared.
        of_unknown: Whether it is the share of unknown values; else the known values.
        reference_count: Values in the reference.
        live_count: Values since.
        psi: Population stability index.
        distance: W1 of numbers in ``distance_unit``; None: not numbers, or all the same.
        before: Mean of a number (of its cells' centres), or share of ``cell`` or of the unknown.
        after: The same since.
        cell: The word that adds most to the PSI; "": not words.
        unlisted_share: Share of words or names that are seldom or never in the reference, above
            what it was there; 0 where fewer than ``FEWEST_SHOWN`` people have any.
        verdict: How large it is.
        size: To sort by: 1 at the limit of "large".
    """

    variable: Variable
    of_unknown: bool
    reference_count: int
    live_count: int
    psi: Measured
    distance: Measured | None
    before: float | None
    after: float | None
    cell: str
    unlisted_share: float
    verdict: Verdict
    size: float

    @property
    def counts_unlisted(self) -> bool:
        """Whether ``unlisted_share`` means anything."""
        by_word = self.variable.facts.is_word or self.variable.name == OTHER
        return by_word and not self.of_unknown

    @property
    def distance_unit(self) -> str:
        """Unit of the distance."""
        return "years" if self.variable.facts.in_years else "deviations"


def compare(
    reference: DriftReference,
    layout: Layout,
    counts: Counts,
    *,
    worth: PerUnit = EACH_ONCE,
    same_policy: bool = True,
    whole_weeks: bool = False,
) -> list[Finding]:
    """Compare counts with the reference's, the largest difference first.

    Args:
        reference: What was.
        layout: Of ``reference.variables``.
        counts: (layout.size,) what is.
        worth: What share of the counted values is independent at the least.
        same_policy: Whether the same policy judged; otherwise decisions are not compared.
        whole_weeks: Whether the counts are of about whole weeks; otherwise what follows the day is
            not compared.
    """
    places = [
        place
        for place, variable in enumerate(layout.variables)
        if (same_policy or variable.group is not Group.DECISION)
        and (whole_weeks or not variable.follows_day)
    ]
    exceeded = FALSE_ALARMS / max(3 * len(places), 1)
    findings = []
    for place in places:
        variable = layout.variables[place]
        unit = variable.facts.unit
        cells, unknown = layout.of(counts, place)
        sides = _Sides(
            variable,
            np.array(variable.counts, dtype=np.float64),
            cells.astype(np.float64),
            unknown,
            (reference.worth.of(unit), worth.of(unit)),
            exceeded,
        )
        findings.append(_of_values(sides))
        if variable.unknown or unknown:
            findings.append(_of_unknown(sides))
    findings.sort(key=_order)
    return findings


def _order(found: Finding) -> tuple[int, float, str, str, bool]:
    variable = found.variable
    return (-found.verdict, -found.size, variable.group.value, variable.name, found.of_unknown)


@dataclass(frozen=True, slots=True)
class _Sides:
    """A variable as it was and as it is, and what its values are worth on both sides."""

    variable: Variable
    reference: Array
    live: Array
    unknown: int
    worth: tuple[float, float]
    exceeded: float

    def sizes(self, reference: Array, live: Array) -> tuple[float, float]:
        """Return how many independent values counts are worth at the least."""
        return float(reference.sum()) * self.worth[0], float(live.sum()) * self.worth[1]


def _of_values(sides: _Sides) -> Finding:
    variable, reference, live = sides.variable, sides.reference, sides.live
    before, after = float(reference.sum()), float(live.sum())
    is_word = variable.facts.is_word
    psi = _psi(*statistics.pooled_cells(reference, live, ordered=not is_word), sides)
    distance = None
    means: tuple[float | None, float | None] = (None, None)
    cell = ""
    if before and after:
        if is_word:
            place = int(statistics.psi_parts(reference, live).argmax())
            cell = variable.cells[place]
            means = float(reference[place]) / before, float(live[place]) / after
        else:
            centres = np.array(variable.centres)
            means = float(reference @ centres) / before, float(live @ centres) / after
            distance = _distance(sides, centres)
    verdict, size = _judged(psi, distance, in_years=variable.facts.in_years)
    return Finding(
        variable=variable,
        of_unknown=False,
        reference_count=int(before),
        live_count=int(after),
        psi=psi,
        distance=distance,
        before=means[0],
        after=means[1],
        cell=cell,
        unlisted_share=_unlisted_share(sides, before, after),
        verdict=verdict,
        size=size,
    )


def _of_unknown(sides: _Sides) -> Finding:
    variable = sides.variable
    reference = np.array([sides.reference.sum(), variable.unknown], dtype=np.float64)
    live = np.array([sides.live.sum(), sides.unknown], dtype=np.float64)
    before, after = float(reference.sum()), float(live.sum())
    pooled = statistics.pooled_cells(reference, live, ordered=True)
    psi = _psi(*pooled, sides)
    verdict, size = _judged(psi, None, in_years=False)
    return Finding(
        variable=variable,
        of_unknown=True,
        reference_count=int(before),
        live_count=int(after),
        psi=psi,
        distance=None,
        before=float(reference[1]) / before if before else None,
        after=float(live[1]) / after if after else None,
        cell="",
        unlisted_share=0.0,
        verdict=verdict,
        size=size,
    )


def _psi(reference: Array, live: Array, sides: _Sides) -> Measured:
    """Return PSI; where Pearson's difference is within noise, whatever PSI is counts as noise."""
    sizes = sides.sizes(reference, live)
    size_rate = statistics.rate(*sizes)
    if size_rate == float("inf"):
        return Measured(0.0, size_rate, size_rate)
    cells = statistics.used_cells(reference, live)
    value = statistics.psi(reference, live)
    bound = statistics.psi_bound(cells, size_rate, exceeded=sides.exceeded)
    pooled = statistics.pooled_shares(reference, live, *sizes)
    if statistics.pearson(reference, live, pooled) <= bound:
        bound = max(bound, value)
    return Measured(value, statistics.psi_expected(cells, size_rate), bound)


def _distance(sides: _Sides, centres: Array) -> Measured | None:
    """Return W1 in years or in deviations; None: the reference's values are all the same."""
    scale = 1.0 if sides.variable.facts.in_years else sides.variable.deviation
    if not scale:
        return None
    reference, live = sides.reference, sides.live
    sizes = sides.sizes(reference, live)
    size_rate = statistics.rate(*sizes)
    # Of both together: where a rare value has become frequent, the reference alone varies too
    # little to say what chance gives.
    shares = statistics.pooled_shares(reference, live, *sizes)
    bound = statistics.distance_bound(shares, centres, size_rate, exceeded=sides.exceeded)
    return Measured(
        statistics.distance(reference, live, centres) / scale,
        statistics.distance_expected(shares, centres, size_rate) / scale,
        bound / scale,
    )


def _unlisted_share(sides: _Sides, before: float, after: float) -> float:
    variable = sides.variable
    counts_others = variable.facts.is_word or variable.name == OTHER
    if not counts_others or not before or sides.live[-1] < FEWEST_SHOWN:
        return 0.0
    return max(float(sides.live[-1]) / after - float(sides.reference[-1]) / before, 0.0)


def _judged(psi: Measured, distance: Measured | None, *, in_years: bool) -> tuple[Verdict, float]:
    """Return the larger of what both say, of those that could tell a large difference at all."""
    limits = (YEARS_MODERATE, YEARS_LARGE) if in_years else (DISTANCE_MODERATE, DISTANCE_LARGE)
    said = [
        (_verdict(measured, moderate, large), measured.value / large)
        for measured, moderate, large in ((psi, PSI_MODERATE, PSI_LARGE), (distance, *limits))
        if measured is not None and measured.bound <= large
    ]
    return max(said, default=(Verdict.TOO_FEW, psi.value / PSI_LARGE))


def _verdict(measured: Measured, moderate: float, large: float) -> Verdict:
    if not measured.is_beyond_noise:
        return Verdict.WITHIN_NOISE
    if measured.value > large:
        return Verdict.LARGE
    return Verdict.MODERATE if measured.value > moderate else Verdict.SMALL
