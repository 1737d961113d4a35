"""Trees that serve: taught what the two dangers say, or by reports alone.

Owns both ways to train the trees of one harm model. It must not know which of them is better
(``crossing``) nor how their scores become probabilities.

Trees are what serves: they are fast, symmetric in the two participants by their features, and
proved monotone when they are loaded. Taught trees learn the log-odds of ``TwoDangers``, which has
learned from pairs that met alone: of those pairs, and of as many of the same people with others.
The latter have no outcome and teach none; they only tell the trees more of what they are to copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard_training.boosting import Compute, Rows, train
from pairguard_training.harm.pairs import Labelled, MetPairs, TreeColumns, subsample
from pairguard_training.harm.settings import MOST_TREES, HarmSettings
from pairguard_training.harm.two_dangers import fit_two_dangers

Array = NDArray[np.float64]

MOST_TAUGHT = 150_000
"""Pairs that met at which trees are taught; the likelier harm, the likelier one is among them."""
PAIRINGS = 2
"""Pairs of the same people with others that are looked at for each that met; half are taken."""
MOST_UNTAUGHT = 400_000
FEWEST_TAUGHT_TREES, PAIRS_A_TREE = 60, 100
"""A few pairs cannot tell so many trees what to say."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Trees and what they read.

    Attributes:
        booster: The trees.
        features: What the columns of a pair are.
    """

    booster: lightgbm.Booster
    features: TreeColumns


@dataclass(frozen=True, slots=True)
class TreeTrainer:
    """What the trees of one harm model have in common.

    Attributes:
        catalogue: What the signals of people are; None: rows that are not of people, of which
            nothing can be taught.
        settings: What was chosen.
        compute: Threads and seed.
    """

    catalogue: SignalCatalogue | None
    settings: HarmSettings
    compute: Compute

    def taught(self, pairs: MetPairs) -> Trained:
        """Fit the two dangers to pairs that met, and trees to what they say.

        Raises:
            ValueError: There is no catalogue.
        """
        if self.catalogue is None:
            raise ValueError("trees are taught of people's signals")
        seed = self.compute.seed
        teacher = fit_two_dangers(pairs, self.catalogue.number_columns, self.settings, seed=seed)
        features = PairFeatures(self.catalogue, teacher.dangers)
        pairs = replace(pairs, features=features)
        met = _importantly(pairs, teacher.probabilities(pairs), MOST_TAUGHT, seed)
        others = pairs.otherwise_paired(count=PAIRINGS * pairs.count, seed=seed)
        unmet = _importantly(others, teacher.probabilities(others), met.chances.size, seed)
        chances = np.concatenate([met.chances, unmet.chances])
        # Where harm is likely is where a mistake matters: it counts by the root of the chance.
        importance = np.sqrt(chances)
        table = np.empty((chances.size, len(features.names)))
        met.pairs.fill(table[: met.chances.size])
        unmet.pairs.fill(table[met.chances.size :])
        rows = Rows(
            table,
            np.log(chances) - np.log1p(-chances),
            importance / importance.mean(),
        )
        rounds = min(max(pairs.count // PAIRS_A_TREE, FEWEST_TAUGHT_TREES), MOST_TREES)
        return self._train(features, rows, self.settings.taught_trees, rounds, "harm model, taught")

    def untaught(self, pairs: Labelled, rounds: int) -> Trained:
        """Fit trees to the reports alone; rows of any columns will do."""
        some = subsample(pairs, most=MOST_UNTAUGHT, seed=self.compute.seed)
        rows = Rows(some.rows(), some.harmed.astype(np.float64), some.weights)
        return self._train(pairs.features, rows, self.settings.untaught_trees, rounds, "harm model")

    def _train(
        self,
        features: TreeColumns,
        rows: Rows,
        settings: Mapping[str, Any],
        rounds: int,
        title: str,
    ) -> Trained:
        constraints = list(features.monotone_constraints)
        booster = train(
            rows,
            {**settings, "monotone_constraints": constraints},
            rounds=rounds,
            compute=self.compute,
            categorical=features.categorical_columns,
            title=title,
        )
        return Trained(booster, features)


@dataclass(frozen=True, slots=True)
class _Copied:
    """Pairs at which trees copy what is said of them."""

    pairs: MetPairs
    chances: Array


def _importantly(pairs: MetPairs, chances: Array, most: int, seed: int) -> _Copied:
    """Return at most so many pairs, the likelier harm the likelier among them."""
    if pairs.count <= most:
        return _Copied(pairs, chances)
    shares = np.sqrt(chances)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(pairs.count, most, replace=False, p=shares / shares.sum()))
    return _Copied(pairs.where(chosen), chances[chosen])
