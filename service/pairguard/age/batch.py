"""The posteriors of many participants at once: the same bits as one by one, for less.

Owns who is computed together. Participants whose items are of the same kinds share one plan; their
rows are stacked and fused in chunks that stay in a processor's cache. It must not know what a
posterior rests on (``pairguard.age.posterior``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.age.company import Company
from pairguard.age.evidence import AgeEvidence
from pairguard.age.fusion import Fusion, fuse_alike, fusion, in_company
from pairguard.age.item import ItemLikelihood
from pairguard.age.parameters import Array
from pairguard.age.posterior import (
    AgeAssessment,
    ToldEvidence,
    in_conflict,
    posterior,
    told_evidence,
)
from pairguard.age.tables import AgeTables

_CHUNK = 64  # of some 15 rows of 101 numbers each: what a core's own cache holds


@dataclass(frozen=True, slots=True)
class AgeCase:
    """What is known of one participant; see ``assess_age`` for each."""

    prior: Array
    evidence: Sequence[AgeEvidence]
    now: float
    behaviour_log: Array | None = None
    tampered_capture: bool = False
    device_since: float | None = None


def assess_ages(tables: AgeTables, cases: Sequence[AgeCase]) -> list[AgeAssessment]:
    """Return the assessment of each case, the same bits as ``assess_age``.

    Raises:
        InvalidInput: A number is not finite.
    """
    told = [
        told_evidence(
            tables,
            case.evidence,
            now=case.now,
            tampered_capture=case.tampered_capture,
            device_since=case.device_since,
        )
        for case in cases
    ]
    alike: dict[tuple[Company, float], list[tuple[int, tuple[ItemLikelihood, ...]]]] = {}
    for place, one in enumerate(told):
        items, company, sitting = in_company(tables, one.items, one.sessions)
        alike.setdefault((company, sitting), []).append((place, items))
    assessed: dict[int, AgeAssessment] = {}
    for (company, sitting), members in alike.items():
        for start in range(0, len(members), _CHUNK):
            places, items_of = zip(*members[start : start + _CHUNK], strict=True)
            if company.kinds:
                fused, likelihoods = fuse_alike(tables, company, sitting, items_of)
            else:
                nothing = fusion(tables, (), ())
                fused, likelihoods = [nothing] * len(places), nothing.likelihood
            chunk = _concluded(
                tables,
                [cases[place] for place in places],
                [told[place] for place in places],
                fused,
                likelihoods,
            )
            assessed.update(zip(places, chunk, strict=True))
    return [assessed[place] for place in range(len(cases))]


def _concluded(
    tables: AgeTables,
    cases: Sequence[AgeCase],
    told: Sequence[ToldEvidence],
    fused: Sequence[Fusion],
    likelihoods: Array,
) -> list[AgeAssessment]:
    bases = [
        case.prior if case.behaviour_log is None else case.prior * np.exp(case.behaviour_log)
        for case in cases
    ]
    probabilities, cumulative = posterior(_stacked(bases), likelihoods)
    by_evidence = cumulative
    if any(case.behaviour_log is not None for case in cases):
        _, by_evidence = posterior(_stacked([case.prior for case in cases]), likelihoods)
    return [
        AgeAssessment(
            probabilities=probabilities[row],
            cumulative=cumulative[row],
            cumulative_by_evidence=by_evidence[row],
            conflict=in_conflict(tables, told[row], fusion_, now=case.now),
            informative_count=fusion_.company.informative_count,
            for_adulthood_count=fusion_.company.for_adulthood_count,
            established_minor=fusion_.company.establishes_minor,
            verified_live_years=fusion_.verified_years,
            items=told[row].items,
            sessions=told[row].sessions,
            base=bases[row],
        )
        for row, (case, fusion_) in enumerate(zip(cases, fused, strict=True))
    ]


def _stacked(rows: Sequence[Array]) -> Array:
    """Return (n, 101) rows."""
    first = rows[0]
    if all(row is first for row in rows):
        return np.broadcast_to(first, (len(rows), first.size))
    return np.array(rows)
