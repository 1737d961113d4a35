"""Participants as members of pairs: their numbers, one by one or many at once.

Owns the values that the features of a pair are made of. It must not know which features there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReadyVector:
    """One participant's part in the features of any pair, made once.

    Attributes:
        bound: Values of the signals with a direction.
        sided: Values of the other numbers, then the codes of the categories.
        tags: 0 or 1 for each interest.
        tag_count: How many there are; NaN: unknown.
        dangers: Chances of harm to anybody and to a minor; 0: nothing weighs them.
    """

    bound: Array
    sided: Array
    tags: Array
    tag_count: float
    dangers: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class MemberVector:
    """One participant as a member of a pair.

    Attributes:
        probability_minor: Probability of being under the adult age.
        values: The catalogue's vector; NaN: unknown.
        ready: ``PairFeatures.ready`` of it, where it is known already.
    """

    probability_minor: float
    values: Array
    ready: ReadyVector | None = None


@dataclass(frozen=True, slots=True)
class MemberMatrix:
    """Many participants, each as a member of its own pair.

    Attributes:
        probability_minor: Shape ``(n,)``.
        values: Shape ``(n, columns of the catalogue)``.
    """

    probability_minor: Array
    values: Array


@dataclass(frozen=True, slots=True, eq=False)
class ReadyMatrix:
    """The parts of a pool's participants in the features of any pair, made once.

    Attributes:
        parts: Shape ``(n, columns)``, ordered as ``ReadyVector`` has them.
        tag_counts: Shape ``(n,)``; NaN: unknown.
        dangers: Shape ``(n, 2)``; no columns: nothing weighs them.
    """

    parts: Array
    tag_counts: Array
    dangers: Array


def canonical(values: Array) -> Array:
    """Return values in which -0.0 is 0.0, and NaN has one bit pattern."""
    result = values + 0.0
    np.copyto(result, np.nan, where=np.isnan(result))
    return result
