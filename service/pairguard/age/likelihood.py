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
3. Where the item has expired, its liveness failed, its capture is a replay, the session was
   tampered with, or the account has come to a new device since, it is made never to rise with age:
   it no longer speaks for adulthood at any line, still for minority.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pairguard.age.establishment import can_establish_minor, states_whole_year
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
    VerifiedAge,
)
from pairguard.age.fusion_plan import AttackMixture
from pairguard.age.item import ItemKind, ItemLikelihood
from pairguard.age.kernel import odds_factor
from pairguard.age.moment import WEEKS_PER_YEAR, Moment, moment_of
from pairguard.age.observation import ObservationModel, observation_model
from pairguard.age.parameters import AGE_GRID, Array
from pairguard.age.recent import oldest
from pairguard.age.tables import AgeTables

_CACHE_ITEMS = 4096  # some 3 KB each: two arrays of 101 numbers, and an order made of one
_UNCACHED = object()
_Said = tuple[Hashable, ...]
ItemKey = tuple[_Said, Moment] | None
"""All that what an item says depends on; None: it says nothing."""
_SAME = 1e-9  # likelihoods that differ by less are one
_INFORMATIVE_NATS = 0.05  # an item that moves the log-odds at the line less than this says nothing


def item_likelihoods(
    tables: AgeTables,
    evidence: Sequence[AgeEvidence],
    *,
    now: float,
    tampered: bool = False,
    replayed: frozenset[str] = frozenset(),
    device_since: float | None = None,
    keys: list[ItemKey] | None = None,
) -> tuple[ItemLikelihood | None, ...]:
    """Return what each item says about the age now; None: nothing (inconclusive, open range).

    Times count in whole weeks, rounded to the cautious side (an age moves up late, a hand-over
    counts early), and facial estimates in tenths of a year, so that like evidence is computed once;
    what was computed is kept in ``tables.item_cache``.

    Args:
        tables: The parameters.
        evidence: The items; a time after ``now`` counts as now.
        now: Seconds since 1970.
        tampered: Whether nothing that a camera saw is to be believed: signs of a virtual camera or
            injected media in the session.
        replayed: Captures that were shown before, which are not to be believed either.
        device_since: Since when, in seconds since 1970, the account is on the device that it uses
            now; None: not told.
        keys: Where to put what tells each item apart, whether or not it was made anew meanwhile.
    """
    known = tables.item_cache.get
    found: list[ItemLikelihood | None] = []
    for item in evidence:
        said = _said(item)
        moment = moment_of(
            item,
            now,
            tampered=tampered or item.observation.capture_session in replayed,
            device_since=device_since,
        )
        key = said, moment
        # One look-up: another thread may take it out of the cache between two.
        result = known(key, _UNCACHED)
        if result is _UNCACHED:
            result = _compute(tables, item, said, moment)
            _keep(tables, key, result)
        found.append(result)
        if keys is not None:
            keys.append(None if result is None else key)
    return tuple(found)


def item_likelihood(
    tables: AgeTables, evidence: AgeEvidence, *, now: float
) -> ItemLikelihood | None:
    """Return what one item says about the age now, as ``item_likelihoods``."""
    return item_likelihoods(tables, (evidence,), now=now)[0]


def _said(evidence: AgeEvidence) -> _Said:
    """Return all of an item that its model depends on, but for the year; ids and times are not."""
    observation, provider, binding = evidence.observation, evidence.provider, evidence.binding
    if isinstance(observation, AgeCheck):
        return (
            AgeCheck,
            provider,
            binding,
            observation.method,
            observation.threshold_years,
            observation.result,
            observation.liveness,
            observation.capture_session != "",
        )
    if isinstance(observation, FacialAgeEstimate):
        tenths = round(observation.mean_years, 1)
        return FacialAgeEstimate, provider, binding, tenths, observation.liveness
    if isinstance(observation, SelfDeclared):
        return (
            SelfDeclared,
            provider,
            binding,
            observation.age_years,
            observation.birth_year,
            observation.gate_years,
        )
    if isinstance(observation, VerifiedAge):
        return (
            VerifiedAge,
            provider,
            binding,
            observation.method,
            observation.age_years,
            observation.birth_year,
            observation.liveness,
            observation.capture_session != "",
        )
    return (
        PlatformAgeRange,
        provider,
        binding,
        observation.assurance,
        observation.lower_years,
        observation.upper_years,
    )


def _keep(tables: AgeTables, key: Hashable, result: object) -> None:
    cache = tables.item_cache
    if len(cache) >= _CACHE_ITEMS:
        for old in oldest(cache):
            cache.pop(old, None)
    cache[key] = result


class _Model(NamedTuple):
    """What an item said at its observation; there are far fewer of these than items.

    Attributes:
        model: What it said.
        over_adults: The mean of that over random adults.
        mixture: How attacks are mixed in.
        kinds: The kinds of items that it and its like have made, by what differs between them.
    """

    model: ObservationModel
    over_adults: float
    mixture: AttackMixture
    kinds: dict[tuple[bool, ...], ItemKind]


def _model(
    tables: AgeTables, evidence: AgeEvidence, said: _Said, stated_year: int
) -> _Model | None:
    key = (said, stated_year)
    known: _Model | None = tables.item_cache.get(key)
    if known is None:
        observation = evidence.observation
        if isinstance(observation, FacialAgeEstimate):
            tenths = round(observation.mean_years, 1)
            evidence = replace(evidence, observation=replace(observation, mean_years=tenths))
        model = observation_model(tables, evidence, year=stated_year)
        if model is None:
            return None
        over_adults = tables.mean_over_adults(model.likelihood)
        known = _Model(model, over_adults, *_shared(tables, model))
        _keep(tables, key, known)
    return known


def _shared(
    tables: AgeTables, model: ObservationModel
) -> tuple[AttackMixture, dict[tuple[bool, ...], ItemKind]]:
    """Return what models share that differ in nothing but what they say."""
    rates = model.attack.tobytes() + model.posing.tobytes()
    repeats = model.correlation_group, model.correlation
    key = (model.attack_group, model.binding, model.camera, repeats, rates)
    shared: tuple[AttackMixture, dict[tuple[bool, ...], ItemKind]] | None
    shared = tables.fusion_cache.get(key)
    if shared is None:
        # Kept with what is known of companies of kinds, which would else be unknown again.
        shared = AttackMixture.from_rates(model.attack, model.posing), {}
        tables.fusion_cache[key] = shared
    return shared


def _compute(
    tables: AgeTables, evidence: AgeEvidence, said: _Said, moment: Moment
) -> ItemLikelihood | None:
    known = _model(tables, evidence, said, moment.stated_year)
    if known is None:
        return None
    model, over_adults, mixture, _ = known
    likelihood = model.likelihood
    if moment.elapsed_years > 0.0:
        likelihood = np.interp(AGE_GRID - moment.elapsed_years, AGE_GRID, likelihood)
    tampered = moment.tampered and model.camera
    usable = not (moment.expired or model.rejected or tampered or moment.handed_over)
    if not usable:
        # One rate for all ages, or the attack would make the row rise where the item does not.
        relative = np.maximum.accumulate(likelihood[::-1])[::-1]
        lowest = np.full_like(AGE_GRID, model.attack.min())
        mixture = AttackMixture.from_rates(lowest, np.zeros_like(AGE_GRID))
    else:
        of_older = _of_somebody_older(tables, likelihood, adults_at_observation=over_adults)
        handed_over = _handed_over(tables, model.binding, moment)
        # Nothing is ever lowered: an older person's evidence only hides that somebody is younger.
        of_older -= likelihood
        np.maximum(of_older, 0.0, out=of_older)
        of_older *= handed_over
        relative = np.add(likelihood, of_older, of_older)
    best = int(relative.argmax())
    relative = relative / relative.item(best)
    sound = usable and not model.doubted
    if sound and relative.item(relative.argmin()) > 1.0 - _SAME:
        return None  # it says the same of all ages, and would only lend its attack to others
    row = mixture.rows(tables.fusion_weights, relative)
    relative.setflags(write=False)
    row.setflags(write=False)
    factor = odds_factor(tables.fusion_weights, row)
    moved_nats = math.log(factor)
    odds = tables.prior_odds_minor * factor
    alone_probability_minor = odds / (1.0 + odds)
    line = tables.reference_age_years
    peak_below, peak_above = row[row[:line].argmax()], row[line:][row[line:].argmax()]
    live = model.binding is Binding.LIVE_PERSON
    dated = moment.observed_weeks is not None and not moment.expired
    informative = abs(moved_nats) >= _INFORMATIVE_NATS
    for_adulthood = usable and moved_nats <= -_INFORMATIVE_NATS
    is_minor = alone_probability_minor >= tables.established_minor_probability
    kind = _kind(
        known,
        usable=usable,
        sound=sound,
        towards_minor=factor > 1.0,
        informative=informative,
        for_adulthood=for_adulthood,
        dated=dated,
        establishes_minor=informative
        and is_minor
        and usable
        and dated
        and can_establish_minor(evidence.observation, live=live),
        verified=informative and isinstance(evidence.observation, VerifiedAge),
    )
    return ItemLikelihood(
        model=model,
        kind=kind,
        relative=relative,
        row=row,
        usable=usable,
        live=live,
        dated=dated,
        odds_factor=factor,
        peak_odds_factor=max(factor, float(peak_below) / float(peak_above)),
        alone_probability_minor=alone_probability_minor,
        informative=informative,
        for_adulthood=for_adulthood,
        exact_years=best if live and dated and states_whole_year(evidence) else None,
        order=kind.order + relative.tobytes(),
    )


def _kind(
    known: _Model,
    *,
    usable: bool,
    sound: bool,
    towards_minor: bool,
    informative: bool,
    for_adulthood: bool,
    dated: bool,
    establishes_minor: bool,
    verified: bool,
) -> ItemKind:
    """Return the one object of a kind, whichever model made it."""
    differs = (
        usable,
        sound,
        towards_minor,
        informative,
        for_adulthood,
        dated,
        establishes_minor,
        verified,
    )
    kind = known.kinds.get(differs)
    if kind is None:
        model = known.model
        kind = ItemKind(
            usable=usable,
            attack_group=model.attack_group,
            live=model.binding is Binding.LIVE_PERSON,
            correlation_group=model.correlation_group,
            correlation=model.correlation,
            towards_minor=towards_minor,
            informative=informative,
            for_adulthood=for_adulthood,
            camera=usable and model.camera,
            dated=dated,
            establishes_minor=establishes_minor,
            verified=verified,
            sound=sound,
            attack=model.attack,
            posing=model.posing,
        )
        known.kinds[differs] = kind
    return kind


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
    line = tables.reference_age_years
    weighted = tables.presented_age * likelihood
    result = np.empty_like(weighted)
    np.add.accumulate(weighted[::-1], out=result[::-1])
    result /= tables.presented_age_at_least
    result[:line] = adults_at_observation
    return result
