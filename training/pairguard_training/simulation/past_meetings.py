"""Drawing the meetings before a session, as the service has counted them.

Owns the windows (1 h, 24 h, 7 d, 30 d), what is summed over them, and its likelihood. It must not
know why somebody chooses as they do (``partner_choice``).

Chats are drawn for four spans that do not overlap, and each window is the sum of the newest ones:
so longer windows hold the shorter, skips are never more than chats, and every share is that of the
counts and seconds beside it. The chats of other days follow the rate that the last day's tell, and
no other state; before sign-up there are none. Given the habit, which lasts through all spans and
sessions, skips and lengths of chats are independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation import signals as world_signals
from pairguard_training.simulation.likelihood_terms import LikelihoodTerms, choose
from pairguard_training.simulation.partner_choice import (
    LIKELY_ADULT,
    LIKELY_MINOR,
    appeals,
    habits,
)
from pairguard_training.simulation.population import Population
from pairguard_training.simulation.states import Array, Index, Mask

WINDOWS = ("1h", "24h", "7d", "30d")

# Assumed. Days of use among those of the last week before the last day, and of the weeks before.
_USE_WEEK, _USE_MONTH = 0.30, 0.20
_LAST_HOUR = 0.20  # share of a day's chats, of which an hour holds no more than
_MOST_CHATS_AN_HOUR = 30
_SKIP_SECONDS = 5.0
_MET_AGAIN = 0.04  # share of chats with somebody who was met within the 30 days
_SERVICE_DAYS = 400.0  # that the service had been counting on day 0
_FIRST_CHAT_DAYS = 0.3  # mean time from sign-up to the first chat


@dataclass(frozen=True, slots=True)
class PastMeetings:
    """What the service has counted at each session.

    Attributes:
        signals: (m,) values by catalogue name; NaN: unknown.
        mixtures: Weights of lasting traits (m, H), each row's greatest 1, and the traits' shares
            (H, S): the likelihood of a state is, but for a factor, their product.
    """

    signals: dict[str, Array]
    mixtures: tuple[tuple[Array, Array], ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """The chats with one kind of partner, (4, m) by span, newest first."""

    met: Index
    skipped: Index
    suffered: Index
    seconds: Array

    @property
    def stayed(self) -> Index:
        """Chats that nobody skipped."""
        return self.met - self.skipped - self.suffered

    def all_seconds(self) -> Array:
        """Seconds of all chats, the skipped too."""
        result: Array = self.seconds + _SKIP_SECONDS * (self.skipped + self.suffered)
        return result


def draw_past_meetings(
    population: Population, chats_24h: Array, known: Mask, rng: np.random.Generator
) -> PastMeetings:
    """Draw everything that the service counted of the participants' meetings.

    Args:
        population: The participants and their sessions.
        chats_24h: (m,) chats of the last day.
        known: (n,) of whom the service has a history.
        rng: Source of randomness.
    """
    chosen, liked = habits(), appeals()
    owner = population.owner
    habit = choose(chosen.shares.T[population.state], rng)[owner]
    appeal = choose(liked.shares.T[population.state], rng)[owner]
    age_days = population.time_days - population.signup_days[owner]
    chats = _chats(chats_24h.astype(np.int64), age_days, rng)
    minors = rng.binomial(chats, chosen.minor_share[habit])
    suffers = liked.skipped[appeal]
    likely_minor = _kind(
        minors, chosen.skips_minor[habit], suffers, chosen.seconds_with_minor[habit], rng
    )
    likely_adult = _kind(
        chats - minors, chosen.skips_adult[habit], suffers, chosen.seconds_with_adult[habit], rng
    )
    values = _counted(chats, likely_minor, likely_adult)
    again = rng.binomial(values["history.chats_started_30d"].astype(np.int64), _MET_AGAIN)
    partners = values["history.chats_started_30d"] - again
    values["history.distinct_partners_30d"] = np.where(
        chats.sum(axis=0) > 0, np.maximum(partners, 1.0), 0.0
    )
    late = rng.exponential(_FIRST_CHAT_DAYS, len(population.state))[owner]
    seen_days = np.minimum(age_days - late, _SERVICE_DAYS + population.time_days)
    values["history.known_days"] = np.maximum(seen_days, 0.0)
    counted = known[owner]
    signals = {name: np.where(counted, value, np.nan) for name, value in values.items()}
    return PastMeetings(
        signals,
        (
            (_habit_weights(likely_minor, likely_adult, counted), chosen.shares),
            (_appeal_weights(likely_minor, likely_adult, counted), liked.shares),
        ),
    )


def _chats(chats_24h: Index, age_days: Array, rng: np.random.Generator) -> Index:
    """Return (4, m) chats of the last hour, the rest of the day, of the week, of 30 days."""
    prior = world_signals.CHATS
    hour = np.minimum(rng.binomial(chats_24h, _LAST_HOUR), _MOST_CHATS_AN_HOUR)
    a_day = rng.standard_gamma(prior.shape + chats_24h) / (
        1.0 + prior.shape / np.exp(prior.log_mean)
    )
    week = rng.poisson(a_day * _USE_WEEK * np.clip(age_days - 1.0, 0.0, 6.0))
    month = rng.poisson(a_day * _USE_MONTH * np.clip(age_days - 7.0, 0.0, 23.0))
    return np.stack([hour, chats_24h - hour, week, month])


def _kind(
    met: Index, skips: Array, suffers: Array, mean_seconds: Array, rng: np.random.Generator
) -> _Kind:
    skipped = rng.binomial(met, skips)
    suffered = rng.binomial(met - skipped, suffers)
    # A sum of so many exponential lengths; of none it is 0.
    seconds = mean_seconds * rng.standard_gamma((met - skipped - suffered).astype(np.float64))
    return _Kind(met, skipped, suffered, seconds)


def _counted(chats: Index, minor: _Kind, adult: _Kind) -> dict[str, Array]:
    """Return what the service makes of it, which knows partners by their probability alone."""

    def by_window(spans: Array | Index) -> Array:
        return np.cumsum(spans, axis=0, dtype=np.float64)

    def weighed(of: Callable[[_Kind], Array | Index], *, adults: bool) -> Array:
        weights = np.array([LIKELY_MINOR, LIKELY_ADULT])
        if adults:
            weights = 1.0 - weights
        return by_window(weights[0] * of(minor) + weights[1] * of(adult))

    counts = {
        "chats_started": by_window(chats),
        "skips_made": by_window(minor.skipped + adult.skipped),
        "skips_suffered": by_window(minor.suffered + adult.suffered),
        "seconds_with_likely_minors": weighed(_Kind.all_seconds, adults=False),
        "seconds_with_likely_adults": weighed(_Kind.all_seconds, adults=True),
    }
    values = {
        f"history.{name}_{window}": by_span[place]
        for name, by_span in counts.items()
        for place, window in enumerate(WINDOWS)
    }
    week = WINDOWS.index("7d")
    for kind, adults in (("adult", True), ("minor", False)):
        values[f"history.{kind}_skip_rate_7d"] = _share(
            weighed(lambda one: one.skipped, adults=adults)[week],
            weighed(lambda one: one.met, adults=adults)[week],
        )
    with_minors, with_adults = (
        values[f"history.seconds_with_likely_{kind}_7d"] for kind in ("minors", "adults")
    )
    values["history.minor_time_share_7d"] = _share(with_minors, with_minors + with_adults)
    return values


def _habit_weights(minor: _Kind, adult: _Kind, known: Mask) -> Array:
    """Return (m, H) likelihoods of all that was counted, given the habit."""
    chosen = habits()
    terms = LikelihoodTerms()
    met = [kind.met.sum(axis=0).astype(np.float64) for kind in (minor, adult)]
    terms.add_trials(met[0], met[0] + met[1], known, rate=chosen.minor_share)
    for kind, count, skips, seconds in (
        (minor, met[0], chosen.skips_minor, chosen.seconds_with_minor),
        (adult, met[1], chosen.skips_adult, chosen.seconds_with_adult),
    ):
        terms.add_trials(kind.skipped.sum(axis=0).astype(np.float64), count, known, rate=skips)
        terms.add(np.where(known, kind.seconds.sum(axis=0), 0.0), -1.0 / seconds)
        terms.add(np.where(known, kind.stayed.sum(axis=0), 0.0), -np.log(seconds))
    return _weights(terms)


def _appeal_weights(minor: _Kind, adult: _Kind, known: Mask) -> Array:
    """Return (m, A) likelihoods of how many skipped them."""
    terms = LikelihoodTerms()
    suffered = (minor.suffered + adult.suffered).sum(axis=0)
    stayed = (minor.stayed + adult.stayed).sum(axis=0)
    terms.add_trials(
        suffered.astype(np.float64),
        (suffered + stayed).astype(np.float64),
        known,
        rate=appeals().skipped,
    )
    return _weights(terms)


def _weights(terms: LikelihoodTerms) -> Array:
    statistics, coefficients = terms.compiled()
    logs = statistics @ coefficients
    result: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
    return result


def _share(part: Array, whole: Array) -> Array:
    """Return part / whole; of nothing there is no share."""
    result: Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0.0)
    return result
