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

    The order of the items changes no bit. Unusable items stand outside of all groups, so that they
    neither share an attack with a usable one nor take its weight.
    """
    likelihood, agreement = _usable_likelihood(tables, [i for i in items if i and i.usable])
    unusable = [item.row for item in items if item is not None and not item.usable]
    for row in sorted(unusable, key=np.ndarray.tobytes):
        likelihood = likelihood * row
    return likelihood, agreement


def _usable_likelihood(tables: AgeTables, items: Sequence[ItemLikelihood]) -> tuple[Array, float]:
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


def contradict(tables: AgeTables, items: Sequence[ItemLikelihood | None], combined: Array) -> bool:
    """Return whether two items, or groups of them, move the odds far in opposite directions.

    Items are taken alone and as they stand, so that many weak ones cannot hide a strong one; and
    all of them together, so that nothing outweighs a strong one by explaining it away.

    Args:
        tables: The parameters.
        items: What each item says.
        combined: (101,) what ``combined_likelihood`` made of them.
    """
    told = [item for item in items if item is not None]
    if sum(item.informative for item in told) < 2:
        return False
    groups = _by_attack_group(_weighted([item for item in told if item.usable])).values()
    rows = [_product_of_groups(tables, group)[0] for group in groups if len(group) > 1]
    sides = [tables.mean_on_both_sides(row) for row in (*rows, combined)]
    ratios = [item.odds_factor for item in told] + [below / above for below, above in sides]
    limit = math.exp(tables.opposed_nats)
    for_minority = max(*ratios, *(item.peak_odds_factor for item in told))
    return for_minority >= limit and min(ratios) <= 1.0 / limit


def _weighted(items: Sequence[ItemLikelihood]) -> list[_Weighted]:
    """Return the items in an order of their content, each with its tempered likelihood.

    Products of floats depend on their order; an order of content makes them independent of the
    caller's.
    """
    if len(items) < 2:
        return [(item, item.relative) for item in items]
    present = sorted(items, key=lambda i: (i.model.attack_group, i.live, i.relative.tobytes()))
    # Items that speak in opposite directions do not repeat each other.
    repeats = Counter(
        (item.model.correlation_group, item.odds_factor > 1.0)
        for item in present
        if item.informative and item.model.correlation_group
    )
    weighted = []
    for item in present:
        copies = repeats[item.model.correlation_group, item.odds_factor > 1.0]
        relative = item.relative
        if copies > 1:
            relative = relative ** (1.0 / (1.0 + (copies - 1) * item.model.correlation))
        weighted.append((item, relative))
    return weighted


def _product_of_groups(tables: AgeTables, weighted: Sequence[_Weighted]) -> tuple[Array, float]:
    """Return the (101,) product over attack groups and the worst group's best agreement."""
    result: Array | None = None
    agreement = 1.0
    for group in _by_attack_group(weighted).values():
        item, product = group[0]
        if len(group) == 1 and product is item.relative:
            # Alone and untempered: its row is the same computation, and the best of it is 1.
            row = item.row
        else:
            attack = item.model.attack
            for other, likelihood in group[1:]:
                product = product * likelihood
                attack = np.maximum(attack, other.model.attack)
            presented = (tables.presented_age * product).sum()
            row = (1.0 - attack) * product + attack * presented
            agreement = min(agreement, float(product.max()))
        result = row if result is None else result * row
    return (np.ones(AGE_COUNT) if result is None else result), agreement


def _by_attack_group(weighted: Sequence[_Weighted]) -> dict[str, list[_Weighted]]:
    groups: dict[str, list[_Weighted]] = {}
    for entry in weighted:
        groups.setdefault(entry[0].model.attack_group, []).append(entry)
    return groups
