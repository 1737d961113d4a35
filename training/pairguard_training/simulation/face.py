"""Facial age estimates of the simulation: biased upward for children, heavy-tailed, spoofed.

Owns the captures, the attack model and the liveness test; drawing and density side by side. One
capture is one attack: its frames, its liveness result and its threshold answer are spoofed
together or not at all. The groups whose errors differ are observed by nobody: the density is the
exact mean over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtr, stdtr

from pairguard_training.simulation.error_groups import error_factors, group_shares
from pairguard_training.simulation.face_errors import FaceErrors
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
        errors: How far the providers err.
    """

    held: Mask
    time_days: Array
    provider: Index
    mean_years: Array
    over: Index
    liveness: Index
    errors: FaceErrors


def draw_faces(
    population: Population,
    groups: Index,
    *,
    errors: FaceErrors,
    days: int,
    rng: np.random.Generator,
) -> Faces:
    """Draw who was estimated, when, and with what result.

    Args:
        population: The participants.
        groups: (n,) error group of each, index into ``error_groups.ERROR_GROUPS``.
        errors: How far the providers err.
        days: Length of the simulated time.
        rng: Source of randomness.
    """
    count = len(population.state)
    world = states()
    held = rng.random(count) < np.array([p.face_share for p in ENTRY_PATHS])[population.entry]
    earliest = np.maximum(population.signup_days, -200.0)
    time = earliest + (days - earliest) * rng.random(count)
    age = age_at(world.age[population.state], time)
    posing = world.intent[population.state] == Intent.POSING
    provider = rng.integers(0, 2, count)
    attacked = rng.random(count) < _attack(age, posing)
    bias, scale = (error_factors()[groups] * years for years in errors.at(age, provider))
    shared = rng.chisquare(DEGREES_OF_FREEDOM, count) / DEGREES_OF_FREEDOM
    first, second = rng.standard_normal((2, count))
    second = _FRAME_CORRELATION * first + np.sqrt(1 - _FRAME_CORRELATION**2) * second
    off = np.stack([first, second], axis=1) / np.sqrt(shared)[:, None]
    honest = (age + bias)[:, None] + scale[:, None] * off
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
    return Faces(held, time, provider, mean, over, np.where(provider == 0, live, -1), errors)


def face_log_likelihood(faces: Faces, population: Population, rows: Index) -> Array:
    """Return (len(rows), S) log density of the captures of participants that have one."""
    world = states()
    # States of several intents share their ages, and an honest error knows no intent.
    years, place = np.unique(world.age, return_inverse=True)
    then = age_at(years, faces.time_days[rows][:, None])
    honest = _honest(faces, rows, then, group_shares()[population.region[rows]])[:, place]
    age = then[:, place]
    posing = (world.intent == Intent.POSING)[None, :]
    attack = _spoofed(
        faces,
        rows,
        np.where(posing, _SPOOF_CHILD[0], _SPOOF_ADULT[0]),
        np.where(posing, _SPOOF_CHILD[1], _SPOOF_ADULT[1]),
    )
    live = faces.liveness[rows][:, None]
    for index in range(3):
        honest = np.where(live == index, honest * _LIVENESS_HONEST[index], honest)
        attack = np.where(live == index, attack * _LIVENESS_ATTACK[index], attack)
    rate = _attack(age, posing)
    result: Array = np.log(np.maximum((1 - rate) * honest + rate * attack, 1e-300))
    return result


def _honest(faces: Faces, rows: Index, age: Array, shares: Array) -> Array:
    """Return (len(rows), ages) densities without an attack: the mean over the error groups.

    Args:
        faces: The captures.
        rows: Participants that have one.
        age: (len(rows), ages) possible true ages at the capture.
        shares: (len(rows), groups) share of each error group.
    """
    bias, scale = faces.errors.at(age, faces.provider[rows][:, None])
    told = faces.over[rows] < 0
    two = told & ~np.isnan(faces.mean_years[rows, 1])
    result = np.zeros_like(age)
    for chosen, density in ((two, _two_frames), (told & ~two, _one_frame), (~told, _answered)):
        if not chosen.any():
            continue
        frames, over = faces.mean_years[rows][chosen], faces.over[rows][chosen][:, None]
        for group, factor in enumerate(error_factors()):
            centre = age[chosen] + factor * bias[chosen]
            found = density(frames, over, centre, factor * scale[chosen])
            result[chosen] += shares[chosen, group][:, None] * found
    return result


def _two_frames(frames: Array, _over: Index, centre: Array, scale: Array) -> Array:
    """Return the density of two estimates of one capture, a bivariate t."""
    first, second = (frames[:, :1] - centre) / scale, (frames[:, 1:] - centre) / scale
    rho, nu = _FRAME_CORRELATION, DEGREES_OF_FREEDOM
    square = (first**2 - 2 * rho * first * second + second**2) / (1 - rho**2)
    # The two gamma functions of the general formula have the ratio nu / 2.
    constant = 1.0 / (2.0 * np.pi * np.sqrt(1 - rho**2))
    result: Array = constant * (1 + square / nu) ** (-(nu + 2) / 2) / scale**2
    return result


def _one_frame(frames: Array, _over: Index, centre: Array, scale: Array) -> Array:
    """Return the density of one estimate, a t."""
    nu = DEGREES_OF_FREEDOM
    constant = np.exp(gammaln((nu + 1) / 2) - gammaln(nu / 2)) / np.sqrt(nu * np.pi)
    square = ((frames[:, :1] - centre) / scale) ** 2
    result: Array = constant * (1 + square / nu) ** (-(nu + 1) / 2) / scale
    return result


def _answered(_frames: Array, over: Index, centre: Array, scale: Array) -> Array:
    """Return the probability of the answer at the threshold."""
    below = stdtr(DEGREES_OF_FREEDOM, (THRESHOLD_YEARS - centre) / scale)
    return np.where(over == 1, 1 - below, below)


def _spoofed(faces: Faces, rows: Index, centre: Array, spread: Array) -> Array:
    """Return (len(rows), S) densities of captures that show another face."""
    frames, over = faces.mean_years[rows], faces.over[rows][:, None]
    below = ndtr((THRESHOLD_YEARS - centre) / spread)
    answered = np.where(over == 1, 1 - below, below)
    step = np.nan_to_num(frames[:, 1:] - frames[:, :1])
    second = _normal(step, np.zeros(1), np.array(_SPOOF_FRAME_YEARS))
    told = _normal(np.nan_to_num(frames[:, :1]), centre, spread)
    told = told * np.where(np.isnan(frames[:, 1:]), 1.0, second)
    return np.where(over < 0, told, answered)


def _normal(value: Array, mean: Array, deviation: Array) -> Array:
    result: Array = np.exp(-0.5 * ((value - mean) / deviation) ** 2) / (
        deviation * np.sqrt(2 * np.pi)
    )
    return result


def _attack(age: Array, posing: Mask) -> Array:
    return np.where(posing, _ATTACK_POSING, interpolate(age, _ATTACK))
