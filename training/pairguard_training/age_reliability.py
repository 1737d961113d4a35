"""Whether P(under 18) means what it says: over all, around the line, in bands and in groups.

Owns these measurements on people. It must not know what is decided from the probability.

Three slopes are told. That over all ages. That at true ages 15-20, which is under 1 even for an
oracle, because the people are chosen by what is to be predicted: whoever of them seemed clearly a
minor or clearly an adult did so by error more often than the rest. And that of P(under 18 | 15-20)
at these ages, where what chose the people is given to the claim as well: for an oracle it is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.age.posterior import BAND_LOWER_YEARS
from pairguard_training.calibration_line import calibration_line
from pairguard_training.judged_people import JudgedPeople
from pairguard_training.line_calibration import ADULT_AGE_YEARS, LINE_YEARS
from pairguard_training.proportions import Proportion, share_of
from pairguard_training.resampling import Estimate, Resamples

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST_PEOPLE = 50
"""A group of fewer people is named and not measured."""
BAND_NAMES = ("<13", "13-15", "16-17", "18-20", "21-24", "25+")
_BIN_EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """Some people: what was claimed of them and what is true.

    Attributes:
        group: Who they are.
        predicted: Mean P(under 18).
        minors: How many are.
        slope: Of their calibration line; NaN: cannot be told.
        intercept: Of the same.
    """

    group: str
    predicted: float
    minors: Proportion
    slope: Estimate
    intercept: Estimate


@dataclass(frozen=True, slots=True)
class BandRow:
    """People whose likeliest band is this one.

    Attributes:
        band: The band in years.
        claimed: Mean probability of it.
        inside: How many are of such an age.
        predicted: Mean P(under 18).
        minors: How many are.
    """

    band: str
    claimed: float
    inside: Proportion
    predicted: float
    minors: Proportion


@dataclass(frozen=True, slots=True)
class AgeReliability:
    """Reliability of P(under 18) of one model.

    Attributes:
        bins: By the size of the claim.
        bands: By the likeliest band.
        slices: By what divides the people.
        unmeasured: Groups of too few people, by what divides them, with their number.
    """

    bins: list[ReliabilityRow]
    bands: list[BandRow]
    slices: dict[str, list[ReliabilityRow]]
    unmeasured: dict[str, dict[str, int]]


def calibration_lines(
    people: JudgedPeople, claimed_by: str, *, count: int, seed: int
) -> dict[str, dict[str, Estimate]]:
    """Return slope and intercept by who claims: over all, at true ages 15-20, and given them.

    Of the model also what the second would be if all that it claims were exact: then each person
    would be of 15-20, and a minor there, as often as claimed.

    Args:
        people: Whom it is measured on.
        claimed_by: Name of the model.
        count: Draws of the bootstrap, of households.
        seed: Seed of the draws.
    """
    minor = (people.ages < ADULT_AGE_YEARS).astype(np.float64)
    near = (people.ages >= LINE_YEARS[0]) & (people.ages < LINE_YEARS[1])
    every = np.ones_like(near)
    asked = {
        (name, suffix): (claim, chosen)
        for claims, suffix, chosen in (
            (people.minor, "", every),
            (people.minor, "_at_15_to_20", near),
            (people.minor_near_line, "_given_15_to_20", near),
        )
        for name, claim in claims.items()
    }

    def measure(drawn: Array) -> dict[str, float]:
        values = {}
        for (name, suffix), (claim, chosen) in asked.items():
            line = calibration_line(claim[chosen], minor[chosen], drawn[chosen])
            values[f"{name}/slope{suffix}"] = line.slope
            values[f"{name}/intercept{suffix}"] = line.intercept
        exact = calibration_line(
            people.minor[claimed_by],
            people.minor_near_line[claimed_by],
            drawn * people.line_mass,
        )
        values[f"{claimed_by}/slope_at_15_to_20_if_exact"] = exact.slope
        values[f"{claimed_by}/intercept_at_15_to_20_if_exact"] = exact.intercept
        return values

    draws = Resamples([people.households], count=count, seed=seed)
    found: dict[str, dict[str, Estimate]] = {name: {} for name in people.minor}
    for key, estimate in draws.estimate(measure, people.weights).items():
        name, _, measured = key.partition("/")
        found[name][measured] = estimate
    return found


def age_reliability(
    people: JudgedPeople, claimed_by: str, *, count: int, seed: int
) -> AgeReliability:
    """Measure one model's P(under 18) in bins, bands and groups.

    Args:
        people: Whom it is measured on; counted each once, whatever they stand for.
        claimed_by: Whose claim.
        count: Draws of the bootstrap, of households.
        seed: Seed of the draws.
    """
    claim = people.minor[claimed_by]
    place = np.digitize(claim, _BIN_EDGES[1:-1])
    bins = [
        (f"{_BIN_EDGES[i]:g} to {_BIN_EDGES[i + 1]:g}", place == i)
        for i in range(len(_BIN_EDGES) - 1)
    ]
    slices: dict[str, list[ReliabilityRow]] = {}
    unmeasured: dict[str, dict[str, int]] = {}
    for divided_by, groups in people.slices.items():
        measured, few = large_groups(groups)
        slices[divided_by] = _rows(people, claim, measured, count=count, seed=seed)
        if few:
            unmeasured[divided_by] = few
    return AgeReliability(
        bins=_rows(people, claim, [b for b in bins if b[1].any()], count=0, seed=seed),
        bands=_band_rows(people, claim),
        slices=slices,
        unmeasured=unmeasured,
    )


def large_groups(groups: Sequence[str]) -> tuple[list[tuple[str, Mask]], dict[str, int]]:
    """Return the members of each group of enough people, and the size of every other."""
    of = np.array(groups)
    measured, few = [], {}
    for name in sorted(set(groups)):
        members: Mask = of == name
        if members.sum() < FEWEST_PEOPLE:
            few[name] = int(members.sum())
        else:
            measured.append((name, members))
    return measured, few


def _rows(
    people: JudgedPeople,
    claim: Array,
    groups: list[tuple[str, Mask]],
    *,
    count: int,
    seed: int,
) -> list[ReliabilityRow]:
    minor = people.ages < ADULT_AGE_YEARS

    def measure(drawn: Array) -> dict[str, float]:
        values = {}
        for name, chosen in groups:
            line = calibration_line(claim[chosen], minor[chosen].astype(np.float64), drawn[chosen])
            values[f"slope/{name}"], values[f"intercept/{name}"] = line.slope, line.intercept
        return values

    nan = Estimate(float("nan"), float("nan"), float("nan"))
    lines: dict[str, Estimate] = {}
    if count:
        lines = Resamples([people.households], count=count, seed=seed).estimate(
            measure, people.weights
        )
    return [
        ReliabilityRow(
            group=name,
            predicted=float(claim[chosen].mean()),
            minors=share_of(minor, chosen),
            slope=lines.get(f"slope/{name}", nan),
            intercept=lines.get(f"intercept/{name}", nan),
        )
        for name, chosen in groups
    ]


def _band_rows(people: JudgedPeople, claim: Array) -> list[BandRow]:
    likeliest = people.bands.argmax(axis=1)
    true_band = band_of(people.ages)
    minor = people.ages < ADULT_AGE_YEARS
    rows = []
    for index, band in enumerate(BAND_NAMES):
        chosen: Mask = likeliest == index
        if chosen.any():
            rows.append(
                BandRow(
                    band=band,
                    claimed=float(people.bands[chosen, index].mean()),
                    inside=share_of(true_band == index, chosen),
                    predicted=float(claim[chosen].mean()),
                    minors=share_of(minor, chosen),
                )
            )
    return rows


def band_of(ages: Array) -> NDArray[np.int64]:
    """Return (n,) the index into ``BAND_NAMES`` of each age."""
    return np.searchsorted(np.array(BAND_LOWER_YEARS[1:]), ages, side="right").astype(np.int64)
