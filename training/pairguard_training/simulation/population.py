"""Who is on the simulated platform: persons, their participant ids, their sessions.

Owns persons, fresh ids, households, tenure and the times of sessions, and how likely each is given
a state. It must not know what anybody does or shows.

One person may hold several participant ids (somebody who was reported comes back under a fresh
one). Ages move on through the simulation: a state's age is that of day 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation.states import (
    ADULT_AGE_YEARS,
    DAYS_PER_YEAR,
    ENTRY_PATHS,
    REGIONS,
    Array,
    Index,
    Mask,
    prior,
    states,
)

_MAXIMUM_TENURE_DAYS = 1095.0
_OLD_TENURE_DAYS = 260.0
_NEW_TENURE_DAYS = 5.0
_SECOND_ID = 0.06  # share of social persons with a second id
_HOUSEHOLD_SHARE = 0.35  # share of minors who share a device with an adult of 28 or more
_HOUSEHOLD_ADULT_YEARS = 28.0


@dataclass(frozen=True, slots=True)
class Population:
    """Participant ids (n,) and their sessions (m,), sessions ordered by participant.

    Attributes:
        person: (n,) person behind each id.
        state: (n,) index of the person's state.
        region: (n,) index into ``REGIONS``.
        entry: (n,) index into ``ENTRY_PATHS``.
        tenure_days: (n,) days from sign-up to one day before day 0.
        cluster: (n,) household or device.
        female: (n,) for audits only; nothing but the errors of faces depends on it.
        owner: (m,) participant of each session.
        time_days: (m,) when the session began, in days after day 0 (UTC).
        hour_local: (m,) hour of the day there, 0-24.
        school_day: (m,) whether that was Monday to Friday.
        session_rate: Mean number of further sessions of a social participant.
    """

    person: Index
    state: Index
    region: Index
    entry: Index
    tenure_days: Array
    cluster: Index
    female: Mask
    owner: Index
    time_days: Array
    hour_local: Array
    school_day: Mask
    session_rate: float

    @property
    def signup_days(self) -> Array:
        """Return (n,) days of sign-up after day 0, all negative."""
        return -1.0 - self.tenure_days


def draw_population(
    participants: int, *, session_rate: float, days: int, rng: np.random.Generator
) -> Population:
    """Draw persons, ids and sessions.

    Args:
        participants: Number of participant ids.
        session_rate: Mean number of sessions beyond the first of a social participant.
        days: Length of the simulated time.
        rng: Source of randomness.
    """
    region = rng.choice(len(REGIONS), participants, p=_shares([r.share for r in REGIONS]))
    entry = rng.choice(len(ENTRY_PATHS), participants, p=_shares([e.share for e in ENTRY_PATHS]))
    state = _draw_states(region, entry, rng)
    # Persons beyond the wanted number of ids fall away; each keeps its ids together.
    ids = 1 + (rng.random(participants) < _second_id()[state])
    person = np.repeat(np.arange(participants), ids)[:participants]
    cluster = _households(state, region, rng)[person]
    state, region, entry = state[person], region[person], entry[person]
    female = (rng.random(participants) < 0.5)[person]
    new = rng.random(participants) < _new_share()[state]
    tenure = _truncated_exponential(
        np.where(new, _NEW_TENURE_DAYS, _OLD_TENURE_DAYS), rng.random(participants)
    )
    sessions = 1 + rng.poisson(session_rate * _activity()[state])
    owner = np.repeat(np.arange(participants), sessions)
    day = rng.integers(0, days, len(owner))
    school_day = day % 7 < 5
    hour = _draw_hours(state[owner], school_day, rng)
    offset = np.array([r.utc_offset_hours for r in REGIONS])[region[owner]]
    time = day + (hour - offset) / 24.0
    order = np.lexsort((time, owner))
    return Population(
        person=person,
        state=state,
        region=region,
        entry=entry,
        tenure_days=tenure,
        cluster=cluster,
        female=female,
        owner=owner,
        time_days=time[order],
        hour_local=hour[order],
        school_day=school_day[order],
        session_rate=session_rate,
    )


def log_prior(session_rate: float) -> Array:
    """Return (regions, entry paths, S) log share of each state among sessions.

    Persons with more ids and more sessions are met more often: a session's prior is the persons'
    prior times the expected number of sessions.
    """
    weight = (1.0 + _second_id()) * (1.0 + session_rate * _activity())
    weighted = prior() * weight
    result: Array = np.log(weighted / weighted.sum(axis=2, keepdims=True))
    return result


def tenure_log_likelihood(tenure_days: Array) -> Array:
    """Return (n, S) log density of the tenure, but for a factor that no state changes."""
    new = _truncated_density(tenure_days, _NEW_TENURE_DAYS)
    old = _truncated_density(tenure_days, _OLD_TENURE_DAYS)
    share = _new_share()
    result: Array = np.log(old[:, None] + share * (new - old)[:, None])
    return result


def hours_log_likelihood() -> Array:
    """Return (2, 24, S) log probability of an hour, on other days and on school days."""
    result: Array = np.log(_hour_shares())
    return result


def _activity() -> Array:
    result: Array = np.exp(states().curve(0.0, young=0.1, rude=0.2, predatory=0.7, posing=0.7))
    return result


def _second_id() -> Array:
    return states().rate(_SECOND_ID, young=0.2, rude=0.9, predatory=1.8, posing=2.2)


def _new_share() -> Array:
    return states().rate(0.22, young=0.4, rude=0.5, predatory=1.4, posing=1.9)


def _hour_shares() -> Array:
    """Return (2, 24, S) share of each local hour: children are at school, then in bed."""
    world = states()
    hour = np.arange(24)[:, None] + 0.5
    evening = np.exp(-0.5 * ((hour - 20.5) / 3.5) ** 2)
    afternoon = np.exp(-0.5 * ((hour - 17.0) / 3.0) ** 2)
    night = np.exp(-0.5 * (((hour + 12.0) % 24.0 - 13.0) / 2.5) ** 2)
    weights = (
        0.12
        + evening
        + afternoon * (0.2 + 0.9 * world.young)
        + night * (0.55 - 0.35 * world.young + 0.15 * world.youthful)
    )
    at_school = ((hour > 8) & (hour < 15)) * world.young
    school = weights * (1.0 - 0.75 * at_school)
    shares = np.stack([weights, school])
    result: Array = shares / shares.sum(axis=1, keepdims=True)
    return result


def _draw_hours(state: Index, school_day: Mask, rng: np.random.Generator) -> Array:
    cumulative = np.cumsum(_hour_shares(), axis=1)
    rows = cumulative[school_day.astype(np.int64), :, state]
    hour = (rows < rng.random(len(state))[:, None]).sum(axis=1)
    result: Array = np.minimum(hour, 23) + rng.random(len(state))
    return result


def _draw_states(region: Index, entry: Index, rng: np.random.Generator) -> Index:
    uniform = rng.random(len(region))
    cumulative = np.cumsum(prior(), axis=2)
    state = np.zeros(len(region), dtype=np.int64)
    for place in np.ndindex(len(REGIONS), len(ENTRY_PATHS)):
        here = (region == place[0]) & (entry == place[1])
        state[here] = np.searchsorted(cumulative[place], uniform[here])
    return np.minimum(state, states().count - 1)


def _households(state: Index, region: Index, rng: np.random.Generator) -> Index:
    """Return each person's cluster: some children share that of an adult of their region."""
    age = states().age[state]
    cluster = np.arange(len(state))
    shares = (age < ADULT_AGE_YEARS) & (rng.random(len(state)) < _HOUSEHOLD_SHARE)
    for code in range(len(REGIONS)):
        adults = np.flatnonzero((age >= _HOUSEHOLD_ADULT_YEARS) & (region == code))
        children = np.flatnonzero(shares & (region == code))
        if len(adults):
            cluster[children] = rng.choice(adults, len(children))
    return cluster


def _truncated_exponential(mean: Array, uniform: Array) -> Array:
    result: Array = -mean * np.log1p(uniform * np.expm1(-_MAXIMUM_TENURE_DAYS / mean))
    return result


def _truncated_density(value: Array, mean: float) -> Array:
    result: Array = np.exp(-value / mean) / (mean * -np.expm1(-_MAXIMUM_TENURE_DAYS / mean))
    return result


def _shares(values: list[float]) -> Array:
    result: Array = np.array(values) / sum(values)
    return result


def age_at(state_age: Array, days: Array) -> Array:
    """Return ages in years some days after day 0."""
    return state_age + days / DAYS_PER_YEAR
