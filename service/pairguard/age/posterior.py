"""One posterior over the age of one participant.

Owns the step from evidence to belief:

    log p(age) = log prior + log L(all evidence | age) + log L(behaviour, interests | age)

The second term is ``pairguard.age.fusion``'s. It must not know thresholds (``pairguard.policy``)
nor how the behaviour row was learned (``pairguard.risk.behaviour``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from pairguard.age.belief import clipped, log_odds, posterior
from pairguard.age.evidence import AgeEvidence
from pairguard.age.fusion import Fusion, fusion, keep
from pairguard.age.item import ItemLikelihood
from pairguard.age.parameters import Array
from pairguard.age.readings import Reading, but_for_signs, conflict_as_told, of_proof
from pairguard.age.tables import AgeTables
from pairguard.age.told import ToldEvidence, told_evidence

BAND_LOWER_YEARS = (0, 13, 16, 18, 21, 25)
"""Lower ends of the reported bands; the last is open."""

_MOST_CONCLUSIONS = 8  # a participant meets few sets of lines while its assessment is kept


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
    _conclusions: dict[int, tuple[object, Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _below: dict[int, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def conclusion(self, lines: object) -> Any | None:
        """Return what was concluded of this assessment under some lines; None: nothing yet."""
        found = self._conclusions.get(id(lines))
        return None if found is None else found[1]

    def conclude(self, lines: object, conclusion: object) -> None:
        """Keep what follows of this assessment and some lines alone.

        The lines are told apart by identity, and are held as long as this is kept.
        """
        if len(self._conclusions) >= _MOST_CONCLUSIONS:
            self._conclusions.clear()
        self._conclusions[id(lines)] = lines, conclusion

    def probability_below(self, years: int) -> float:
        """Return P(age < years), within [1e-9, 1 - 1e-9]; years from 1 to 100.

        What the session shows makes nobody older: the higher one counts, with it and but for it.
        """
        found = self._below.get(years)  # asked many times a pair, of one adult age or two
        if found is None:
            below = self.cumulative.item(years - 1)
            for reading in self.readings:
                if reading.for_adulthood:
                    below = max(below, reading.cumulative.item(years - 1))
            found = self._below[years] = clipped(below)
        return found

    def probability_below_by_evidence(self, years: int) -> float:
        """Return P(age < years) without behaviour and interests, as ``probability_below``."""
        below = self.cumulative_by_evidence.item(years - 1)
        for reading in self.readings:
            if reading.for_adulthood:
                below = max(below, reading.cumulative_by_evidence.item(years - 1))
        return clipped(below)

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
        return clipped(1.0 - below)

    def uncontested_probability_below(self, years: int) -> float:
        """Return P(age < years) where nothing contradicts it; 0 where something does."""
        uncontested = [] if self.conflict_as_told else [self.cumulative]
        uncontested += [one.cumulative for one in self.readings if not one.conflict]
        return max([clipped(below.item(years - 1)) for below in uncontested], default=0.0)

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
    return assessment_of(
        tables,
        told,
        fused,
        Belief(base, probabilities, cumulative, by_evidence),
        prior=prior,
        now=now,
    )


class Belief(NamedTuple):
    """The posterior of one participant, as it was computed alone or in a batch.

    Attributes:
        base: (101,) prior with behaviour, not normalised.
        probabilities: (101,) posterior by whole year.
        cumulative: (101,) its running sum.
        cumulative_by_evidence: (101,) the same without behaviour and interests.
    """

    base: Array
    probabilities: Array
    cumulative: Array
    cumulative_by_evidence: Array


def assessment_of(
    tables: AgeTables,
    told: ToldEvidence,
    fused: Fusion,
    belief: Belief,
    *,
    prior: Array,
    now: float,
) -> AgeAssessment:
    """Return the assessment that a posterior and what the items are together amount to."""
    base = belief.base
    as_told = conflict_as_told(tables, told, fused)
    readings = but_for_signs(tables, told, fused, prior=prior, base=base, now=now)
    return AgeAssessment(
        probabilities=belief.probabilities,
        cumulative=belief.cumulative,
        cumulative_by_evidence=belief.cumulative_by_evidence,
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


def _log_odds_below(cumulative: Array, years: int) -> float:
    return log_odds(clipped(cumulative.item(years - 1)))
