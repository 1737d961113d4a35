"""The arithmetic of fusing evidence, along the age axis: one participant, or many of one pattern.

Owns which formulation of it counts: the compiled one where there is one of this layout, else the
plain one (``pairguard.age.plain_kernel``), which gives the same numbers to 1e-12 and takes up to
ten times as long. A process fuses all by one of them, so that a batch has the same bits as its
members one by one. It must not know evidence, items or tables: a plan says which rows
belong together, and the rows come with any leading axis.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pairguard.age import plain_kernel
from pairguard.age.fusion_plan import FusionPlan, FusionWeights
from pairguard.age.parameters import Array

try:
    from pairguard.age import _compiled_kernel as _compiled

    _layout: int | None = _compiled.LAYOUT
except ImportError:  # installed without a compiler
    _layout = None

_LAYOUT: Final = 1  # of what the compiled kernel is told; another one would read something else

COMPILED: Final = _layout == _LAYOUT
"""Whether the compiled formulation counts in this process."""


def fuse(
    plan: FusionPlan, weights: FusionWeights, relative: list[Array], alone: list[Array]
) -> tuple[Array, Array]:
    """Return what all items say together, and how far they move the odds and agree.

    Args:
        plan: Which items belong together; of at least one and at most 512.
        weights: What the tables say of other people.
        relative: Of each item (..., 101) the tempered relative likelihood.
        alone: Of each item (..., 101) the likelihood with its own attack; what it is of items that
            are not in ``plan.alone`` does not matter.

    Returns:
        (..., 101) likelihood of everything; and (..., g + 2) how well any age explains the worst of
        the g attack groups of several items (1: there are none), what each of these makes of the
        odds of being under the reference age, and what everything does. What is no number in a row
        makes all of it no number, which no posterior can be taken of.
    """
    if not COMPILED:
        return plain_kernel.fuse(plan, weights, relative, alone)
    shape = alone[0].shape
    likelihood = np.empty(shape)
    summary = np.empty((*shape[:-1], plan.summary_size))
    mixture = plan.mixture
    _compiled.fuse(
        plan.program,
        plan.shares,
        mixture.honest,
        mixture.attacked,
        weights.packed,
        weights.under.size,
        relative,
        alone,
        likelihood,
        summary,
    )
    return likelihood, summary


def posteriors(base: Array, likelihood: Array) -> tuple[Array, Array]:
    """Return (..., 101) posteriors and their running sums.

    Args:
        base: (101,) or (..., 101) prior, not normalised.
        likelihood: (..., 101) of all evidence.

    Raises:
        FloatingPointError: A product of the two is not finite, or 0 at all ages.
    """
    if not COMPILED:
        return plain_kernel.posteriors(base, likelihood)
    probabilities, cumulative = np.empty(likelihood.shape), np.empty(likelihood.shape)
    if not _compiled.posteriors(base, likelihood, probabilities, cumulative):
        raise FloatingPointError("a posterior is not finite")
    return probabilities, cumulative


def odds_factor(weights: FusionWeights, row: Array) -> float:
    """Return what a (101,) row makes of the odds of being under the reference age.

    The quotient of its means under and over that age.
    """
    line = weights.under.size
    return float(row[:line].dot(weights.under)) / float(row[line:].dot(weights.over))


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
