"""The signal catalogue: which signals count, and where each stands in a participant's vector.

Owns the layout of vectors and the treatment of values: clipping, unknown names, missing values.
It must not know what any model makes of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.catalogue_document import read_catalogue, write_mapping, write_toml
from pairguard.risk.participant import Participant
from pairguard.risk.signal import Signal, SignalKind, SignalSource

Array = NDArray[np.float64]

_UNKNOWN = float("nan")
_OPEN = 1e300  # an open bound; keeps differences of two values finite


@dataclass(frozen=True, slots=True)
class CatalogueVector:
    """One participant in the catalogue's layout.

    Attributes:
        values: Shape ``(len(catalogue.columns),)``; NaN: unknown.
        unknown_names: What was sent and is not used, sorted: names outside the catalogue
            (``history.*`` always), ``name=category`` and ``interests=tag`` where the category or
            tag is not listed.
    """

    values: Array
    unknown_names: tuple[str, ...]


class SignalCatalogue:
    """The signals and interest tags that models are trained on and served with.

    Columns are the numbers and flags in the catalogue's order, then the categories as codes, then
    one column of 0 and 1 for each interest tag.

    Attributes:
        signals: Every signal, in the document's order.
        interests: Interest tags.
        columns: Name of each column of a vector.
        number_columns: Signals of the leading columns, numbers and flags.
        category_columns: Signals of the columns after them.
        age_columns: Indices of what the behaviour age model may see.
        harm_columns: Indices of what the harm model may see.
    """

    def __init__(self, signals: tuple[Signal, ...], interests: tuple[str, ...]) -> None:
        self.signals = signals
        self.interests = interests
        self.number_columns = tuple(s for s in signals if s.kind is not SignalKind.CATEGORY)
        self.category_columns = tuple(s for s in signals if s.kind is SignalKind.CATEGORY)
        ordered = self.number_columns + self.category_columns
        self.columns = tuple(s.name for s in ordered) + tuple(f"interests={t}" for t in interests)
        self.age_columns = tuple(
            index
            for index in range(len(self.columns))
            if index >= len(ordered) or ordered[index].age_input
        )
        self.harm_columns = tuple(range(len(self.columns)))
        self._numbers: dict[str, tuple[int, float, float]] = {}
        self._history: dict[str, tuple[int, float, float]] = {}
        for index, signal in enumerate(self.number_columns):
            low = -_OPEN if signal.minimum is None else signal.minimum
            high = _OPEN if signal.maximum is None else signal.maximum
            places = self._history if signal.source is SignalSource.HISTORY else self._numbers
            places[signal.name] = (index, low, high)
        self._categories = {
            signal.name: (index, {text: float(code) for code, text in enumerate(signal.categories)})
            for index, signal in enumerate(self.category_columns, start=len(self.number_columns))
        }
        self._tags = {tag: len(ordered) + index for index, tag in enumerate(interests)}
        self._all_unknown = [_UNKNOWN] * len(self.columns)
        self._no_interest = [0.0] * len(interests)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> SignalCatalogue:
        """Read a parsed ``signals.toml``.

        Raises:
            InvalidInput: With every problem found, reason ``CATALOGUE_INVALID``.
        """
        return cls(*read_catalogue(mapping))

    def to_mapping(self) -> dict[str, Any]:
        """Return the document that ``from_mapping`` reads."""
        return write_mapping(self.signals, self.interests)

    def to_toml(self) -> str:
        """Return the document as the text of ``signals.toml``."""
        return write_toml(self.signals, self.interests)

    def schema_hash(self) -> str:
        """Return the sha256, in hexadecimal, of the catalogue's canonical JSON."""
        text = json.dumps(self.to_mapping(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def vector(self, participant: Participant) -> CatalogueVector:
        """Lay a participant out in columns.

        Numbers outside their range are clipped to it. Names, categories and tags that the
        catalogue does not have count as not sent, and are listed. A participant whose tags are
        all unlisted has unknown interests, not none.
        """
        vector = self.request_vector(participant)
        if not participant.history:
            return vector
        values = self.with_history(vector.values, participant.history)
        return CatalogueVector(values, vector.unknown_names)

    def request_vector(self, participant: Participant) -> CatalogueVector:
        """Lay out what the caller said of a participant; history is left unknown."""
        row = self._all_unknown[:]
        unknown: list[str] = []
        if participant.signals:
            _place(row, participant.signals, self._numbers, unknown)
        for name, text in participant.attributes.items():
            place = self._categories.get(name)
            if place is None:
                unknown.append(name)
                continue
            code = place[1].get(text)
            if code is None:
                unknown.append(f"{name}={text}")
            else:
                row[place[0]] = code
        if participant.interests:
            self._place_interests(row, participant.interests, unknown)
        if unknown:
            unknown = sorted(set(unknown))
        return CatalogueVector(np.array(row, dtype=np.float64), tuple(unknown))

    def with_history(self, values: Array, history: Mapping[str, float]) -> Array:
        """Return a vector with the service's own counts; those that it does not have are left out.

        Args:
            values: The vector of ``request_vector``.
            history: ``Participant.history``.
        """
        row: list[float] = values.tolist()
        _place(row, history, self._history, [])
        return np.array(row, dtype=np.float64)

    def history_among(self, columns: Iterable[int]) -> tuple[str, ...]:
        """Return the names of the service's own counts among some columns, in their order."""
        of_history = {place[0]: name for name, place in self._history.items()}
        return tuple(of_history[column] for column in columns if column in of_history)

    def _place_interests(
        self, row: list[float], interests: tuple[str, ...], unknown: list[str]
    ) -> None:
        known: list[int] = []
        for tag in interests:
            index = self._tags.get(tag)
            if index is None:
                unknown.append(f"interests={tag}")
            else:
                known.append(index)
        if known:
            row[len(row) - len(self._no_interest) :] = self._no_interest
            for index in known:
                row[index] = 1.0


def _place(
    row: list[float],
    values: Mapping[str, float],
    places: Mapping[str, tuple[int, float, float]],
    unknown: list[str],
) -> None:
    for name, value in values.items():
        place = places.get(name)
        if place is None:
            unknown.append(name)
            continue
        index, low, high = place
        # A NaN passes neither test and would keep its payload: it stays the one unknown.
        if value <= low:
            row[index] = low
        elif value >= high:
            row[index] = high
        elif value == value:  # noqa: PLR0124 - false for NaN alone
            row[index] = value + 0.0  # there is one zero: -0.0 becomes 0.0
