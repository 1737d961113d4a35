"""The arithmetic of fusing evidence, along the age axis: one participant, or many of one pattern.

Owns the order of every product and sum. Each operation is element-wise or stays within one row of
101 ages, with the same call for one row as for many, so that a batch has the same bits as its
members one by one. It must not know evidence, items or tables: a plan says which rows belong
together, and the rows come with any leading axis.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pairguard.age.parameters import AGE_COUNT, Array

ONES: Array = np.ones(AGE_COUNT)
ONES.setflags(write=False)

_SPARE_ROWS = 2  # what combining needs besides its result


@dataclass(frozen=True, slots=True, eq=False)
class FusionWeights:
    """What the tables say of other people, ready to multiply with.

    Attributes:
        others: (2, 101) ages that somebody older presents, and that somebody younger is taken for.
        under: (a,) the default prior at the a ages under the reference age, sums to 1.
        over: (101 - a,) the same from the reference age on.
        presented_by_adults: (101,) the first of ``others`` from the reference age on, else 0.
        borrowed_share: (101,) the probability that account and device are an older person's,
            divided by the share of ``presented_by_adults`` that is at least as old.
        own_share: (101,) 1 minus that probability.
    """

    others: Array
    under: Array
    over: Array
    presented_by_adults: Array
    borrowed_share: Array
    own_share: Array

    @classmethod
    def from_rates(
        cls, *, prior: Array, presented: Array, posed: Array, borrowed: Array, line: int
    ) -> FusionWeights:
        """Build from (101,) rates and densities; ``line`` is the reference age in years."""
        presented_by_adults = presented.copy()
        presented_by_adults[:line] = 0.0
        # Whoever is under the line borrows from any adult: the sum stays as it is at the line.
        at_least = presented_by_adults[::-1].cumsum()[::-1]
        return cls(
            others=np.stack((presented, posed)),
            under=prior[:line] / prior[:line].sum(),
            over=prior[line:] / prior[line:].sum(),
            presented_by_adults=presented_by_adults,
            borrowed_share=borrowed / at_least,
            own_share=1.0 - borrowed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class AttackMixture:
    """How what is said honestly, F, becomes (1 - e - d) F + e G + d H.

    An item, or all items of one attack, may speak of another person: of somebody older (a borrowed
    document, a parent's face), at a rate e that is highest for children; or of a child whom an
    adult pretends to be, at a rate d that is 0 below the reference age. G is the mean of F over
    the ages that somebody older presents, H over those that an adult who poses is taken for.

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

    def rows(
        self,
        weights: FusionWeights,
        honest: Array,
        out: Array | None = None,
        spare: Array | None = None,
    ) -> Array:
        """Return (..., 101) likelihoods by true age of what is said honestly, in [0, 1].

        Args:
            weights: What the tables say of other people.
            honest: (..., 101) likelihoods of what is said honestly.
            out: Where to write the result, if not to an array of its own.
            spare: (..., 101) overwritten, so that nothing is allocated; may be ``honest``.
        """
        if out is None:
            out = np.empty_like(honest)
        if honest.ndim == 1:
            of_others = np.vecdot(honest, weights.others)
        else:
            of_others = _dots(honest, honest, *weights.others)
        np.matmul(of_others[..., np.newaxis, :], self.attacked, out[..., np.newaxis, :])
        out += np.multiply(self.honest, honest, spare)
        return out

    def operator(self, weights: FusionWeights) -> Array:
        """Return (101, 101) M, so that ``f @ M`` is ``rows`` of (101,) f, for rates (101,)."""
        return self.rows(weights, np.eye(AGE_COUNT))

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
        tempered: (place, copies) of the items that repeat each other.
        products: (row, left, right): the row's honest part is the product of these two, each an
            item's relative likelihood or an earlier product; k + r stands for ones.
        mixture: How attacks are mixed into the r rows.
        first_whole: Rows from here on are whole attack groups of several items.
        all: What the likelihood is the product of: rows, and items that are alone in their group.
        borrowed: The same of the items that are not bound to the live person; None: none is.
        live: The same of the others; None: there are none, or no borrowed ones.
        unusable: Items that stand outside of all groups.
        alone: Items whose own row counts: those alone in a group, and the unusable ones.
        content: Equal for plans that are equal in all of this.
    """

    tempered: tuple[tuple[int, int], ...]
    products: tuple[tuple[int, int, int], ...]
    mixture: AttackMixture
    first_whole: int
    all: Factors
    borrowed: Factors | None
    live: Factors | None
    unusable: tuple[int, ...]
    alone: frozenset[int]
    content: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Make a key of content: different companies may have the same plan."""
        parts = (
            self.tempered,
            self.products,
            self.first_whole,
            self.all,
            self.borrowed,
            self.live,
            self.unusable,
            sorted(self.alone),
        )
        rates = self.mixture.honest.tobytes() + self.mixture.attacked.tobytes()
        content = hashlib.blake2b(repr(parts).encode() + rates).digest()
        object.__setattr__(self, "content", content)


class Workspace:
    """Memory that one batch after another is computed in: fresh memory costs more than sums do.

    Of one thread at a time. Whatever was made in it is overwritten by the next batch.
    """

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        """Begin with nothing; it grows to the largest batch."""
        self._numbers: Array = np.empty(0)

    def rows(self, *lead: int) -> Array:
        """Return (*lead, 101) numbers, whatever they are."""
        size = math.prod(lead) * AGE_COUNT
        if size > self._numbers.size:
            self._numbers = np.empty(size)
        return self._numbers[:size].reshape(*lead, AGE_COUNT)


def fused_rows(
    plan: FusionPlan,
    weights: FusionWeights,
    relative: Sequence[Array],
    alone: Sequence[Array],
    workspace: Workspace | None = None,
) -> tuple[Array, Array]:
    """Return what whole groups say, with the likelihood of all items as the last row.

    Args:
        plan: Which items belong together.
        weights: What the tables say of other people.
        relative: Of each item (..., 101) the tempered relative likelihood.
        alone: Of each item (..., 101) the likelihood with its own attack; what it is of items that
            are not in ``plan.alone`` does not matter.
        workspace: Where to compute, and where the returned rows stay; None: in memory of its own.

    Returns:
        (g + 1, ..., 101) likelihoods of the g whole groups of several items, then of everything;
        (g, ...) how well the best age explains each of these groups.
    """
    lead = alone[0].shape[:-1]
    count = len(plan.mixture.honest)
    lines = 2 * count + 1 + _SPARE_ROWS
    memory = workspace.rows(lines, *lead) if workspace else np.empty((lines, *lead, AGE_COUNT))
    products, rows, spare = memory[:count], memory[count:-_SPARE_ROWS], memory[-_SPARE_ROWS:]
    if not count:
        _combine(plan, weights, alone, rows[0], spare)
        return rows, np.empty((0, *lead))
    parts = [*relative, *products, ONES]
    for row, left, right in plan.products:
        np.multiply(parts[left], parts[right], parts[row])
    best = _largest(products[plan.first_whole :])
    mixture = plan.mixture.spread() if lead else plan.mixture
    groups = mixture.rows(weights, products, rows[:count], spare=products)
    _combine(plan, weights, [*alone, *groups], rows[count], spare)
    return rows[plan.first_whole :], best


def _combine(
    plan: FusionPlan, weights: FusionWeights, told: Sequence[Array], out: Array, spare: Array
) -> None:
    """Write the (..., 101) likelihood of all items to ``out``; ``spare`` holds two of its like."""
    if plan.borrowed is None:
        out[...] = _product(told, plan.all, out)
    else:
        as_told = _product(told, plan.all, spare[0])
        borrowed = as_told if plan.live is None else _product(told, plan.borrowed, spare[1])
        presented = np.multiply(weights.presented_by_adults, borrowed, spare[1])
        np.add.accumulate(presented[..., ::-1], -1, None, out[..., ::-1])
        np.multiply(out, weights.borrowed_share, out)
        if plan.live is not None:
            np.multiply(out, _product(told, plan.live, spare[1]), out)
        np.add(out, np.multiply(weights.own_share, as_told, spare[1]), out)
        # Nothing is lowered: borrowing hides that somebody is younger and proves nothing of age.
        np.maximum(out, as_told, out=out)
    for item in plan.unusable:
        np.multiply(out, told[item], out)


def _product(told: Sequence[Array], factors: Factors, out: Array) -> Array:
    """Return the product of rows, from the left, in ``out`` or as it is; of none of them: ones."""
    if factors.apart:
        first, second = factors.apart
        result = np.multiply(told[first], told[second], out)
        np.multiply(result, factors.apart_share, result)
        np.add(result, told[factors.together], result)
    elif factors.rows:
        result = told[factors.rows[0]]
    else:
        return ONES
    for row in factors.rows if factors.apart else factors.rows[1:]:
        result = np.multiply(result, told[row], out)
    return result


def _largest(rows: Array) -> Array:
    """Return (...) the largest number of each of (..., 101) rows."""
    if rows.ndim < 3:
        largest: Array = np.maximum.reduce(rows, -1)
        return largest
    # Of many short rows a largest number is found faster than it is taken.
    flat = rows.reshape(-1, AGE_COUNT)
    found: Array = flat[np.arange(len(flat)), flat.argmax(-1)]
    return found.reshape(rows.shape[:-1])


def means_on_both_sides(weights: FusionWeights, rows: Array) -> Array:
    """Return (..., 2) the means of (..., 101) rows under and over the reference age."""
    line = weights.under.size
    return _dots(rows[..., :line], rows[..., line:], weights.under, weights.over)


def odds_factor(weights: FusionWeights, row: Array) -> float:
    """Return what a (101,) row makes of the odds of being under the reference age.

    The quotient of ``means_on_both_sides``, in a quarter of its time for one row.
    """
    line = weights.under.size
    return float(row[:line].dot(weights.under)) / float(row[line:].dot(weights.over))


def _dots(left: Array, right: Array, first: Array, second: Array) -> Array:
    """Return (..., 2) the products of (..., a) with (a,) and of (..., b) with (b,) numbers."""
    # Faster than one call for both, which goes from one to the other within each row.
    result = np.empty((*left.shape[:-1], 2))
    np.vecdot(left, first, result[..., 0])
    np.vecdot(right, second, result[..., 1])
    return result


def cumulative_at(base: Array, likelihood: Array, place: int) -> float:
    """Return one number of the running sum of ``posteriors``, of (101,) arrays.

    Raises:
        FloatingPointError: As there.
    """
    cumulative: Array = np.add.accumulate(base * likelihood)
    total: float = cumulative.item(-1)
    if not 0.0 < total < math.inf:
        raise FloatingPointError("a posterior is not finite")
    at: float = cumulative.item(place)
    return at / total


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
