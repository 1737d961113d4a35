"""Trees that serve: taught what the two dangers say, or by reports alone.

Owns both ways to train the trees of one harm model. It must not know which of them is better
(``crossing``) nor how their scores become probabilities.

Trees are what serves: they are fast, symmetric in the two participants by their features, and
proved monotone when they are loaded. Taught trees learn the log-odds of ``TwoDangers`` at pairs
that met, and at no others: what it would say of pairs that were never allowed is nobody's outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.risk.features import PairFeatures
from pairguard.risk.signal import Signal
from pairguard_training.boosting import Compute, Rows, train
from pairguard_training.harm.pairs import MetPairs, subsample
from pairguard_training.harm.settings import MOST_TREES, HarmSettings
from pairguard_training.harm.two_dangers import fit_two_dangers

Array = NDArray[np.float64]

MOST_TAUGHT = 150_000
"""Pairs at which trees are taught; the likelier harm, the likelier a pair is among them."""
MOST_UNTAUGHT = 400_000
FEWEST_TAUGHT_TREES, PAIRS_A_TREE = 60, 100
"""A few pairs cannot tell so many trees what to say."""


@dataclass(frozen=True, slots=True)
class TreeTrainer:
    """What the trees of one harm model have in common.

    Attributes:
        features: The columns of a pair, with their constraints.
        signals: The numbers and flags of a person.
        settings: What was chosen.
        compute: Threads and seed.
    """

    features: PairFeatures
    signals: tuple[Signal, ...]
    settings: HarmSettings
    compute: Compute

    def taught(self, pairs: MetPairs) -> lightgbm.Booster:
        """Fit the two dangers to pairs that met, and trees to what they say."""
        seed = self.compute.seed
        teacher = fit_two_dangers(pairs, self.signals, self.settings, seed=seed)
        chances = teacher.probabilities(pairs)
        # Where harm is likely is where a mistake matters: it counts by the root of the chance.
        importance = np.sqrt(chances)
        if pairs.count > MOST_TAUGHT:
            shares = importance / importance.sum()
            chosen = np.random.default_rng(seed).choice(
                pairs.count, MOST_TAUGHT, replace=False, p=shares
            )
            chosen.sort()
            pairs, chances = pairs.where(chosen), chances[chosen]
            importance = np.ones(MOST_TAUGHT)
        log_odds = np.log(chances) - np.log1p(-chances)
        rows = Rows(pairs.rows(), log_odds, importance / importance.mean())
        rounds = min(max(pairs.count // PAIRS_A_TREE, FEWEST_TAUGHT_TREES), MOST_TREES)
        return self._train(rows, self.settings.taught_trees, rounds, "harm model, taught")

    def untaught(self, pairs: MetPairs, rounds: int) -> lightgbm.Booster:
        """Fit trees to the reports alone."""
        some = subsample(pairs, most=MOST_UNTAUGHT, seed=self.compute.seed).pairs
        rows = Rows(some.rows(), some.harmed.astype(np.float64), some.weights)
        return self._train(rows, self.settings.untaught_trees, rounds, "harm model")

    def _train(
        self, rows: Rows, settings: Mapping[str, Any], rounds: int, title: str
    ) -> lightgbm.Booster:
        constraints = list(self.features.monotone_constraints)
        return train(
            rows,
            {**settings, "monotone_constraints": constraints},
            rounds=rounds,
            compute=self.compute,
            categorical=self.features.categorical_columns,
            title=title,
        )
