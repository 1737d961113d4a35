"""How often people are admitted to a pool that is not theirs, or not to their own: by group.

Owns the error rates that whoever relies on an age assurance result is expected to know (ISO/IEC
27566-1): false acceptance, minors in the adults' pool; false rejection, adults who are not in it;
adults in the minors' pool. They are counted on people, and each has its exact interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.age.admission import Admission
from pairguard_training.age_reliability import BAND_NAMES, FEWEST_PEOPLE, band_of, large_groups
from pairguard_training.judged_people import STRENGTHS, JudgedPeople
from pairguard_training.proportions import Proportion, share_of

Mask = NDArray[np.bool_]

POSING = "POSING"
FALSE_ACCEPTANCE = "minors admitted to ADULTS"
FALSE_REJECTION = "adults not admitted to ADULTS"
_CHANCE_DRAWS = 5_000
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class RateRow:
    """Error rates of some people.

    Attributes:
        group: Who they are.
        false_acceptance: Of the minors, those who are admitted to the adults' pool.
        false_rejection: Of the adults, those who are not.
        accepted_by_band: The first by true age, of bands that anybody is in.
        rejected_by_band: The second by true age.
    """

    group: str
    false_acceptance: Proportion
    false_rejection: Proportion
    accepted_by_band: dict[str, Proportion]
    rejected_by_band: dict[str, Proportion]


@dataclass(frozen=True, slots=True)
class Spread:
    """The worst group of a slice against its best.

    Attributes:
        divided_by: What divides the people.
        rate: Which rate.
        groups: Groups of enough people for it.
        best: Group with the lowest rate.
        worst: Group with the highest.
        ratio: Highest to lowest rate, each as (k + 1/2) / (n + 1), so that it is finite.
        by_chance: What the same ratio stays below in 95 of 100 draws where all groups are alike.
        by_chance_of_all: What it stays below where the one of all spreads that stands out most was
            chosen: the chance is divided by their number (Bonferroni).
    """

    divided_by: str
    rate: str
    groups: int
    best: str
    worst: str
    ratio: float
    by_chance: float
    by_chance_of_all: float


@dataclass(frozen=True, slots=True)
class AdmissionRates:
    """Error rates under one policy.

    Attributes:
        policy: Version of the policy.
        overall: Of everybody.
        by_evidence: By the strongest item that they hold.
        slices: By what divides them.
        to_minors: Of some people those who are admitted to the minors' pool; none of them meets
            anybody where minors may not meet.
        spreads: Worst against best.
        unmeasured: Groups of too few people, by what divides them, with their number.
    """

    policy: str
    overall: RateRow
    by_evidence: list[RateRow]
    slices: dict[str, list[RateRow]]
    to_minors: dict[str, Proportion]
    spreads: list[Spread]
    unmeasured: dict[str, dict[str, int]]


def admission_rates(people: JudgedPeople, *, policy: str, seed: int) -> AdmissionRates:
    """Count the errors of admission.

    Args:
        people: Whom, each once, whatever they stand for.
        policy: Version of the policy that admitted them.
        seed: Seed of what chance alone would do.
    """
    everybody = np.ones(len(people.snapshots), dtype=np.bool_)
    slices: dict[str, list[RateRow]] = {}
    unmeasured: dict[str, dict[str, int]] = {}
    for divided_by, groups in people.slices.items():
        measured, few = large_groups(groups)
        slices[divided_by] = [_row(people, name, chosen) for name, chosen in measured]
        if few:
            unmeasured[divided_by] = few
    held = [(name, people.strongest == index) for index, name in enumerate(STRENGTHS)]
    return AdmissionRates(
        policy=policy,
        overall=_row(people, "everybody", everybody),
        by_evidence=[_row(people, name, chosen) for name, chosen in held if chosen.any()],
        slices=slices,
        to_minors=_to_minors(people),
        spreads=[
            spread
            for divided_by, rows in slices.items()
            for spread in _spreads(
                divided_by, rows, np.random.default_rng(seed), looked_at=2 * len(slices)
            )
        ],
        unmeasured=unmeasured,
    )


def _row(people: JudgedPeople, group: str, chosen: Mask) -> RateRow:
    admitted, minor = people.admitted(Admission.ADULTS), people.is_minor
    return RateRow(
        group=group,
        false_acceptance=share_of(admitted, chosen & minor),
        false_rejection=share_of(~admitted, chosen & ~minor),
        accepted_by_band=_by_band(people, admitted, chosen & minor),
        rejected_by_band=_by_band(people, ~admitted, chosen & ~minor),
    )


def _by_band(people: JudgedPeople, happened: Mask, among: Mask) -> dict[str, Proportion]:
    bands = band_of(people.ages)
    found = {name: share_of(happened, among & (bands == i)) for i, name in enumerate(BAND_NAMES)}
    return {name: share for name, share in found.items() if share.of}


def _to_minors(people: JudgedPeople) -> dict[str, Proportion]:
    admitted, minor = people.admitted(Admission.MINORS), people.is_minor
    found = {"minors": share_of(admitted, minor), "adults": share_of(admitted, ~minor)}
    if any(people.intents):
        poses = np.array([intent == POSING for intent in people.intents], dtype=np.bool_)
        found["adults who pose as minors"] = share_of(admitted, ~minor & poses)
        found["adults who do not"] = share_of(admitted, ~minor & ~poses)
    bands = _by_band(people, admitted, ~minor)
    return found | {f"adults of {band}": share for band, share in bands.items()}


def _spreads(
    divided_by: str, rows: list[RateRow], rng: np.random.Generator, *, looked_at: int
) -> list[Spread]:
    found = []
    for rate, of_row in (
        (FALSE_ACCEPTANCE, [row.false_acceptance for row in rows]),
        (FALSE_REJECTION, [row.false_rejection for row in rows]),
    ):
        kept = [
            (row.group, share)
            for row, share in zip(rows, of_row, strict=True)
            if share.of >= FEWEST_PEOPLE
        ]
        if len(kept) < 2:
            continue
        names = [name for name, _ in kept]
        count = np.array([share.count for _, share in kept])
        of = np.array([share.of for _, share in kept])
        rates = (count + 0.5) / (of + 1.0)
        alike = rng.binomial(of, count.sum() / of.sum(), (_CHANCE_DRAWS, len(of)))
        drawn = (alike + 0.5) / (of + 1.0)
        apart = drawn.max(axis=1) / drawn.min(axis=1)
        found.append(
            Spread(
                divided_by=divided_by,
                rate=rate,
                groups=len(kept),
                best=names[int(rates.argmin())],
                worst=names[int(rates.argmax())],
                ratio=float(rates.max() / rates.min()),
                by_chance=float(np.quantile(apart, 1.0 - _CHANCE)),
                by_chance_of_all=float(np.quantile(apart, 1.0 - _CHANCE / looked_at)),
            )
        )
    return found
