"""The arithmetic of fusing evidence in numpy: one participant, or many of one pattern.

Owns the order of every product and sum. Each operation is element-wise or stays within one row of
101 ages, with the same call for one row as for many, so that a batch has the same bits as its
members one by one. It is what ``_compiled_kernel.c`` must agree with, and what counts where nothing
was compiled. It must not know evidence, items or tables: a plan says which rows belong together,
and the rows come with any leading axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pairguard.age.fusion_plan import ONES, Factors, FusionPlan, FusionWeights, dots_of
from pairguard.age.parameters import AGE_COUNT, Array

_SPARE_ROWS = 2  # what combining needs besides its result


def fuse(
    plan: FusionPlan, weights: FusionWeights, relative: Sequence[Array], alone: Sequence[Array]
) -> tuple[Array, Array]:
    """Return what ``pairguard.age.kernel.fuse`` does; the arguments are the same."""
    lead = alone[0].shape[:-1]
    count = len(plan.mixture.honest)
    memory = np.empty((2 * count + 1 + _SPARE_ROWS, *lead, AGE_COUNT))
    products, rows, spare = memory[:count], memory[count:-_SPARE_ROWS], memory[-_SPARE_ROWS:]
    summary = np.empty((*lead, plan.summary_size))
    summary[..., 0] = 1.0
    groups: Sequence[Array] = ()
    if count:
        parts = [*relative, *products, ONES]
        for row, left, right in plan.products:
            np.multiply(parts[left], parts[right], parts[row])
        best = _largest(products[plan.first_whole :])
        summary[..., 0] = best.min(axis=0, initial=1.0)
        mixture = plan.mixture.spread() if lead else plan.mixture
        groups = list(mixture.rows(weights, products, rows[:count], spare=products))
    _combine(plan, weights, [*alone, *groups], rows[count], spare)
    means = means_on_both_sides(weights, rows[plan.first_whole :])
    summary[..., 1:] = np.moveaxis(means[..., 0] / means[..., 1], 0, -1)
    return rows[-1].copy(), summary  # a view would keep all rows


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
    return dots_of(rows[..., :line], rows[..., line:], weights.under, weights.over)


def posteriors(base: Array, likelihood: Array) -> tuple[Array, Array]:
    """Return what ``pairguard.age.kernel.posteriors`` does; the arguments are the same."""
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
