"""Two participants as one row that does not know which of them was named first.

Owns the features of a pair: their order, names, constraints and groups. It must not know how they
are weighed. Swapping the two participants changes no bit of a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.danger import Dangers, either
from pairguard.risk.members import (
    MemberMatrix,
    MemberVector,
    ReadyMatrix,
    ReadyVector,
    canonical,
)
from pairguard.risk.origins import DANGER_PARTS, Origin, Part
from pairguard.risk.signal import Direction

Array = NDArray[np.float64]

MINOR_ADULT_PROBABILITY = "minor_adult_probability"
DANGER = "danger"
"""Group of what two people are to each other by their own dangers."""

_CONSTRAINTS = {Direction.INCREASING: 1, Direction.DECREASING: -1}


class PairFeatures:
    """The features of a pair over one catalogue.

    First ``minor_adult_probability``; then, where dangers are weighed, what they come to between
    the two: in the direction in which it is less, in the other, and in either (``danger``), each
    constrained upwards, as more danger must never lower harm. A signal with a direction enters as
    its least and greatest value (of those known), each constrained to its direction. Any other
    number enters as the value of the likelier minor, the value of the other and their gap; a
    category as both codes and whether they are equal; interests as how many are shared and how many
    there are in all.

    The likelier minor is told apart by ``probability_minor``, in a tie by the values that take
    sides. Signals with a direction do not: more reports must never swap the two.

    Attributes:
        names: One per column.
        groups: Name of the group that explains each column.
        monotone_constraints: -1, 0 or 1 per column, as LightGBM takes them.
        categorical_columns: Columns that hold category codes.
        origins: Where each column comes from.
        dangers: What weighs a person's signals; None: nothing does, and there are no such columns.
        danger_columns: Columns of what the dangers come to.
    """

    def __init__(self, catalogue: SignalCatalogue, dangers: Dangers | None = None) -> None:
        numbers, categories = catalogue.number_columns, catalogue.category_columns
        free = [i for i, signal in enumerate(numbers) if signal.direction is Direction.NONE]
        bound = [i for i, signal in enumerate(numbers) if signal.direction is not Direction.NONE]
        codes = list(range(len(numbers), len(numbers) + len(categories)))
        parts: list[tuple[Part, list[int]]] = [
            (Part.MIN, bound),
            (Part.MAX, bound),
            (Part.MINOR, free + codes),
            (Part.OTHER, free + codes),
            (Part.GAP, free),
            (Part.SAME, codes),
        ]
        order = bound + free + codes
        origins = [Origin(Part.MIXED)]
        signals = (*numbers, *categories)
        names, groups, constraints = [MINOR_ADULT_PROBABILITY], [MINOR_ADULT_PROBABILITY], [1]
        if dangers is not None:
            names += [f"{DANGER}:{direction}" for direction in DANGER_PARTS]
            groups += [DANGER] * len(DANGER_PARTS)
            constraints += [1] * len(DANGER_PARTS)
            origins += [Origin(direction) for direction in DANGER_PARTS]
        self.dangers = dangers
        self.danger_columns = tuple(range(1, len(names)))
        self.categorical_columns: tuple[int, ...] = ()
        slices: dict[str, slice] = {}
        for part, members in parts:
            start = len(names)
            slices[part] = slice(start, start + len(members))
            names += [f"{part}:{signals[i].name}" for i in members]
            groups += [signals[i].group for i in members]
            constraints += [_CONSTRAINTS.get(signals[i].direction, 0) for i in members]
            origins += [Origin(part, order.index(i)) for i in members]
            if part in {Part.MINOR, Part.OTHER}:
                coded = range(start + len(free), start + len(members))
                self.categorical_columns += tuple(coded)
        if catalogue.interests:
            names += ["interests:shared", "interests:union"]
            groups += ["interests", "interests"]
            constraints += [0, 0]
            origins += [Origin(Part.SHARED), Origin(Part.UNION)]
        self.names = tuple(names)
        self.groups = tuple(groups)
        self.monotone_constraints = tuple(constraints)
        self.origins = tuple(origins)
        self._slices = slices
        self._differences = slice(slices["gap"].start, slices["same"].stop)
        self._same_from = len(free)
        self._order = np.array(order + self._tags(catalogue), dtype=np.intp)
        self._bound = np.array(bound, dtype=np.intp)
        self._sided = np.array(free + codes, dtype=np.intp)
        self._free_count = len(free)
        self._tags_from = len(signals)
        self._has_interests = bool(catalogue.interests)

    def ready(self, values: Array) -> ReadyVector:
        """Return what ``row`` needs of one participant.

        Args:
            values: A vector as the catalogue makes it, with one zero and one NaN.
        """
        ordered = values.take(self._order)
        sided_from, tags_from = self._bound.size, self._bound.size + self._sided.size
        tags = ordered[tags_from:]
        return ReadyVector(
            ordered[:sided_from],
            ordered[sided_from:tags_from],
            tags,
            np.add.reduce(tags).item(),
            (0.0, 0.0) if self.dangers is None else self.dangers.of_person(values),
        )

    def ready_matrix(self, values: Array) -> ReadyMatrix:
        """Return what ``pool_rows`` needs of a pool.

        Args:
            values: A vector of the catalogue for each participant, shape ``(n, columns)``.
        """
        parts = canonical(values.take(self._order, axis=1))
        tags_from = self._bound.size + self._sided.size
        tag_counts = np.add.reduce(parts[:, tags_from:], axis=1)
        if self.dangers is None:
            return ReadyMatrix(parts, tag_counts, np.empty((values.shape[0], 0)))
        return ReadyMatrix(parts, tag_counts, self.dangers.of_people(values))

    def pool_rows(
        self,
        ready: ReadyMatrix,
        first: NDArray[np.intp],
        second: NDArray[np.intp],
        *,
        probability_minor: Array,
        minor_adult_probability: Array,
    ) -> Array:
        """Return the features of pairs among one pool, the same bits as ``row``.

        Args:
            ready: The pool.
            first: Position of one participant of each pair, shape ``(n,)``.
            second: Position of the other.
            probability_minor: Of each participant of the pool.
            minor_adult_probability: Of each pair, shape ``(n,)``.

        Returns:
            Shape ``(n, len(names))``.
        """
        minor, other = self.pool_sides(ready, first, second, probability_minor)
        chances = probability_minor[minor], probability_minor[other]
        return self.side_rows(ready, minor, other, chances, minor_adult_probability)

    def side_rows(
        self,
        ready: ReadyMatrix,
        minor: NDArray[np.intp],
        other: NDArray[np.intp],
        chances: tuple[Array, Array],
        minor_adult_probability: Array,
    ) -> Array:
        """Return the features of pairs whose sides are known; see ``pool_rows``.

        Args:
            ready: The pool.
            minor: Position of the likelier minor of each pair, shape ``(n,)``.
            other: Position of the other.
            chances: Probability that the likelier minor of each pair is one, and that the other is.
            minor_adult_probability: Of each pair.
        """
        sided_from, tags_from = self._bound.size, self._bound.size + self._sided.size
        one, two = ready.parts[minor], ready.parts[other]
        rows = np.empty((minor.size, len(self.names)))
        slices = self._slices
        rows[:, 0] = minor_adult_probability
        if self.dangers is not None:
            people = ready.dangers[minor], ready.dangers[other]
            self._fill_dangers(
                rows, self.dangers.between_pairs(*people, chances, minor_adult_probability)
            )
        np.fmin(one[:, :sided_from], two[:, :sided_from], out=rows[:, slices["min"]])
        np.fmax(one[:, :sided_from], two[:, :sided_from], out=rows[:, slices["max"]])
        sided_one, sided_two = one[:, sided_from:tags_from], two[:, sided_from:tags_from]
        rows[:, slices["minor"]] = sided_one
        rows[:, slices["other"]] = sided_two
        gap = rows[:, self._differences]
        np.subtract(sided_one, sided_two, out=gap)
        np.absolute(gap, out=gap)
        same = gap[:, self._same_from :]
        if same.size:
            np.subtract(1.0, same, out=same)
            np.maximum(same, 0.0, out=same)
        if self._has_interests:
            # Counts: exact in any order.
            shared = np.einsum("ij,ij->i", one[:, tags_from:], two[:, tags_from:])
            rows[:, -2] = shared
            rows[:, -1] = ready.tag_counts[minor] + ready.tag_counts[other] - shared
        return rows

    def pool_sides(
        self,
        ready: ReadyMatrix,
        first: NDArray[np.intp],
        second: NDArray[np.intp],
        probability_minor: Array,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the likelier minor and the other of each pair of a pool; see ``pool_rows``."""
        minor_a, minor_b = probability_minor[first], probability_minor[second]
        behind = minor_a < minor_b
        tied = np.flatnonzero(minor_a == minor_b)
        if tied.size:
            sided = ready.parts[:, self._bound.size : self._bound.size + self._sided.size]
            behind[tied] = _goes_behind(sided[first[tied]], sided[second[tied]])
        return np.where(behind, second, first), np.where(behind, first, second)

    def row(
        self, first: MemberVector, second: MemberVector, *, minor_adult_probability: float
    ) -> Array:
        """Return the features of one pair.

        Args:
            first: Either participant.
            second: The other.
            minor_adult_probability: Probability that exactly one of them is a minor.

        Returns:
            Shape ``(len(names),)``; NaN, of one bit pattern: unknown.
        """
        values, others = first.values, second.values
        if first.probability_minor < second.probability_minor or (
            first.probability_minor == second.probability_minor
            and values is not others  # all of whom nothing is known share one vector
            and bool(self._is_behind(values[np.newaxis], others[np.newaxis])[0])
        ):
            first, second = second, first
        one = first.ready or self.ready(canonical(first.values))
        two = second.ready or self.ready(canonical(second.values))
        # As ``_assemble``, with half as many calls: that is what a short row costs.
        slices = self._slices
        row = np.empty(len(self.names))
        row[0] = minor_adult_probability
        if self.dangers is not None:
            minors = first.probability_minor, second.probability_minor
            done, suffered = self.dangers.of_two(
                one.dangers, two.dangers, minors, minor_adult_probability
            )
            row[1] = min(done, suffered)
            row[2] = max(done, suffered)
            row[3] = either(done, suffered)
        np.fmin(one.bound, two.bound, out=row[slices["min"]])
        np.fmax(one.bound, two.bound, out=row[slices["max"]])
        row[slices["minor"]] = one.sided
        row[slices["other"]] = two.sided
        gap = row[self._differences]
        np.subtract(one.sided, two.sided, gap)
        np.absolute(gap, gap)
        same = gap[self._same_from :]
        if same.size:
            np.subtract(1.0, same, same)
            np.maximum(same, 0.0, out=same)
        if self._has_interests:
            shared = one.tags.dot(two.tags).item()  # counts: exact in any order
            row[-2] = shared
            row[-1] = one.tag_count + two.tag_count - shared
        return row

    def rows(
        self, first: MemberMatrix, second: MemberMatrix, *, minor_adult_probability: Array
    ) -> Array:
        """Return the features of many pairs, the same bits as one by one.

        Args:
            first: One participant of each pair.
            second: The other.
            minor_adult_probability: Shape ``(n,)``.

        Returns:
            Shape ``(n, len(names))``.
        """
        behind = first.probability_minor < second.probability_minor
        tied = np.flatnonzero(first.probability_minor == second.probability_minor)
        behind[tied] = self._is_behind(first.values[tied], second.values[tied])
        swap = behind[:, np.newaxis]
        one = np.where(swap, second.values, first.values)
        two = np.where(swap, first.values, second.values)
        rows = self._assemble(one, two, minor_adult_probability)
        if self.dangers is not None:
            minors = (
                np.where(behind, second.probability_minor, first.probability_minor),
                np.where(behind, first.probability_minor, second.probability_minor),
            )
            people = self.dangers.of_people(one), self.dangers.of_people(two)
            self._fill_dangers(
                rows, self.dangers.between_pairs(*people, minors, minor_adult_probability)
            )
        return rows

    def _fill_dangers(self, rows: Array, found: tuple[Array, Array, Array]) -> None:
        """Write what the dangers of two sides come to."""
        for column, values in zip(self.danger_columns, found, strict=True):
            rows[:, column] = values

    def _tags(self, catalogue: SignalCatalogue) -> list[int]:
        signals = len(catalogue.number_columns) + len(catalogue.category_columns)
        return list(range(signals, len(catalogue.columns)))

    def _is_behind(self, one: Array, two: Array) -> NDArray[np.bool_]:
        """Tell, for each tied pair, whether the second goes first; unknown goes last."""
        return _goes_behind(one[:, self._sided], two[:, self._sided])

    def _assemble(self, minor: Array, other: Array, mixed: float | Array) -> Array:
        rows = np.empty((*minor.shape[:-1], len(self.names)))
        slices = self._slices
        rows[..., 0] = mixed
        # Written later: till then no stray number stands there.
        rows[..., 1 : 1 + len(self.danger_columns)] = 0.0
        one, two = minor.take(self._bound, axis=-1), other.take(self._bound, axis=-1)
        np.fmin(one, two, out=rows[..., slices["min"]])
        np.fmax(one, two, out=rows[..., slices["max"]])
        one, two = minor.take(self._sided, axis=-1), other.take(self._sided, axis=-1)
        rows[..., slices["minor"]] = one
        rows[..., slices["other"]] = two
        gap = np.abs(one - two)
        free = self._free_count
        rows[..., slices["gap"]] = gap[..., :free]
        # 1 where the codes are equal, 0 where not, NaN where one is unknown.
        np.maximum(1.0 - gap[..., free:], 0.0, out=rows[..., slices["same"]])
        if self._has_interests:
            one, two = minor[..., self._tags_from :], other[..., self._tags_from :]
            rows[..., -2] = (one * two).sum(axis=-1)  # counts: exact in any order
            rows[..., -1] = np.maximum(one, two).sum(axis=-1)
        return canonical(rows)


def _goes_behind(left: Array, right: Array) -> NDArray[np.bool_]:
    """Tell of each two rows, by their first values that differ, whether the second goes first."""
    if not left.shape[1]:
        return np.zeros(left.shape[0], dtype=np.bool_)
    left = np.where(np.isnan(left), np.inf, left)
    right = np.where(np.isnan(right), np.inf, right)
    deciding = np.argmax(left != right, axis=1)[:, np.newaxis]
    behind = np.take_along_axis(right, deciding, 1) < np.take_along_axis(left, deciding, 1)
    return np.asarray(behind[:, 0], dtype=np.bool_)
