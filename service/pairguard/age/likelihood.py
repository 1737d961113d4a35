"""What one item of evidence says about the age now.

Owns the step from an item to its *relative likelihood*: the likelihood over the age grid divided
by its maximum, so that 1 is the best any age explains the item. It must not know how items are
combined (``pairguard.age.fusion``).

Three things happen to the likelihood f(x | age then) on the way:

1. It is moved from the age at observation to the age now: an estimate of 15 two years ago speaks of
   17 now. A year of birth moves by calendar years.
2. For ages below those the item points at it is lifted towards what the item would say of a random
   older adult, by the probability of a hand-over since the observation. So evidence for adulthood
   loses force with time and evidence of minority does not.
3. Where the item has expired, its liveness failed, or the session was tampered with, it is made
   never to rise with age: it no longer speaks for adulthood at any line, still for minority.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from pairguard.age.evidence import (
    AgeEvidence,
    Binding,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
)
from pairguard.age.moment import WEEKS_PER_YEAR, Moment, moment_of
from pairguard.age.observation import ObservationModel, observation_model
from pairguard.age.parameters import AGE_GRID, Array
from pairguard.age.tables import AgeTables

_CACHE_ITEMS = 8192  # each holds two arrays of 101 numbers, or one
_UNCACHED = object()
_Said = tuple[type, Hashable, str, Binding]
_INFORMATIVE_NATS = 0.05  # an item that moves the log-odds at the line less than this says nothing


@dataclass(frozen=True, slots=True)
class ItemLikelihood:
    """What one item says about the age now, before it is combined with others.

    Attributes:
        model: What it said at the observation.
        relative: (101,) likelihood by age now, divided by its maximum; in [0, 1].
        row: (101,) the same with the item's own attack mixed in.
        usable: Whether it may speak for adulthood; if not, neither ``relative`` nor ``row`` rises
            with age, so that it can only lower the age of whoever it is added to.
        live: Whether it is bound to the live person.
        dated: Whether its time is told and it has not expired.
        odds_factor: What ``row`` alone makes of the odds of being under the reference age.
        peak_odds_factor: The same at the ages that it fits best on either side, if that is larger:
            what it says of few young ages moves the odds of being a minor little.
        alone_probability_minor: P(under the reference age | this item alone), default prior.
        informative: Whether it moves the log-odds at the reference age.
        for_adulthood: Whether it may speak for adulthood and does.
    """

    model: ObservationModel
    relative: Array
    row: Array
    usable: bool
    live: bool
    dated: bool
    odds_factor: float
    peak_odds_factor: float
    alone_probability_minor: float
    informative: bool
    for_adulthood: bool


def item_likelihood(
    tables: AgeTables, evidence: AgeEvidence, *, now: float, tampered_capture: bool = False
) -> ItemLikelihood | None:
    """Return what an item says about the age now; None: nothing (inconclusive, open range).

    Times count in whole weeks, rounded to the cautious side (an age moves up late, a hand-over
    counts early), and facial estimates in tenths of a year, so that like evidence is computed once;
    what was computed is kept in ``tables.item_cache``.

    Args:
        tables: The parameters.
        evidence: The item; a time after ``now`` counts as now.
        now: Seconds since 1970.
        tampered_capture: Whether the session shows signs of a virtual camera or injected media.
    """
    moment = moment_of(evidence, now, tampered_capture=tampered_capture)
    said = _said(evidence)
    # One look-up: another thread may empty the cache between two.
    key = (said, moment)
    cached = tables.item_cache.get(key, _UNCACHED)
    if cached is not _UNCACHED:
        known: ItemLikelihood | None = cached
        return known
    result = _compute(tables, evidence, said, moment)
    _keep(tables, key, result)
    return result


def _said(evidence: AgeEvidence) -> _Said:
    """Return all of an item that its model depends on, but for the year; ids and times are not."""
    observation = evidence.observation
    what: Hashable = observation
    if isinstance(observation, SelfDeclared):
        what = observation.age_years, observation.birth_year, observation.gate_years
    elif isinstance(observation, FacialAgeEstimate):
        what = round(observation.mean_years, 1), observation.liveness
    return type(observation), what, evidence.provider, evidence.binding


def _keep(tables: AgeTables, key: Hashable, result: object) -> None:
    if len(tables.item_cache) >= _CACHE_ITEMS:
        tables.item_cache.clear()
    tables.item_cache[key] = result


def _model(
    tables: AgeTables, evidence: AgeEvidence, said: _Said, stated_year: int
) -> tuple[ObservationModel | None, float]:
    """Return what an item said at its observation, and the mean of that over random adults.

    There are far fewer of these than items, which also differ in their times.
    """
    key = (said, stated_year)
    known: tuple[ObservationModel | None, float] | None = tables.item_cache.get(key)
    if known is None:
        observation = evidence.observation
        if isinstance(observation, FacialAgeEstimate):
            tenths = round(observation.mean_years, 1)
            evidence = replace(evidence, observation=replace(observation, mean_years=tenths))
        model = observation_model(tables, evidence, year=stated_year)
        known = model, 0.0 if model is None else tables.mean_over_adults(model.likelihood)
        _keep(tables, key, known)
    return known


def _compute(
    tables: AgeTables, evidence: AgeEvidence, said: _Said, moment: Moment
) -> ItemLikelihood | None:
    model, over_adults = _model(tables, evidence, said, moment.stated_year)
    if model is None:
        return None
    likelihood = model.likelihood
    if moment.elapsed_years > 0.0:
        likelihood = np.interp(AGE_GRID - moment.elapsed_years, AGE_GRID, likelihood)
    tampered = moment.tampered and model.camera
    usable = not (moment.expired or model.rejected or tampered)
    attack: Array | float = model.attack
    if not usable:
        # One rate for all ages, or the attack would make the row rise where the item does not.
        relative, attack = np.maximum.accumulate(likelihood[::-1])[::-1], float(model.attack.min())
    else:
        of_older = _of_somebody_older(tables, likelihood, adults_at_observation=over_adults)
        handed_over = _handed_over(tables, _binding(evidence), moment)
        # Nothing is ever lowered: an older person's evidence only hides that somebody is younger.
        relative = likelihood + handed_over * np.maximum(of_older - likelihood, 0.0)
    relative = relative / relative[relative.argmax()]
    row = (1.0 - attack) * relative
    row += attack * (tables.presented_age * relative).sum()
    relative.setflags(write=False)
    row.setflags(write=False)
    below, above = tables.mean_on_both_sides(row)
    odds_factor = below / above
    moved_nats = math.log(odds_factor)
    odds = tables.prior_odds_minor * below / above
    line = tables.reference_age_years
    return ItemLikelihood(
        model=model,
        relative=relative,
        row=row,
        usable=usable,
        live=_binding(evidence) is Binding.LIVE_PERSON,
        dated=moment.observed_weeks is not None and not moment.expired,
        odds_factor=odds_factor,
        peak_odds_factor=max(odds_factor, float(row[:line].max() / row[line:].max())),
        alone_probability_minor=odds / (1.0 + odds),
        informative=abs(moved_nats) >= _INFORMATIVE_NATS,
        for_adulthood=usable and moved_nats <= -_INFORMATIVE_NATS,
    )


def _binding(evidence: AgeEvidence) -> Binding:
    """Return what an item is bound to; statements and ranges are an account's, whatever is said."""
    stated = isinstance(evidence.observation, (SelfDeclared, PlatformAgeRange))
    if stated and evidence.binding is Binding.LIVE_PERSON:
        return Binding.ACCOUNT
    return evidence.binding


def _handed_over(tables: AgeTables, binding: Binding, moment: Moment) -> float:
    """Return the probability that somebody else has the account now."""
    if moment.observed_weeks is None:
        years = tables.unknown_observed_age_years
    else:
        years = moment.observed_weeks / WEEKS_PER_YEAR
    return 1.0 - math.exp(-tables.handover_per_year[binding] * years)


def _of_somebody_older(
    tables: AgeTables, likelihood: Array, *, adults_at_observation: float
) -> Array:
    """Return (101,) what the item would say of a random older adult, by the participant's age.

    The older adult is drawn from the ages that borrowed evidence speaks of: for a minor from all
    adults as they were at the observation, for an adult from those at least as old now.
    """
    result = tables.mean_over_older(likelihood)
    result[: tables.reference_age_years] = adults_at_observation
    return result
