"""How several items of evidence make one likelihood over the age.

Owns the three ways in which items are not independent:

- **Correlation.** Items of one correlation group repeat each other: k informative ones with
  correlation r enter with weight 1 / (1 + (k - 1) r) each, which for equally correlated Gaussian
  errors is exact.
- **Attack.** Items of one attack group are made up together: the group's likelihood is
  (1 - e) F + e G, with F the product of its items, e the largest of their attack rates by true age,
  and G the mean of F over the ages that made-up evidence speaks of.
- **Borrowing.** All items that are not bound to the live person hang on one account and device.
  With the probability that a child of that age uses an older person's, they all speak of that
  person.

And it owns when items contradict each other. It must not know priors beyond the tables' default.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from pairguard.age.likelihood import ItemLikelihood
from pairguard.age.parameters import AGE_COUNT, Array
from pairguard.age.tables import AgeTables

_Weighted = tuple[ItemLikelihood, Array]


def combined_likelihood(
    tables: AgeTables, items: Sequence[ItemLikelihood | None]
) -> tuple[Array, float]:
    """Return the (101,) likelihood of all items, and how well any age explains the worst group.

    The order of the items changes no bit.
    """
    weighted = _weighted(items)
    if not weighted:
        return np.ones(AGE_COUNT), 1.0
    as_told, agreement = _product_of_groups(tables, weighted)
    borrowed = [entry for entry in weighted if not entry[0].live]
    if not borrowed:
        return as_told, agreement
    if len(borrowed) == len(weighted):
        of_older = tables.mean_over_older(as_told)
    else:
        live = [entry for entry in weighted if entry[0].live]
        of_older = tables.mean_over_older(_product_of_groups(tables, borrowed)[0])
        of_older *= _product_of_groups(tables, live)[0]
    # Nothing is lowered: borrowing hides that somebody is younger and proves nothing of age.
    result: Array = as_told + tables.borrowed_account * np.maximum(of_older - as_told, 0.0)
    return result, agreement


def contradict(tables: AgeTables, items: Sequence[ItemLikelihood | None]) -> bool:
    """Return whether two items, or groups of them, move the log-odds far in opposite directions.

    Items are taken alone and as they stand, so that many weak ones cannot hide a strong one.
    """
    rows = [item.row for item in items if item is not None and item.informative]
    if len(rows) < 2:
        return False
    by_group: dict[str, list[_Weighted]] = {}
    for entry in _weighted(items):
        by_group.setdefault(entry[0].model.attack_group, []).append(entry)
    rows += [_product_of_groups(tables, group)[0] for group in by_group.values() if len(group) > 1]
    limit = math.exp(tables.opposed_nats)
    ratios = [below / above for below, above in map(tables.mean_on_both_sides, rows)]
    return max(ratios) >= limit and min(ratios) <= 1.0 / limit


def _weighted(items: Sequence[ItemLikelihood | None]) -> list[_Weighted]:
    """Return the items in an order of their content, each with its tempered likelihood.

    Products of floats depend on their order; an order of content makes them independent of the
    caller's.
    """
    present = [item for item in items if item is not None]
    if len(present) > 1:
        present.sort(key=lambda i: (i.model.attack_group, i.live, i.relative.tobytes()))
    repeats = Counter(
        item.model.correlation_group
        for item in present
        if item.informative and item.model.correlation_group
    )
    weighted = []
    for item in present:
        copies = repeats.get(item.model.correlation_group, 1)
        relative = item.relative
        if copies > 1:
            relative = relative ** (1.0 / (1.0 + (copies - 1) * item.model.correlation))
        weighted.append((item, relative))
    return weighted


def _product_of_groups(tables: AgeTables, weighted: Sequence[_Weighted]) -> tuple[Array, float]:
    """Return the (101,) product over attack groups and the worst group's best agreement."""
    groups: dict[str, tuple[Array, Array]] = {}
    for item, likelihood in weighted:
        group, attack = item.model.attack_group, item.model.attack
        if group in groups:
            product, rate = groups[group]
            groups[group] = product * likelihood, np.maximum(rate, attack)
        else:
            groups[group] = likelihood, attack
    result: Array | None = None
    agreement = 1.0
    for product, attack in groups.values():
        presented = (tables.presented_age * product).sum()
        row = (1.0 - attack) * product + attack * presented
        result = row if result is None else result * row
        agreement = min(agreement, float(product.max()))
    return (np.ones(AGE_COUNT) if result is None else result), agreement
