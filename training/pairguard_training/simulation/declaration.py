"""What participants say about their age at sign-up, honest or not.

Owns P(declared age | age at sign-up, gate, intent) of the simulation, drawing and density side by
side. It is written apart from the service's own model on purpose: a world that equals the model
would flatter it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pairguard_training.simulation.population import Population, age_at
from pairguard_training.simulation.states import (
    DAYS_PER_YEAR,
    ENTRY_PATHS,
    Array,
    Index,
    interpolate,
    states,
)

_COUNT = 121
_ADULT = 18
_YOUNGEST_ALLOWED = 13

# Share of children who claim to be adults where a gate at 13 does not force them to, by age at
# sign-up; chosen so that, with the years that pass, 8-17-year-olds are listed as 18 or over about
# as often as Ofcom / Yonder 2022 found (32 %; 8-12: 23 %).
_ADULT_CLAIM = ((7.0, 0.20), (12.0, 0.22), (13.0, 0.31), (17.9, 0.36))
_OLDER_CLAIM = ((7.0, 0.38), (12.9, 0.38), (13.0, 0.32), (15.9, 0.22), (17.9, 0.02))  # assumed
_ADULT_MISSTATES = 0.07  # assumed
_ADULT_CLAIMS_MINOR = 0.006  # assumed: no rate was found in any source
_POSING_CLAIMS_MINOR = 0.85  # assumed
_PREDATORY_CLAIMS_YOUNGER = 0.30  # assumed


@dataclass(frozen=True, slots=True)
class Declarations:
    """What each participant (n,) declared at sign-up.

    Attributes:
        age_years: (n,) declared whole years; -1: nothing was asked or said.
        birth_year: (n,) declared year of birth; 0: none, the form asks for the age.
        birthday_share: (n,) share of the calendar year that is left at sign-up: the chance that
            this year's birthday is still to come.
        gate: (n,) age that the form demands, 0: none.
    """

    age_years: Index
    birth_year: Index
    birthday_share: Array
    gate: Index


def draw_declarations(
    population: Population, year_of_day: Array, rng: np.random.Generator
) -> Declarations:
    """Draw what each participant declared.

    Args:
        population: The participants.
        year_of_day: (n,) sign-up time as a fractional calendar year.
        rng: Source of randomness.
    """
    count = len(population.state)
    paths = population.entry
    gate = np.array([path.gate_years for path in ENTRY_PATHS])[paths]
    asked = rng.random(count) < np.array([path.asked_share for path in ENTRY_PATHS])[paths]
    form = np.array([path.asks_birth_year for path in ENTRY_PATHS])[paths]
    world = states()
    age = age_at(world.age[population.state], population.signup_days)
    rows = np.cumsum(_table(), axis=3)[
        _gate_row(gate), _class(world.intent[population.state]), age.astype(np.int64)
    ]
    declared = np.minimum((rows < rng.random(count)[:, None]).sum(axis=1), _COUNT - 1)
    left = 1.0 - year_of_day % 1.0
    to_come = rng.random(count) < left
    birth_year = np.floor(year_of_day).astype(np.int64) - declared - to_come
    return Declarations(
        age_years=np.where(asked, declared, -1),
        birth_year=np.where(asked & form, birth_year, 0),
        birthday_share=left,
        gate=gate,
    )


def declaration_log_likelihood(
    declarations: Declarations, population: Population, year_of_day: Array, rows: Index
) -> Array:
    """Return (len(rows), S) log probability of what was declared; 0 where nothing was.

    A birth year leaves two ages; the calendar at sign-up says how likely each is.
    """
    world = states()
    result = np.zeros((len(rows), world.count))
    said = declarations.age_years[rows] >= 0
    rows = rows[said]
    years = age_at(world.age, population.signup_days[rows][:, None])
    floor = years.astype(np.int64)
    place = (_gate_row(declarations.gate[rows])[:, None], _class(world.intent)[None, :], floor)
    by_year = declarations.birth_year[rows] > 0
    older = np.where(
        by_year,
        np.floor(year_of_day[rows]).astype(np.int64) - declarations.birth_year[rows],
        declarations.age_years[rows],
    )
    table = _table()
    probability = table[(*place, np.clip(older, 0, _COUNT - 1)[:, None])]
    if by_year.any():
        left = declarations.birthday_share[rows][:, None]
        younger = table[(*place, np.clip(older - 1, 0, _COUNT - 1)[:, None])]
        mixed = (1.0 - left) * probability + left * younger
        probability = np.where(by_year[:, None], mixed, probability)
    result[said] = np.log(np.maximum(probability, 1e-300))
    return result


def _gate_row(gate: Index) -> Index:
    result: Index = (gate == _ADULT).astype(np.int64)
    return result


def _class(intent: Index) -> Index:
    """Social and rude people declare alike."""
    return np.array([0, 0, 1, 2])[intent]


@lru_cache(maxsize=1)
def _table() -> Array:
    """Return (gates, classes, age at sign-up, declared) probabilities; gates are 13 and 18."""
    table = np.zeros((2, 3, 80, _COUNT))
    years = np.arange(_COUNT)
    # False adult claims: just over the line, a round year, or anything.
    claim = np.where(years >= _ADULT, np.exp(-0.35 * (years - _ADULT)), 0.0)
    claim = claim / claim.sum()
    spread = ((years >= _ADULT) & (years <= 45)) / 28.0
    round_years = np.isin(years, (20, 21, 25, 30)) / 4.0
    claim = 0.6 * claim + 0.2 * spread + 0.2 * round_years
    for age in range(80):
        for row, gate in enumerate((_YOUNGEST_ALLOWED, _ADULT)):
            table[row, 0, age] = _ordinary(age, gate, claim, years)
            adult = table[row, 0, age]
            younger = ((years >= _ADULT) & (years < min(max(age, 20), 27))).astype(float)
            younger /= younger.sum()
            table[row, 1, age] = (
                1 - _PREDATORY_CLAIMS_YOUNGER
            ) * adult + _PREDATORY_CLAIMS_YOUNGER * younger
            minor = (years >= max(gate, _YOUNGEST_ALLOWED)) & (years < max(gate + 2, _ADULT))
            played = minor / minor.sum()
            table[row, 2, age] = (1 - _POSING_CLAIMS_MINOR) * adult + _POSING_CLAIMS_MINOR * played
    return table


def _ordinary(age: int, gate: int, claim: Array, years: Index) -> Array:
    """Return (declared,) probabilities for somebody without bad intent."""
    if age < _ADULT <= gate:
        return claim
    if age >= _ADULT:
        others, other_share = (years >= gate) & (years < _ADULT), _ADULT_CLAIMS_MINOR
        claim_share = _ADULT_MISSTATES
    else:
        others = (years > max(age, gate - 1)) & (years < _ADULT)
        other_share = float(interpolate(np.array(age + 0.5), _OLDER_CLAIM))
        claim_share = float(interpolate(np.array(age + 0.5), _ADULT_CLAIM))
    if not others.any():
        other_share = 0.0
    # Too young for the form: everybody lies, and most claim just enough.
    plain = years == max(age, gate)
    result: Array = (
        (1.0 - claim_share - other_share) * plain
        + claim_share * claim
        + other_share * others / max(others.sum(), 1)
    )
    return result


def listed_age(declarations: Declarations, population: Population, days: Array) -> Array:
    """Return (n,) the age that a profile shows some days after day 0; NaN: none was declared."""
    listed = declarations.age_years + (days - population.signup_days) / DAYS_PER_YEAR
    result: Array = np.where(declarations.age_years >= 0, listed, np.nan)
    return result
