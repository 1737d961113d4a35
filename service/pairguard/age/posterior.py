"""One posterior over the age of one participant.

Owns the fusion of all evidence:

    log p(age) = log prior + sum over attack groups of log[(1 - e(age)) F(age) + e(age) G]
                 + log L(behaviour, interests | age)

F is the product of the likelihoods of the group's items, e the group's attack rate at that true age
(the largest of its items), and G what the items would say of the person an attack presents: the
mean of F over the ages that borrowed or made-up evidence speaks of. However many items share one
attack, they are one other person's evidence and not so many proofs. Items of one correlation group
repeat each other: k of them with correlation r enter with weight 1 / (1 + (k - 1) r) each, which
for equally correlated Gaussian errors is exact.

It must not know thresholds (``pairguard.policy``) nor how the behaviour row was learned
(``pairguard.risk.behaviour``).
"""

from __future__ import annotations

import math
from collections import Counter
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
from pairguard.age.likelihood import ItemLikelihood, item_likelihood
from pairguard.age.parameters import Array
from pairguard.age.tables import AgeTables

PROBABILITY_FLOOR = 1e-9
"""No posterior probability is reported nearer to 0 or 1: models are never that right."""

BAND_LOWER_YEARS = (0, 13, 16, 18, 21, 25)
"""Lower ends of the reported bands; the last is open."""


@dataclass(frozen=True, slots=True)
class AgeAssessment:
    """What is believed about one participant's age.

    Attributes:
        probabilities: (101,) posterior by whole year, sums to 1.
        conflict: Whether items contradict each other beyond what their error models explain.
        informative_count: Items that say anything about the age.
        established: Whether an informative item is bound to the live person or was verified.
        verified_live_years: The whole year that verified, live-bound, unexpired evidence states;
            None: there is none or several that differ.
    """

    probabilities: Array
    cumulative: Array
    conflict: bool
    informative_count: int
    established: bool
    verified_live_years: int | None
    items: tuple[ItemLikelihood | None, ...]
    base: Array

    def probability_below(self, years: int) -> float:
        """Return P(age < years), within [1e-9, 1 - 1e-9]; years from 1 to 100."""
        probability = float(self.cumulative[years - 1])
        return min(max(probability, PROBABILITY_FLOOR), 1.0 - PROBABILITY_FLOOR)

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
    """
    distinct = distinct_evidence(evidence)
    items = tuple(
        item_likelihood(tables, item, now=now, tampered_capture=tampered_capture)
        for item in distinct
    )
    behaviour = None if behaviour_log is None else np.exp(behaviour_log)
    base = prior if behaviour is None else prior * behaviour
    rows, agreement = _group_rows(tables, items)
    probabilities = _posterior(base, rows)
    informative = [
        (item, likelihood)
        for item, likelihood in zip(distinct, items, strict=True)
        if likelihood is not None and likelihood.informative
    ]
    return AgeAssessment(
        probabilities=probabilities,
        cumulative=np.cumsum(probabilities),
        conflict=agreement < tables.agreement_floor or _opposed(tables, prior, rows, behaviour),
        informative_count=len(informative),
        established=any(
            _establishes(item, tampered_capture=tampered_capture) for item, _ in informative
        ),
        verified_live_years=_verified_live_years(informative),
        items=items,
        base=base,
    )


def distinct_evidence(evidence: Sequence[AgeEvidence]) -> tuple[AgeEvidence, ...]:
    """Return the items without further copies of one id, in the order given.

    Copies whose contents differ contradict each other; both stay, and the edge refuses them within
    one request.
    """
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
    with_all = _log_odds(assessment.probabilities, adult_age_years)
    result = []
    for index, item in enumerate(assessment.items):
        if item is None:
            result.append(0.0)
            continue
        rest = assessment.items[:index] + assessment.items[index + 1 :]
        without = _posterior(assessment.base, _group_rows(tables, rest)[0])
        result.append(with_all - _log_odds(without, adult_age_years))
    return tuple(result)


def _group_rows(
    tables: AgeTables, items: Sequence[ItemLikelihood | None]
) -> tuple[list[Array], float]:
    """Return each attack group's (101,) likelihood, and how well any age explains the worst."""
    present = [item for item in items if item is not None]
    if len(present) > 1:
        # Products of floats depend on their order: an order of content makes them independent of
        # the caller's.
        present.sort(key=lambda item: (item.attack_group, item.relative.tobytes()))
    repeats = Counter(item.correlation_group for item in present if item.correlation_group)
    groups: dict[str, tuple[Array, Array]] = {}
    for item in present:
        relative, attack = item.relative, item.attack
        copies = repeats.get(item.correlation_group, 1)
        if copies > 1:
            relative = relative ** (1.0 / (1.0 + (copies - 1) * item.correlation))
        if item.attack_group in groups:
            product, rate = groups[item.attack_group]
            relative, attack = product * relative, np.maximum(rate, attack)
        groups[item.attack_group] = relative, attack
    rows, agreement = [], 1.0
    for product, attack in groups.values():
        presented = (tables.presented_age * product).sum()
        rows.append((1.0 - attack) * product + attack * presented)
        agreement = min(agreement, float(product.max()))
    return rows, agreement


def _posterior(base: Array, rows: Sequence[Array]) -> Array:
    """Return the (101,) posterior; the rows are linear, few, and bounded below by their attacks."""
    weights = base
    for row in rows:
        weights = weights * row
    result: Array = weights / weights.sum()
    return result


def _log_odds(probabilities: Array, adult_age_years: int) -> float:
    below = float(probabilities[:adult_age_years].sum())
    below = min(max(below, PROBABILITY_FLOOR), 1.0 - PROBABILITY_FLOOR)
    return math.log(below) - math.log1p(-below)


def _opposed(
    tables: AgeTables, prior: Array, rows: Sequence[Array], behaviour: Array | None
) -> bool:
    """Return whether two sources move the log-odds far in opposite directions."""
    sources = rows if behaviour is None else [*rows, behaviour]
    if len(sources) < 2:
        return False
    line = tables.reference_age_years
    weighted = np.array(sources) * prior
    below, above = weighted[:, :line].sum(axis=1), weighted[:, line:].sum(axis=1)
    ratio = below / above * (float(prior[line:].sum()) / float(prior[:line].sum()))
    limit = math.exp(tables.opposed_nats)
    return float(ratio.max()) >= limit and float(ratio.min()) <= 1.0 / limit


def _establishes(item: AgeEvidence, *, tampered_capture: bool) -> bool:
    """Return whether an item can establish an age: live-bound and not attacked, or verified."""
    observation = item.observation
    if isinstance(observation, FacialAgeEstimate):
        live = item.binding is Binding.LIVE_PERSON and observation.liveness is Liveness.PASSED
        return live and not tampered_capture
    if isinstance(observation, AgeCheck) and observation.method is CheckMethod.FACIAL_THRESHOLD:
        return item.binding is Binding.LIVE_PERSON and not tampered_capture
    if isinstance(observation, VerifiedAge):
        return True
    return item.binding is Binding.LIVE_PERSON and isinstance(observation, AgeCheck)


def _verified_live_years(
    informative: Sequence[tuple[AgeEvidence, ItemLikelihood]],
) -> int | None:
    years = {
        int(np.argmax(likelihood.relative))
        for item, likelihood in informative
        if isinstance(item.observation, VerifiedAge)
        and item.observation.age_years is not None
        and item.binding is Binding.LIVE_PERSON
    }
    return years.pop() if len(years) == 1 else None
