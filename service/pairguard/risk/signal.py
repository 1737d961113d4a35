"""One signal of the catalogue: what it is called, measures and may be used for.

Owns the vocabulary of signals. It must not know how a catalogue is written down
(``pairguard.risk.catalogue_document``) nor how values are laid out (``pairguard.risk.catalogue``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SignalKind(StrEnum):
    """What the values of a signal are."""

    NUMBER = "number"
    FLAG = "flag"
    CATEGORY = "category"


class Direction(StrEnum):
    """How harm may move when the signal rises; NONE: either way, learned from data."""

    INCREASING = "increasing"
    DECREASING = "decreasing"
    NONE = "none"


class SignalSource(StrEnum):
    """Who says it: the caller in its request, or the service's own counters."""

    REQUEST = "request"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Signal:
    """One entry of the signal catalogue.

    Attributes:
        name: What callers send it under; history is named ``history.*``.
        kind: NUMBER and FLAG come as numbers, CATEGORY as text.
        unit: Unit of a number, e.g. ``seconds``; "" for flags and categories.
        minimum: Lowest value; what is lower is clipped to it. None: open.
        maximum: Highest value; what is higher is clipped to it. None: open.
        categories: The texts that are known, in the order of their codes 0, 1, ...
        direction: What harm does when the value rises; NONE for categories.
        source: REQUEST or HISTORY.
        window: Span that the value covers, e.g. ``30d`` or ``session``; "": a moment.
        age_input: Whether the behaviour age model may see it; never for counts of reports.
        group: Name under which its share in harm is explained.
    """

    name: str
    kind: SignalKind
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    direction: Direction = Direction.NONE
    source: SignalSource = SignalSource.REQUEST
    window: str = ""
    age_input: bool = False
    group: str = "signals"
