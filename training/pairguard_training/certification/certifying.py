"""The number that keeps a promise, in each stratum.

Owns who is counted for which kind of promise, and how delta is split. It must not know the model
nor files: people come with their scores.

- mixed pairs: minors and adults matched at random, nobody in two pairs of one stratum; across
  regions a pair is mixed under either one's adult age;
- minors admitted: each minor once; adults admitted: each adult once.

Delta is split evenly over the strata of one promise, those without enough people included: which
ones fail is known only afterwards. Each promise has its own delta.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairguard.policy.certificate import ACROSS, ALL, ELSEWHERE
from pairguard.policy.promises import Promise, PromiseKind
from pairguard_training.certification.bounds import (
    fewest,
    measured_rate,
    most_misses,
    threshold_below,
)
from pairguard_training.certification.matching import (
    accepted,
    derived_seed,
    matched,
    matched_at_random,
)
from pairguard_training.certification.verified_people import VerifiedPeople

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class StratumNumber:
    """What was found in one stratum.

    Attributes:
        stratum: Its name.
        adult_ages: The adult ages of its people, rising.
        n: Pairs or people that count.
        k: Most misses among them that are let through; -1: not even none would do.
        delta: Its part of delta.
        threshold: The number; None: too few count.
        needed: The fewest that would do with no miss; None: no number of people would.
        problem: Why there is no number for another reason; "": there is none.
    """

    stratum: str
    adult_ages: tuple[int, ...]
    n: int
    k: int
    delta: float
    threshold: float | None
    needed: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class KeptPromise:
    """A promise with its numbers.

    Attributes:
        promise: What is asked for; ``max_rate`` is the bound, label errors included.
        alpha: The rate that is certified.
        label_error: Share of those counted who may be labelled otherwise.
        seed: Of acceptance and matching.
        accepted: People left by rejection sampling.
        strata: What was found in each stratum.
    """

    promise: Promise
    alpha: float
    label_error: float
    seed: int
    accepted: int
    strata: tuple[StratumNumber, ...]


def strata_of(kind: PromiseKind, regions: Collection[str]) -> tuple[str, ...]:
    """Return the strata of a promise where some regions are told apart."""
    if not regions:
        return (ALL,)
    across = (ACROSS,) if kind is PromiseKind.MIXED_PAIRS_ALLOWED else ()
    return (*sorted(regions), ELSEWHERE, *across)


def certify(
    people: VerifiedPeople,
    promise: Promise,
    *,
    regions: Collection[str],
    holdout_hash: str,
    label_error: float = 0.0,
    delta_share: float = 1.0,
) -> KeptPromise:
    """Find the numbers that keep a promise.

    Args:
        people: Who may be counted.
        promise: What is asked for.
        regions: Regions that are strata of their own.
        holdout_hash: Where the seed comes from.
        label_error: Share of people whose label is on the wrong side of the adult age.
        delta_share: The part of delta that may be spent, in (0, 1].
    """
    pairs = promise.kind is PromiseKind.MIXED_PAIRS_ALLOWED
    error = 1.0 - (1.0 - label_error) ** 2 if pairs else label_error
    alpha = measured_rate(promise.max_rate, error)
    # Of the kind alone: what keeps the stricter of two promises then always is the stricter number.
    seed = derived_seed(holdout_hash, promise.kind)
    names = strata_of(promise.kind, regions)
    delta = (1.0 - promise.confidence) * delta_share / len(names)
    kept = accepted(people.ids, people.sampling, seed=seed)
    numbers = []
    for name in names:
        in_stratum = kept if name in (ALL, ACROSS) else kept & (people.strata == name)
        ages = tuple(sorted(set(people.adult_ages[in_stratum].tolist())))
        if name != ACROSS and len(ages) > 1:
            told = ", ".join(map(str, ages))
            problem = f"people with the adult ages {told}: tell their regions apart"
            numbers.append(StratumNumber(name, ages, 0, -1, delta, None, None, problem))
            continue
        scores = _scores(people, promise.kind, name, in_stratum, seed)
        numbers.append(_number(name, ages, scores, alpha, delta))
    return KeptPromise(promise, alpha, error, seed, int(kept.sum()), tuple(numbers))


def _number(
    name: str, ages: tuple[int, ...], scores: Array, alpha: float, delta: float
) -> StratumNumber:
    if not alpha > 0.0:
        problem = "labels that may err so often bound no rate that low"
        return StratumNumber(name, ages, scores.size, -1, delta, None, None, problem)
    misses = most_misses(scores.size, alpha, delta)
    threshold = threshold_below(scores, misses) if misses >= 0 else None
    return StratumNumber(name, ages, scores.size, misses, delta, threshold, fewest(alpha, delta))


def _scores(
    people: VerifiedPeople, kind: PromiseKind, stratum: str, members: Mask, seed: int
) -> Array:
    """Return the scores that are misses at or below a threshold, each independent of the others."""
    if kind is PromiseKind.MINORS_ADMITTED:
        return people.adult_gate[members & people.may_be_minor]
    if kind is PromiseKind.ADULTS_ADMITTED:
        return people.minor_gate[members & people.may_be_adult]
    if not members.any():
        return np.zeros(0)
    places = np.flatnonzero(members)
    lines = np.unique(people.adult_ages[places])
    if lines.size == 1:
        young = people.youngest[places] < lines[0]
        first, second = matched(people.ids, places[young], places[~young], seed=seed)
    else:
        # Whom somebody makes a mixed pair with depends on both regions: there are no two sides to
        # match. Anybody with anybody, every mixed pair is as likely as any other.
        first, second = matched_at_random(people.ids, places, seed=seed)
    counted = _mixed(people, first, second)
    if stratum == ACROSS:
        counted &= people.strata[first] != people.strata[second]
    return people.pair_scores(first[counted], second[counted])


def _mixed(people: VerifiedPeople, first: Index, second: Index) -> Mask:
    """Return whether pairs are mixed under the adult age of either: as service judges them."""
    younger = np.minimum(people.youngest[first], people.youngest[second])
    elder = np.maximum(people.youngest[first], people.youngest[second])
    mixed = np.zeros(first.size, dtype=np.bool_)
    for one in (first, second):
        line = people.adult_ages[one]
        mixed |= (younger < line) & (line <= elder)
    return mixed
