"""How dangerous a person is, by their own signals: to anybody, and to minors.

Owns two weighted sums of a person's signals, their document, and what they come to between two
people. It must not know how the weights were found, nor what the harm model makes of the result.

    P(i harms j) = 1 - (1 - s(a + u(x_i))) (1 - s(b + v(x_i)) w_j)

with s the logistic function, u and v sums over the person's signals and w_j how far the other
counts as a minor (``counts_as_minor``). The least and the greatest value of each signal in a pair
do not say that many weak signs meet in one person; this does. Everything here is element by element
and in one order, so that one person and a pool have the same bits.

What it promises: more of a signal that is a sign of danger never lowers a danger; a signal that is
not known never counts for less than its mean does; neither danger is ever 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.members import MemberVector, canonical
from pairguard.risk.signal import Direction, Signal

Array = NDArray[np.float64]
_Numbers = TypeVar("_Numbers", Array, float)

WIDEST: Final = 6.0
"""Standard deviations from its mean at which a signal is cut."""
FARTHEST: Final = 30.0
"""Log-odds at which a danger is cut: its chance stays inside (0, 1)."""
LARGEST_WEIGHT: Final = 20.0
"""Log-odds by standard deviation; a fit that needs more has gone wrong."""
LARGEST_SCALE: Final = 1e12
LEAST_MIXED_AT_MOST: Final = 0.5
"""Least bound on how far ``minor_adult_probability`` makes somebody count as a minor. With less,
a danger would fall as the partner of a likely minor becomes likelier an adult than not, which makes
the pair likelier mixed. Where several adult ages count for a pair it may fall with any bound."""
SMALLEST_DEVIATION: Final = 1e-6


@dataclass(frozen=True, slots=True)
class SignalWeight:
    """What one signal says of a person's dangers.

    Attributes:
        name: The signal.
        logarithmic: Whether log(1 + value) is weighed instead of the value.
        mean: Of that, over whom the weights were learned from.
        deviation: Of that, above 0.
        anybody: Log-odds by deviation, of danger to anybody.
        minors: Of danger to minors.
        unknown_anybody: Log-odds where the signal is not known, at least 0: what its mean gives.
        unknown_minors: The same for minors.
    """

    name: str
    logarithmic: bool
    mean: float
    deviation: float
    anybody: float
    minors: float
    unknown_anybody: float = 0.0
    unknown_minors: float = 0.0


_NUMBERS: Final = tuple(
    field.name for field in fields(SignalWeight) if field.name not in {"name", "logarithmic"}
)
_KEYS: Final = frozenset({"anybody", "minors", "signals"})
_OPTIONAL_KEYS: Final = frozenset({"mixed_at_most"})
_SIGNAL_KEYS: Final = frozenset(field.name for field in fields(SignalWeight))


class Dangers:
    """The weights of a catalogue's numbers and flags, and the two dangers by them.

    Attributes:
        anybody: Log-odds of danger to anybody of a person whose signals stand at their means.
        minors: The same of danger to minors.
        mixed_at_most: How far ``minor_adult_probability`` makes somebody count as a minor at most.
        weights: Of each signal that says something, in the catalogue's order.
        columns: Where they stand in a vector, in the order in which they are summed.
        groups: Name of the group that explains each, in that order.
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        *,
        anybody: float,
        minors: float,
        weights: Sequence[SignalWeight],
        mixed_at_most: float = 1.0,
    ) -> None:
        """Join the weights to the columns of a vector.

        Args:
            signals: The catalogue's numbers and flags: the leading columns of a vector.
            anybody: See the class.
            minors: See the class.
            weights: In the order of the signals; those that say nothing may be left out.
            mixed_at_most: See the class; from ``LEAST_MIXED_AT_MOST`` to 1.

        Raises:
            ValueError: With every problem.
        """
        problems = _problems(signals, anybody, minors, weights, mixed_at_most)
        if problems:
            raise ValueError("; ".join(problems))
        self.anybody, self.minors, self.weights = anybody, minors, tuple(weights)
        self.mixed_at_most = mixed_at_most
        column_of = {signal.name: column for column, signal in enumerate(signals)}
        # Logarithms first, so that they are taken of one slice.
        ordered = sorted(weights, key=lambda weight: not weight.logarithmic)
        self.columns = np.array([column_of[weight.name] for weight in ordered], dtype=np.intp)
        group_of = {signal.name: signal.group for signal in signals}
        self.groups = tuple([group_of[weight.name] for weight in ordered])
        self._logarithmic = sum(weight.logarithmic for weight in ordered)
        self._means = np.array([weight.mean for weight in ordered])
        self._deviations = np.array([weight.deviation for weight in ordered])
        self._weights = np.array([[w.anybody for w in ordered], [w.minors for w in ordered]])
        self._unknown = np.array(
            [[w.unknown_anybody for w in ordered], [w.unknown_minors for w in ordered]]
        )

    def of_person(self, values: Array) -> tuple[float, float]:
        """Return the chances of harm to anybody and to a minor, each inside (0, 1).

        Args:
            values: A vector of the catalogue; NaN: unknown.
        """
        to_anybody, to_minors = self._terms(values).tolist()
        # As ``of_people`` adds columns: one after the other.
        anybody, minors = self.anybody, self.minors
        for term in to_anybody:
            anybody += term
        for term in to_minors:
            minors += term
        totals = np.array(
            [min(max(anybody, -FARTHEST), FARTHEST), min(max(minors, -FARTHEST), FARTHEST)]
        )
        chances: list[float] = (1.0 / (1.0 + np.exp(-totals))).tolist()
        return chances[0], chances[1]

    def of_people(self, values: Array) -> Array:
        """Return the same of many people, the same bits, shape ``(n, 2)``.

        Args:
            values: Shape ``(n, columns of the catalogue)``.
        """
        alike = self._alike(values.take(self.columns, axis=1))
        unknown = np.isnan(alike)
        totals = np.empty((values.shape[0], 2))
        for place, level in enumerate((self.anybody, self.minors)):
            terms = np.where(unknown, self._unknown[place], alike * self._weights[place])
            total = np.full(values.shape[0], level)
            for column in range(terms.shape[1]):
                total += terms[:, column]
            totals[:, place] = np.minimum(np.maximum(total, -FARTHEST), FARTHEST)
        chances: Array = 1.0 / (1.0 + np.exp(-totals))
        return chances

    def of_two(
        self,
        one: tuple[float, float],
        two: tuple[float, float],
        minors: tuple[float, float],
        minor_adult_probability: float,
    ) -> tuple[float, float]:
        """Return the chances that one harms the other, and the other the one.

        Args:
            one: Dangers of one, see ``of_person``.
            two: Of the other.
            minors: P(one is a minor), and of the other.
            minor_adult_probability: P(exactly one is).
        """
        # As ``counts_as_minor``, without an array.
        mixed = min(minor_adult_probability, self.mixed_at_most)
        return between(*one, max(mixed, minors[1])), between(*two, max(mixed, minors[0]))

    def of_pairs(
        self, one: Array, two: Array, minors: tuple[Array, Array], minor_adult_probability: Array
    ) -> tuple[Array, Array]:
        """Return the same of many pairs, the same bits, each ``(n,)``.

        Args:
            one: (n, 2) dangers of one side of each pair, see ``of_people``.
            two: (n, 2) of the other.
            minors: (n,) P(one is a minor), and of the other.
            minor_adult_probability: (n,) P(exactly one is).
        """
        counts = [
            counts_as_minor(each, minor_adult_probability, self.mixed_at_most) for each in minors
        ]
        return between(one[:, 0], one[:, 1], counts[1]), between(two[:, 0], two[:, 1], counts[0])

    def between_pairs(
        self, one: Array, two: Array, minors: tuple[Array, Array], minor_adult_probability: Array
    ) -> tuple[Array, Array, Array]:
        """Return ``of_pairs`` whoever was named first: the less, the greater, and either."""
        done, suffered = self.of_pairs(one, two, minors, minor_adult_probability)
        return np.minimum(done, suffered), np.maximum(done, suffered), either(done, suffered)

    def parts(self, values: Array) -> Array:
        """Return what each signal adds to both log-odds of one person, in the order of ``columns``.

        Each danger counts by its share in the chance that either comes about.
        """
        each = self._terms(values)
        to_anybody, to_minors = self.of_person(values)
        share = to_anybody / (to_anybody + to_minors)
        result: Array = share * each[0] + (1.0 - share) * each[1]
        return result

    def _terms(self, values: Array) -> Array:
        """Return (2, signals that are weighed) what each adds to both log-odds of one person."""
        alike = self._alike(values.take(self.columns))
        terms: Array = alike * self._weights
        np.copyto(terms, self._unknown, where=np.isnan(alike))
        return terms

    def _alike(self, chosen: Array) -> Array:
        """Return signals in deviations from their means, in place; NaN: unknown."""
        logarithmic = chosen[..., : self._logarithmic]
        np.maximum(logarithmic, 0.0, out=logarithmic)
        np.log1p(logarithmic, out=logarithmic)
        np.subtract(chosen, self._means, out=chosen)
        np.divide(chosen, self._deviations, out=chosen)
        np.maximum(chosen, -WIDEST, out=chosen)
        np.minimum(chosen, WIDEST, out=chosen)
        return chosen

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], signals: Sequence[Signal]) -> Dangers:
        """Read a parsed ``dangers.json``; one from before there was a bound has none.

        Args:
            mapping: The document.
            signals: The catalogue's numbers and flags.

        Raises:
            ValueError: With every problem.
        """
        if set(mapping) - _OPTIONAL_KEYS != _KEYS or not isinstance(mapping["signals"], list):
            raise ValueError(
                f"must have {', '.join(sorted(_KEYS))}, the last a list, and may have "
                f"{', '.join(sorted(_OPTIONAL_KEYS))}"
            )
        entries = mapping["signals"]
        if not all(isinstance(entry, dict) and set(entry) == _SIGNAL_KEYS for entry in entries):
            raise ValueError(f"each signal must have {', '.join(sorted(_SIGNAL_KEYS))}")
        return cls(
            signals,
            anybody=mapping["anybody"],
            minors=mapping["minors"],
            weights=[SignalWeight(**entry) for entry in entries],
            mixed_at_most=mapping.get("mixed_at_most", 1.0),
        )

    def to_mapping(self) -> dict[str, Any]:
        """Return the document that ``from_mapping`` reads."""
        return {
            "anybody": self.anybody,
            "minors": self.minors,
            "mixed_at_most": self.mixed_at_most,
            "signals": [
                {field.name: getattr(weight, field.name) for field in fields(SignalWeight)}
                for weight in self.weights
            ],
        }


def counts_as_minor(
    probability_minor: Array, minor_adult_probability: Array, mixed_at_most: float
) -> Array:
    """Return how far each counts as a minor for whoever may harm minors, shape ``(n,)``.

    As likely as it is one, or as the pair is mixed but for a bound, whichever is more: so that
    danger rises with both. It does not matter how old the other seems: an adult who is taken for a
    minor is not safe among minors.
    """
    mixed = np.minimum(minor_adult_probability, mixed_at_most)
    result: Array = np.where(probability_minor > mixed, probability_minor, mixed)
    return result


def between(to_anybody: _Numbers, to_minors: _Numbers, counts_as_minor: _Numbers) -> _Numbers:
    """Return the chance that one harms another who counts so far as a minor."""
    return 1.0 - (1.0 - to_anybody) * (1.0 - to_minors * counts_as_minor)


def greater_by_group(
    dangers: Dangers, first: MemberVector, second: MemberVector, minor_adult_probability: float
) -> dict[str, float]:
    """Return what makes up the greater danger between two, in log-odds by group of signals.

    Args:
        dangers: What weighs their signals.
        first: Either participant.
        second: The other.
        minor_adult_probability: Probability that exactly one of them is a minor.
    """
    found: dict[str, list[float]] = {}
    done, suffered = dangers.of_two(
        dangers.of_person(canonical(first.values)),
        dangers.of_person(canonical(second.values)),
        (first.probability_minor, second.probability_minor),
        minor_adult_probability,
    )
    greatest = max(done, suffered)
    # Of both where both are equally dangerous, so that neither order of them is another answer.
    for danger, doer in ((done, first), (suffered, second)):
        if danger == greatest:
            for group, part in zip(dangers.groups, dangers.parts(doer.values), strict=True):
                found.setdefault(group, []).append(float(part))
    return {group: math.fsum(parts) for group, parts in found.items()}


def either(one: _Numbers, other: _Numbers) -> _Numbers:
    """Return the chance that either harms the other: the same bits the other way round."""
    return 1.0 - (1.0 - one) * (1.0 - other)


def _problems(
    signals: Sequence[Signal],
    anybody: float,
    minors: float,
    weights: Sequence[SignalWeight],
    mixed_at_most: float,
) -> list[str]:
    problems = [
        f"{name} must be a number within {FARTHEST:g} of 0"
        for name, level in (("anybody", anybody), ("minors", minors))
        if not _is_within(level, FARTHEST)
    ]
    if not _is_within(mixed_at_most, 1.0) or mixed_at_most < LEAST_MIXED_AT_MOST:
        problems.append(f"mixed_at_most must be a number from {LEAST_MIXED_AT_MOST:g} to 1")
    direction_of = {signal.name: signal.direction for signal in signals}
    known = [name for name in direction_of if name in {weight.name for weight in weights}]
    if [weight.name for weight in weights] != known:
        problems.append("signals must be numbers and flags of the catalogue, once, in its order")
    for weight in weights:
        problems += [
            f"{weight.name}: {text}" for text in _problems_of(weight, direction_of.get(weight.name))
        ]
    return problems


def _problems_of(weight: SignalWeight, direction: Direction | None) -> list[str]:
    wrong = [name for name in _NUMBERS if not _is_within(getattr(weight, name), LARGEST_SCALE)]
    if wrong:
        return [f"{', '.join(wrong)} must be finite numbers"]
    problems = []
    if weight.logarithmic not in (True, False):
        problems.append("logarithmic must be true or false")
    if weight.deviation < SMALLEST_DEVIATION:
        problems.append(f"deviation must be {SMALLEST_DEVIATION:g} at least")
    weighed = (weight.anybody, weight.minors)
    if max(map(abs, weighed)) > LARGEST_WEIGHT:
        problems.append(f"weights must be within {LARGEST_WEIGHT:g} of 0")
    if direction is Direction.INCREASING and min(weighed) < 0.0:
        problems.append("more of it is more dangerous: its weights must not be below 0")
    if direction is Direction.DECREASING and max(weighed) > 0.0:
        problems.append("more of it is less dangerous: its weights must not be above 0")
    unknown = (weight.unknown_anybody, weight.unknown_minors)
    if not 0.0 <= min(unknown) <= max(unknown) <= LARGEST_WEIGHT * WIDEST:
        problems.append("unknown must not be safer than the mean: 0 at least")
    return problems


def _is_within(value: object, bound: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) <= bound  # type: ignore[arg-type]
