"""Where the columns of a pair's row come from.

Owns the names of the ways to make one. It must not know how any is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Part(StrEnum):
    """How a column of a row is made; the names of columns begin with most of these."""

    MIXED = "mixed"
    LEAST = "least"
    GREATEST = "greatest"
    EITHER = "either"
    MIN = "min"
    MAX = "max"
    MINOR = "minor"
    OTHER = "other"
    GAP = "gap"
    SAME = "same"
    SHARED = "shared"
    UNION = "union"


DANGER_PARTS: Final = (Part.LEAST, Part.GREATEST, Part.EITHER)
"""What two people's dangers come to, in the order of its columns."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column of a row comes from.

    Attributes:
        part: How it is made.
        place: Where ``ReadyMatrix.parts`` has the signal of which it is made; -1: of no single one.
    """

    part: Part
    place: int = -1
