"""Drawing what participants do: signals, attributes, interests and history.

Owns the drawing of everything in ``signals``, together with its likelihood terms, so that the two
cannot drift apart. Given age and intent signals are independent, but for those of past meetings,
which share lasting habits (``past_meetings``). History was counted before day 0, or before the
session where windows are short; what happens in the simulation is not added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from pairguard_training.simulation import signals as world_signals
from pairguard_training.simulation.likelihood_terms import (
    LikelihoodTerms,
    choose,
    softmax_shares,
)
from pairguard_training.simulation.past_meetings import draw_past_meetings
from pairguard_training.simulation.population import Population, hours_log_likelihood
from pairguard_training.simulation.signals import CountSignal, FlagSignal, NormalSignal, Scale
from pairguard_training.simulation.states import Array, Index, Mask, States, states

_SETTLED_DAYS = 2.0
_DEVICE_CHANGED = 0.15  # assumed: accounts that came to another device since sign-up
_HISTORY_SETTLED, _HISTORY_FRESH = 0.85, 0.2


@dataclass(slots=True)
class Behaviour:
    """What is measured in each session (m,) and what it says about the state.

    Attributes:
        signals: (m,) values by catalogue name; NaN: unknown.
        attributes: (m,) texts by catalogue name; "": unknown.
        interests: (n, tags) what each participant names; no tag: unknown.
        participant_terms: Statistics of each participant (n, K) and their coefficients (K, S).
        session_terms: Statistics of each session (m, K) and their coefficients (K, S).
        session_mixtures: Weights (m, H) and shares (H, S) of lasting traits.
    """

    signals: dict[str, Array]
    attributes: dict[str, np.ndarray[tuple[int], np.dtype[np.str_]]]
    interests: Mask
    participant_terms: tuple[Array, Array]
    session_terms: tuple[Array, Array]
    session_mixtures: tuple[tuple[Array, Array], ...]


@dataclass(slots=True)
class _Draw:
    """What the functions below share while they draw."""

    population: Population
    rng: np.random.Generator
    world: States
    known: dict[str, Mask]
    signals: dict[str, Array] = field(default_factory=dict)
    own: LikelihoodTerms = field(default_factory=LikelihoodTerms)
    session: LikelihoodTerms = field(default_factory=LikelihoodTerms)

    @property
    def state(self) -> Index:
        return self.population.state

    @property
    def owner(self) -> Index:
        return self.population.owner


def draw_behaviour(
    population: Population, rng: np.random.Generator, meetings_rng: np.random.Generator
) -> Behaviour:
    """Draw every signal of every session; past meetings from a stream of their own."""
    world = states()
    draw = _Draw(population, rng, world, {})
    _blocks(draw)
    for flag in world_signals.FLAGS:
        known = draw.known[flag.block]
        value = _flag(draw, flag)
        rate = world.rate(flag.rate, **flag.effects)
        draw.own.add_trials(value, np.ones_like(value), known, rate=rate)
        draw.signals[flag.name] = np.where(known, value, np.nan)[draw.owner]
    for normal in world_signals.NORMALS:
        _normal(draw, normal)
    for count in (*world_signals.COUNTS, *world_signals.COUNTED):
        _count(draw, count)
    chats = _chats(draw)
    _reports(draw)
    _schedule(draw)
    attributes = _device(draw)
    interests = _interests(draw)
    account_age = population.time_days - population.signup_days[draw.owner]
    draw.signals["account_age_days"] = account_age
    draw.signals["device_known_days"] = _device_known_days(draw)
    met = draw_past_meetings(population, chats, draw.known["history"], meetings_rng)
    return Behaviour(
        draw.signals | met.signals,
        attributes,
        interests,
        draw.own.compiled(),
        draw.session.compiled(),
        met.mixtures,
    )


def _blocks(draw: _Draw) -> None:
    """Decide which blocks of signals are known of each participant."""
    count = len(draw.state)
    for block, share in world_signals.BLOCK_SHARES.items():
        lean = world_signals.CONVERSATION_YOUTH if block == "conversation" else 0.0
        rate = draw.world.rate(share, young=lean)
        known = draw.rng.random(count) < rate[draw.state]
        draw.known[block] = known
        if lean:
            draw.own.add_trials(
                known.astype(np.float64), np.ones(count), np.ones(count, bool), rate=rate
            )
    settled = draw.population.tenure_days > _SETTLED_DAYS
    chance = np.where(settled, _HISTORY_SETTLED, _HISTORY_FRESH)
    draw.known["history"] = draw.rng.random(count) < chance


def _flag(draw: _Draw, flag: FlagSignal) -> Array:
    rate = draw.world.rate(flag.rate, **flag.effects)
    return (draw.rng.random(len(draw.state)) < rate[draw.state]).astype(np.float64)


def _normal(draw: _Draw, signal: NormalSignal) -> None:
    """Draw a transformed normal: part of its spread is the person's, part the session's."""
    mean = draw.world.curve(signal.level, **signal.effects)
    lasting = draw.rng.standard_normal(len(draw.state))[draw.owner]
    passing = draw.rng.standard_normal(len(draw.owner))
    error = np.sqrt(signal.persistence) * lasting + np.sqrt(1 - signal.persistence) * passing
    value = mean[draw.state[draw.owner]] + signal.deviation * error
    known = draw.known[signal.block][draw.owner]
    draw.session.add_normal(value, known, mean=mean, deviation=signal.deviation)
    shown = expit(value) if signal.scale is Scale.LOGIT else np.exp(value)
    draw.signals[signal.name] = np.where(known, shown, np.nan)


def _drawn_count(draw: _Draw, signal: CountSignal, rows: Index) -> tuple[Array, Array]:
    """Return a negative binomial count for states of rows, and its mean by state."""
    mean = np.exp(draw.world.curve(signal.log_mean, **signal.effects))
    rate = draw.rng.gamma(signal.shape, mean[rows] / signal.shape)
    return draw.rng.poisson(rate).astype(np.float64), mean


def _count(draw: _Draw, signal: CountSignal) -> None:
    value, mean = _drawn_count(draw, signal, draw.state)
    known = draw.known[signal.block]
    draw.own.add_count(value, known, mean=mean, shape=signal.shape)
    draw.signals[signal.name] = np.where(known, value, np.nan)[draw.owner]


def _chats(draw: _Draw) -> Array:
    """Draw the chats of the last day, known from the platform or from the service's count."""
    signal = world_signals.CHATS
    rows = draw.state[draw.owner]
    value, mean = _drawn_count(draw, signal, rows)
    sent = draw.known[signal.block][draw.owner]
    counted = draw.known["history"][draw.owner]
    draw.session.add_count(value, sent | counted, mean=mean, shape=signal.shape)
    draw.signals[signal.name] = np.where(sent, value, np.nan)
    return value


def _reports(draw: _Draw) -> None:
    """Draw reports of 30 days and what they were for, those before them, and the upheld."""
    known = draw.known["history"]
    recent, recent_mean = _drawn_count(draw, world_signals.REPORTS_30D, draw.state)
    earlier, earlier_mean = _drawn_count(draw, world_signals.REPORTS_EARLIER, draw.state)
    for value, mean, signal in (
        (recent, recent_mean, world_signals.REPORTS_30D),
        (earlier, earlier_mean, world_signals.REPORTS_EARLIER),
    ):
        draw.own.add_count(value, known, mean=mean, shape=signal.shape)
    total = recent + earlier
    upheld = _of(draw, world_signals.UPHELD, total)
    child_safety = _of(draw, world_signals.CHILD_SAFETY, recent)
    sexual = _of(draw, world_signals.SEXUAL, recent - child_safety)
    for name, value in (
        (world_signals.REPORTS_30D.name, recent),
        (world_signals.REPORTS_EARLIER.name, total),
        (world_signals.UPHELD.name, upheld),
        (world_signals.CHILD_SAFETY.name, child_safety),
        (world_signals.SEXUAL.name, sexual),
    ):
        draw.signals[name] = np.where(known, value, np.nan)[draw.owner]


def _of(draw: _Draw, signal: FlagSignal, total: Array) -> Array:
    """Draw how many (n,) of a total are of a kind."""
    rate = draw.world.rate(signal.rate, **signal.effects)
    hits = draw.rng.binomial(total.astype(np.int64), rate[draw.state]).astype(np.float64)
    draw.own.add_trials(hits, total, draw.known[signal.block], rate=rate)
    return hits


def _schedule(draw: _Draw) -> None:
    """Take over the hour of the session, which the population drew."""
    population = draw.population
    hour = np.minimum(population.hour_local.astype(np.int64), 23)
    shares = hours_log_likelihood()
    for school_day in (0, 1):
        here = population.school_day == bool(school_day)
        draw.session.add_category(hour, here, log_shares=shares[school_day])
    draw.signals["session_hour_local"] = population.hour_local
    draw.signals["school_day_local"] = population.school_day.astype(np.float64)


def _device(draw: _Draw) -> dict[str, np.ndarray[tuple[int], np.dtype[np.str_]]]:
    """Draw the device: its class depends on the state, all else on the class alone."""
    known = draw.known["device"]
    chosen: dict[str, Index] = {}
    for name, levels in (
        ("device_class", world_signals.DEVICE_LEVELS),
        ("network_class", world_signals.NETWORK_LEVELS),
    ):
        shares = softmax_shares(levels, draw.world.young, draw.world.youthful)
        chosen[name] = choose(shares.T[draw.state], draw.rng)
        draw.own.add_category(chosen[name], known, log_shares=np.log(shares))
    device = chosen["device_class"]
    chosen["client_os"] = choose(np.array(world_signals.OS_SHARES)[device], draw.rng)
    chosen["browser"] = choose(np.array(world_signals.BROWSER_SHARES)[device], draw.rng)
    count = len(device)
    width = np.array(world_signals.SCREEN_WIDTHS)[device]
    width = np.round(width * np.exp(0.12 * draw.rng.standard_normal(count)))
    memory = np.array(world_signals.MEMORY_GIB)[device] * 2.0 ** draw.rng.integers(-1, 2, count)
    for name, value in (("screen_width", width), ("device_memory_gib", memory)):
        draw.signals[name] = np.where(known, value, np.nan)[draw.owner]
    words: Mapping[str, tuple[str, ...]] = {
        "device_class": world_signals.DEVICE_CLASSES,
        "network_class": world_signals.NETWORK_CLASSES,
        "client_os": world_signals.OPERATING_SYSTEMS,
        "browser": world_signals.BROWSERS,
    }
    return {
        name: np.where(known, np.array(words[name])[codes], "")[draw.owner]
        for name, codes in chosen.items()
    }


def _device_known_days(draw: _Draw) -> Array:
    """Draw since when the account is on its device; who changes devices depends on no state."""
    population = draw.population
    count = len(draw.state)
    changed = draw.rng.random(count) < _DEVICE_CHANGED
    since = population.signup_days * np.where(changed, draw.rng.random(count), 1.0)
    days = population.time_days - since[draw.owner]
    return np.where(draw.known["device"][draw.owner], days, np.nan)


def _interests(draw: _Draw) -> Mask:
    """Draw the tags; who names none is as unknown as who was not asked."""
    tags = world_signals.INTERESTS
    count = len(draw.state)
    rates = np.stack(
        [
            draw.world.rate(share, young=young, youthful=youth)
            for share, young, youth in tags.values()
        ]
    )
    named = draw.rng.random((count, len(tags))) < rates.T[draw.state]
    named &= draw.known["interests"][:, None]
    some: Mask = named.sum(axis=1) > 0
    for index in range(len(tags)):
        log_odds = np.log(rates[index]) - np.log1p(-rates[index])
        draw.own.add(named[:, index], log_odds)
    silent = np.log1p(-rates).sum(axis=0)
    share = world_signals.BLOCK_SHARES["interests"]
    draw.own.add(some, silent + np.log(share))
    draw.own.add(~some, np.log1p(-share + share * np.exp(silent)))
    return named
