"""One posterior over the age of one participant.

Owns the step from evidence to belief:

    log p(age) = log prior + log L(all evidence | age) + log L(behaviour, interests | age)

The second term is ``pairguard.age.fusion``'s. It must not know thresholds (``pairguard.policy``)
nor how the behaviour row was learned (``pairguard.risk.behaviour``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pairguard.age.company import ACCOUNT
from pairguard.age.conflict import contradict, unsettled
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.age.fusion import Fusion, fusion, keep
from pairguard.age.item import ItemLikelihood
from pairguard.age.kernel import posteriors
from pairguard.age.likelihood import item_likelihoods
from pairguard.age.observation import DOUBTED
from pairguard.age.parameters import Array
from pairguard.age.tables import AgeTables
from pairguard.errors import FieldViolation, InvalidInput

PROBABILITY_FLOOR = 1e-9
"""No posterior probability is reported nearer to 0 or 1: models are never that right."""

_PROBABILITY_CEILING = 1.0 - PROBABILITY_FLOOR

BAND_LOWER_YEARS = (0, 13, 16, 18, 21, 25)
"""Lower ends of the reported bands; the last is open."""

_ONE_SITTING_SECONDS = 3600.0


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


@dataclass(frozen=True, slots=True)
class AgeAssessment:
    """What is believed about one participant's age.

    Attributes:
        probabilities: (101,) posterior by whole year, sums to 1.
        cumulative: (101,) running sum of ``probabilities``.
        cumulative_by_evidence: (101,) the same without behaviour and interests.
        conflict: Whether items of evidence contradict each other beyond what their error models
            explain, as they stand or but for signs of danger: no sign ends a conflict by taking
            one of its sides away. Behaviour is no party to it: it is an inference, only weighs.
        informative_count: Items that say anything about being under or over the reference age.
        for_adulthood_count: Items that may speak for adulthood and do.
        established_minor: Whether one usable, dated item that is verified, or a capture or document
            check bound to the live person, makes a minor by itself.
        verified_live_years: The whole year that verified, live-bound, dated evidence states now;
            None: there is none or several that differ.
        items: What each of ``distinct_evidence`` says; None: nothing.
        sessions: The capture session of each; "": not told.
        base: (101,) prior with behaviour, not normalised.
        readings: What would be believed but for signs of danger; empty: there are none.
        cumulative_of_proof: (101,) ``cumulative`` without behaviour and what an account says, where
            an established minor has either; else None.
        conflict_as_told: Whether items contradict each other as they stand.
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
    readings: tuple[Reading, ...] = ()
    cumulative_of_proof: Array | None = None
    conflict_as_told: bool = False

    def probability_below(self, years: int) -> float:
        """Return P(age < years), within [1e-9, 1 - 1e-9]; years from 1 to 100.

        What the session shows makes nobody older: the higher one counts, with it and but for it.
        """
        below = self.cumulative.item(years - 1)
        for reading in self.readings:
            if reading.for_adulthood:
                below = max(below, reading.cumulative.item(years - 1))
        return _clipped(below)

    def probability_below_by_evidence(self, years: int) -> float:
        """Return P(age < years) without behaviour and interests, as ``probability_below``."""
        below = self.cumulative_by_evidence.item(years - 1)
        for reading in self.readings:
            if reading.for_adulthood:
                below = max(below, reading.cumulative_by_evidence.item(years - 1))
        return _clipped(below)

    def probability_at_least(self, years: int) -> float:
        """Return the highest P(age >= years) that counts for the minors' pool.

        Within [1e-9, 1 - 1e-9]. An adult's face is not out of the world because nobody was found
        alive before the camera; and who poses as a minor declares to be one and behaves so: what
        establishes a minor must suffice without.
        """
        below = self.cumulative.item(years - 1)
        if self.cumulative_of_proof is not None:
            below = min(below, self.cumulative_of_proof.item(years - 1))
        for reading in self.readings:
            below = min(below, reading.cumulative.item(years - 1))
        return _clipped(1.0 - below)

    def uncontested_probability_below(self, years: int) -> float:
        """Return P(age < years) where nothing contradicts it; 0 where something does."""
        uncontested = [] if self.conflict_as_told else [self.cumulative]
        uncontested += [one.cumulative for one in self.readings if not one.conflict]
        return max([_clipped(below.item(years - 1)) for below in uncontested], default=0.0)

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
    if behaviour_log is None and fused.company.all_sound and not fused.company.may_be_settled:
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
    as_told = conflict_as_told(tables, told, fused)
    readings = but_for_signs(tables, told, fused, prior=prior, base=base, now=now)
    return AgeAssessment(
        probabilities=probabilities,
        cumulative=cumulative,
        cumulative_by_evidence=by_evidence,
        conflict=as_told or any(reading.conflict for reading in readings),
        informative_count=fused.company.informative_count,
        for_adulthood_count=fused.company.for_adulthood_count,
        established_minor=fused.company.establishes_minor,
        verified_live_years=fused.verified_years,
        items=told.items,
        sessions=told.sessions,
        base=base,
        readings=readings,
        cumulative_of_proof=of_proof(tables, told, fused, readings, prior=prior, base=base),
        conflict_as_told=as_told,
    )


class ToldEvidence(NamedTuple):
    """What one participant's evidence says item by item.

    Attributes:
        evidence: The distinct items.
        sessions: The capture session of each, as far as it tells sittings apart; "": not told.
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
    if len(set(sessions) - {""}) > 1:
        sessions = _sittings(distinct, items, sessions)
    return ToldEvidence(distinct, sessions, items)


def _sittings(
    evidence: Sequence[AgeEvidence],
    items: Sequence[ItemLikelihood | None],
    sessions: tuple[str, ...],
) -> tuple[str, ...]:
    """Return the capture sessions as far as they tell sittings apart.

    Two vendors name two sessions of one sitting: where a face and a document of different sessions
    are not known to lie more than an hour apart, neither session counts as told.
    """
    seen = [
        (item.model.attack_group, session, made.observed_time)
        for item, session, made in zip(items, sessions, evidence, strict=True)
        if item is not None and item.model.camera and session
    ]
    unsure = {
        session
        for group, session, time in seen
        for other_group, other, other_time in seen
        if other_group != group
        and other != session
        and (time is None or other_time is None or abs(time - other_time) <= _ONE_SITTING_SECONDS)
    }
    shared = {s for g, s, _ in seen if any(s == t and g != h for h, t, _ in seen)}
    unsure -= shared
    return tuple(["" if session in unsure else session for session in sessions])


def conflict_as_told(tables: AgeTables, told: ToldEvidence, fused: Fusion) -> bool:
    """Return whether items contradict each other as they stand."""
    return contradictory(tables, told.items, settled_by(told.evidence), fused)


def but_for_signs(
    tables: AgeTables, told: ToldEvidence, fused: Fusion, *, prior: Array, base: Array, now: float
) -> tuple[Reading, ...]:
    """Return what would be believed but for signs of danger; empty: there are none."""
    if fused.company.all_sound:
        return ()
    seen = [told.items]
    readings = []
    for evidence, replayed in (
        (told.evidence, replayed_sessions(told.evidence)),
        ([_without_signs(item) for item in told.evidence], frozenset[str]()),
    ):
        items = item_likelihoods(tables, evidence, now=now, replayed=replayed)
        if items in seen:
            continue
        seen.append(items)
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
        settled_by: ``settled_by`` of each.
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
