"""Facial age estimates of the simulation: biased upward for children, heavy-tailed, spoofed.

Owns the error model, the attack model and the liveness test; drawing and density side by side. One
capture is one attack: its frames, its liveness result and its threshold answer are spoofed
together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtr, stdtr

from pairguard_training.simulation.population import Population, age_at
from pairguard_training.simulation.states import (
    ENTRY_PATHS,
    Array,
    Index,
    Intent,
    Mask,
    interpolate,
    states,
)

# Bias and scale (years) of two estimators by age. At 13-16 they follow the best quartile (+1.4)
# and the median (+3.2) of independent tests (NIST FATE AEV, July 2026); other ages are assumed.
_BIAS = (
    ((8, 0.9), (12, 1.3), (14.5, 1.4), (17, 1.3), (20, 1.0), (30, 0.1), (45, -0.6), (75, -2.0)),
    ((8, 1.8), (12, 2.9), (14.5, 3.2), (17, 2.8), (20, 2.2), (30, 0.3), (45, -0.6), (75, -2.5)),
)
_SCALE = (
    ((8, 1.4), (14.5, 1.7), (17, 1.9), (20, 2.1), (30, 2.6), (75, 4.5)),
    ((8, 1.7), (14.5, 2.1), (17, 2.2), (20, 2.5), (30, 3.2), (75, 5.5)),
)
PROVIDERS = ("simulated_face_a", "simulated_face_b")
DEGREES_OF_FREEDOM = 4.0
_FRAME_CORRELATION = 0.75  # as the service's tables; NIST: frame noise .655 years
_SECOND_FRAME_SHARE = 0.3
_THRESHOLD_SHARE = 0.2  # captures of which the vendor only says whether 18 was passed
THRESHOLD_YEARS = 18.0

_ATTACK = ((8, 0.05), (13, 0.08), (17, 0.07), (20, 0.01), (75, 0.01))  # assumed
_ATTACK_POSING = 0.30  # assumed
_SPOOF_ADULT = (27.0, 6.0)  # mean and deviation of the face shown by those who spoof upwards
_SPOOF_CHILD = (15.0, 2.0)
_SPOOF_FRAME_YEARS = 0.65

LIVENESS = ("PASSED", "FAILED", "UNDETERMINED")
_LIVENESS_HONEST = (0.965, 0.010, 0.025)  # assumed
_LIVENESS_ATTACK = (0.55, 0.30, 0.15)  # assumed


@dataclass(frozen=True, slots=True)
class Faces:
    """Captures, at most one a participant (n,).

    Attributes:
        held: (n,) whether there is one.
        time_days: (n,) when, in days after day 0.
        provider: (n,) index into ``PROVIDERS``; the second tests no liveness.
        mean_years: (n, 2) estimates of one or two frames; NaN: no such frame.
        over: (n,) answer at the threshold where only that is told; -1: the estimate is told.
        liveness: (n,) index into ``LIVENESS``; -1: not tested.
    """

    held: Mask
    time_days: Array
    provider: Index
    mean_years: Array
    over: Index
    liveness: Index


def draw_faces(population: Population, *, days: int, rng: np.random.Generator) -> Faces:
    """Draw who was estimated, when, and with what result."""
    count = len(population.state)
    world = states()
    held = rng.random(count) < np.array([p.face_share for p in ENTRY_PATHS])[population.entry]
    earliest = np.maximum(population.signup_days, -200.0)
    time = earliest + (days - earliest) * rng.random(count)
    age = age_at(world.age[population.state], time)
    posing = world.intent[population.state] == Intent.POSING
    provider = rng.integers(0, 2, count)
    attacked = rng.random(count) < _attack(age, posing)
    bias, scale = _error_model(age, provider)
    shared = rng.chisquare(DEGREES_OF_FREEDOM, count) / DEGREES_OF_FREEDOM
    first, second = rng.standard_normal((2, count))
    second = _FRAME_CORRELATION * first + np.sqrt(1 - _FRAME_CORRELATION**2) * second
    errors = np.stack([first, second], axis=1) / np.sqrt(shared)[:, None]
    honest = (age + bias)[:, None] + scale[:, None] * errors
    centre = np.where(posing, _SPOOF_CHILD[0], _SPOOF_ADULT[0])
    spread = np.where(posing, _SPOOF_CHILD[1], _SPOOF_ADULT[1])
    spoofed = centre + spread * rng.standard_normal(count)
    frames = np.stack([spoofed, spoofed + _SPOOF_FRAME_YEARS * rng.standard_normal(count)], axis=1)
    mean = np.where(attacked[:, None], frames, honest)
    # An estimate outside 1-100 years is a failed capture; about 1 in 10,000.
    held &= ((mean > 1.0) & (mean < 100.0)).all(axis=1)
    told = rng.random(count) >= _THRESHOLD_SHARE
    over = np.where(told, -1, mean[:, 0] >= THRESHOLD_YEARS)
    mean[:, 1] = np.where(rng.random(count) < _SECOND_FRAME_SHARE, mean[:, 1], np.nan)
    mean = np.where(told[:, None], mean, np.nan)
    chances = np.where(attacked[:, None], np.cumsum(_LIVENESS_ATTACK), np.cumsum(_LIVENESS_HONEST))
    live = np.minimum((chances < rng.random(count)[:, None]).sum(axis=1), 2)
    return Faces(held, time, provider, mean, over, np.where(provider == 0, live, -1))


def face_log_likelihood(faces: Faces, rows: Index) -> Array:
    """Return (len(rows), S) log density of the captures of participants that have one."""
    world = states()
    age = age_at(world.age, faces.time_days[rows][:, None])
    posing = (world.intent == Intent.POSING)[None, :]
    provider = faces.provider[rows]
    bias, scale = _error_model(age, provider[:, None])
    centre = np.where(posing, _SPOOF_CHILD[0], _SPOOF_ADULT[0])
    spread = np.where(posing, _SPOOF_CHILD[1], _SPOOF_ADULT[1])
    honest = np.empty_like(age)
    attack = np.empty_like(age)
    told = faces.over[rows] < 0
    frames = faces.mean_years[rows]
    for chosen, density in ((told, _told), (~told, _answered)):
        if chosen.any():
            honest[chosen], attack[chosen] = density(
                frames[chosen],
                faces.over[rows][chosen][:, None],
                (age + bias)[chosen],
                scale[chosen],
                centre,
                spread,
            )
    live = faces.liveness[rows][:, None]
    for index in range(3):
        honest = np.where(live == index, honest * _LIVENESS_HONEST[index], honest)
        attack = np.where(live == index, attack * _LIVENESS_ATTACK[index], attack)
    rate = _attack(age, posing)
    result: Array = np.log(np.maximum((1 - rate) * honest + rate * attack, 1e-300))
    return result


def _told(
    frames: Array, _over: Index, centre: Array, scale: Array, spoof: Array, spread: Array
) -> tuple[Array, Array]:
    """Return honest and attack densities of one or two estimates (two: bivariate t)."""
    first = (frames[:, :1] - centre) / scale
    two = ~np.isnan(frames[:, 1:])
    second = np.where(two, (np.nan_to_num(frames[:, 1:]) - centre) / scale, 0.0)
    rho = np.where(two, _FRAME_CORRELATION, 0.0)
    square = (first**2 - 2 * rho * first * second + second**2) / (1 - rho**2)
    dimensions = np.where(two, 2.0, 1.0)
    nu = DEGREES_OF_FREEDOM
    constant = np.exp(gammaln((nu + dimensions) / 2) - gammaln(nu / 2))
    constant /= (nu * np.pi) ** (dimensions / 2) * np.sqrt(1 - rho**2)
    honest = constant * (1 + square / nu) ** (-(nu + dimensions) / 2) / scale**dimensions
    attack = _normal(frames[:, :1], spoof, spread)
    step = np.nan_to_num(frames[:, 1:] - frames[:, :1])
    attack = attack * np.where(two, _normal(step, np.zeros(1), np.array(_SPOOF_FRAME_YEARS)), 1.0)
    return honest, attack


def _answered(
    _frames: Array, over: Index, centre: Array, scale: Array, spoof: Array, spread: Array
) -> tuple[Array, Array]:
    """Return honest and attack probabilities of the answer at the threshold."""
    below = stdtr(DEGREES_OF_FREEDOM, (THRESHOLD_YEARS - centre) / scale)
    spoofed_below = ndtr((THRESHOLD_YEARS - spoof) / spread)
    return (
        np.where(over == 1, 1 - below, below),
        np.where(over == 1, 1 - spoofed_below, spoofed_below),
    )


def _normal(value: Array, mean: Array, deviation: Array) -> Array:
    result: Array = np.exp(-0.5 * ((value - mean) / deviation) ** 2) / (
        deviation * np.sqrt(2 * np.pi)
    )
    return result


def _error_model(age: Array, provider: Index) -> tuple[Array, Array]:
    bias = np.where(provider == 0, interpolate(age, _BIAS[0]), interpolate(age, _BIAS[1]))
    scale = np.where(provider == 0, interpolate(age, _SCALE[0]), interpolate(age, _SCALE[1]))
    return bias, scale


def _attack(age: Array, posing: Mask) -> Array:
    return np.where(posing, _ATTACK_POSING, interpolate(age, _ATTACK))
