"""The harm model's trees and calibration as a classifier of any rows.

Owns the estimator. Training is that of ``pairguard-train fit`` from reports alone
(``harm.any_rows``): groups are divided into folds, the number of rounds is chosen and the
calibration fitted on scores by trees that have not seen the group, and trees of all rows serve. It
must not know what a row is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from pairguard.risk.calibration import Calibration
from pairguard.risk.trees import TreeModel
from pairguard_training.boosting import Compute
from pairguard_training.estimators.checking import (
    EventClassifier,
    groups_of,
    of_second_class,
    two_classes,
)
from pairguard_training.harm.any_rows import LabelledRows, fit_rows
from pairguard_training.harm_fit import FEWEST_POSITIVES

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Columns:
    monotone_constraints: tuple[int, ...]
    categorical_columns: tuple[int, ...]


class HarmClassifier(EventClassifier):
    """Monotone boosted trees with calibrated probabilities of a rare event.

    Labels are two classes; the second in order is the event. ``predict`` names it where its
    probability is at least one half, which a rare event seldom is: use ``predict_proba``.

    Args:
        monotone_constraints: -1, 0 or 1 for each column: which way the probability may move.
            None: either way.
        categorical_columns: Columns that hold codes from 0 on.
        fewest_positives: Events to learn from below which fitting is refused.
        random_state: Seed, a whole number of at least 0; the same rows and seed give the same
            model to the byte.
        n_jobs: Threads; they change no result.

    Attributes:
        classes_: The two classes.
        n_features_in_: Number of columns.
        model_text_: The trees as LightGBM's text.
        calibration_: From raw scores to probabilities, as it is served.
        rounds_: Boosting rounds.
        notes_: What should be known about the model, in sentences.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(1)
        >>> X = rng.normal(size=(4_000, 3))
        >>> X[rng.random(4_000) < 0.1, 1] = np.nan  # unknown
        >>> y = rng.random(4_000) < 1 / (1 + np.exp(4 - 2 * X[:, 0]))
        >>> model = HarmClassifier(monotone_constraints=(1, 0, 0)).fit(X, y)
        >>> low, high = model.predict_proba([[-1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])[:, 1]
        >>> bool(low < 0.05 < 0.3 < high)
        True
    """

    def __init__(
        self,
        *,
        monotone_constraints: Sequence[int] | None = None,
        categorical_columns: Sequence[int] = (),
        fewest_positives: int = FEWEST_POSITIVES,
        random_state: int = 1,
        n_jobs: int = 1,
    ) -> None:
        self.monotone_constraints = monotone_constraints
        self.categorical_columns = categorical_columns
        self.fewest_positives = fewest_positives
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self, X: Any, y: Any, *, groups: Sequence[Any] | NDArray[Any] | None = None
    ) -> HarmClassifier:
        """Train and calibrate.

        Args:
            X: (n, f) numbers; NaN: unknown.
            y: (n,) two classes.
            groups: (n,) rows that belong together, e.g. by household: trees that have seen any of
                a group neither choose rounds nor calibrate by it. None: each row by itself.

        Raises:
            ValueError: The rows cannot teach a model, and why.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_, harmed = two_classes(y)
        constraints = tuple(self.monotone_constraints or (0,) * X.shape[1])
        if len(constraints) != X.shape[1] or not {-1, 0, 1}.issuperset(constraints):
            raise ValueError(
                f"monotone_constraints should be {X.shape[1]} numbers, one for each column of X, "
                "each -1, 0 or 1"
            )
        names = groups_of(groups, len(harmed))
        groups_of_rows = np.unique(names, return_inverse=True)[1].astype(np.intp)
        found = fit_rows(
            LabelledRows(
                table=X,
                features=_Columns(
                    constraints,
                    tuple(self.categorical_columns),
                ),
                harmed=harmed,
                weights=np.ones(len(harmed)),
                groups_first=groups_of_rows,
                groups_second=groups_of_rows,
            ),
            compute=Compute(threads=self.n_jobs, seed=self.random_state),
            fewest_positives=self.fewest_positives,
        )
        if isinstance(found, str):
            raise ValueError(found)  # noqa: TRY004 - a sentence is a refusal
        self.model_text_: str = found.text
        self.calibration_: Calibration = found.calibration
        self.rounds_: int = found.rounds
        self.notes_: tuple[str, ...] = found.notes
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return (n, 2) probabilities of the two classes, each inside (0, 1)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        trees = TreeModel(self.model_text_).with_missing_as_majority()
        return of_second_class(self.calibration_.probabilities(trees.raw_scores(X)[:, 0]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
