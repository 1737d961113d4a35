"""Error rates from verified people: how sure a rate is, and how far a fit may move it.

Owns the posterior of one rate given a preset, and the cautious choice from it. It must not know
what errs (``check_fit``, ``range_fit``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.age.tables import MAX_ERROR, MIN_ERROR
from pairguard_training.rate_report import RateReport, rounded
from pairguard_training.verified_evidence import effective_people, shared_weights

Array = NDArray[np.float64]

PRESET_PEOPLE = 50.0
"""People that a preset counts for. Most presets are assumed; fifty people are enough to outlast a
handful of odd results and few enough that two hundred verified ones outvote them."""
FEWEST_PEOPLE = 20
"""Effective people on one side of the line below which the preset stays as it is."""
EXCLUDED_YEARS = 1.0
"""Whoever is this near to a line is left out: labels are rounded to whole years and some are off by
one, so that a right answer would look wrong."""
CREDIBLE_SHARE = 0.9

_ROUNDS = 4  # after which the two beliefs no longer move each other
_GRID: Array = np.geomspace(MIN_ERROR, MAX_ERROR, 2001)


@dataclass(frozen=True, slots=True)
class Trial:
    """One item of somebody on one side of a line.

    Attributes:
        participant: Whose it is.
        erred: Whether it put them on the other side.
        elsewhere: Probability that it speaks of somebody who is on the other side.
        weight: How many participants the person stands for.
    """

    participant: str
    erred: bool
    elsewhere: float
    weight: float


@dataclass(frozen=True, slots=True)
class RateBelief:
    """What a preset and trials say of a rate.

    Attributes:
        mean: Posterior mean.
        lower: Lower end of the one-sided credible interval of ``CREDIBLE_SHARE``.
        upper: Upper end, counted with one error more than was seen.
        observed: Weighted share of trials that erred.
    """

    mean: float
    lower: float
    upper: float
    observed: float


def believe_rate(trials: list[Trial], *, preset: float, other_rate: float) -> RateBelief | None:
    """Return what is believed of an error rate r; None: too few people.

    Each trial errs with probability (1 - s) r + s (1 - o): s that it speaks of somebody on the
    other side (attacks, a borrowed account), o the other side's error rate. The prior is a beta
    distribution with the preset as its mean, worth ``PRESET_PEOPLE``; the posterior is computed on
    a grid of rates. Weights are scaled to the effective number of people.

    The upper end is counted with one error more than was seen, as Clopper's and Pearson's upper
    limit is: a preset of .005 worth fifty people is a quarter of an error, and must not pass for
    having looked.
    """
    people = [trial.participant for trial in trials]
    weights = shared_weights(people, [trial.weight for trial in trials])
    effective = effective_people(people, weights)
    if effective < FEWEST_PEOPLE:
        return None
    erred = np.array([trial.erred for trial in trials], dtype=np.float64)
    counts = weights * (effective / weights.sum())
    log_posterior = PRESET_PEOPLE * (preset * np.log(_GRID) + (1 - preset) * np.log1p(-_GRID))
    log_posterior -= np.log1p(-_GRID)  # the grid is even in log r: a factor r cancels one of r^-1
    # Trials of one kind are counted together: few ages, few rates.
    elsewhere, kind = np.unique(
        np.array([trial.elsewhere for trial in trials]), return_inverse=True
    )
    errors = np.bincount(kind, weights=counts * erred, minlength=elsewhere.size)
    passes = np.bincount(kind, weights=counts * (1.0 - erred), minlength=elsewhere.size)
    for share, wrong, right in zip(elsewhere, errors, passes, strict=True):
        chance = (1.0 - share) * _GRID + share * (1.0 - other_rate)
        log_posterior += wrong * np.log(chance) + right * np.log1p(-chance)
    posterior = np.exp(log_posterior - log_posterior.max())
    return RateBelief(
        mean=float((posterior * _GRID).sum() / posterior.sum()),
        lower=_quantile(posterior, 1.0 - CREDIBLE_SHARE),
        upper=_quantile(posterior * _GRID, CREDIBLE_SHARE),
        observed=float((counts * erred).sum() / counts.sum()),
    )


def rate_over(belief: RateBelief, preset: float) -> float:
    """Return the rate of the error that takes a child for an adult.

    The posterior mean where that is above the preset. Below it the rate falls only as far as the
    upper end of the credible interval: kinder figures need the people to show for it, and some
    thirty people without an error leave the preset as it is.
    """
    return _bounded(max(belief.mean, min(preset, belief.upper)), preset)


def rate_under(belief: RateBelief, preset: float) -> float:
    """Return the rate of the error that takes an adult for a child.

    Raised, it makes a child's failed check say less; lowered, it lets an adult who fails one on
    purpose pass for a child. So either way it moves only to the nearer end of the interval.
    """
    return _bounded(min(max(preset, belief.lower), belief.upper), preset)


def fit_rates(
    names: tuple[str, str],
    presets: tuple[float, float],
    over: list[Trial],
    under: list[Trial],
) -> tuple[RateReport, RateReport]:
    """Fit both error rates of one check; where there are too few people a preset is kept.

    Args:
        names: Of the two rates in the tables.
        presets: Both rates before: of taking somebody under the line for older, and the reverse.
        over: Trials of people under the line.
        under: Trials of people over it.
    """
    preset_over, preset_under = presets
    over_belief = under_belief = None
    # Whose check is borrowed errs at the other side's rate: each belief needs the other's mean, or
    # a check that many adults fail would pass for one that children pass on borrowed accounts.
    mean_over, mean_under = presets
    for _ in range(_ROUNDS):
        under_belief = believe_rate(under, preset=preset_under, other_rate=mean_over)
        mean_under = mean_under if under_belief is None else under_belief.mean
        over_belief = believe_rate(over, preset=preset_over, other_rate=mean_under)
        mean_over = mean_over if over_belief is None else over_belief.mean
    fitted = preset_over if over_belief is None else rate_over(over_belief, preset_over)
    first = _report(names[0], over, over_belief, preset=preset_over, fitted=fitted)
    fitted = preset_under if under_belief is None else rate_under(under_belief, preset_under)
    return first, _report(names[1], under, under_belief, preset=preset_under, fitted=fitted)


def parameter(report: RateReport, source: str) -> dict[str, float | str]:
    """Return a fitted rate as the tables have it; ``source`` is that of the preset."""
    return {
        "value": report.fitted,
        "source": (
            f"fitted: {report.people} people of known age (effective "
            f"{report.effective_people:.0f}), {EXCLUDED_YEARS:g} year or more from the line, "
            f"shrunk to {report.preset:.4g}, which counts for {PRESET_PEOPLE:.0f} people ({source})"
        ),
    }


def _report(
    name: str, trials: list[Trial], belief: RateBelief | None, *, preset: float, fitted: float
) -> RateReport:
    people = [trial.participant for trial in trials]
    weights = shared_weights(people, [trial.weight for trial in trials])
    return RateReport(
        name=name,
        preset=preset,
        fitted=fitted,
        observed=None if belief is None else belief.observed,
        people=len(set(people)),
        effective_people=effective_people(people, weights),
    )


def _bounded(rate: float, preset: float) -> float:
    return preset if rate == preset else min(max(rounded(rate), MIN_ERROR), MAX_ERROR)


def _quantile(weights: Array, share: float) -> float:
    cumulative = np.cumsum(weights)
    place = int(np.searchsorted(cumulative, share * cumulative[-1]))
    return float(_GRID[min(place, _GRID.size - 1)])
