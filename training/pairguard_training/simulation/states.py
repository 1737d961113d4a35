"""The latent truth of the simulation: an age and an intent, on a finite set of states.

Owns the states, how common each is, and the smooth curves over age that everything else follows.
Because the states are finite, the oracle's sums over them are exact, not approximate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

DAYS_PER_YEAR = 365.25
ADULT_AGE_YEARS = 18.0
LINE_YEARS = (15.0, 21.0)
"""Ages around the line: from the first up to below the second."""


class Intent(IntEnum):
    """What a person is after. Shares are assumed; only their order of size is meant."""

    SOCIAL = 0
    RUDE = 1
    PREDATORY = 2
    POSING = 3


@dataclass(frozen=True, slots=True)
class Region:
    """A region of the simulation: a code, a language, its clock and its lean to the young."""

    code: str
    language: str
    utc_offset_hours: float
    share: float
    youth: float


@dataclass(frozen=True, slots=True)
class EntryPath:
    """A way in: what its sign-up form asks, and its lean to the young.

    Attributes:
        gate_years: Age that the form demands; 0: no gate.
        asked_share: Share of participants who state an age or a birth year at all.
        face_share: Share of participants with a facial age estimate.
        asks_birth_year: Whether the form asks for the year rather than the age.
    """

    name: str
    share: float
    youth: float
    gate_years: int
    asked_share: float
    face_share: float
    asks_birth_year: bool = False


# Everything in these two tables is assumed.
REGIONS = (
    Region("GB", "en", 0.0, 0.24, 0.00),
    Region("US", "en", -6.0, 0.28, 0.10),
    Region("DE", "de", 1.0, 0.14, -0.15),
    Region("BR", "pt", -3.0, 0.14, 0.15),
    Region("IN", "hi", 5.5, 0.12, -0.05),
    Region("FR", "fr", 1.0, 0.08, -0.20),
)
ENTRY_PATHS = (
    EntryPath("random_video", 0.40, -0.10, 18, 0.97, 0.45, asks_birth_year=True),
    EntryPath("random_text", 0.25, 0.05, 18, 0.95, 0.20, asks_birth_year=True),
    EntryPath("interest_match", 0.25, 0.15, 13, 0.96, 0.25),
    EntryPath("invite_link", 0.10, -0.05, 13, 0.35, 0.10),
)

# Relative density of visitors by age, assumed: about 22 % are under 18.
_DENSITY_AGES = (8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 25.0, 30.0, 40.0, 50.0, 65.0, 75.0)
_DENSITY = (0.12, 0.3, 0.7, 1.35, 2.1, 2.6, 2.7, 2.2, 1.35, 0.62, 0.32, 0.09, 0.02)
_YOUTH_WIDTH_YEARS = 5.0

# Of adults, assumed; the sum is the share of harmful adults that design documents call "small".
_PREDATORY_SHARE = 0.0055
_POSING_SHARE = 0.0025


@dataclass(frozen=True, slots=True)
class States:
    """Every state, by age within intent.

    Attributes:
        age: (S,) age in years at the simulation's day 0; a quarter of a year apart to 30.
        intent: (S,) value of ``Intent``.
        young: (S,) smooth 1 -> 0 around 17 years, as behaviour shows it: those who pose are
            nearer to children than their age.
        youthful: (S,) smooth 1 -> 0 around 27 years, as behaviour shows it.
        blocks: First state of each intent.
    """

    age: Array
    intent: Index
    young: Array
    youthful: Array
    blocks: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of states."""
        return len(self.age)

    def curve(
        self,
        level: float,
        *,
        young: float = 0.0,
        youthful: float = 0.0,
        rude: float = 0.0,
        predatory: float = 0.0,
        posing: float = 0.0,
    ) -> Array:
        """Return (S,) a level plus what youth and intent add to it."""
        by_intent = np.array([0.0, rude, predatory, posing])
        result: Array = (
            level + young * self.young + youthful * self.youthful + by_intent[self.intent]
        )
        return result

    def rate(self, rate: float, **effects: float) -> Array:
        """Return (S,) a probability whose log-odds follow ``curve``."""
        log_odds = self.curve(float(np.log(rate / (1.0 - rate))), **effects)
        result: Array = 1.0 / (1.0 + np.exp(-log_odds))
        return result


def interpolate(years: Array, points: tuple[tuple[float, float], ...]) -> Array:
    """Return a piecewise linear function of age, flat outside its points."""
    ages, values = zip(*points, strict=True)
    result: Array = np.interp(years, ages, values)
    return result


@lru_cache(maxsize=1)
def states() -> States:
    """Return the states; they are the same in every run."""
    fine = np.arange(8.125, 30.0, 0.25)
    ages = np.concatenate([fine, np.arange(30.5, 75.0, 1.0)])
    adults = ages[ages > ADULT_AGE_YEARS]
    age = np.concatenate([ages, ages, adults, adults])
    sizes = (len(ages), len(ages), len(adults), len(adults))
    intent = np.repeat(np.arange(len(sizes)), sizes)
    # Half of what behaviour shows of somebody who poses is the child they play.
    shown_young = 1.0 / (1.0 + np.exp((age - 17.0) / 2.2))
    shown_youthful = 1.0 / (1.0 + np.exp((age - 27.0) / 3.5))
    poses = intent == Intent.POSING
    shown_young[poses] = 0.5 * shown_young[poses] + 0.5 * 0.7
    shown_youthful[poses] = 0.5 * shown_youthful[poses] + 0.5
    blocks = tuple(int(start) for start in np.cumsum((0, *sizes[:-1])))
    return States(age, intent, shown_young, shown_youthful, blocks)


@lru_cache(maxsize=1)
def prior() -> Array:
    """Return (regions, entry paths, S) the share of each state among the persons who come there."""
    world = states()
    cell_years = np.where(world.age < 30.0, 0.25, 1.0)
    density = np.interp(world.age, _DENSITY_AGES, _DENSITY) * cell_years
    rude = world.rate(0.05, young=0.5, youthful=0.4)
    harmful = (world.age > ADULT_AGE_YEARS) * interpolate(world.age, ((18, 0.6), (24, 1.0)))
    shares = np.choose(
        world.intent,
        [
            1.0 - rude - (_PREDATORY_SHARE + _POSING_SHARE) * harmful,
            rude,
            _PREDATORY_SHARE * harmful,
            _POSING_SHARE * harmful,
        ],
    )
    lean = np.tanh((ADULT_AGE_YEARS - world.age) / _YOUTH_WIDTH_YEARS)
    tilt = np.array([[region.youth + path.youth for path in ENTRY_PATHS] for region in REGIONS])
    weights = density * shares * np.exp(tilt[:, :, None] * lean)
    result: Array = weights / weights.sum(axis=2, keepdims=True)
    return result
