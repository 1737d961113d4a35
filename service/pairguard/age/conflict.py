"""When items of evidence contradict each other, beyond what their error models explain.

Owns who is a party to a conflict and when parties stand against each other. It must not know what
items say together (``pairguard.age.fusion``) nor what follows from a conflict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pairguard.age.item import ItemKind, ItemLikelihood
from pairguard.age.observation import FACES, STATEMENTS
from pairguard.age.tables import IDENTITY, REVIEW, AgeTables

_NEVER = -math.inf


def contradict(
    tables: AgeTables, parties: Sequence[ItemLikelihood], group_odds_factors: Sequence[float]
) -> bool:
    """Return whether two items, or groups of them, move the odds far in opposite directions.

    Items are taken alone and as they stand, so that many weak ones cannot hide a strong one; and
    all of them together, so that nothing outweighs a strong one by explaining it away.

    Args:
        tables: The parameters.
        parties: The items; at least two of them inform of anything, or there is no conflict.
        group_odds_factors: What groups of them, and all together, make of the odds.
    """
    limit = math.exp(tables.opposed_nats)
    if min([item.odds_factor for item in parties] + [*group_odds_factors]) > 1.0 / limit:
        return False
    # An item's peak is at least its odds factor.
    return max([item.peak_odds_factor for item in parties] + [*group_odds_factors]) >= limit


def may_be_settled(kinds: Sequence[ItemKind]) -> bool:
    """Return whether one of the items may be settled by another, their times permitting."""
    return any(_settles(kind) for kind in kinds) and any(_can_be_settled(kind) for kind in kinds)


def unsettled(
    tables: AgeTables,
    items: Sequence[ItemLikelihood | None],
    observed_times: Sequence[float | None],
) -> tuple[ItemLikelihood | None, ...]:
    """Return the items without those of minority that a later check of higher rank has settled.

    Somebody who once declared 14 and then shows a document, or whom a reviewer found to be an adult
    after an estimator had not, would else be of unknown age for ever. What was settled weighs as
    much as before; it is only no party to a conflict any more. A live check settles declared ages,
    a review declared ages and faces; nothing settles what has no time, came later, or was checked
    itself. Nor does a check that would be no side of a conflict: that somebody is over 13 is no
    answer to a declared 14.
    """
    checked = reviewed = _NEVER
    weakest = math.exp(-tables.opposed_nats)
    for item, observed in zip(items, observed_times, strict=True):
        if item is None or observed is None or not _settles(item.kind):
            continue
        if item.odds_factor > weakest:
            continue
        if item.kind.attack_group == REVIEW:
            reviewed = max(reviewed, observed)
        else:
            checked = max(checked, observed)
    settled_until = {STATEMENTS: max(checked, reviewed), FACES: reviewed}
    return tuple(
        None
        if item is not None
        and observed is not None
        and _can_be_settled(item.kind)
        and observed <= settled_until[item.kind.correlation_group]
        else item
        for item, observed in zip(items, observed_times, strict=True)
    )


def _settles(kind: ItemKind) -> bool:
    """Return whether an item is a check of high rank that found an adult."""
    if not (kind.for_adulthood and kind.dated):
        return False
    return kind.attack_group == REVIEW or (kind.live and kind.attack_group == IDENTITY)


def _can_be_settled(kind: ItemKind) -> bool:
    """Return whether an item is a statement or a face that speaks of minority."""
    return kind.towards_minor and kind.correlation_group in (STATEMENTS, FACES)
