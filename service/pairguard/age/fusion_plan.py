"""What the arithmetic of fusion is told: weights, attack mixtures, and plans of products.

Owns these values and how an attack is mixed into what is said honestly. It must not know in which
order products and sums are taken (``pairguard.age.plain_kernel`` and the compiled one).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, Array

ONES: Array = np.ones(AGE_COUNT)
ONES.setflags(write=False)


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
        packed: (6, 101) all of it in this order, for the compiled kernel.
    """

    others: Array
    under: Array
    over: Array
    presented_by_adults: Array
    borrowed_share: Array
    own_share: Array
    packed: Array = field(init=False)

    def __post_init__(self) -> None:
        """Pack what the compiled kernel is told."""
        prior = np.concatenate((self.under, self.over))
        rows = (prior, self.presented_by_adults, self.borrowed_share, self.own_share)
        object.__setattr__(self, "packed", np.concatenate((self.others, np.stack(rows))))

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
            of_others = dots_of(honest, honest, *weights.others)
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

    def numbered(self) -> list[int]:
        """Return the rows as the compiled kernel reads them."""
        apart = [1, *self.apart, self.together] if self.apart else [0]
        return [len(self.rows), *self.rows, *apart]


@dataclass(frozen=True, slots=True, eq=False)
class FusionPlan:
    """Which of k items make r rows of attack groups, and which rows make the likelihood.

    Rows are numbered on from the items: 0 to k - 1 is an item, k to k + r - 1 a row.

    Attributes:
        items: k.
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
        program: (m,) places and counts of all of this but the mixture, for the compiled kernel.
        shares: (s,) the shares of it.
    """

    items: int
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
    program: NDArray[np.int64] = field(init=False)
    shares: Array = field(init=False)

    def __post_init__(self) -> None:
        """Make a key of content: different companies may have the same plan."""
        parts = (
            self.items,
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
        factors = [each for each in (self.all, self.borrowed, self.live) if each is not None]
        object.__setattr__(self, "program", np.array(self._numbered(), dtype=np.int64))
        shares = [each.apart_share for each in factors if each.apart]
        object.__setattr__(self, "shares", np.array(shares, dtype=np.float64))

    @property
    def summary_size(self) -> int:
        """How many numbers tell how far all groups move the odds and agree."""
        return len(self.mixture.honest) - self.first_whole + 2

    def _numbered(self) -> list[int]:
        """Return the plan as the compiled kernel reads it: each list after its length."""
        rows = len(self.mixture.honest)
        items = self.items
        numbers = [items, rows, self.first_whole, len(self.products)]
        for step in self.products:
            numbers += step
        numbers += self.all.numbered()
        for part in (self.borrowed, self.live):
            numbers += [0] if part is None else [1, *part.numbered()]
        return [*numbers, len(self.unusable), *self.unusable]


def dots_of(left: Array, right: Array, first: Array, second: Array) -> Array:
    """Return (..., 2) the products of (..., a) with (a,) and of (..., b) with (b,) numbers."""
    # Faster than one call for both, which goes from one to the other within each row.
    result = np.empty((*left.shape[:-1], 2))
    np.vecdot(left, first, result[..., 0])
    np.vecdot(right, second, result[..., 1])
    return result
