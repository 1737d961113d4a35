"""One posterior over the age of one participant.

Owns the step from evidence to belief:

    log p(age) = log prior + log L(all evidence | age) + log L(behaviour, interests | age)

The second term is ``pairguard.age.fusion``'s. It must not know thresholds (``pairguard.policy``)
nor how the behaviour row was learned (``pairguard.risk.behaviour``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    FacialAgeEstimate,
    Liveness,
    VerifiedAge,
)
from pairguard.age.fusion import combined_likelihood, contradict
from pairguard.age.likelihood import ItemLikelihood, item_likelihood
from pairguard.age.parameters import Array
from pairguard.age.tables import AgeTables
from pairguard.errors import FieldViolation, InvalidInput

PROBABILITY_FLOOR = 1e-9
"""No posterior probability is reported nearer to 0 or 1: models are never that right."""

_PROBABILITY_CEILING = 1.0 - PROBABILITY_FLOOR

BAND_LOWER_YEARS = (0, 13, 16, 18, 21, 25)
"""Lower ends of the reported bands; the last is open."""

_ESTABLISHING_CHECKS = frozenset({CheckMethod.ID_DOCUMENT, CheckMethod.FACIAL_THRESHOLD})


@dataclass(frozen=True, slots=True)
class AgeAssessment:
    """What is believed about one participant's age.

    Attributes:
        probabilities: (101,) posterior by whole year, sums to 1.
        cumulative: (101,) running sum of ``probabilities``.
        cumulative_by_evidence: (101,) the same without behaviour and interests.
        conflict: Whether items of evidence contradict each other beyond what their error models
            explain. Behaviour is no party to it: it is an inference and only weighs.
        informative_count: Items that say anything about being under or over the reference age.
        for_adulthood_count: Items that may speak for adulthood and do.
        established_minor: Whether one usable, dated item that is verified, or a capture or document
            check bound to the live person, makes a minor by itself.
        verified_live_years: The whole year that verified, live-bound, dated evidence states now;
            None: there is none or several that differ.
        items: What each of ``distinct_evidence`` says; None: nothing.
        base: (101,) prior with behaviour, not normalised.
    """

    probabilities: Array
    cumulative: Array
    cumulative_by_evidence: Array
    conflict: bool
    informative_count: int
    for_adulthood_count: int
    established_minor: bool
    verified_live_years: int | None
    items: tuple[ItemLikelihood | None, ...]
    base: Array

    def probability_below(self, years: int) -> float:
        """Return P(age < years), within [1e-9, 1 - 1e-9]; years from 1 to 100."""
        return _clipped(self.cumulative.item(years - 1))

    def probability_below_by_evidence(self, years: int) -> float:
        """Return P(age < years) without behaviour and interests, as ``probability_below``."""
        return _clipped(self.cumulative_by_evidence.item(years - 1))

    def band_probabilities(self) -> tuple[float, ...]:
        """Return the probability of each band of ``BAND_LOWER_YEARS``."""
        edges = [0.0, *(float(self.cumulative[e - 1]) for e in BAND_LOWER_YEARS[1:]), 1.0]
        return tuple(max(b - a, 0.0) for a, b in pairwise(edges))

    @property
    def entropy_nats(self) -> float:
        """Entropy of the posterior in nats; log(101) = 4.6 knows nothing."""
        p = self.probabilities[self.probabilities > 0.0]
        return float(-(p * np.log(p)).sum())


def assess_age(
    tables: AgeTables,
    *,
    prior: Array,
    evidence: Sequence[AgeEvidence],
    behaviour_log: Array | None = None,
    now: float,
    tampered_capture: bool = False,
) -> AgeAssessment:
    """Fuse everything known about one participant's age.

    Args:
        tables: The parameters.
        prior: (101,) prior, e.g. ``tables.prior(region, entry_path)``.
        evidence: Items in any order; the order changes no bit, copies of one id count once.
        behaviour_log: (101,) log likelihood of behaviour and interests; None: unknown.
        now: Seconds since 1970.
        tampered_capture: Signs of a virtual camera or injected media in this session.

    Raises:
        InvalidInput: A number is not finite; edges refuse such evidence before.
    """
    distinct = distinct_evidence(evidence)
    items = tuple(
        item_likelihood(tables, item, now=now, tampered_capture=tampered_capture)
        for item in distinct
    )
    likelihood, conflict = _fused(tables, items)
    if tampered_capture and not conflict:
        # A flag on the session must not end a conflict by taking one of its sides away.
        untampered = [item_likelihood(tables, item, now=now) for item in distinct]
        _, conflict = _fused(tables, untampered)
    base = prior if behaviour_log is None else prior * np.exp(behaviour_log)
    probabilities = _posterior(base, likelihood)
    told = [
        (item, said)
        for item, said in zip(distinct, items, strict=True)
        if said is not None and said.informative
    ]
    cumulative = probabilities.cumsum()
    return AgeAssessment(
        probabilities=probabilities,
        cumulative=cumulative,
        cumulative_by_evidence=(
            cumulative if behaviour_log is None else _posterior(prior, likelihood).cumsum()
        ),
        conflict=conflict,
        informative_count=len(told),
        for_adulthood_count=sum(said.for_adulthood for _, said in told),
        established_minor=any(
            said.alone_probability_minor >= tables.established_minor_probability
            and said.usable
            and said.dated
            and _can_establish(item)
            for item, said in told
        ),
        verified_live_years=_verified_live_years(told),
        items=items,
        base=base,
    )


def distinct_evidence(evidence: Sequence[AgeEvidence]) -> tuple[AgeEvidence, ...]:
    """Return the items without further copies of one id, in the order given.

    Copies whose contents differ contradict each other; both stay, and the edge refuses them within
    one request.
    """
    if len({item.evidence_id for item in evidence}) == len(evidence):
        return tuple(evidence)  # copies share their id, and hashing whole items is dear
    seen: set[AgeEvidence] = set()
    distinct = []
    for item in evidence:
        if item.evidence_id:
            if item in seen:
                continue
            seen.add(item)
        distinct.append(item)
    return tuple(distinct)


def contributions(
    tables: AgeTables, assessment: AgeAssessment, *, adult_age_years: int
) -> tuple[float, ...]:
    """Return what each item adds to the log-odds of being under the adult age, in nats.

    Leave-one-out: the log-odds with all items minus those without this one; positive: towards
    minority. In the order of ``distinct_evidence``; 0 for an item that says nothing.
    """
    with_all = _log_odds_below(assessment.probabilities, adult_age_years)
    result = []
    for index, item in enumerate(assessment.items):
        if item is None:
            result.append(0.0)
            continue
        rest = assessment.items[:index] + assessment.items[index + 1 :]
        without = _posterior(assessment.base, combined_likelihood(tables, rest)[0])
        result.append(with_all - _log_odds_below(without, adult_age_years))
    return tuple(result)


def _fused(tables: AgeTables, items: Sequence[ItemLikelihood | None]) -> tuple[Array, bool]:
    """Return the (101,) likelihood of all items and whether they contradict each other."""
    likelihood, agreement = combined_likelihood(tables, items)
    conflict = agreement < tables.agreement_floor or contradict(tables, items, likelihood)
    return likelihood, conflict


def _posterior(base: Array, likelihood: Array) -> Array:
    weights = base * likelihood
    total = float(weights.sum())
    if not 0.0 < total < math.inf:
        raise InvalidInput([FieldViolation("age_evidence", "holds a number that is not finite")])
    result: Array = weights / total
    return result


def _clipped(probability: float) -> float:
    if probability < PROBABILITY_FLOOR:  # asked some twenty times a pair: faster than max
        return PROBABILITY_FLOOR
    return min(probability, _PROBABILITY_CEILING)


def log_odds(probability: float) -> float:
    """Return the log-odds, in nats, of a probability between 0 and 1, both excluded."""
    return math.log(probability) - math.log1p(-probability)


def _log_odds_below(probabilities: Array, years: int) -> float:
    return log_odds(_clipped(float(probabilities[:years].sum())))


def _can_establish(item: AgeEvidence) -> bool:
    """Return whether an item is of a kind that can open the minors' pool.

    "No card" and "no adult's account" are not: an adult gets those by showing nothing.
    """
    observation = item.observation
    live = item.binding is Binding.LIVE_PERSON
    if isinstance(observation, VerifiedAge):
        return True
    if isinstance(observation, FacialAgeEstimate):
        return live and observation.liveness is Liveness.PASSED
    return live and isinstance(observation, AgeCheck) and observation.method in _ESTABLISHING_CHECKS


def _verified_live_years(told: Sequence[tuple[AgeEvidence, ItemLikelihood]]) -> int | None:
    verified = [
        (item.observation, likelihood)
        for item, likelihood in told
        if isinstance(item.observation, VerifiedAge)
    ]
    if not verified:
        return None
    years = {int(np.argmax(likelihood.relative)) for _, likelihood in verified}
    exact = all(
        observation.age_years is not None and likelihood.live and likelihood.dated
        for observation, likelihood in verified
    )
    return years.pop() if exact and len(years) == 1 else None
