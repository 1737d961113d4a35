"""What the estimators ask of their input, and what they answer, as scikit-learn's own do.

Owns two classes of labels and groups. It must not know what is learned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class EventClassifier(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn is untyped
    """A classifier whose second class is an event.

    Attributes:
        classes_: The two classes.
    """

    classes_: NDArray[Any]

    @abstractmethod
    def predict_proba(self, X: Any) -> Array:
        """Return (n, 2) probabilities of the two classes."""

    def predict(self, X: Any) -> NDArray[Any]:
        """Return (n,) the second class where its probability is at least one half."""
        likely = self.predict_proba(X)[:, 1] >= 0.5
        classes: NDArray[Any] = self.classes_[likely.astype(np.intp)]
        return classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def two_classes(labels: Any) -> tuple[NDArray[Any], Mask]:
    """Return the two classes, rising, and (n,) who is of the second.

    Raises:
        ValueError: There are more or fewer.
    """
    check_classification_targets(labels)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) > 2:
        kind = type_of_target(labels)
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {kind}."
        )
    if len(classes) < 2:
        raise ValueError("Labels of one class teach nothing: two classes are needed")
    return classes, codes.astype(np.bool_)


def groups_of(groups: Sequence[Any] | NDArray[Any] | None, count: int) -> list[str]:
    """Return (n,) names of groups; without any, each row is its own.

    Raises:
        ValueError: There are not as many as rows.
    """
    if groups is None:
        return [str(row) for row in range(count)]
    if len(groups) != count:
        raise ValueError(f"{len(groups)} groups for {count} rows")
    return [str(group) for group in groups]


def of_second_class(probabilities: Array) -> Array:
    """Return (n, 2) probabilities of both classes from those of the second."""
    return np.column_stack([1.0 - probabilities, probabilities])
