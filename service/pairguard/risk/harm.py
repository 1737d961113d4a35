"""The harm model: from two participants to the probability of a harm report.

Owns the composition of features, trees and calibration. It must not know where the participants'
ages come from nor what is decided on the result.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from pairguard.errors import BundleRefused
from pairguard.risk.attribution import Attribution, PathAttribution, shared_out
from pairguard.risk.calibration import Calibration
from pairguard.risk.danger import greater_by_group
from pairguard.risk.features import DANGER, PairFeatures
from pairguard.risk.members import MemberMatrix, MemberVector
from pairguard.risk.monotonicity import features_out_of_order
from pairguard.risk.pool_trees import PoolTrees
from pairguard.risk.trees import TreeModel

Array = NDArray[np.float64]


class HarmModel:
    """Probability of a harm report within the report window, given that the pair meets.

    Missing values that the trees never saw missing in training follow the majority of the
    training rows; they are never read as 0.

    Attributes:
        features: The features of a pair.
        calibration: Raw score to probability.
    """

    def __init__(self, trees: TreeModel, features: PairFeatures, calibration: Calibration) -> None:
        """Join the parts.

        Raises:
            BundleRefused: With reason ``BUNDLE_INVALID`` where the trees take other rows, have
                more than one output, or do not prove the features' monotone constraints.
        """
        if trees.num_features != len(features.names) or trees.num_outputs != 1:
            raise BundleRefused(
                f"harm model: {trees.num_features} features and {trees.num_outputs} outputs, but "
                f"the catalogue makes {len(features.names)} features and harm is one output",
                reason="BUNDLE_INVALID",
            )
        loose = features_out_of_order(trees.forest, features.monotone_constraints)
        if loose:
            names = ", ".join(features.names[index] for index in sorted(loose))
            raise BundleRefused(
                f"harm model: not monotone in {names}; train it with "
                "monotone_constraints_method=basic, which keeps its word on missing values",
                reason="BUNDLE_INVALID",
            )
        self.features = features
        self.calibration = calibration
        self._trees = trees.with_missing_as_majority()
        self._attribution = PathAttribution(self._trees.forest, features.groups)

    def probability(
        self, a: MemberVector, b: MemberVector, minor_adult_probability: float
    ) -> float:
        """Return the harm probability of one pair; the same bits with a and b swapped."""
        return self.scored(a, b, minor_adult_probability)[1]

    def scored(
        self, a: MemberVector, b: MemberVector, minor_adult_probability: float
    ) -> tuple[float, float]:
        """Return the raw score of one pair, in log-odds, and its harm probability."""
        row = self.features.row(a, b, minor_adult_probability=minor_adult_probability)
        raw_score = self._trees.raw_score(row)[0]
        return raw_score, self.calibration.probability(raw_score)

    def probabilities(
        self, a: MemberMatrix, b: MemberMatrix, minor_adult_probability: Array
    ) -> Array:
        """Return the harm probability of many pairs, the same bits as one by one."""
        rows = self.features.rows(a, b, minor_adult_probability=minor_adult_probability)
        return self.scored_rows(rows)[1]

    def scored_rows(self, rows: Array) -> tuple[Array, Array]:
        """Return raw scores, in log-odds, and harm probabilities of rows of features."""
        raw_scores = self.raw_scores(rows)
        return raw_scores, self.calibration.probabilities(raw_scores)

    def raw_scores(self, rows: Array) -> Array:
        """Return the raw scores, in log-odds, of rows of features."""
        return self._trees.raw_scores(rows)[:, 0]

    @functools.cached_property
    def pool_trees(self) -> PoolTrees | None:
        """The same trees for the pairs of pools; None: they are of a kind that is not served so.

        Made when a large pool first asks: that takes some 30 ms.
        """
        return PoolTrees.of(self._trees.forest, self.features.origins)

    def attribution(
        self, a: MemberVector, b: MemberVector, minor_adult_probability: float
    ) -> Attribution:
        """Return the raw score of one pair taken apart by the groups of its signals.

        What the trees made of the dangers is told of the signals that make up the greater one.
        """
        row = self.features.row(a, b, minor_adult_probability=minor_adult_probability)
        found = self._attribution.attribute(row)
        dangers = self.features.dangers
        if dangers is None or DANGER not in found.shares:
            return found
        parts = greater_by_group(dangers, a, b, minor_adult_probability)
        return Attribution(found.root, shared_out(found.shares, DANGER, parts))
