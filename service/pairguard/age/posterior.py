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
from typing import NamedTuple

import numpy as np

from pairguard.age.conflict import contradict, unsettled
from pairguard.age.evidence import AgeEvidence
from pairguard.age.fusion import Fusion, fusion, keep
from pairguard.age.item import ItemLikelihood
from pairguard.age.kernel import posteriors
from pairguard.age.likelihood import item_likelihoods
from pairguard.age.parameters import Array
from pairguard.age.tables import AgeTables
from pairguard.errors import FieldViolation, InvalidInput

PROBABILITY_FLOOR = 1e-9
"""No posterior probability is reported nearer to 0 or 1: models are never that right."""

_PROBABILITY_CEILING = 1.0 - PROBABILITY_FLOOR

BAND_LOWER_YEARS = (0, 13, 16, 18, 21, 25)
"""Lower ends of the reported bands; the last is open."""

_ONE_SITTING_SECONDS = 3600.0


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
        sessions: The capture session of each; "": not told.
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
    sessions: tuple[str, ...]
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
    device_since: float | None = None,
) -> AgeAssessment:
    """Fuse everything known about one participant's age.

    Args:
        tables: The parameters.
        prior: (101,) prior, e.g. ``tables.prior(region, entry_path)``.
        evidence: Items in any order; the order changes no bit, copies of one id count once.
        behaviour_log: (101,) log likelihood of behaviour and interests; None: unknown.
        now: Seconds since 1970.
        tampered_capture: Signs of a virtual camera or injected media in this session.
        device_since: Since when, in seconds since 1970, the account is on the device that it uses
            now; None: not told. What was observed before speaks no more for adulthood.

    Raises:
        InvalidInput: A number is not finite; edges refuse such evidence before.
    """
    told = told_evidence(
        tables,
        evidence,
        now=now,
        tampered_capture=tampered_capture,
        device_since=device_since,
    )
    fused = fusion(tables, told.items, told.sessions)
    if behaviour_log is None and fused.company.all_usable and not fused.company.may_be_settled:
        # Nothing of it depends on the times any more, beyond what made the items.
        kept: AgeAssessment | None = tables.fusion_cache.get(fused)
        if kept is None or kept.base is not prior:
            kept = _concluded(tables, told, fused, prior=prior, behaviour_log=None, now=now)
            kept.probabilities.setflags(write=False)
            kept.cumulative.setflags(write=False)
            keep(tables, fused, kept)
        return kept
    return _concluded(tables, told, fused, prior=prior, behaviour_log=behaviour_log, now=now)


def _concluded(
    tables: AgeTables,
    told: ToldEvidence,
    fused: Fusion,
    *,
    prior: Array,
    behaviour_log: Array | None,
    now: float,
) -> AgeAssessment:
    """Return the assessment of fused evidence."""
    base = prior if behaviour_log is None else prior * np.exp(behaviour_log)
    probabilities, cumulative = posterior(base, fused.likelihood)
    by_evidence = cumulative
    if behaviour_log is not None:
        _, by_evidence = posterior(prior, fused.likelihood)
    return AgeAssessment(
        probabilities=probabilities,
        cumulative=cumulative,
        cumulative_by_evidence=by_evidence,
        conflict=in_conflict(tables, told, fused, now=now),
        informative_count=fused.company.informative_count,
        for_adulthood_count=fused.company.for_adulthood_count,
        established_minor=fused.company.establishes_minor,
        verified_live_years=fused.verified_years,
        items=told.items,
        sessions=told.sessions,
        base=base,
    )


class ToldEvidence(NamedTuple):
    """What one participant's evidence says item by item.

    Attributes:
        evidence: The distinct items.
        sessions: The capture session of each; "": not told.
        items: What each says; None: nothing.
    """

    evidence: tuple[AgeEvidence, ...]
    sessions: tuple[str, ...]
    items: tuple[ItemLikelihood | None, ...]


def told_evidence(
    tables: AgeTables,
    evidence: Sequence[AgeEvidence],
    *,
    now: float,
    tampered_capture: bool,
    device_since: float | None,
) -> ToldEvidence:
    """Return what evidence says item by item; the arguments are those of ``assess_age``."""
    distinct = distinct_evidence(evidence)
    sessions = tuple([item.observation.capture_session for item in distinct])
    replayed = replayed_sessions(distinct) if any(sessions) else frozenset()
    items = item_likelihoods(
        tables,
        distinct,
        now=now,
        tampered=tampered_capture,
        replayed=replayed,
        device_since=device_since,
    )
    return ToldEvidence(distinct, sessions, items)


def in_conflict(tables: AgeTables, told: ToldEvidence, fused: Fusion, *, now: float) -> bool:
    """Return whether items contradict each other, as they stand or but for signs of danger.

    A sign of danger must not end a conflict by taking one of its sides away.
    """
    if _contradictory(tables, told.evidence, told.items, fused):
        return True
    if fused.company.all_usable:
        return False  # so nothing was taken away
    as_if_safe = item_likelihoods(tables, told.evidence, now=now)
    if as_if_safe == told.items:
        return False
    return _contradictory(
        tables, told.evidence, as_if_safe, fusion(tables, as_if_safe, told.sessions)
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


def replayed_sessions(evidence: Sequence[AgeEvidence]) -> frozenset[str]:
    """Return the captures that were shown at several times: nobody sits before a camera twice.

    Several results of one capture within an hour are what one sitting gives; a time that is not
    told contradicts none.
    """
    times: dict[str, tuple[float, float]] = {}
    for item in evidence:
        session = item.observation.capture_session
        if session and item.observed_time is not None:
            first, last = times.get(session, (item.observed_time, item.observed_time))
            times[session] = min(first, item.observed_time), max(last, item.observed_time)
    if not times:
        return frozenset()
    return frozenset(s for s, (a, b) in times.items() if b - a > _ONE_SITTING_SECONDS)


def contributions(
    tables: AgeTables, assessment: AgeAssessment, *, adult_age_years: int
) -> tuple[float, ...]:
    """Return what each item adds to the log-odds of being under the adult age, in nats.

    Leave-one-out: the log-odds with all items minus those without this one; positive: towards
    minority. In the order of ``distinct_evidence``; 0 for an item that says nothing.
    """
    with_all = _log_odds_below(assessment.cumulative, adult_age_years)
    items, sessions = assessment.items, assessment.sessions
    result = []
    for index, item in enumerate(items):
        if item is None:
            result.append(0.0)
            continue
        rest = fusion(
            tables, items[:index] + items[index + 1 :], sessions[:index] + sessions[index + 1 :]
        )
        _, without = posterior(assessment.base, rest.likelihood)
        result.append(with_all - _log_odds_below(without, adult_age_years))
    return tuple(result)


def _contradictory(
    tables: AgeTables,
    evidence: Sequence[AgeEvidence],
    items: Sequence[ItemLikelihood | None],
    fused: Fusion,
) -> bool:
    """Return whether items contradict each other as they stand."""
    if fused.agreement < tables.agreement_floor:
        return True
    parties, odds_factors = fused, fused.group_odds_factors
    if fused.company.may_be_settled:
        left = unsettled(items, [item.observed_time for item in evidence])
        if left != items:
            parties = fusion(tables, left, [""] * len(left))
            odds_factors = (*parties.group_odds_factors[:-1], odds_factors[-1])
    if parties.company.informative_count < 2:
        return False
    return contradict(tables, parties.items, odds_factors)


def posterior(base: Array, likelihood: Array) -> tuple[Array, Array]:
    """Return (..., 101) posteriors and their running sums, of (..., 101) likelihoods.

    Raises:
        InvalidInput: A number is not finite.
    """
    try:
        return posteriors(base, likelihood)
    except FloatingPointError:
        raise InvalidInput(
            [FieldViolation("age_evidence", "holds a number that is not finite")]
        ) from None


def _clipped(probability: float) -> float:
    if probability < PROBABILITY_FLOOR:  # asked some twenty times a pair: faster than max
        return PROBABILITY_FLOOR
    return min(probability, _PROBABILITY_CEILING)


def log_odds(probability: float) -> float:
    """Return the log-odds, in nats, of a probability between 0 and 1, both excluded."""
    return math.log(probability) - math.log1p(-probability)


def _log_odds_below(cumulative: Array, years: int) -> float:
    return log_odds(_clipped(cumulative.item(years - 1)))
