"""The arithmetic of fusing evidence, along the age axis: one participant, or many of one pattern.

Owns the order of every product and sum. Each operation is element-wise or stays within one row of
101 ages, with the same call for one row as for many, so that a batch has the same bits as its
members one by one. It must not know evidence, items or tables: a plan says which rows belong
together, and the rows come with any leading axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairguard.age.parameters import AGE_COUNT, Array

ONES: Array = np.ones(AGE_COUNT)
ONES.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class FusionWeights:
    """What the tables say of other people, ready to multiply with.

    Attributes:
        others: (2, 101) ages that somebody older presents, and that somebody younger is taken for.
        sides: (2, 101) the default prior under and over the reference age, each sums to 1.
        presented_by_adults: (101,) the first of ``others`` from the reference age on, else 0.
        borrowed_share: (101,) the probability that account and device are an older person's,
            divided by the share of ``presented_by_adults`` that is at least as old.
        own_share: (101,) 1 minus that probability.
    """

    others: Array
    sides: Array
    presented_by_adults: Array
    borrowed_share: Array
    own_share: Array

    @classmethod
    def from_rates(
        cls, *, prior: Array, presented: Array, posed: Array, borrowed: Array, line: int
    ) -> FusionWeights:
        """Build from (101,) rates and densities; ``line`` is the reference age in years."""
        sides = np.zeros((2, AGE_COUNT))
        sides[0, :line] = prior[:line] / prior[:line].sum()
        sides[1, line:] = prior[line:] / prior[line:].sum()
        presented_by_adults = presented.copy()
        presented_by_adults[:line] = 0.0
        # Whoever is under the line borrows from any adult: the sum stays as it is at the line.
        at_least = presented_by_adults[::-1].cumsum()[::-1]
        return cls(
            others=np.stack((presented, posed)),
            sides=sides,
            presented_by_adults=presented_by_adults,
            borrowed_share=borrowed / at_least,
            own_share=1.0 - borrowed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class AttackMixture:
    """How what is said honestly, F, becomes (1 - e - d) F + e G + d H.

    G is the mean of F over the ages that somebody older presents, H over those that an adult who
    poses as a minor is taken for.

    Attributes:
        honest: (..., 101) 1 - e - d by true age.
        attacked: (..., 2, 101) e and d by true age.
    """

    honest: Array
    attacked: Array

    @classmethod
    def from_rates(cls, attack: Array, posing: Array) -> AttackMixture:
        """Build from (..., 101) rates e and d."""
        return cls(1.0 - attack - posing, np.stack((attack, posing), axis=-2))

    def rows(self, weights: FusionWeights, honest: Array, out: Array | None = None) -> Array:
        """Return (..., 101) likelihoods by true age of what is said honestly, in [0, 1]."""
        if out is None:
            out = np.empty_like(honest)
        of_others = np.vecdot(honest[..., np.newaxis, :], weights.others)
        np.matmul(of_others[..., np.newaxis, :], self.attacked, out[..., np.newaxis, :])
        out += self.honest * honest
        return out

    def spread(self) -> AttackMixture:
        """Return the same for (r, n, 101) rows, where these are (r, 101)."""
        return AttackMixture(self.honest[:, np.newaxis], self.attacked[:, np.newaxis])


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """The rows of which a likelihood is the product.

    Attributes:
        rows: All of them, or those besides the next three.
        apart: Two groups that are either two attacks, or one; empty: there are no such.
        apart_share: The probability that they are two.
        together: The row of both as one attack, times the probability of that.
    """

    rows: tuple[int, ...]
    apart: tuple[int, ...] = ()
    apart_share: float = 1.0
    together: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class FusionPlan:
    """Which of k items make r rows of attack groups, and which rows make the likelihood.

    Rows are numbered on from the items: 0 to k - 1 is an item, k to k + r - 1 a row.

    Attributes:
        products: (row, left, right): the row's honest part is the product of these two, each an
            item's relative likelihood or an earlier product; k + r stands for ones.
        mixture: How attacks are mixed into the r rows.
        first_whole: Rows from here on are whole attack groups of several items.
        all: What the likelihood is the product of: rows, and items that are alone in their group.
        borrowed: The same of the items that are not bound to the live person; None: none is.
        live: The same of the others; None: there are none, or no borrowed ones.
        unusable: Items that stand outside of all groups.
        alone: Items whose own row counts: those alone in a group, and the unusable ones.
    """

    products: tuple[tuple[int, int, int], ...]
    mixture: AttackMixture
    first_whole: int
    all: Factors
    borrowed: Factors | None
    live: Factors | None
    unusable: tuple[int, ...]
    alone: frozenset[int]


def fused_rows(
    plan: FusionPlan, weights: FusionWeights, relative: Sequence[Array], alone: Sequence[Array]
) -> tuple[Array, Array]:
    """Return what whole groups say, with the likelihood of all items as the last row.

    Args:
        plan: Which items belong together.
        weights: What the tables say of other people.
        relative: Of each item (..., 101) the tempered relative likelihood.
        alone: Of each item (..., 101) the likelihood with its own attack; what it is of items that
            are not in ``plan.alone`` does not matter.

    Returns:
        (g + 1, ..., 101) likelihoods of the g whole groups of several items, then of everything;
        (g, ...) how well the best age explains each of these groups.
    """
    lead = alone[0].shape[:-1]
    count = len(plan.mixture.honest)
    rows = np.empty((count + 1, *lead, AGE_COUNT))
    if not count:
        _combine(plan, weights, alone, rows[0])
        return rows, np.empty((0, *lead))
    products = np.empty((count, *lead, AGE_COUNT))
    parts = [*relative, *products, ONES]
    for row, left, right in plan.products:
        np.multiply(parts[left], parts[right], parts[row])
    mixture = plan.mixture.spread() if lead else plan.mixture
    groups = mixture.rows(weights, products, rows[:count])
    _combine(plan, weights, [*alone, *groups], rows[count])
    return rows[plan.first_whole :], np.maximum.reduce(products[plan.first_whole :], -1)


def _combine(plan: FusionPlan, weights: FusionWeights, told: Sequence[Array], out: Array) -> None:
    """Write the (..., 101) likelihood of all items to ``out``."""
    as_told = _product(told, plan.all)
    if plan.borrowed is None:
        out[...] = as_told
    else:
        borrowed = as_told if plan.live is None else _product(told, plan.borrowed)
        presented = weights.presented_by_adults * borrowed
        np.multiply(
            np.add.accumulate(presented[..., ::-1], -1)[..., ::-1], weights.borrowed_share, out
        )
        if plan.live is not None:
            np.multiply(out, _product(told, plan.live), out)
        np.add(out, weights.own_share * as_told, out)
        # Nothing is lowered: borrowing hides that somebody is younger and proves nothing of age.
        np.maximum(out, as_told, out=out)
    for item in plan.unusable:
        np.multiply(out, told[item], out)


def _product(told: Sequence[Array], factors: Factors) -> Array:
    """Return the product of rows, from the left; of none of them: ones."""
    if factors.apart:
        first, second = factors.apart
        result = told[first] * told[second]
        np.multiply(result, factors.apart_share, result)
        np.add(result, told[factors.together], result)
    elif factors.rows:
        result = told[factors.rows[0]]
    else:
        return ONES
    for row in factors.rows if factors.apart else factors.rows[1:]:
        result = result * told[row]
    return result


def means_on_both_sides(weights: FusionWeights, rows: Array) -> Array:
    """Return (..., 2) the means of (..., 101) rows under and over the reference age."""
    means: Array = np.vecdot(rows[..., np.newaxis, :], weights.sides)
    return means


def posteriors(base: Array, likelihood: Array) -> tuple[Array, Array]:
    """Return (..., 101) posteriors and their running sums.

    Args:
        base: (101,) or (..., 101) prior, not normalised.
        likelihood: (..., 101) of all evidence.

    Raises:
        FloatingPointError: A product of the two is not finite, or 0 at all ages.
    """
    probabilities = base * likelihood
    cumulative = np.add.accumulate(probabilities, -1)
    if cumulative.ndim == 1:
        # Dividing by one number is faster than by an array that holds it, and gives the same.
        total = cumulative.item(-1)
        sound = 0.0 < total < math.inf
    else:
        total = cumulative[..., -1:].copy()  # dividing overwrites it
        sound = bool(((total > 0.0) & (total < math.inf)).all())
    if not sound:
        raise FloatingPointError("a posterior is not finite")
    np.divide(probabilities, total, probabilities)
    np.divide(cumulative, total, cumulative)
    return probabilities, cumulative
