"""A trained harm model on its way into a bundle.

Owns what is kept of its training. It must not know how it was trained (``harm.crossing``).
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.risk.harm import HarmModel
from pairguard.risk.trees import TreeModel

Array = NDArray[np.float64]

FEWEST_POSITIVES = 20
"""Harmed pairs in training below which there is no harm model."""


@dataclass(frozen=True, slots=True)
class HarmFit:
    """A trained and calibrated harm model.

    Attributes:
        model: Ready to serve.
        text: LightGBM's text of its trees.
        booster: As trained.
        rows: Some of what it was trained on, spread over all of it.
        rounds: Boosting rounds.
        notes: What should be known about it, in sentences.
    """

    model: HarmModel
    text: str
    booster: lightgbm.Booster
    rows: Array
    rounds: int
    notes: tuple[str, ...]

    def calibrated(self, features: Array) -> Array:
        """Return the harm probability of each row, the same bits as when it is served."""
        trees = TreeModel(self.text).with_missing_as_majority()
        return self.model.calibration.probabilities(trees.raw_scores(features)[:, 0])
