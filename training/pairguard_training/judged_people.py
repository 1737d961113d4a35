"""The people that the age side is judged on: each once, at the last time that they were seen.

Owns who they are, what is claimed of them and which groups they belong to. It must not know how
they are measured (``age_reliability``, ``admission_rates``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pairguard.age.admission import Admission, admission
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    PlatformAgeRange,
    PlatformAssurance,
    VerifiedAge,
)
from pairguard.age.posterior import AgeAssessment
from pairguard.policy.regions import Policy
from pairguard_training.assessing import Assessed
from pairguard_training.line_calibration import ADULT_AGE_YEARS, LINE_YEARS
from pairguard_training.splitting import Part, Split
from pairguard_training.tables.reading import Tables
from pairguard_training.tables.schema import ATTRIBUTE_PREFIX, AUDIT_PREFIX
from pairguard_training.truth import Truth

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNKNOWN = "(unknown)"
_SLICES = ("language", "region", f"{ATTRIBUTE_PREFIX}device_class")
_LEAST = 1e-9

STRENGTHS = (
    "verified age",
    "document or wallet",
    "card, phone or bank",
    "face",
    "guardian or e-mail",
    "store's range",
    "declared age",
    "nothing",
)
"""What the strongest item of somebody's evidence can be, strongest first."""
_METHOD_STRENGTHS = {
    CheckMethod.ID_DOCUMENT: 1,
    CheckMethod.DIGITAL_WALLET: 1,
    CheckMethod.CREDIT_CARD: 2,
    CheckMethod.MOBILE_OPERATOR: 2,
    CheckMethod.OPEN_BANKING: 2,
    CheckMethod.FACIAL_THRESHOLD: 3,
    CheckMethod.GUARDIAN: 4,
    CheckMethod.EMAIL: 4,
}
_OWN_WORD = frozenset(
    {
        PlatformAssurance.UNSPECIFIED,
        PlatformAssurance.UNKNOWN,
        PlatformAssurance.SELF_DECLARED,
        PlatformAssurance.TIER_A,
        PlatformAssurance.DECLARED,
    }
)


@dataclass(frozen=True, slots=True)
class JudgedPeople:
    """People with known ages and what is claimed of them; n of each.

    Attributes:
        snapshots: (n,) the last snapshot of each.
        households: (n,) group of each: those of one household share it.
        ages: (n,) true age in years.
        adult_ages: (n,) the age from which on somebody is an adult in that region.
        weights: (n,) how many participants each stands for.
        minor: P(under 18) by who claims it, each (n,) and inside (0, 1).
        minor_near_line: The same, given that the age is from 15 to 20.
        line_mass: (n,) the model's P(the age is from 15 to 20).
        bands: (n, 6) claimed probability of each band of ``BAND_LOWER_YEARS``.
        admissions: (n,) the pool of each under the policy of the region.
        strongest: (n,) index into ``STRENGTHS``.
        intents: (n,) what a simulation knows of their intent; "": unknown.
        slices: (n,) group of each, by what divides them.
    """

    snapshots: list[str]
    households: list[str]
    ages: Array
    adult_ages: Array
    weights: Array
    minor: dict[str, Array]
    minor_near_line: dict[str, Array]
    line_mass: Array
    bands: Array
    admissions: list[Admission]
    strongest: NDArray[np.int64]
    intents: list[str]
    slices: dict[str, list[str]]

    @property
    def is_minor(self) -> Mask:
        """Return (n,) whether each is under the adult age of the own region."""
        result: Mask = self.ages < self.adult_ages
        return result

    def admitted(self, pool: Admission) -> Mask:
        """Return (n,) whether each is admitted to a pool."""
        return np.array([found is pool for found in self.admissions], dtype=np.bool_)


def last_snapshots(
    tables: Tables, split: Split, judged: frozenset[Part], known: dict[str, float]
) -> list[str]:
    """Return the last snapshot of everybody who is judged and whose age is known there."""
    frame = tables.snapshots.select("snapshot_id", "participant_id", "observed_time")
    seconds = frame["observed_time"].dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    newest: dict[str, tuple[float, str]] = {}
    for (name, person, _), time in zip(frame.iter_rows(), seconds, strict=True):
        if name in known and split.parts[person] in judged and split.admits(Part.TEST, time):
            newest[person] = max(newest.get(person, (time, name)), (time, name))
    return [name for _, name in newest.values()]


def judged_people(
    names: Sequence[str],
    tables: Tables,
    truth: Truth,
    split: Split,
    *,
    assessed: Assessed,
    policy: Policy,
    claimed_by: str,
    oracle: str,
) -> JudgedPeople:
    """Return people with what the model, and an oracle where there is one, claims of them.

    Args:
        names: Their snapshots, assessed and of known age.
        tables: The data set.
        truth: Its ages.
        split: Whose household is whose.
        assessed: The snapshots' assessments.
        policy: Under which they are admitted.
        claimed_by: Name of the model.
        oracle: Name of the oracle.
    """
    people = [assessed.participants[name] for name in names]
    ages = [assessed.assessments[name].age for name in names]
    regions = [policy.for_participant(person.region) for person in people]
    minor = {claimed_by: np.array([age.probability_below(ADULT_AGE_YEARS) for age in ages])}
    near = {claimed_by: np.array([minor_near_line(age) for age in ages])}
    if truth.oracle_minor:
        minor[oracle] = np.array([truth.oracle_minor[name] for name in names])
    if truth.oracle_minor_near_line:
        near[oracle] = np.array([truth.oracle_minor_near_line[name] for name in names])
    rows = pl.DataFrame({"snapshot_id": names}, schema={"snapshot_id": pl.String}).join(
        tables.snapshots, on="snapshot_id", how="left", maintain_order="left"
    )
    return JudgedPeople(
        snapshots=list(names),
        households=[split.groups[person.participant_id] for person in people],
        ages=np.array([truth.ages[name] for name in names]),
        adult_ages=np.array([max(lines.adult_ages) for lines in regions], dtype=np.float64),
        weights=np.array([truth.weights[name] for name in names]),
        minor={name: np.clip(claim, _LEAST, 1.0 - _LEAST) for name, claim in minor.items()},
        minor_near_line={
            name: np.clip(claim, _LEAST, 1.0 - _LEAST) for name, claim in near.items()
        },
        line_mass=np.array(
            [float(age.probabilities[LINE_YEARS[0] : LINE_YEARS[1]].sum()) for age in ages]
        ),
        bands=np.array([age.band_probabilities() for age in ages]).reshape(len(ages), -1),
        admissions=[
            admission(age, policy.for_participant(person.located_region))
            for age, person in zip(ages, people, strict=True)
        ],
        strongest=np.array([strongest(person.age_evidence) for person in people], dtype=np.int64),
        intents=[truth.intents.get(person.participant_id, "") for person in people],
        slices={
            name.removeprefix(ATTRIBUTE_PREFIX): rows[name]
            .cast(pl.String)
            .fill_null(UNKNOWN)
            .to_list()
            for name in rows.columns
            if (name in _SLICES or name.startswith(AUDIT_PREFIX)) and rows[name].count()
        },
    )


def minor_near_line(age: AgeAssessment) -> float:
    """Return P(under 18 | the age is from 15 to 20), NaN never: no age is impossible."""
    low, high = LINE_YEARS
    near = age.probabilities[low:high]
    return float(near[: ADULT_AGE_YEARS - low].sum() / max(float(near.sum()), 1e-300))


def strongest(evidence: Sequence[AgeEvidence]) -> int:
    """Return the index into ``STRENGTHS`` of the strongest item; inconclusive ones say nothing."""
    return min((_strength(item) for item in evidence), default=len(STRENGTHS) - 1)


def _strength(item: AgeEvidence) -> int:
    match item.observation:
        case VerifiedAge():
            return 0
        case AgeCheck(method=method, result=result):
            said = result is not CheckResult.INCONCLUSIVE
            return _METHOD_STRENGTHS[method] if said else len(STRENGTHS) - 1
        case FacialAgeEstimate():
            return 3
        case PlatformAgeRange(assurance=assurance):
            return 6 if assurance in _OWN_WORD else 5
    return 6
