"""The calibration of rare events as an estimator of raw scores.

Owns the estimator. The map is that of ``pairguard-train fit`` (``calibration_fit``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from pairguard.risk.calibration import Calibration
from pairguard_training.calibration_fit import fit_calibration
from pairguard_training.estimators.checking import EventClassifier, of_second_class, two_classes

Array = NDArray[np.float64]


class RareEventCalibrator(EventClassifier):
    """From raw scores in log-odds to probabilities, strictly rising, with the sums of the labels.

    A shift of the log-odds with fewer than 20 events, beta calibration with fewer than 1,000, a
    monotone spline with more; never bare isotonic regression, whose steps and zeros are made of
    the noise of rare events.

    Fit it on people whom the model of the scores has not seen.

    Attributes:
        classes_: The two classes; the second in order is the event.
        n_features_in_: 1.
        calibration_: The map, as it is served.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(1)
        >>> scores = rng.normal(-4.0, 1.5, 20_000)
        >>> happened = rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * scores - 3.0)))
        >>> calibrator = RareEventCalibrator().fit(scores, happened)
        >>> chances = calibrator.predict_proba(scores)[:, 1]
        >>> bool(abs(chances.sum() - happened.sum()) < 1e-6)
        True
    """

    def fit(self, X: Any, y: Any) -> RareEventCalibrator:
        """Fit the map.

        Args:
            X: (n,) or (n, 1) raw scores, log-odds as the model says them.
            y: (n,) two classes.

        Raises:
            ValueError: X is no column of finite numbers, or y not two classes.
        """
        scores = _column(X)
        labels = check_array(y, ensure_2d=False, dtype=None)
        check_consistent_length(scores, labels)
        self.classes_, happened = two_classes(labels)
        self.n_features_in_ = 1
        self.calibration_: Calibration = fit_calibration(scores, happened)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return (n, 2) probabilities of the two classes, each inside (0, 1)."""
        check_is_fitted(self)
        return of_second_class(self.calibration_.probabilities(_column(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def _column(X: Any) -> Array:
    scores: Array = check_array(X, ensure_2d=False, dtype=np.float64)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if scores.ndim != 1:
        raise ValueError(f"one column of raw scores wanted, got the shape {scores.shape}")
    return np.ascontiguousarray(scores)
