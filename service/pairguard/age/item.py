"""What one item of evidence says about the age now, as a value that is kept and shared.

Owns what of it decides how it is combined with others: items of like kind, in like company, are
combined by one plan. It must not know how an item is computed (``pairguard.age.likelihood``) nor
how items are combined (``pairguard.age.fusion``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from pairguard.age.observation import ObservationModel
from pairguard.age.parameters import Array


@dataclass(frozen=True, slots=True, eq=False)
class ItemKind:
    """All of an item but its numbers by age. One object a kind, so that it is its own key.

    Attributes:
        usable: Whether it may speak for adulthood.
        attack_group: Items of one group are made up together or not at all.
        live: Whether it is bound to the live person.
        correlation_group: Items of one group repeat each other; "": none.
        correlation: Correlation of the errors within that group.
        towards_minor: Whether it raises the odds of being under the reference age.
        informative: Whether it moves them.
        for_adulthood: Whether it may speak for adulthood and does.
        camera: Whether a person was seen by a camera.
        dated: Whether its time is told and it has not expired.
        establishes_minor: Whether it makes a minor by itself, and is of a kind that can.
        verified: Whether it is an age that a verification disclosed, and says something.
        sound: Whether no sign of danger touches it: it is usable and no liveness test doubts it.
        attack: (101,) rate by true age at which it is an older person's.
        posing: (101,) rate by true age at which it is a child's.
        order: Rises with all of the above, usable ones first.
    """

    usable: bool
    attack_group: str
    live: bool
    correlation_group: str
    correlation: float
    towards_minor: bool
    informative: bool
    for_adulthood: bool
    camera: bool
    dated: bool
    establishes_minor: bool
    verified: bool
    sound: bool
    attack: Array
    posing: Array
    order: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Make an order of content, which does not depend on what was seen before."""
        flags = (
            not self.usable,
            self.attack_group,
            self.live,
            self.correlation_group,
            self.correlation,
            self.towards_minor,
            self.informative,
            self.for_adulthood,
            self.camera,
            self.dated,
            self.establishes_minor,
            self.verified,
            self.sound,
        )
        rates = hashlib.blake2b(self.attack.tobytes() + self.posing.tobytes(), digest_size=8)
        object.__setattr__(self, "order", repr(flags).encode() + rates.digest())


@dataclass(frozen=True, slots=True, eq=False)
class ItemLikelihood:
    """What one item says about the age now, before it is combined with others.

    Attributes:
        model: What it said at the observation.
        kind: How it is combined with others.
        relative: (101,) likelihood by age now, divided by its maximum; in [0, 1].
        row: (101,) the same with the item's own attack mixed in.
        usable: Whether it may speak for adulthood; if not, neither ``relative`` nor ``row`` rises
            with age, so that it can only lower the age of whoever it is added to.
        live: Whether it is bound to the live person.
        dated: Whether its time is told and it has not expired.
        odds_factor: What ``row`` alone makes of the odds of being under the reference age.
        peak_odds_factor: The same at the ages that it fits best on either side, if that is larger:
            what it says of few young ages moves the odds of being a minor little.
        alone_probability_minor: P(under the reference age | this item alone), default prior.
        informative: Whether it moves the log-odds at the reference age.
        for_adulthood: Whether it may speak for adulthood and does.
        exact_years: The whole year that it states now, if it is verified, dated and bound to the
            live person; None: it does not.
        order: Rises with the kind and then with what it says: products of floats depend on their
            order, and an order of content does not depend on the caller's.
    """

    model: ObservationModel
    kind: ItemKind
    relative: Array
    row: Array
    usable: bool
    live: bool
    dated: bool
    odds_factor: float
    peak_odds_factor: float
    alone_probability_minor: float
    informative: bool
    for_adulthood: bool
    exact_years: int | None
    order: bytes
    _tempered: dict[int, Array] = field(default_factory=dict, repr=False)

    def tempered(self, copies: int) -> Array:
        """Return (101,) ``relative`` to the power that each of so many copies keeps."""
        kept = self._tempered.get(copies)
        if kept is None:
            kept = self.relative ** (1.0 / (1.0 + (copies - 1) * self.kind.correlation))
            self._tempered[copies] = kept
        return kept
