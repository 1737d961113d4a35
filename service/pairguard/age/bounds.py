"""How far evidence can move a belief, whatever it says: computed from the tables.

Owns the bounds that attacks and borrowing put on one item and on one attack group. A group's
likelihood by age is linear in what its items say honestly, F: (1 - e - d) F + e G + d H, with G and
H means of F. So is the bound on what borrowing adds. A ratio of two such forms over all F in [0, 1]
is largest where F is 1 at a single age, and there are 101 of these: the bounds are exact for items
bound to the live person, and never too small for the others.

There are two of each. *Alone* is under the default prior with nothing else known: both sides of the
line are means over it. *Whatever else is known* holds for any prior and any other evidence: it
compares the likeliest age on one side with the least likely one on the other, and is far wider,
because two items that name the same unusual age confirm each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from functools import reduce

import numpy as np

from pairguard.age.evidence import Binding, Liveness
from pairguard.age.fusion_plan import AttackMixture
from pairguard.age.observation import verification_group
from pairguard.age.parameters import AGE_COUNT, Array
from pairguard.age.tables import ACCOUNT, CAPTURE, IDENTITY, REVIEW, AgeTables


@dataclass(frozen=True, slots=True)
class MoveBound:
    """The most that something can move the log-odds of being under the reference age.

    Attributes:
        towards_adult_nats: By how much it can lower them, in nats, whatever else is known.
        towards_minor_nats: By how much it can raise them, whatever else is known.
        alone_towards_adult_nats: By how much it can lower them under the default prior alone.
        alone_towards_minor_nats: By how much it can raise them under the default prior alone.
    """

    towards_adult_nats: float
    towards_minor_nats: float
    alone_towards_adult_nats: float
    alone_towards_minor_nats: float

    def widest(self, other: MoveBound) -> MoveBound:
        """Return the larger of both, figure by figure."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return MoveBound(*(max(mine, theirs) for mine, theirs in pairs))


def move_bound(
    tables: AgeTables, *, attack: Array | float, posing: Array | float, live: bool
) -> MoveBound:
    """Return the bound for items of one attack, however many they are.

    Args:
        tables: The parameters.
        attack: (101,) rate by true age of evidence of somebody older, or one for all ages.
        posing: (101,) rate of evidence of somebody younger, or one for all ages.
        live: Whether they are bound to the live person; others may also be borrowed.
    """
    line = tables.reference_age_years
    rates = (np.broadcast_to(rate, (AGE_COUNT,)) for rate in (attack, posing))
    lowest = highest = AttackMixture.from_rates(*rates).operator(tables.fusion_weights).T
    if not live:
        borrowed = tables.borrowed_account[:, None]
        of_older = _older_operator(tables) @ lowest
        # Borrowing makes of r the larger of r and (1 - b) r + b o.
        highest = lowest + borrowed * of_older
        lowest = np.where(
            (np.arange(AGE_COUNT) < line)[:, None],
            (1.0 - borrowed) * lowest + borrowed * of_older,
            lowest,
        )
    prior = tables.prior("", "")
    minor, adult = prior[:line] / prior[:line].sum(), prior[line:] / prior[line:].sum()
    return MoveBound(
        towards_adult_nats=_largest(highest[line:].max(axis=0), lowest[:line].min(axis=0)),
        towards_minor_nats=_largest(highest[:line].max(axis=0), lowest[line:].min(axis=0)),
        alone_towards_adult_nats=_largest(adult @ highest[line:], minor @ lowest[:line]),
        alone_towards_minor_nats=_largest(minor @ highest[:line], adult @ lowest[line:]),
    )


def source_bounds(tables: AgeTables) -> Mapping[str, MoveBound]:
    """Return the bound for each source of evidence, by a name that says how it is bound."""
    both = ((True, "live person"), (False, "account"))
    bounds = {
        "self_declared": _source(tables, tables.declaration_attack, "", live=False),
        "platform_age_range": _source(tables, tables.range_attack, ACCOUNT, live=False),
    }
    for liveness in (Liveness.PASSED, Liveness.UNSPECIFIED, Liveness.UNDETERMINED):
        bounds[f"face, liveness {liveness.value}"] = _source(
            tables,
            tables.face_attack[liveness],
            CAPTURE,
            live=liveness is not Liveness.UNDETERMINED,
        )
    for method, rates in tables.checks.items():
        live_bound = tables.strongest_binding[method] is Binding.LIVE_PERSON
        for live, bound_to in both if live_bound else both[1:]:
            bounds[f"age_check {method.value}, {bound_to}"] = _source(
                tables, rates.attack, IDENTITY, live=live
            )
    for verification, attack in tables.verified_attack.items():
        group = verification_group(verification)
        for live, bound_to in both:
            bounds[f"verified_age {verification.value}, {bound_to}"] = _source(
                tables, attack, group, live=live
            )
    return bounds


def _source(tables: AgeTables, attack: Array, group: str, *, live: bool) -> MoveBound:
    """Return the bound for one source, expired and tampered items of it included.

    ``group`` is whose rate of posing counts; "": the honest model has those who pose.
    """
    posing: Array | float = tables.posing[group] if group else 0.0
    usable = move_bound(tables, attack=attack, posing=posing, live=live)
    # An unusable item has one rate for all ages, and can only lower an age.
    unusable = move_bound(tables, attack=float(attack.min()), posing=0.0, live=True)
    return replace(
        usable,
        towards_minor_nats=max(usable.towards_minor_nats, unusable.towards_minor_nats),
        alone_towards_minor_nats=max(
            usable.alone_towards_minor_nats, unusable.alone_towards_minor_nats
        ),
    )


def group_bounds(tables: AgeTables) -> Mapping[str, MoveBound]:
    """Return the bound for all items of each attack group together, by the group's name."""
    bounds = source_bounds(tables)
    groups = {
        ACCOUNT: ("self_declared", "platform_age_range"),
        CAPTURE: ("face",),
        IDENTITY: ("age_check", "verified_age ID", "verified_age DIGITAL"),
        REVIEW: ("verified_age MODERATOR",),
    }
    return {
        group: reduce(
            MoveBound.widest, [b for name, b in bounds.items() if name.startswith(starts)]
        )
        for group, starts in groups.items()
    }


def _older_operator(tables: AgeTables) -> Array:
    """Return (101, 101) the weights of ``AgeTables.mean_over_older``."""
    unit = np.eye(AGE_COUNT)
    operator: Array = np.stack([tables.mean_over_older(row) for row in unit], axis=1)
    return operator


def _largest(numerator: Array, denominator: Array) -> float:
    return float(np.log((numerator / denominator).max()))
