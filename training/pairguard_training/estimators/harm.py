"""The harm model's trees and calibration as a classifier of any rows.

Owns the estimator. Training is that of ``pairguard-train fit`` (``harm_fit``): people are divided,
rounds are chosen on people set aside, and the calibration is fitted to people whom the trees have
not seen. It must not know what a row is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from pairguard.risk.calibration import Calibration
from pairguard.risk.trees import TreeModel
from pairguard_training.boosting import Compute
from pairguard_training.estimators.checking import groups_of, of_second_class, two_classes
from pairguard_training.harm_fit import FEWEST_POSITIVES, HarmPairs, fit_trees, tree_scores
from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Columns:
    monotone_constraints: tuple[int, ...]
    categorical_columns: tuple[int, ...]


class HarmClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Monotone boosted trees with calibrated probabilities of a rare event.

    Labels are two classes; the second in order is the event. ``predict`` names it where its
    probability is at least one half, which a rare event seldom is: use ``predict_proba``.

    Args:
        monotone_constraints: -1, 0 or 1 for each column: which way the probability may move.
            None: either way.
        categorical_columns: Columns that hold codes from 0 on.
        calibration_share: Of the groups, whose rows calibrate and do not teach the trees.
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
        >>> bool(low < 0.05 < 0.4 < high)
        True
    """

    def __init__(
        self,
        *,
        monotone_constraints: Sequence[int] | None = None,
        categorical_columns: Sequence[int] = (),
        calibration_share: float = 1.0 / 3.0,
        fewest_positives: int = FEWEST_POSITIVES,
        random_state: int = 1,
        n_jobs: int = 1,
    ) -> None:
        self.monotone_constraints = monotone_constraints
        self.categorical_columns = categorical_columns
        self.calibration_share = calibration_share
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
            groups: (n,) rows that belong together, e.g. by household: a group that teaches the
                trees calibrates nothing. None: each row by itself.

        Raises:
            ValueError: The rows cannot teach a model, and why.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_, harmed = two_classes(y)
        names = groups_of(groups, len(harmed))
        held = {
            name: hash_fraction(f"calibration {name}", seed=self.random_state)
            < self.calibration_share
            for name in set(names)
        }
        aside = np.array([held[name] for name in names], dtype=np.bool_)

        def part(mask: NDArray[np.bool_]) -> HarmPairs:
            chosen = [names[row] for row in np.flatnonzero(mask)]
            return HarmPairs(X[mask], harmed[mask], chosen, chosen)

        found = fit_trees(
            _Columns(
                tuple(self.monotone_constraints or (0,) * X.shape[1]),
                tuple(self.categorical_columns),
            ),
            part(~aside),
            part(aside),
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
        return of_second_class(self.calibration_.probabilities(tree_scores(trees, X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return (n,) the second class where its probability is at least one half."""
        likely = self.predict_proba(X)[:, 1] >= 0.5
        classes: NDArray[Any] = self.classes_[likely.astype(np.intp)]
        return classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags
