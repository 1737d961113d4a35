"""Groups of participants whose faces are estimated better or worse than others'.

Owns the groups, how common each is, and by how much its errors differ. A group changes the error of
a face estimate and nothing else; nobody observes it but the audits, so whoever judges an age, the
oracle too, has to take the mean over the groups.

The errors are those of NIST FATE AEV (nist_fate_aev_mae_by_region_sex.csv, February 2026, 37
algorithms): the median algorithm's mean absolute error by region of birth and sex, where the worst
group has 1.9 times the error of the best. Who lives where is assumed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pairguard_training.simulation.population import Population
from pairguard_training.simulation.states import REGIONS, Array, Index

# Mean absolute error in years, men and women: medians of the 37 algorithms of that table.
_ORIGINS = {
    "e_africa": (3.5, 4.2),
    "e_asia": (2.68, 3.21),
    "e_europe": (2.3, 2.8),
    "s_asia": (2.73, 3.3),
    "se_asia": (2.8, 3.4),
    "w_africa": (3.4, 4.3),
}
ERROR_GROUPS = tuple(f"{origin}_{sex}" for origin in _ORIGINS for sex in ("m", "f"))
# Shares of these origins in each region of the platform, assumed.
_SHARES = {
    "GB": (0.02, 0.02, 0.80, 0.10, 0.02, 0.04),
    "US": (0.04, 0.06, 0.64, 0.06, 0.06, 0.14),
    "DE": (0.02, 0.02, 0.90, 0.02, 0.02, 0.02),
    "BR": (0.01, 0.03, 0.60, 0.01, 0.01, 0.34),
    "IN": (0.01, 0.01, 0.01, 0.93, 0.03, 0.01),
    "FR": (0.02, 0.01, 0.84, 0.01, 0.02, 0.10),
}
_FEMALE_SHARE = 0.5


@lru_cache(maxsize=1)
def group_shares() -> Array:
    """Return (regions, groups) the share of each group; it depends on no age and no intent."""
    origins = np.array([_SHARES[region.code] for region in REGIONS])
    sexes = np.array([1.0 - _FEMALE_SHARE, _FEMALE_SHARE])
    result: Array = (origins[:, :, None] * sexes).reshape(len(REGIONS), len(ERROR_GROUPS))
    return result


@lru_cache(maxsize=1)
def error_factors() -> Array:
    """Return (groups,) what bias and scale are multiplied by; 1 on average over the platform."""
    errors = np.array(list(_ORIGINS.values())).reshape(-1)
    regions = np.array([region.share for region in REGIONS])
    everybody = regions @ group_shares() / regions.sum()
    result: Array = errors / (everybody @ errors)
    return result


def draw_error_groups(population: Population, rng: np.random.Generator) -> Index:
    """Draw (n,) the group of each participant, index into ``ERROR_GROUPS``; one for each person."""
    persons = rng.random(len(population.state))[population.person]
    origins = np.cumsum([_SHARES[region.code] for region in REGIONS], axis=1)[population.region]
    origin = np.minimum((origins < persons[:, None]).sum(axis=1), len(_ORIGINS) - 1)
    result: Index = 2 * origin + population.female
    return result
