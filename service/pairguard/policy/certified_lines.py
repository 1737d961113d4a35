"""A policy with the numbers that a certificate gives to its promises.

Owns which number counts, and that no certificate makes anything laxer than the document says:

- a certificate that may be used sets the number, at most as wide as the document's own line
  ``certified_...`` says, which is bounded as the number itself is;
- one that may not be used (expired, weaker than what is asked, or without a number for some of
  those whom the promise is about) only tightens: the document's own number counts, or the strictest
  that the certificate demands anywhere for people of that adult age, where that is stricter;
- one of another model, malformed or absent says nothing: the document's own number counts.

Whatever is not kept is said in the lines, and so in every answer under them. A number is one of
several conditions for ALLOW; none of the others is touched. It must not know time or files.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from pairguard.policy.certificate import Certificate
from pairguard.policy.document import RegionPolicy
from pairguard.policy.promises import LINES, Promise, PromiseKind
from pairguard.policy.regions import Policy


@dataclass(frozen=True, slots=True)
class PromiseOutcome:
    """What became of a promise that the document asks for.

    Attributes:
        place: ``default`` or the code of the region.
        promise: What is asked for.
        kept: Whether a certificate keeps it.
        number: The number that counts.
        own: The document's own number, which counts without a certificate.
        close_in_age_years: Up to which gap mixed pairs meet whatever the number is; 0: none does.
    """

    place: str
    promise: Promise
    kept: bool
    number: float
    own: float
    close_in_age_years: int = 0


def certified_policy(
    policy: Policy, certificate: Certificate | None, *, usable: bool
) -> tuple[Policy, tuple[PromiseOutcome, ...]]:
    """Return a policy with the numbers that count, and what became of every promise.

    Args:
        policy: As the document says.
        certificate: Of the very model that serves; None: there is none.
        usable: Whether it may be used now.
    """
    outcomes: list[PromiseOutcome] = []
    found = _Certificate(certificate, usable, frozenset(policy.regions))
    default = _certified(policy.default, None, found, outcomes)
    regions = {
        code: _certified(lines, code, found, outcomes) for code, lines in policy.regions.items()
    }
    return Policy(policy.version, default, regions), tuple(outcomes)


@dataclass(frozen=True, slots=True)
class _Certificate:
    """What there is to keep promises with, whether it may be used, and who has own lines."""

    document: Certificate | None
    usable: bool
    configured: Collection[str]


def asks_for_promises(policy: Policy) -> bool:
    """Return whether any line of a policy is a promise."""
    return any(lines.promises for lines in (policy.default, *policy.regions.values()))


def _certified(
    lines: RegionPolicy,
    code: str | None,
    certificate: _Certificate,
    outcomes: list[PromiseOutcome],
) -> RegionPolicy:
    if not lines.promises:
        return lines
    changes: dict[str, Any] = {}
    missing: set[PromiseKind] = set()
    for kind in PromiseKind:
        asked = sorted(promise for promise in lines.promises if promise.kind is kind)
        if not asked:
            continue
        number, not_kept = _number(lines, kind, asked, code, certificate)
        name = _name(LINES[kind].number)
        changes[name] = number
        if not_kept:
            missing.add(kind)
        of_pairs = kind is PromiseKind.MIXED_PAIRS_ALLOWED
        outcomes += [
            PromiseOutcome(
                code or "default",
                promise,
                promise not in not_kept,
                number,
                getattr(lines, name),
                lines.close_in_age_max_gap_years if of_pairs else 0,
            )
            for promise in asked
        ]
    return replace(lines, **changes, unkept=frozenset(missing))


def _number(
    lines: RegionPolicy,
    kind: PromiseKind,
    asked: list[Promise],
    code: str | None,
    certificate: _Certificate,
) -> tuple[float, list[Promise]]:
    """Return the number of a kind and the promises that it does not keep for sure."""
    own: float = getattr(lines, _name(LINES[kind].number))
    document = certificate.document
    if document is None:
        return own, asked
    adult_age = max(lines.adult_ages)
    kept = {
        promise: document.kept(promise, code, adult_age, certificate.configured)
        for promise in asked
    }
    numbers = [number for number in kept.values() if number is not None]
    if certificate.usable and len(numbers) == len(asked):
        widest: float = getattr(lines, _name(LINES[kind].widest))
        return min([*numbers, max(own, widest)]), []
    for promise, number in kept.items():
        if number is None:
            numbers += document.demanded(promise, code, adult_age)
    not_kept = [promise for promise in asked if not certificate.usable or kept[promise] is None]
    return min([own, *numbers]), not_kept


def _name(line: str) -> str:
    return line.rpartition(".")[2]
