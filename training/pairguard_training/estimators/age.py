"""The behaviour age model as a regressor of any rows: a likelihood that is smooth in age.

Owns the estimator. Training is that of ``pairguard-train fit`` (``behaviour_fit``): rounds and
temperature come from people left out fold by fold. It must not know what a row is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.trees import TreeModel
from pairguard_training.age_labels import AgeRows
from pairguard_training.age_prior import smoothed_density
from pairguard_training.behaviour_fit import fit_behaviour
from pairguard_training.boosting import Compute
from pairguard_training.estimators.checking import groups_of
from pairguard_training.temperature_fit import fit_temperature

Array = NDArray[np.float64]

_PRIOR_FLOOR = 1e-9


class AgeBehaviourRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # untyped
    """How likely behaviour is at each age, and the age that follows with the prior of the training.

    What serves is ``predict_log_likelihood``: the posterior of a platform has a prior of its own
    and other evidence beside it. ``predict`` is the mean of the posterior under the ages of the
    people who taught it.

    Args:
        categorical_columns: Columns that hold codes from 0 on.
        random_state: Seed, a whole number of at least 0.
        n_jobs: Threads; they change no result.

    Attributes:
        n_features_in_: Number of columns.
        model_text_: The trees as LightGBM's text.
        parameters_: What else the model is made of, as a bundle keeps it; its ``temperature`` is
            how far it is believed, by people left out. None: it told nothing of their ages, and
            is not believed at all.
        prior_: (101,) ages of the people who taught it.
        rounds_: Boosting rounds.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(1)
        >>> ages = rng.uniform(11, 45, 2_000)
        >>> X = np.column_stack([np.log(ages) + rng.normal(0, 0.15, 2_000), rng.normal(size=2_000)])
        >>> model = AgeBehaviourRegressor().fit(X, ages)
        >>> child, adult = model.probability_below([[np.log(13), 0.0], [np.log(35), 0.0]], 18)
        >>> bool(adult < 0.1 < 0.8 < child)
        True
    """

    def __init__(
        self,
        *,
        categorical_columns: Sequence[int] = (),
        random_state: int = 1,
        n_jobs: int = 1,
    ) -> None:
        self.categorical_columns = categorical_columns
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Sequence[Any] | NDArray[Any] | None = None,
    ) -> AgeBehaviourRegressor:
        """Train, and find out how far to believe it.

        Args:
            X: (n, f) numbers; NaN: unknown.
            y: (n,) ages in years, within [0, 101).
            sample_weight: (n,) how many people each row stands for, e.g. 1 / the probability with
                which its age was verified; rows of weight 0 are left out. None: one each.
            groups: (n,) rows of one person, or household, which are left out together. None: each
                row by itself.

        Raises:
            ValueError: The rows cannot teach a model, and why.
        """
        X, y = validate_data(
            self,
            X,
            y,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            ensure_min_samples=2,
            y_numeric=True,
        )
        ages = np.asarray(y, dtype=np.float64)
        if not ((ages >= 0.0) & (ages < AGE_COUNT)).all():
            raise ValueError(f"ages must be within 0 and {AGE_COUNT} years")
        names = groups_of(groups, len(ages))
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        rows = AgeRows([str(row) for row in range(len(ages))], names, ages, weights, ages * 0.0)
        counted = weights > 0.0
        rows = rows.where(counted)
        fit = fit_behaviour(
            _catalogue(X, self.categorical_columns),
            rows,
            self._vectors(X[counted]),
            compute=Compute(threads=self.n_jobs, seed=self.random_state),
        )
        if isinstance(fit, str):
            raise ValueError(fit)  # noqa: TRY004 - a sentence is a refusal
        prior = smoothed_density(rows.ages, rows.weights) + _PRIOR_FLOOR
        self.prior_: Array = prior / prior.sum()
        usable = ~np.isnan(fit.out_of_fold[:, 0])
        found = fit_temperature(fit.out_of_fold[usable], self.prior_, rows.where(usable))
        self.model_text_: str = fit.text
        self.parameters_: dict[str, Any] | None = None
        if found.temperature > 0.0:
            self.parameters_ = fit.tempered(found.temperature).to_mapping()
        self.rounds_: int = fit.rounds
        return self

    def predict_log_likelihood(self, X: Any) -> Array:
        """Return (n, 101) how likely the rows are at each age, relative to everybody, in nats.

        Within +-4; zeros where nothing is known, or nothing is believed.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        if self.parameters_ is None:
            return np.zeros((X.shape[0], AGE_COUNT))
        model = BehaviourAgeModel.from_mapping(self.parameters_, TreeModel(self.model_text_))
        return model.log_likelihoods(self._vectors(X))

    def predict_ages(self, X: Any) -> Array:
        """Return (n, 101) the posterior over whole years of age; each row sums to 1."""
        posterior = np.exp(self.predict_log_likelihood(X)) * self.prior_
        result: Array = posterior / posterior.sum(axis=1, keepdims=True)
        return result

    def probability_below(self, X: Any, years: int) -> Array:
        """Return (n,) P(age < years); years from 1 to 100."""
        below: Array = self.predict_ages(X)[:, :years].sum(axis=1)
        return below

    def predict(self, X: Any) -> Array:
        """Return (n,) the mean age of the posterior, in years."""
        mean: Array = self.predict_ages(X) @ (AGE_GRID + 0.5)
        return mean

    def _vectors(self, X: Array) -> Array:
        """Return the columns as a catalogue has them: numbers first, then codes."""
        coded = list(self.categorical_columns)
        plain = [column for column in range(X.shape[1]) if column not in coded]
        return np.ascontiguousarray(X[:, plain + coded])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.positive_only = True
        return tags


def _catalogue(X: Array, categorical: Sequence[int]) -> SignalCatalogue:
    signals: list[dict[str, Any]] = [
        {"name": f"x{column}", "kind": "number", "age_input": True}
        for column in range(X.shape[1])
        if column not in categorical
    ]
    for column in categorical:
        codes = X[:, column][~np.isnan(X[:, column])]
        if (codes < 0.0).any() or (codes != np.floor(codes)).any():
            raise ValueError(f"column {column} is categorical: whole numbers from 0 on wanted")
        count = int(codes.max()) + 1 if codes.size else 1
        signals.append(
            {
                "name": f"x{column}",
                "kind": "category",
                "categories": [str(code) for code in range(count)],
                "age_input": True,
            }
        )
    return SignalCatalogue.from_mapping({"signals": signals, "interests": []})
