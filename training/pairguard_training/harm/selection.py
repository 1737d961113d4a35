"""Which pairs were seen at all, and what those that were stand for.

Owns the weights of pairs that met. An earlier policy chose them: where it let chance decide, a pair
stands for 1 / its chance of being allowed; where it decided by itself it says nothing of what it
stopped, and no outcome is made up for that. It must not know what is learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HIGHEST_WEIGHT = 10.0
"""Most that a pair may stand for: one lucky pair must not outweigh a crowd."""


@dataclass(frozen=True, slots=True)
class SelectionWeights:
    """What pairs that met stand for.

    Attributes:
        weights: (n,) 1 where nothing was left to chance; else 1 / chance, ``HIGHEST_WEIGHT`` at
            most. Their mean is 1 or more: they count pairs that could have met.
        randomised: Pairs that chance might have stopped.
        bounded: Of those, how many would weigh more than they may.
        contradictory: Pairs that met though their recorded chance was 0; they weigh 1.
    """

    weights: Array
    randomised: int
    bounded: int
    contradictory: int

    @property
    def effective_size(self) -> float:
        """Pairs that equal weights would need for the same precision (Kish)."""
        if not self.weights.size:
            return 0.0
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())


def selection_weights(allow_probability: Array) -> SelectionWeights:
    """Return the weights of pairs that met.

    Args:
        allow_probability: (n,) chance that each had of being allowed; NaN: not told, counts as 1.
    """
    inside = (allow_probability > 0.0) & (allow_probability < 1.0)
    weights = np.ones(allow_probability.shape)
    weights[inside] = 1.0 / allow_probability[inside]
    bounded = weights > HIGHEST_WEIGHT
    return SelectionWeights(
        weights=np.minimum(weights, HIGHEST_WEIGHT),
        randomised=int(inside.sum()),
        bounded=int(bounded.sum()),
        contradictory=int((allow_probability <= 0.0).sum()),
    )
