"""What was decided on many pairs, as columns.

Owns the bits: what is found of a pair is a set of them. A BLOCK has the place of its code in the
order of the rules, a REROUTE the same 32 places higher, so that the lowest bit is the leading
reason. It must not know how anything is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import Array
from pairguard.policy.decision import DecisionKind
from pairguard.policy.reasons import ReasonCode
from pairguard.risk.pool import RiskColumns
from pairguard.risk.pool_harm import Places

Bits = NDArray[np.int64]
Mask = NDArray[np.bool_]

CODES: Final = tuple(ReasonCode)
"""Reasons by their place in the order of the rules."""
PLACES: Final = {code: place for place, code in enumerate(CODES)}

_REROUTE_FROM: Final = 32
_BLOCKS: Final = (1 << _REROUTE_FROM) - 1


def block(code: ReasonCode) -> int:
    """Return the bit of a BLOCK for a reason."""
    return 1 << PLACES[code]


def reroute(code: ReasonCode) -> int:
    """Return the bit of a REROUTE for a reason."""
    return 1 << (PLACES[code] + _REROUTE_FROM)


def add(found: Bits, code: ReasonCode, where: Mask) -> None:
    """Add a REROUTE to what was found of some pairs."""
    found[where] |= reroute(code)


@dataclass(frozen=True, slots=True, eq=False)
class PairColumns:
    """What was decided on some pairs, each of shape ``(n,)``.

    Attributes:
        kinds: Values of ``DecisionKind``.
        leading: Place in ``CODES`` of the leading reason.
        risk: The risks that were compared.
        exposures: What each adds to the exposure of both, as ``Decision.exposure``.
        could_expose: What the pair would add to it if it met all the same.
        found: All reasons but those to allow, as bits.
    """

    kinds: NDArray[np.int8]
    leading: Places
    risk: RiskColumns
    exposures: Array
    could_expose: Array
    found: Bits

    @property
    def counts(self) -> list[tuple[DecisionKind, ReasonCode, int]]:
        """How many pairs there are of each decision with each leading reason."""
        counts = np.bincount(self.kinds * len(CODES) + self.leading).tolist()
        return [
            (DecisionKind(key // len(CODES)), CODES[key % len(CODES)], count)
            for key, count in enumerate(counts)
            if count
        ]

    def reason_codes(self, pair: int) -> list[ReasonCode]:
        """Return the codes of the reasons of one pair, each once, the leading one first."""
        bits = int(self.found[pair])
        return [*_codes_of(bits)] if bits else [CODES[self.leading[pair]]]


@lru_cache(maxsize=1_024)
def _codes_of(bits: int) -> tuple[ReasonCode, ...]:
    codes = []
    while bits:
        lowest = bits & -bits
        codes.append(CODES[(lowest.bit_length() - 1) % _REROUTE_FROM])
        bits ^= lowest
    return tuple(dict.fromkeys(codes))


def columns_of(
    found: Bits, allowed_as: Places, risk: RiskColumns, close_in_age: Mask
) -> PairColumns:
    """Return the columns of pairs of which this was found."""
    allowed = found == 0
    blocked = (found & _BLOCKS) != 0
    kinds = np.where(
        allowed, DecisionKind.ALLOW, np.where(blocked, DecisionKind.BLOCK, DecisionKind.REROUTE)
    ).astype(np.int8)
    # A single bit is exact as a floating-point number; its exponent is its place.
    _, exponents = np.frexp((found & -found).astype(np.float64))
    leading = np.where(allowed, allowed_as, (exponents - 1) % _REROUTE_FROM)
    could_expose = np.where(close_in_age, 0.0, risk.minor_adult)
    return PairColumns(
        kinds=kinds,
        leading=leading,
        risk=risk,
        exposures=np.where(allowed, could_expose, 0.0),
        could_expose=could_expose,
        found=found,
    )


def joined(parts: Sequence[tuple[Places | slice, PairColumns]], size: int) -> PairColumns:
    """Return the columns of all pairs from those of some."""
    harm_is_known = parts[0][1].risk.harm is not None
    minor_adult, scores, exposures, could_expose = (np.empty(size) for _ in range(4))
    harm, harm_raw = np.empty(size), np.empty(size)
    kinds, found = np.empty(size, dtype=np.int8), np.empty(size, dtype=np.int64)
    leading = np.empty(size, dtype=np.intp)
    for chosen, part in parts:
        kinds[chosen], found[chosen], leading[chosen] = part.kinds, part.found, part.leading
        exposures[chosen], could_expose[chosen] = part.exposures, part.could_expose
        minor_adult[chosen], scores[chosen] = part.risk.minor_adult, part.risk.scores
        if part.risk.harm is not None and part.risk.harm_raw is not None:
            harm[chosen], harm_raw[chosen] = part.risk.harm, part.risk.harm_raw
    risk = RiskColumns(
        minor_adult, harm if harm_is_known else None, harm_raw if harm_is_known else None, scores
    )
    return PairColumns(kinds, leading, risk, exposures, could_expose, found)
