"""Who is drawn and who is paired with whom, by the data alone.

Owns seeds, rejection sampling and matching. It must not know scores: whoever could choose a seed
after seeing scores could choose the threshold.

Every draw is a keyed hash of an id, so that it depends neither on the order of rows nor on anybody
else's being there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


def derived_seed(holdout_hash: str, purpose: str) -> int:
    """Return the seed of one purpose, below 2^63, from the hash of the people's data."""
    digest = hashlib.blake2b(f"{holdout_hash} {purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def accepted(ids: Sequence[str], sampling: Array, *, seed: int) -> Mask:
    """Return (n,) whom rejection sampling keeps, so that all were as likely to be there.

    Who was verified with probability p is kept with probability c / p, where c is the smallest.
    Weights would not do: an exact bound is one of counts.

    Args:
        ids: Ids, all different.
        sampling: (n,) with which probability each was verified, above 0.
        seed: Seed of the draw.
    """
    if not len(ids):
        return np.zeros(0, dtype=np.bool_)
    chance = sampling.min() / sampling
    drawn = np.array([hash_fraction(f"accepted {name}", seed=seed) for name in ids])
    result: Mask = drawn < chance
    return result


def matched(ids: Sequence[str], minors: Index, adults: Index, *, seed: int) -> tuple[Index, Index]:
    """Return (m,) minors and (m,) adults, each in one pair, paired at random.

    Args:
        ids: Ids of everybody, all different.
        minors: Places of the minors.
        adults: Places of the adults.
        seed: Seed of the draw.
    """
    first, second = (_shuffled(ids, places, seed) for places in (minors, adults))
    count = min(first.size, second.size)
    return first[:count], second[:count]


def matched_at_random(ids: Sequence[str], places: Index, *, seed: int) -> tuple[Index, Index]:
    """Return (m,) and (m,) of these people, each in one pair, anybody paired with anybody.

    Args:
        ids: Ids of everybody, all different.
        places: Places of those who are paired; of an odd number one is left over.
        seed: Seed of the draw.
    """
    shuffled = _shuffled(ids, places, seed)
    count = shuffled.size // 2
    return shuffled[:count], shuffled[count : 2 * count]


def _shuffled(ids: Sequence[str], places: Index, seed: int) -> Index:
    drawn = [(hash_fraction(f"matched {ids[i]}", seed=seed), ids[i], i) for i in places.tolist()]
    return np.array([place for *_, place in sorted(drawn)], dtype=np.intp)
