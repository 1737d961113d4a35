"""What would be believed but for signs of danger, and on proof alone.

Owns the readings of one participant's evidence that keep a sign of danger from opening anything:
as the items came, as they would be without their own signs, and without what an account or
behaviour says. And it owns when a reading contradicts itself. It must not know gates
(``pairguard.age.admission``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pairguard.age.belief import posterior
from pairguard.age.conflict import contradict, unsettled
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.age.fusion import Fusion, fusion
from pairguard.age.item import ItemLikelihood
from pairguard.age.likelihood import ItemKey, item_likelihoods
from pairguard.age.observation import DOUBTED
from pairguard.age.parameters import Array
from pairguard.age.tables import ACCOUNT, AgeTables
from pairguard.age.told import ToldEvidence, replayed_sessions


class Reading(NamedTuple):
    """What would be believed but for signs of danger, which must open nothing that was closed.

    Attributes:
        items: What each item would say then.
        for_adulthood: Whether only signs of the session are left out (a camera deceived, a new
            device since), so that the items are believed as they came; else those of the items are
            left out, too (liveness, replay, expiry), and nobody is an adult by such.
        cumulative: (101,) running sum of the posterior.
        cumulative_by_evidence: (101,) the same without behaviour and interests.
        conflict: Whether items would contradict each other.
    """

    items: tuple[ItemLikelihood | None, ...]
    for_adulthood: bool
    cumulative: Array
    cumulative_by_evidence: Array
    conflict: bool


def conflict_as_told(tables: AgeTables, told: ToldEvidence, fused: Fusion) -> bool:
    """Return whether items contradict each other as they stand."""
    times = settled_by(told.evidence) if fused.company.may_be_settled else ()
    return contradictory(tables, told.items, times, fused)


def but_for_signs(
    tables: AgeTables, told: ToldEvidence, fused: Fusion, *, prior: Array, base: Array, now: float
) -> tuple[Reading, ...]:
    """Return what would be believed but for signs of danger; empty: there are none."""
    if fused.company.all_sound:
        return ()
    replays = replayed_sessions(told.evidence)
    as_told: list[ItemKey] = []
    item_likelihoods(
        tables,
        told.evidence,
        now=now,
        tampered=told.tampered_capture,
        replayed=replays,
        device_since=told.device_since,
        keys=as_told,
    )
    seen = [as_told]
    readings = []
    for evidence, replayed in (
        (told.evidence, replays),
        ([_without_signs(item) for item in told.evidence], frozenset[str]()),
    ):
        keys: list[ItemKey] = []
        items = item_likelihoods(tables, evidence, now=now, replayed=replayed, keys=keys)
        if keys in seen:
            continue
        seen.append(keys)
        fused = fusion(tables, items, told.sessions)
        _, cumulative = posterior(base, fused.likelihood)
        by_evidence = cumulative
        if base is not prior:
            _, by_evidence = posterior(prior, fused.likelihood)
        conflict = contradictory(tables, items, settled_by(told.evidence), fused)
        as_came = evidence is told.evidence
        readings.append(Reading(items, as_came, cumulative, by_evidence, conflict))
    return tuple(readings)


def of_proof(
    tables: AgeTables,
    told: ToldEvidence,
    fused: Fusion,
    readings: Sequence[Reading],
    *,
    prior: Array,
    base: Array,
) -> Array | None:
    """Return ``AgeAssessment.cumulative_of_proof``: the lowest of all readings."""
    if not fused.company.establishes_minor:
        return None
    lowest: Array | None = None
    for items in (told.items, *(reading.items for reading in readings)):
        proof = [
            None if item is not None and item.kind.attack_group == ACCOUNT else item
            for item in items
        ]
        if base is prior and proof == list(items):
            continue
        _, cumulative = posterior(prior, fusion(tables, proof, told.sessions).likelihood)
        lowest = cumulative if lowest is None else np.minimum(lowest, cumulative)
    return lowest


def _without_signs(item: AgeEvidence) -> AgeEvidence:
    """Return an item as it would be if it had not expired and its liveness test were passed."""
    observation = item.observation
    if (
        isinstance(observation, (FacialAgeEstimate, AgeCheck, VerifiedAge))
        and observation.liveness in DOUBTED
    ):
        observation = replace(observation, liveness=Liveness.PASSED)
    elif item.expire_time is None:
        return item
    return replace(item, observation=observation, expire_time=None)


def contradictory(
    tables: AgeTables,
    items: Sequence[ItemLikelihood | None],
    settled_by: Sequence[float | None],
    fused: Fusion,
) -> bool:
    """Return whether items contradict each other.

    Args:
        tables: The parameters.
        items: What each item says; None: nothing.
        settled_by: ``settled_by`` of each; not looked at where no item may be settled.
        fused: What they say together.
    """
    if fused.agreement < tables.agreement_floor:
        return True
    parties, odds_factors = fused, fused.group_odds_factors
    if fused.company.may_be_settled:
        left = unsettled(tables, items, settled_by)
        if left != tuple(items):
            parties = fusion(tables, left, [""] * len(left))
            odds_factors = (*parties.group_odds_factors[:-1], odds_factors[-1])
    if parties.company.informative_count < 2:
        return False
    return contradict(tables, parties.items, odds_factors)


def settled_by(evidence: Sequence[AgeEvidence]) -> list[float | None]:
    """Return for each item the time from which on a check settles it; None: none does."""
    return [_settled_by(item) for item in evidence]


def _settled_by(item: AgeEvidence) -> float | None:
    observation, observed = item.observation, item.observed_time
    if observed is None or not isinstance(observation, SelfDeclared):
        return observed
    declared = observation.declared_time
    return observed if declared is None else max(observed, declared)
