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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from pairguard.age.evidence import (
    AgeEvidence,
    Binding,
    FacialAgeEstimate,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.age.observation import ObservationModel, observation_model
from pairguard.age.parameters import AGE_GRID, Array
from pairguard.age.tables import AgeTables

DAYS_PER_YEAR = 365.2425

_CACHE_ITEMS = 8192  # about 2 kB each
_UNCACHED = object()
_INFORMATIVE_NATS = 0.05  # an item that moves the log-odds at the line less than this says nothing
_LONGEST_YEARS = 20.0  # a time further back is a wrong clock: the age in the item counts as of now


@dataclass(frozen=True, slots=True)
class ItemLikelihood:
    """What one item says about the age now, before it is combined with others.

    Attributes:
        model: What it said at the observation.
        relative: (101,) likelihood by age now, divided by its maximum; in [0, 1].
        row: (101,) the same with the item's own attack mixed in.
        live: Whether it is bound to the live person.
        dated: Whether its time is told and it has not expired.
        alone_probability_minor: P(under the reference age | this item alone), default prior.
        informative: Whether it moves the log-odds at the reference age.
    """

    model: ObservationModel
    relative: Array
    row: Array
    live: bool
    dated: bool
    alone_probability_minor: float
    informative: bool


class _Moment(NamedTuple):
    """When an item was true, seen from now."""

    elapsed_years: float
    observed_days: int | None
    stated_year: int
    expired: bool
    tampered: bool


def item_likelihood(
    tables: AgeTables, evidence: AgeEvidence, *, now: float, tampered_capture: bool = False
) -> ItemLikelihood | None:
    """Return what an item says about the age now; None: nothing (inconclusive, open range).

    Times count in whole days and facial estimates in tenths of a year, so that the same evidence on
    the same day is computed once; what was computed is kept in ``tables.item_cache``.

    Args:
        tables: The parameters.
        evidence: The item; a time after ``now`` counts as now.
        now: Seconds since 1970.
        tampered_capture: Whether the session shows signs of a virtual camera or injected media.
    """
    moment = _moment(evidence, now, tampered_capture=tampered_capture)
    observation = evidence.observation
    if isinstance(observation, SelfDeclared) and observation.declared_time is not None:
        observation = replace(observation, declared_time=None)  # it is in the moment
    if isinstance(observation, FacialAgeEstimate):
        observation = FacialAgeEstimate(round(observation.mean_years, 1), observation.liveness)
    # One look-up: another thread may empty the cache between two.
    key = (observation, evidence.provider, evidence.binding, moment)
    cached = tables.item_cache.get(key, _UNCACHED)
    if cached is not _UNCACHED:
        known: ItemLikelihood | None = cached
        return known
    plain = AgeEvidence(observation, provider=evidence.provider, binding=evidence.binding)
    result = _compute(tables, plain, moment)
    if len(tables.item_cache) >= _CACHE_ITEMS:
        tables.item_cache.clear()
    tables.item_cache[key] = result
    return result


def _moment(evidence: AgeEvidence, now: float, *, tampered_capture: bool) -> _Moment:
    stated_time = _stated_time(evidence)
    stated_year = _year(now if stated_time is None else min(stated_time, now))
    if stated_time is None:
        elapsed_years = 0.0
    elif _is_birth_year(evidence):
        elapsed_years = float(_year(now) - stated_year)
    else:
        elapsed_years = _days_before(stated_time, now) / DAYS_PER_YEAR
    if elapsed_years > _LONGEST_YEARS:
        elapsed_years, stated_year = 0.0, _year(now)
    observed = evidence.observed_time
    return _Moment(
        elapsed_years=elapsed_years,
        observed_days=None if observed is None else _days_before(observed, now),
        stated_year=stated_year,
        expired=evidence.expire_time is not None and evidence.expire_time <= now,
        tampered=tampered_capture,
    )


def _stated_time(evidence: AgeEvidence) -> float | None:
    """Return when the age in the item was true; None: unknown, taken as now."""
    if isinstance(evidence.observation, SelfDeclared):
        declared_time = evidence.observation.declared_time
        if declared_time is not None:
            return declared_time
    return evidence.observed_time


def _is_birth_year(evidence: AgeEvidence) -> bool:
    observation = evidence.observation
    return (
        isinstance(observation, (SelfDeclared, VerifiedAge)) and observation.birth_year is not None
    )


def _days_before(time: float, now: float) -> int:
    return max(int((now - time) // 86400.0), 0)


def _year(time: float) -> int:
    return datetime.fromtimestamp(max(time, 0.0), UTC).year


def _compute(tables: AgeTables, evidence: AgeEvidence, moment: _Moment) -> ItemLikelihood | None:
    model = observation_model(tables, evidence, year=moment.stated_year)
    if model is None:
        return None
    likelihood = model.likelihood
    if moment.elapsed_years > 0.0:
        likelihood = np.interp(AGE_GRID - moment.elapsed_years, AGE_GRID, likelihood)
    tampered = moment.tampered and model.attack_group == "capture"
    if moment.expired or model.rejected or tampered:
        # Also read as not aged: whatever an unusable item said of minority stays said.
        relative = np.maximum.accumulate(likelihood[::-1])[::-1]
    else:
        of_older = _of_somebody_older(tables, model.likelihood, likelihood)
        handed_over = _handed_over(tables, evidence.binding, moment)
        # Nothing is ever lowered: an older person's evidence only hides that somebody is younger.
        relative = likelihood + handed_over * np.maximum(of_older - likelihood, 0.0)
    relative = relative / relative.max()
    row = (1.0 - model.attack) * relative
    row += model.attack * (tables.presented_age * relative).sum()
    relative.setflags(write=False)
    row.setflags(write=False)
    below, above = tables.mean_on_both_sides(row)
    moved_nats = math.log(below / above)
    odds = tables.prior_odds_minor * below / above
    return ItemLikelihood(
        model=model,
        relative=relative,
        row=row,
        live=evidence.binding is Binding.LIVE_PERSON,
        dated=moment.observed_days is not None and not moment.expired,
        alone_probability_minor=odds / (1.0 + odds),
        informative=abs(moved_nats) >= _INFORMATIVE_NATS,
    )


def _handed_over(tables: AgeTables, binding: Binding, moment: _Moment) -> float:
    """Return the probability that somebody else has the account now."""
    if moment.observed_days is None:
        years = tables.unknown_observed_age_years
    else:
        years = moment.observed_days / DAYS_PER_YEAR
    return 1.0 - math.exp(-tables.handover_per_year[binding] * years)


def _of_somebody_older(tables: AgeTables, at_observation: Array, likelihood: Array) -> Array:
    """Return (101,) what the item would say of a random older adult, by the participant's age.

    The older adult is drawn from the ages that borrowed evidence speaks of: for a minor from all
    adults as they were at the observation, for an adult from those at least as old now.
    """
    result = tables.mean_over_older(likelihood)
    result[: tables.reference_age_years] = tables.mean_over_adults(at_observation)
    return result
