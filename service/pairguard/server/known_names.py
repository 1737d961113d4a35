"""The names of a model bundle: what of a caller's words means something to it.

Owns which names a record may keep. It must not know messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType

from pairguard.age.tables import AgeTables
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.participant import (
    DEVICE_SIGNAL,
    HIDDEN_LOCATION_SIGNALS,
    TAMPERED_CAPTURE_SIGNALS,
)
from pairguard.risk.signal import Signal, SignalSource

# They count whatever a catalogue has, so that a record has to tell them.
_READ_BY_RULES: Mapping[str, tuple[float, float]] = MappingProxyType(
    dict.fromkeys((*TAMPERED_CAPTURE_SIGNALS, *HIDDEN_LOCATION_SIGNALS), (0.0, 1.0))
    | {DEVICE_SIGNAL: (-inf, inf)}
)
_NO_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType({})
_NO_CATEGORIES: Mapping[str, frozenset[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that a model bundle knows.

    Attributes:
        ranges: Lowest and highest value of each number and flag that a caller sends.
        categories: Known texts of each category.
        interests: Known tags.
        providers: Known providers, in lower case.
        entry_paths: Known entry paths.
    """

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=lambda: _NO_RANGES)
    categories: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NO_CATEGORIES)
    interests: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    entry_paths: frozenset[str] = frozenset()

    @classmethod
    def of(cls, catalogue: SignalCatalogue, tables: AgeTables) -> KnownNames:
        """Return the names of a catalogue, of age tables, and of what rules read without either."""
        numbers = catalogue.number_columns
        in_catalogue = {s.name: _range(s) for s in numbers if s.source is SignalSource.REQUEST}
        return cls(
            ranges={**_READ_BY_RULES, **in_catalogue},
            categories={s.name: frozenset(s.categories) for s in catalogue.category_columns},
            interests=frozenset(catalogue.interests),
            providers=frozenset(tables.face_providers)
            | {provider for _, provider in tables.provider_checks},
            entry_paths=frozenset(entry_path for _, entry_path in tables.priors),
        )


def _range(signal: Signal) -> tuple[float, float]:
    return (
        -inf if signal.minimum is None else signal.minimum,
        inf if signal.maximum is None else signal.maximum,
    )
