"""How often certificates are broken: recalibrations on a simulated platform, whose truth is known.

Owns the redrawing of people, and what others would have done with the same people: an empirical
quantile, conformal risk control (Angelopoulos et al. 2024, ICLR), the exact bound on pairs that
reuse people, and the best of several matchings. It must not find a certificate's number by itself:
that is ``certifying``, as for real people.

People are scored once. Each recalibration draws people anew, as a platform that verifies them with
probabilities of its own would, from one large population; how many mixed pairs or people a number
really lets through is counted over all of that population.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.certificate import ALL
from pairguard.policy.promises import Promise, PromiseKind
from pairguard_training.certification.bounds import most_misses
from pairguard_training.certification.certifying import certify
from pairguard_training.certification.matching import accepted
from pairguard_training.certification.simulated_population import Population
from pairguard_training.certification.verified_people import VerifiedPeople
from pairguard_training.proportions import Proportion, proportion

Array = NDArray[np.float64]

CERTIFICATE = "certificate"
QUANTILE = "empirical quantile"
CONFORMAL = "conformal risk control"
REUSED = "exact bound, each minor in 10 pairs"
BEST_SEED = "exact bound, best of 20 matchings"
_REUSES = 10
_SEEDS = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """How often a way of finding a number broke its promise.

    Attributes:
        kind: What was promised.
        stratum: Where; "any": in at least one stratum.
        method: How the number was found.
        broken: Recalibrations whose number lets through more than was promised.
        without: Recalibrations without a number: too few people.
        mean_rate: Mean share that the numbers let through.
        mean_count: Mean n.
    """

    kind: PromiseKind
    stratum: str
    method: str
    broken: Proportion
    without: int
    mean_rate: float
    mean_count: float


@dataclass(frozen=True, slots=True)
class _Found:
    rate: float | None  # let through in truth; None: there is no number
    count: int


_Findings = dict[tuple[str, str], list[_Found]]  # by stratum and method


def measure_coverage(
    population: Population,
    promise: Promise,
    *,
    recalibrations: int,
    people: int,
    regions: frozenset[str],
    seed: int,
    advance: Callable[[int], None],
) -> list[Broken]:
    """Recalibrate a promise many times.

    Args:
        population: Who is drawn.
        promise: What is promised each time.
        recalibrations: How many times.
        people: How many are verified each time.
        regions: Regions that are strata of their own; others' ways are tried without alone.
        seed: Seed of every draw.
        advance: Called with the number of recalibrations done.
    """
    found: _Findings = {}
    for turn, stream in enumerate(np.random.SeedSequence(seed).spawn(recalibrations)):
        rng = np.random.default_rng(stream)
        drawn = population.redraw(people, rng, regions=regions)
        numbers = certify(drawn, promise, regions=regions, holdout_hash=f"{seed} {turn}").strata
        for each in numbers:
            rate = _rate(population, promise.kind, each.stratum, each.threshold)
            found.setdefault((each.stratum, CERTIFICATE), []).append(_Found(rate, each.n))
        if not regions:
            for method, (number, count) in _others(drawn, promise, rng).items():
                rate = _rate(population, promise.kind, ALL, number)
                found.setdefault((ALL, method), []).append(_Found(rate, count))
        advance(1)
    results = [
        _broken(promise, stratum, method, turns) for (stratum, method), turns in found.items()
    ]
    if regions:
        results.append(_any(promise, found, recalibrations))
    return results


def _rate(
    population: Population, kind: PromiseKind, stratum: str, number: float | None
) -> float | None:
    return None if number is None else population.rate(kind, stratum, number)


def _broken(promise: Promise, stratum: str, method: str, turns: list[_Found]) -> Broken:
    rates = [each.rate for each in turns if each.rate is not None]
    return Broken(
        promise.kind,
        stratum,
        method,
        proportion(sum(rate > promise.max_rate for rate in rates), len(turns)),
        without=len(turns) - len(rates),
        mean_rate=float(np.mean(rates)) if rates else float("nan"),
        mean_count=float(np.mean([each.count for each in turns])),
    )


def _any(promise: Promise, found: _Findings, recalibrations: int) -> Broken:
    """Return how often at least one stratum's number was broken."""
    broken: Counter[int] = Counter()
    for turns in found.values():
        for turn, each in enumerate(turns):
            broken[turn] += each.rate is not None and each.rate > promise.max_rate
    count = sum(broken[turn] > 0 for turn in range(recalibrations))
    nothing = float("nan")
    shares = proportion(count, recalibrations)
    return Broken(promise.kind, "any", CERTIFICATE, shares, 0, nothing, nothing)


def _others(
    people: VerifiedPeople, promise: Promise, rng: np.random.Generator
) -> dict[str, tuple[float | None, int]]:
    """Return the numbers that other ways would find, and of how many scores."""
    kept = accepted(people.ids, people.sampling, seed=int(rng.integers(1 << 62)))
    minors = np.flatnonzero(kept & people.may_be_minor)
    adults = np.flatnonzero(kept & ~people.may_be_minor)
    alpha, delta = promise.max_rate, 1.0 - promise.confidence
    if promise.kind is not PromiseKind.MIXED_PAIRS_ALLOWED:
        of_minors = promise.kind is PromiseKind.MINORS_ADMITTED
        scores = people.adult_gate[minors] if of_minors else people.minor_gate[adults]
        return _without_delta(scores, alpha)
    count = min(minors.size, adults.size)
    matchings = [
        people.pair_scores(rng.permutation(minors)[:count], rng.permutation(adults)[:count])
        for _ in range(_SEEDS)
    ]
    reused = np.concatenate(
        [people.pair_scores(minors, rng.choice(adults, minors.size)) for _ in range(_REUSES)]
    )
    misses = most_misses(count, alpha, delta)
    best = [number for each in matchings if (number := _below(each, misses)) is not None]
    return {
        **_without_delta(matchings[0], alpha),
        REUSED: (_below(reused, most_misses(reused.size, alpha, delta)), reused.size),
        BEST_SEED: (max(best, default=None), count),
    }


def _without_delta(scores: Array, alpha: float) -> dict[str, tuple[float | None, int]]:
    n = scores.size
    quantile, conformal = int(np.floor(alpha * n)), int(np.floor(alpha * (n + 1))) - 1
    return {
        QUANTILE: (_below(scores, quantile), n),
        CONFORMAL: (_below(scores, conformal), n),
    }


def _below(scores: Array, misses: int) -> float | None:
    """Return the largest number with at most so many scores at or below it; None: there is none."""
    if not 0 <= misses < scores.size:
        return None
    return float(np.nextafter(np.sort(scores)[misses], -np.inf))
