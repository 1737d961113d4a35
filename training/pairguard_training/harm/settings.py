"""What a fit of the harm model may choose, and the values that it has unless it is tuned.

Owns names, values and bounds. It must not know how they are used or searched.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

FEWEST_LEAVES: Final = 15
MOST_LEAVES: Final = 31
MOST_TREES: Final = 200
"""What serving pays for."""


@dataclass(frozen=True, slots=True)
class HarmSettings:
    """Everything that tuning may change.

    Attributes:
        precision_of_mean: How near to 0 the coefficients of both dangers are held.
        precision_of_difference: How near to each other.
        taught_learning_rate: Of trees that learn what the two dangers say.
        taught_leaves: Leaves of these trees.
        taught_feature_fraction: Share of the columns that each of them may see.
        learning_rate: Of trees that learn from reports alone.
        leaves: Leaves of these trees.
        min_data_in_leaf: Pairs in each of their leaves, at least.
        lambda_l2: Ridge on their leaves.
    """

    precision_of_mean: float = 5.0
    precision_of_difference: float = 10.0
    taught_learning_rate: float = 0.2
    taught_leaves: int = 31
    taught_feature_fraction: float = 0.7
    learning_rate: float = 0.04
    leaves: int = 15
    min_data_in_leaf: int = 40
    lambda_l2: float = 10.0

    def to_mapping(self) -> dict[str, Any]:
        """Return the values by name."""
        return asdict(self)

    @property
    def taught_trees(self) -> dict[str, Any]:
        """Parameters of LightGBM for trees that are taught."""
        return {
            **_EITHER,
            # Squared error in log-odds: the teacher is known at every pair, nothing is counted.
            "objective": "regression",
            "max_bin": 1_023,  # what is most dangerous is told apart, too
            "learning_rate": self.taught_learning_rate,
            "num_leaves": self.taught_leaves,
            "feature_fraction": self.taught_feature_fraction,
            "min_data_in_leaf": 20,
            "lambda_l2": 1.0,
        }

    @property
    def untaught_trees(self) -> dict[str, Any]:
        """Parameters of LightGBM for trees that learn from reports alone."""
        return {
            **_EITHER,
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "feature_fraction": 0.7,
            "min_data_in_leaf": self.min_data_in_leaf,
            "min_sum_hessian_in_leaf": 0.3,
            "lambda_l2": self.lambda_l2,
        }


_EITHER: Final[dict[str, Any]] = {
    "max_bin": 127,
    "min_data_per_group": 100,
    "cat_smooth": 50.0,
    "monotone_constraints_method": "basic",  # the others break their word on missing values
}
