"""Which items of evidence belong together: a question of their kinds alone.

Owns the three ways in which items are not independent:

- **Correlation.** Items of one correlation group repeat each other: k informative ones with
  correlation r enter with weight 1 / (1 + (k - 1) r) each, which for equally correlated Gaussian
  errors is exact.
- **Attack.** Items of one attack group are made up together: the group's likelihood is that of
  ``pairguard.age.fusion_plan.AttackMixture`` with F the product of its items and the largest of
  their rates by age.
  Faces and borrowed identities may be one attack, too, where a document was shown to a camera: who
  sits in for a child shows the document.
- **Borrowing.** All items that are not bound to the live person hang on one account and device.
  With the probability that a child of that age uses an older person's, they all speak of that
  person.

What follows from kinds is found once for every company of them, and is a plan for the arithmetic
(``pairguard.age.fusion_plan``). It must not know what any item says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pairguard.age.conflict import may_be_settled
from pairguard.age.fusion_plan import AttackMixture, Factors, FusionPlan
from pairguard.age.item import ItemKind
from pairguard.age.parameters import AGE_COUNT, Array
from pairguard.age.tables import CAPTURE, IDENTITY

_Places = tuple[int, ...]
_Groups = dict[str, _Places]


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """What items of certain kinds are together, whatever their numbers say.

    Attributes:
        kinds: The kinds, in their order.
        tempered: (place, copies) of the items that repeat each other.
        informative_count: Items that say anything about being under or over the reference age.
        for_adulthood_count: Items that may speak for adulthood and do.
        establishes_minor: Whether one item makes a minor by itself.
        all_sound: Whether no sign of danger touches any of them.
        verified: Places of the ages that a verification disclosed.
        on_camera: Whether both a face and a document were shown to a camera.
        may_be_settled: Whether one item may settle another.
    """

    kinds: tuple[ItemKind, ...]
    tempered: tuple[tuple[int, int], ...]
    informative_count: int
    for_adulthood_count: int
    establishes_minor: bool
    all_sound: bool
    verified: tuple[int, ...]
    on_camera: bool
    may_be_settled: bool
    _plans: dict[float, FusionPlan] = field(default_factory=dict, repr=False)

    def plan(self, sitting: float) -> FusionPlan:
        """Return the plan for a probability that faces and identities are one attack."""
        plan = self._plans.get(sitting)
        if plan is None:
            plan = self._plans[sitting] = _plan(self, sitting)
        return plan


def company_of(kinds: tuple[ItemKind, ...]) -> Company:
    """Return what items of these kinds are together."""
    # Items that speak in opposite directions do not repeat each other.
    repeats = Counter(
        (kind.correlation_group, kind.towards_minor)
        for kind in kinds
        if kind.usable and kind.informative and kind.correlation_group
    )
    copies = [repeats[kind.correlation_group, kind.towards_minor] for kind in kinds]
    on_camera = {kind.attack_group == CAPTURE for kind in kinds if kind.camera}
    return Company(
        kinds=kinds,
        tempered=tuple(
            (place, copies[place])
            for place, kind in enumerate(kinds)
            if kind.usable and copies[place] > 1
        ),
        informative_count=sum(kind.informative for kind in kinds),
        for_adulthood_count=sum(kind.for_adulthood for kind in kinds),
        establishes_minor=any(kind.establishes_minor for kind in kinds),
        all_sound=all(kind.sound for kind in kinds),
        verified=tuple(place for place, kind in enumerate(kinds) if kind.verified),
        on_camera=len(on_camera) == 2,
        may_be_settled=may_be_settled(kinds),
    )


def _plan(company: Company, sitting: float) -> FusionPlan:
    kinds = company.kinds
    usable = [place for place, kind in enumerate(kinds) if kind.usable]
    whole = _groups(kinds, usable)
    borrowed = _groups(kinds, [place for place in usable if not kinds[place].live])
    live = _groups(kinds, [place for place in usable if kinds[place].live])
    parts = [whole, borrowed, live] if borrowed and live else [whole]
    together = [_one_attack(part) for part in parts] if sitting > 0.0 else []
    tempered = {place for place, _ in company.tempered}
    whole_groups = [places for places in whole.values() if len(places) > 1]
    others = {
        places: None  # a dict keeps their order
        for places in [*(places for part in parts for places in part.values()), *together]
        if (len(places) > 1 or tempered.intersection(places)) and places not in whole_groups
    }
    rows = [*others, *whole_groups]
    number = {places: len(kinds) + row for row, places in enumerate(rows)}

    def factors(part: _Groups) -> Factors:
        # An item that is alone in its group and not tempered has its own row.
        numbers = {name: number.get(places, places[0]) for name, places in part.items()}
        both = _one_attack(part) if sitting > 0.0 else ()
        if not both:
            return Factors(tuple(numbers.values()))
        apart = numbers.pop(CAPTURE), numbers.pop(IDENTITY)
        return Factors(tuple(numbers.values()), apart, 1.0 - sitting, number[both])

    unusable = tuple(place for place, kind in enumerate(kinds) if not kind.usable)
    share = np.array([[sitting if places in together else 1.0] for places in rows]).reshape(-1, 1)
    mixture = AttackMixture.from_rates(
        _largest_rates(kinds, rows, lambda kind: kind.attack),
        _largest_rates(kinds, rows, lambda kind: kind.posing),
    )
    return FusionPlan(
        items=len(kinds),
        tempered=company.tempered,
        products=_products(rows, number, ones=len(kinds) + len(rows)),
        mixture=AttackMixture(share * mixture.honest, share[..., np.newaxis] * mixture.attacked),
        first_whole=len(others),
        all=factors(whole),
        borrowed=factors(borrowed) if borrowed else None,
        live=factors(live) if borrowed and live else None,
        unusable=unusable,
        alone=frozenset(unusable).union(
            places[0] for part in parts for places in part.values() if places not in number
        ),
    )


def _groups(kinds: Sequence[ItemKind], places: Sequence[int]) -> _Groups:
    """Return the places of each attack group."""
    groups: _Groups = {}
    for place in places:
        name = kinds[place].attack_group
        groups[name] = (*groups.get(name, ()), place)
    return groups


def _one_attack(part: _Groups) -> _Places:
    """Return the places of faces and identities together; empty: there are not both."""
    if CAPTURE in part and IDENTITY in part:
        return part[CAPTURE] + part[IDENTITY]
    return ()


def _products(
    rows: Sequence[_Places], number: dict[_Places, int], *, ones: int
) -> tuple[tuple[int, int, int], ...]:
    """Return the products that make the rows, each from the longest beginning that is made."""
    steps = []
    made: set[_Places] = set()
    for places in sorted(rows, key=len):
        row = number[places]
        sizes = range(len(places) - 1, 1, -1)
        length = next((size for size in sizes if places[:size] in made), 1)
        left, rest = number[places[:length]] if length > 1 else places[0], places[length:]
        # The rest is a row that is made, too, or its items one by one; of one tempered item ones.
        rights = (number[rest],) if rest in made else rest or (ones,)
        for right in rights:
            steps.append((row, left, right))
            left = row
        made.add(places)
    return tuple(steps)


def _largest_rates(
    kinds: Sequence[ItemKind], rows: Sequence[_Places], rate: Callable[[ItemKind], Array]
) -> Array:
    """Return (r, 101) the largest of the rates of each row's items, by age."""
    largest = [np.max([rate(kinds[place]) for place in places], axis=0) for places in rows]
    return np.array(largest).reshape(-1, AGE_COUNT)
