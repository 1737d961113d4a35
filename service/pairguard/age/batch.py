"""The posteriors of many participants at once: the same bits as one by one, for less.

Owns who is computed together. Participants whose items belong together in the same ways share one
plan; their rows are stacked and fused in chunks that stay in a processor's cache. It must not know
what a posterior rests on (``pairguard.age.posterior``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.age.belief import posterior
from pairguard.age.evidence import AgeEvidence
from pairguard.age.fusion import Fusion, fuse_alike, fusion, in_company
from pairguard.age.parameters import Array
from pairguard.age.posterior import AgeAssessment, Belief, assessment_of
from pairguard.age.tables import AgeTables
from pairguard.age.told import ToldEvidence, told_evidence

_CHUNK = 96  # of some 15 rows of 101 numbers each: about what a core's own cache holds


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
    together = [in_company(tables, one.items, one.sessions) for one in told]
    plans = [company.plan(sitting) for _, company, sitting in together]
    alike: dict[bytes, list[int]] = {}
    for place, plan in enumerate(plans):
        alike.setdefault(plan.content, []).append(place)
    assessed: dict[int, AgeAssessment] = {}
    for members in alike.values():
        for start in range(0, len(members), _CHUNK):
            places = members[start : start + _CHUNK]
            items = [together[place][0] for place in places]
            if items[0]:
                companies = [together[place][1] for place in places]
                fused, likelihoods = fuse_alike(tables, plans[places[0]], companies, items)
            else:
                nothing = fusion(tables, (), ())
                fused = [nothing] * len(places)
                likelihoods = np.tile(nothing.likelihood, (len(places), 1))
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
        assessment_of(
            tables,
            one,
            together,
            # Copies: a row of an array would keep all the others in memory, for whoever is kept.
            Belief(
                bases[row],
                probabilities[row].copy(),
                cumulative[row].copy(),
                by_evidence[row].copy(),
            ),
            prior=case.prior,
            now=case.now,
        )
        for row, (one, together, case) in enumerate(zip(told, fused, cases, strict=True))
    ]


def _stacked(rows: Sequence[Array]) -> Array:
    """Return (n, 101) rows, or (101,) that all of them are."""
    first = rows[0]
    if all(row is first for row in rows):
        return first
    return np.array(rows)
