"""How several items of evidence make one likelihood over the age.

Owns what follows from the items of one participant: their order, whether faces and identities are
one attack, and what was fused before. Which items belong together, and why, is
``pairguard.age.company``'s; the arithmetic is ``pairguard.age.kernel``'s. It must not know priors
beyond the tables' default.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from pairguard.age.company import Company, company_of
from pairguard.age.fusion_plan import ONES, FusionPlan
from pairguard.age.item import ItemLikelihood
from pairguard.age.kernel import fuse
from pairguard.age.parameters import Array
from pairguard.age.recent import oldest
from pairguard.age.tables import CAPTURE, AgeTables

_CACHE_ENTRIES = 3072  # some 2 KB each: the 101 numbers of a likelihood, or an assessment
_CACHE_COMPANIES = 384  # with their plans, which are some 10 to 30 KB each
_COMPANIES = "companies"  # under which their number is kept
_ORDER = attrgetter("order")


@dataclass(frozen=True, slots=True, eq=False)
class Fusion:
    """What several items say together.

    Attributes:
        items: The items that say anything, in the order of their content.
        company: What they are together.
        likelihood: (101,) likelihood of all of them.
        agreement: How well any age explains the worst attack group.
        group_odds_factors: What each attack group of several items, and last all items together,
            make of the odds of being under the reference age.
    """

    items: tuple[ItemLikelihood, ...]
    company: Company
    likelihood: Array
    agreement: float
    group_odds_factors: tuple[float, ...]

    @property
    def verified_years(self) -> int | None:
        """The whole year that all verified items state now; None: there are none, or they do not.

        Each must be dated and bound to the live person.
        """
        years = {self.items[place].exact_years for place in self.company.verified}
        return years.pop() if len(years) == 1 else None


def one_sitting(
    tables: AgeTables, items: Sequence[ItemLikelihood | None], sessions: Sequence[str]
) -> float:
    """Return the probability that an attack on faces and one on identities are one.

    1 where a face and a document name the same capture; 0 where there are not both, or all name
    their captures and these differ; else ``tables.one_sitting_share``.

    Args:
        tables: The parameters.
        items: What each item says.
        sessions: The capture session of each; "": not told, which may be any.
    """
    faces: set[str] = set()
    documents: set[str] = set()
    for item, session in zip(items, sessions, strict=True):
        if item is not None and item.kind.camera:
            (faces if item.kind.attack_group == CAPTURE else documents).add(session)
    if not faces or not documents:
        return 0.0
    if (faces & documents) - {""}:
        return 1.0
    return tables.one_sitting_share if "" in faces | documents else 0.0


def fusion(
    tables: AgeTables, items: Sequence[ItemLikelihood | None], sessions: Sequence[str]
) -> Fusion:
    """Return what items say together; their order changes no bit.

    Unusable items stand outside of all groups, so that they neither share an attack with a usable
    one nor take its weight. What was fused is kept in ``tables.fusion_cache``: whoever is proposed
    again within a week brings the same items.

    Args:
        tables: The parameters.
        items: What each item says; None: nothing.
        sessions: The capture session of each; "": not told.
    """
    key = (tuple(items), tuple(sessions))
    known: Fusion | None = tables.fusion_cache.get(key)
    if known is None:
        known = fused(tables, items, sessions)
        keep(tables, key, known)
    return known


def fused(
    tables: AgeTables, items: Sequence[ItemLikelihood | None], sessions: Sequence[str]
) -> Fusion:
    """Return what items say together, as ``fusion``, without keeping it."""
    told, company, sitting = in_company(tables, items, sessions)
    if not told:
        return Fusion((), company, ONES, 1.0, ())
    plan = company.plan(sitting)
    likelihood, summary = fuse(plan, tables.fusion_weights, *rows_of_one(plan, told))
    agreement, *factors = summary.tolist()
    return Fusion(told, company, likelihood, agreement, tuple(factors))


def fuse_alike(
    tables: AgeTables,
    plan: FusionPlan,
    companies: Sequence[Company],
    alike: Sequence[Sequence[ItemLikelihood]],
) -> tuple[list[Fusion], Array]:
    """Fuse the items of n participants who have one plan, at once.

    Args:
        tables: The parameters.
        plan: Their plan, of at least one item.
        companies: What the items of each are.
        alike: The items of each, in their order.

    Returns:
        What ``fusion`` returns for each, the same bits; and (n, 101) their likelihoods.
    """
    likelihoods, summaries = fuse(plan, tables.fusion_weights, *rows_by_place(plan, alike))
    fused = [
        Fusion(tuple(items), company, likelihood, agreement, tuple(factors))
        for items, company, likelihood, (agreement, *factors) in zip(
            alike, companies, likelihoods, summaries.tolist(), strict=True
        )
    ]
    return fused, likelihoods


def rows_of_one(
    plan: FusionPlan, told: Sequence[ItemLikelihood]
) -> tuple[list[Array], list[Array]]:
    """Return what ``fuse`` takes of one participant: (101,) rows, relative and alone."""
    relative = [item.relative for item in told]
    for place, copies in plan.tempered:
        relative[place] = told[place].tempered(copies)
    return relative, [item.row for item in told]


def rows_by_place(
    plan: FusionPlan, alike: Sequence[Sequence[ItemLikelihood]]
) -> tuple[list[Array], list[Array]]:
    """Return what ``fuse`` takes: (n, 101) rows of each place, relative and alone."""
    copies = dict(plan.tempered)
    by_place = list(zip(*alike, strict=True))
    relative = [
        np.array([item.tempered(copies[place]) for item in items])
        if place in copies
        else np.array([item.relative for item in items])
        for place, items in enumerate(by_place)
    ]
    alone = [
        np.array([item.row for item in items]) if place in plan.alone else relative[place]
        for place, items in enumerate(by_place)
    ]
    return relative, alone


def in_company(
    tables: AgeTables, items: Sequence[ItemLikelihood | None], sessions: Sequence[str]
) -> tuple[tuple[ItemLikelihood, ...], Company, float]:
    """Return the items that say anything in their order, their company, and ``one_sitting``."""
    told = tuple(sorted([item for item in items if item is not None], key=_ORDER))
    kinds = tuple([item.kind for item in told])
    company: Company | None = tables.fusion_cache.get(kinds)
    if company is None:
        company = company_of(kinds)
        count = tables.fusion_cache.get(_COMPANIES, 0) + 1
        if count > _CACHE_COMPANIES:
            tables.fusion_cache.clear()  # what was fused holds on to its company
            count = 1
        tables.fusion_cache[_COMPANIES] = count
        keep(tables, kinds, company)
    if not company.on_camera:
        return told, company, 0.0
    # Where no capture is named any two may be one.
    named = any(sessions)
    return (
        told,
        company,
        one_sitting(tables, items, sessions) if named else tables.one_sitting_share,
    )


def keep(tables: AgeTables, key: Hashable, value: object) -> None:
    """Keep something in ``tables.fusion_cache``; when it is full, what was kept first goes.

    Not companies and what kinds share: these are few and dear, and stay until there are too many
    companies.
    """
    cache = tables.fusion_cache
    if len(cache) >= _CACHE_ENTRIES:
        for old in oldest(cache):
            going = cache.pop(old, None)
            if isinstance(going, (Company, tuple, int)):
                cache.setdefault(old, going)
    cache[key] = value
