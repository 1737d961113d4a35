"""What people of known age had shown before their age was established.

Owns the join of labelled people and their evidence: each item once, with the age at which it was
stated and with the weight of its person. It must not know what is learned from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.age.evidence import AgeEvidence, SelfDeclared, VerificationMethod
from pairguard.age.fusion_plan import AttackMixture
from pairguard.age.parameters import AGE_COUNT
from pairguard.age.tables import AgeTables
from pairguard_training.age_labels import (
    SECONDS_PER_YEAR,
    SMALLEST_SAMPLING_PROBABILITY,
    AgeRows,
)
from pairguard_training.tables.participants import participants
from pairguard_training.tables.reading import Tables

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VerifiedItem:
    """One item of evidence of somebody whose age is known.

    Attributes:
        participant: Whose it is.
        evidence: The item.
        age_years: Age when it was stated, in [0, 101).
        stated_seconds: When that was, seconds since 1970.
        weight: How many participants its person stands for.
        whole_years: Whether the label told whole years, so that the age is known to half a year.
        method: How the age was established; None: not told.
    """

    participant: str
    evidence: AgeEvidence
    age_years: float
    stated_seconds: float
    weight: float
    whole_years: bool = True
    method: VerificationMethod | None = None


def verified_items(tables: Tables, rows: AgeRows) -> list[VerifiedItem]:
    """Return the items of labelled people, copies of an item once, people in the rows' order.

    The check that gave the label, and everything observed at or after it, is left out.

    Args:
        tables: The data set.
        rows: Which snapshots may be looked at; their weights do not count, but the labels'.
    """
    labels = _labels(tables)
    found: dict[tuple[str, object], VerifiedItem] = {}
    people = participants(tables, rows.snapshot_ids, before_labels=True)
    for row, person in enumerate(people):
        now, age_now = float(rows.seconds[row]), float(rows.ages[row])
        weight, whole, method = labels[rows.participants[row]]
        for item in person.age_evidence:
            key = person.participant_id, item.evidence_id or item
            if key in found or item.of_linked:  # which may speak of somebody else
                continue
            stated = min(_stated_seconds(item, now), now)
            age = age_now - (now - stated) / SECONDS_PER_YEAR
            if 0.0 <= age < AGE_COUNT:
                found[key] = VerifiedItem(
                    person.participant_id, item, age, stated, weight, whole, method
                )
    return list(found.values())


def shared_weights(participants_of: list[str], weights: list[float]) -> Array:
    """Return (n,) the weight of each item, so that a person's items weigh as much as the person.

    The same person says the same again: five copies are one observation.
    """
    copies: dict[str, int] = {}
    for person in participants_of:
        copies[person] = copies.get(person, 0) + 1
    return np.array(
        [weight / copies[person] for person, weight in zip(participants_of, weights, strict=True)]
    )


def effective_people(participants_of: list[str], weights: Array) -> float:
    """Return how many people of equal weight would be as precise (Kish)."""
    totals: dict[str, float] = {}
    for person, weight in zip(participants_of, weights.tolist(), strict=True):
        totals[person] = totals.get(person, 0.0) + weight
    each = np.array(list(totals.values()))
    return float(each.sum() ** 2 / (each**2).sum()) if each.size else 0.0


def others_statements(tables: AgeTables, *, attack: Array, attack_group: str, live: bool) -> Array:
    """Return (101, 101) M, so that ``f @ M`` is an item's likelihood f with who else it may be.

    What is seen of verified people is not the honest error alone: some items were made up, some
    speak of the older person whose account it is. Serving mixes these in, so a fit that put them
    into the honest error would count them twice. The mixtures are those of ``pairguard.age.kernel``
    and ``pairguard.age.fusion``; here each column sums over what can be said to the same total as
    without them.

    Args:
        tables: The rates.
        attack: (101,) rate by true age of evidence of somebody older.
        attack_group: Whose rate of posing counts.
        live: Whether the item is bound to the live person; if not, the account may be borrowed.
    """
    mixture = AttackMixture.from_rates(attack, tables.posing[attack_group])
    mixed = mixture.operator(tables.fusion_weights)
    if live:
        return mixed
    older = np.stack([tables.mean_over_older(row) for row in mixed])
    result: Array = mixed + tables.borrowed_account * (older - mixed)
    return result


def _labels(tables: Tables) -> dict[str, tuple[float, bool, VerificationMethod | None]]:
    columns = tables.age_labels.select(
        "participant_id", "age_years", "sampling_probability", "method"
    )
    return {
        person: (
            1.0 / max(1.0 if sampling is None else sampling, SMALLEST_SAMPLING_PROBABILITY),
            float(age).is_integer(),
            None if method is None else VerificationMethod(method),
        )
        for person, age, sampling, method in columns.iter_rows()
    }


def _stated_seconds(item: AgeEvidence, now: float) -> float:
    """Return when the age in the item was true; unknown: at the snapshot."""
    if isinstance(item.observation, SelfDeclared):
        declared_time = item.observation.declared_time
        if declared_time is not None:
            return declared_time
    return now if item.observed_time is None else item.observed_time
